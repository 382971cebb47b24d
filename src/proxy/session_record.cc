#include "proxy/session_record.h"

#include "proxy/log_text.h"

namespace penstock {
namespace {

struct Line {
  const StreamSession& session;
  const SessionRecord& record;
  TimePoint now;
  std::chrono::system_clock::time_point wall;
};

void append_json_line(std::string& out, const Line& line) {
  const SessionRecord& record = line.record;
  const ClientInfo& client = line.session.client;
  out += "{\"time\":\"";
  append_iso_time(out, line.wall);
  out += '"';
  append_count(out, "connection", client.connection_id);
  out += ",\"mode\":\"tcp\"";
  append_client(out, client);
  if (client.tls() == nullptr && !line.session.server_name.empty()) {
    append_string(out, "tls_server_name", line.session.server_name);
  }
  append_count(out, "bytes_in", record.traffic.up);
  append_count(out, "bytes_out", record.traffic.down);
  append_count(out, "acquire_us", microseconds(line.session.started, record.connected));
  append_count(out, "total_us", microseconds(line.session.started, line.now));
  if (record.server != nullptr) append_string(out, "server", record.server->to_string());
  if (!record.group.empty()) append_string(out, "upstream", record.group);
  append_count(out, "attempts", static_cast<std::uint64_t>(record.attempts));
  append_string(out, "client_close", to_string(record.client_fate));
  append_string(out, "server_close", to_string(record.server_fate));
  if (!record.error.empty()) append_string(out, "error", record.error);
  if (!record.detail.empty()) append_string(out, "detail", record.detail);
  out += "}\n";
}

void append_target(std::string& out, const StreamSession& session) {
  if (session.server_name.empty()) return append_escaped(out, session.client.local.to_string());
  append_escaped(out, session.server_name);
  if (session.client.local.is_unix()) return;
  out += ':';
  append_number(out, session.client.local.port());
}

void append_common_line(std::string& out, const Line& line, bool combined) {
  out += line.session.client.peer.host_text();
  out += " - - ";
  append_common_time(out, line.wall);
  out += " \"CONNECT ";
  append_target(out, line.session);
  out += " TCP\" ";
  append_number(out, static_cast<std::uint64_t>(line.record.status));
  out += ' ';
  append_number(out, line.record.traffic.down);
  if (combined) out += " \"-\" \"-\"";
  out += '\n';
}

void append_squid_line(std::string& out, const Line& line) {
  append_squid_times(out, line.wall, line.session.started, line.now);
  out += line.session.client.peer.host_text();
  out += " TCP_TUNNEL/";
  append_number(out, static_cast<std::uint64_t>(line.record.status));
  out += ' ';
  append_number(out, line.record.traffic.down);
  out += " CONNECT ";
  append_target(out, line.session);
  out += " - ";
  append_squid_server(out, line.session.client, line.record.group, line.record.server);
}

}  // namespace

void format_session_line(std::string& out, AccessLogFormat format, const StreamSession& session,
                         const SessionRecord& record, TimePoint now,
                         std::chrono::system_clock::time_point wall_now) {
  const Line line{session, record, now, wall_now};
  switch (format) {
    case AccessLogFormat::json:
      return append_json_line(out, line);
    case AccessLogFormat::common:
      return append_common_line(out, line, false);
    case AccessLogFormat::combined:
      return append_common_line(out, line, true);
    case AccessLogFormat::squid:
      return append_squid_line(out, line);
  }
}

}  // namespace penstock

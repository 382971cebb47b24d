#include "proxy/access_record.h"

#include "proxy/log_text.h"

namespace penstock {
namespace {

struct Line {
  Exchange& exchange;
  const AccessRecord& record;
  TimePoint now;
  std::chrono::system_clock::time_point wall;

  [[nodiscard]] std::uint64_t received() const {
    return exchange.traffic().received + record.tunnel_up;
  }
  [[nodiscard]] std::uint64_t sent() const { return exchange.traffic().sent + record.tunnel_down; }
};

void append_json_line(std::string& out, const Line& line) {
  const AccessRecord& record = line.record;
  const ClientTraffic& traffic = line.exchange.traffic();
  RequestHead& request = line.exchange.request();
  out += "{\"time\":\"";
  append_iso_time(out, line.wall);
  out += '"';
  append_count(out, "connection", line.exchange.client().connection_id);
  append_count(out, "request", traffic.requests_before + 1);
  append_client(out, line.exchange.client());
  append_string(out, "method", request.method_text);
  append_string(out, "target", request.target_text);
  append_string(out, "host", request.fields.value(FieldId::host));
  append_string(out, "version", to_string(request.version));
  append_count(out, "status", static_cast<std::uint64_t>(record.status));
  append_count(out, "bytes_in", line.received());
  append_count(out, "bytes_out", line.sent());
  append_count(out, "body_out", traffic.content_sent);
  append_count(out, "bytes_to_server", record.request_sent);
  append_count(out, "head_us", microseconds(traffic.started, traffic.head_complete));
  append_count(out, "acquire_us", microseconds(traffic.head_complete, record.acquired));
  append_count(out, "wait_us", microseconds(record.acquired, record.server_answered));
  append_count(out, "first_byte_us", microseconds(traffic.started, traffic.response_started));
  append_count(out, "total_us", microseconds(traffic.started, line.now));
  if (record.server != nullptr) append_string(out, "server", record.server->to_string());
  if (!record.group.empty()) append_string(out, "upstream", record.group);
  out += line.record.server_reused ? ",\"server_reused\":true" : ",\"server_reused\":false";
  out += traffic.requests_before > 0 ? ",\"client_reused\":true" : ",\"client_reused\":false";
  append_count(out, "attempts", static_cast<std::uint64_t>(record.attempts));
  append_string(out, "client_close", to_string(line.exchange.fate()));
  append_string(out, "server_close", to_string(record.server_fate));
  if (!record.error.empty()) append_string(out, "error", record.error);
  if (!record.detail.empty()) append_string(out, "detail", record.detail);
  if (record.host_unverified) out += ",\"host_unverified\":true";
  if (!record.cache.empty()) append_string(out, "cache", record.cache);
  if (!record.cache_detail.empty()) append_string(out, "cache_detail", record.cache_detail);
  if (!record.filter.empty()) append_string(out, "filter", record.filter);
  for (const auto& [name, value] : record.added) append_string(out, name, value);
  for (const auto& [name, elements] : record.lists) {
    out += ",\"";
    out += name;
    out += "\":[";
    out += elements;
    out += ']';
  }
  out += "}\n";
}

void append_common_line(std::string& out, const Line& line, bool combined) {
  RequestHead& request = line.exchange.request();
  out += line.exchange.client().peer.host_text();
  out += " - - ";
  append_common_time(out, line.wall);
  out += " \"";
  append_escaped(out, request.method_text);
  out += ' ';
  append_escaped(out, request.target_text);
  out += ' ';
  out += to_string(request.version);
  out += "\" ";
  append_number(out, static_cast<std::uint64_t>(line.record.status));
  out += ' ';
  append_number(out, line.exchange.traffic().content_sent + line.record.tunnel_down);
  if (combined) {
    const Field* const referer = request.fields.find("referer");
    out += " \"";
    append_escaped(out, referer != nullptr ? referer->value : std::string_view());
    out += "\" \"";
    append_escaped(out, request.fields.value(FieldId::user_agent));
    out += '"';
  }
  out += '\n';
}

// Squid's words for what the cache did.
std::string_view squid_result(const RequestHead& request, const AccessRecord& record) {
  if (request.method == Method::connect) return " TCP_TUNNEL/";
  if (record.cache == "hit") return record.status == 304 ? " TCP_INM_HIT/" : " TCP_MEM_HIT/";
  if (record.cache == "stale") return " TCP_STALE_HIT/";
  if (record.cache == "collapsed") return " TCP_CF_HIT/";
  if (record.cache == "validated") return " TCP_REFRESH_UNMODIFIED/";
  return " TCP_MISS/";
}

// The native format of Squid: time, milliseconds, client, what was done, bytes, request, hierarchy.
void append_squid_line(std::string& out, const Line& line) {
  RequestHead& request = line.exchange.request();
  append_squid_times(out, line.wall, line.exchange.traffic().started, line.now);
  out += line.exchange.client().peer.host_text();
  out += squid_result(request, line.record);
  append_number(out, static_cast<std::uint64_t>(line.record.status));
  out += ' ';
  append_number(out, line.sent());
  out += ' ';
  append_escaped(out, request.method_text);
  out += ' ';
  append_escaped(out, request.target_text);
  out += " - ";
  append_squid_server(out, line.exchange.client(), line.record.group, line.record.server);
}

}  // namespace

void format_access_line(std::string& out, AccessLogFormat format, Exchange& exchange,
                        const AccessRecord& record, TimePoint now,
                        std::chrono::system_clock::time_point wall_now) {
  const Line line{exchange, record, now, wall_now};
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

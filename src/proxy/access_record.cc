#include "proxy/access_record.h"

#include <array>
#include <charconv>
#include <ctime>

#include "message/target.h"

namespace penstock {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

void append_hex(std::string& out, unsigned char byte) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

// JSON string content: bytes that are not ASCII are shown as \u00XX, since what clients send need
// not be UTF-8 and a log line must be valid JSON.
void append_json(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += "\\u00";
      append_hex(out, byte);
    } else {
      out += c;
    }
  }
}

// For the text formats: what could break a line or a quoted part is shown as \xXX.
void append_escaped(std::string& out, std::string_view text) {
  if (text.empty()) out += '-';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\' || byte < 0x20 || byte >= 0x7f) {
      out += "\\x";
      append_hex(out, byte);
    } else {
      out += c;
    }
  }
}

void append_string(std::string& out, std::string_view key, std::string_view value) {
  out += ",\"";
  out += key;
  out += "\":\"";
  append_json(out, value);
  out += '"';
}

void append_count(std::string& out, std::string_view key, std::uint64_t value) {
  out += ",\"";
  out += key;
  out += "\":";
  append_number(out, value);
}

std::uint64_t microseconds(TimePoint from, TimePoint to) {
  if (from == TimePoint{} || to <= from) return 0;
  return static_cast<std::uint64_t>((to - from) / std::chrono::microseconds(1));
}

std::string_view version_text(Version version) {
  return version == Version::http11 ? "HTTP/1.1" : "HTTP/1.0";
}

void append_iso_time(std::string& out, std::chrono::system_clock::time_point wall) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(wall.time_since_epoch());
  // The part up to the second is the same for many lines.
  thread_local std::time_t shown = -1;
  thread_local std::array<char, 32> text{};
  const std::time_t second = ms.count() / 1000;
  if (second != shown) {
    std::tm parts{};
    gmtime_r(&second, &parts);
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    shown = second;
  }
  out += text.data();
  const auto fraction = static_cast<unsigned>(ms.count() % 1000);
  out += '.';
  out += static_cast<char>('0' + fraction / 100);
  out += static_cast<char>('0' + fraction / 10 % 10);
  out += static_cast<char>('0' + fraction % 10);
  out += 'Z';
}

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
  append_string(out, "client", line.exchange.client().peer.to_string());
  append_string(out, "method", request.method_text);
  append_string(out, "target", request.target_text);
  append_string(out, "host", request.fields.value(FieldId::host));
  append_string(out, "version", version_text(request.version));
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
  out += "}\n";
}

void append_common_time(std::string& out, std::chrono::system_clock::time_point wall) {
  const std::time_t second = std::chrono::system_clock::to_time_t(wall);
  std::tm parts{};
  gmtime_r(&second, &parts);
  std::array<char, 40> text{};
  // Month names: the process keeps to the C locale.
  std::strftime(text.data(), text.size(), "[%d/%b/%Y:%H:%M:%S +0000]", &parts);
  out += text.data();
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
  out += version_text(request.version);
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

// The native format of Squid: time, milliseconds, client, what was done, bytes, request, hierarchy.
void append_squid_line(std::string& out, const Line& line) {
  RequestHead& request = line.exchange.request();
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(line.wall.time_since_epoch()).count();
  append_number(out, static_cast<std::uint64_t>(ms / 1000));
  out += '.';
  out += std::to_string(1000 + ms % 1000).substr(1);
  const std::string elapsed =
      std::to_string(microseconds(line.exchange.traffic().started, line.now) / 1000);
  out.append(elapsed.size() < 7 ? 7 - elapsed.size() : 1, ' ');
  out += elapsed;
  out += ' ';
  out += line.exchange.client().peer.host_text();
  out += request.method == Method::connect ? " TCP_TUNNEL/" : " TCP_MISS/";
  append_number(out, static_cast<std::uint64_t>(line.record.status));
  out += ' ';
  append_number(out, line.sent());
  out += ' ';
  append_escaped(out, request.method_text);
  out += ' ';
  append_escaped(out, request.target_text);
  out += " - ";
  if (line.record.server != nullptr) {
    out += "HIER_DIRECT/";
    out += line.record.server->host_text();
  } else {
    out += "HIER_NONE/-";
  }
  out += " -\n";
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

#include "proxy/log_text.h"

#include <array>
#include <charconv>
#include <ctime>

namespace penstock {
namespace {

void append_hex(std::string& out, unsigned char byte) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += kHex[byte >> 4];
  out += kHex[byte & 15];
}

}  // namespace

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

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

void append_common_time(std::string& out, std::chrono::system_clock::time_point wall) {
  const std::time_t second = std::chrono::system_clock::to_time_t(wall);
  std::tm parts{};
  gmtime_r(&second, &parts);
  std::array<char, 40> text{};
  // Month names: the process keeps to the C locale.
  std::strftime(text.data(), text.size(), "[%d/%b/%Y:%H:%M:%S +0000]", &parts);
  out += text.data();
}

void append_squid_times(std::string& out, std::chrono::system_clock::time_point wall,
                        TimePoint started, TimePoint now) {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(wall.time_since_epoch()).count();
  append_number(out, static_cast<std::uint64_t>(ms / 1000));
  out += '.';
  out += std::to_string(1000 + ms % 1000).substr(1);
  const std::string elapsed = std::to_string(microseconds(started, now) / 1000);
  out.append(elapsed.size() < 7 ? 7 - elapsed.size() : 1, ' ');
  out += elapsed;
  out += ' ';
}

namespace {

void append_tls(std::string& out, const TlsClientFacts& tls) {
  append_string(out, "tls_version", to_string(tls.version));
  append_string(out, "tls_cipher", tls.cipher);
  if (!tls.server_name.empty()) append_string(out, "tls_server_name", tls.server_name);
  if (!tls.alpn.empty()) append_string(out, "tls_alpn", tls.alpn);
  out += tls.resumed ? ",\"tls_resumed\":true" : ",\"tls_resumed\":false";
  if (!tls.has_certificate()) return;
  append_string(out, "tls_client_subject", tls.subject);
  append_string(out, "tls_client_fingerprint", tls.fingerprint);
}

}  // namespace

void append_client(std::string& out, const ClientInfo& client) {
  append_string(out, "client", client.peer.to_string());
  if (client.listener != nullptr && !client.listener->name.empty()) {
    append_string(out, "listener", client.listener->name);
  }
  if (client.intercepted) {
    out += ",\"intercepted\":true";
    append_string(out, "destination", client.local.to_string());
  }
  if (!client.facts) return;
  if (client.facts->sender) append_string(out, "sender", client.facts->sender->to_string());
  if (client.tls() != nullptr) append_tls(out, *client.tls());
}

void append_squid_server(std::string& out, const ClientInfo& client, std::string_view place,
                         const Address* server) {
  if (server != nullptr) {
    out += client.intercepted && place.empty() ? "ORIGINAL_DST/" : "HIER_DIRECT/";
    out += server->host_text();
  } else {
    out += "HIER_NONE/-";
  }
  out += " -\n";
}

}  // namespace penstock

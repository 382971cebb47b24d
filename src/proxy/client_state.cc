#include "proxy/client_state.h"

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace penstock {
namespace {

// The byte that stands there as two hexadecimal digits.
std::optional<unsigned char> hex_byte(std::string_view digits) {
  unsigned char byte = 0;
  const char* const end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, byte, 16);
  if (digits.size() != 2 || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return byte;
}

// The value at the start of `text`, up to what ends an attribute (RFC 2253 section 3). Control
// characters, which have no place in a header, are left as they are written.
std::string attribute_value(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' || text[i] == '+') break;
    if (text[i] != '\\' || i + 1 == text.size()) {
      value += text[i];
      continue;
    }
    const auto byte = hex_byte(text.substr(i + 1, 2));
    const bool is_digit = std::string_view("0123456789abcdefABCDEF").contains(text[i + 1]);
    if (byte && *byte >= 0x20 && *byte != 0x7f) {
      value += static_cast<char>(*byte);
      i += 2;
    } else if (is_digit) {
      value += text[i];
    } else {
      value += text[++i];
    }
  }
  return value;
}

// The first common name in a distinguished name as RFC 2253 writes it.
std::string common_name(std::string_view subject) {
  bool at_start = true;
  for (std::size_t i = 0; i < subject.size(); ++i) {
    if (at_start && subject.substr(i).starts_with("CN=")) {
      return attribute_value(subject.substr(i + 3));
    }
    if (subject[i] == '\\')
      ++i;
    else
      at_start = subject[i] == ',' || subject[i] == '+';
  }
  return {};
}

}  // namespace

ProxyHeaderFields proxy_header_fields(const ClientInfo& client) {
  ProxyHeaderFields fields{.source = client.peer, .destination = client.local};
  const TlsClientFacts* const tls = client.tls();
  if (tls == nullptr) return fields;
  fields.alpn = tls->alpn;
  fields.authority = tls->server_name;
  fields.tls = {.version = tls->version == TlsVersion::v1_2 ? "TLSv1.2" : "TLSv1.3",
                .cipher = std::string(tls->cipher),
                .certificate = tls->has_certificate(),
                .verified = tls->has_certificate(),
                .common_name = common_name(tls->subject)};
  return fields;
}

ClientState& ClientState::of(ClientControl& connection, const ClientInfo& client,
                             ServerPool& pool) {
  if (!connection.state) {
    connection.state = std::make_unique<ClientState>(connection, client, pool);
  }
  return *find(connection);
}

}  // namespace penstock

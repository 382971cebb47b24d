#include "proxy/client_state.h"

#include <string>
#include <string_view>

namespace penstock {
namespace {

// The value at the start of `text`, up to what ends an attribute (RFC 2253 section 3). Characters
// written in hexadecimal are left as they are written.
std::string attribute_value(std::string_view text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' || text[i] == '+') break;
    const bool escaped = text[i] == '\\' && i + 1 < text.size();
    const bool is_hex = escaped && std::string_view("0123456789abcdefABCDEF").contains(text[i + 1]);
    if (escaped && !is_hex) ++i;
    value += text[i];
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

// Variables in configured texts: "${name}" stands for what is known of a request, its client and
// connection, "$$" for a dollar sign.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace penstock {

enum class Variable : std::uint8_t {
  client_ip,
  client_port,
  server_ip,
  server_port,
  scheme,
  listener,
  connection_id,
  request_id,
  method,
  host,
  path,
  query,
  path_and_query,
  route,
  status,
  tls_version,
  tls_cipher,
  tls_server_name,
  tls_alpn,
  tls_resumed,
  tls_client_subject,
  tls_client_issuer,
  tls_client_serial,
  tls_client_fingerprint,
  tls_client_certificate,
  user,
  field,
  noted,
};

// Their names, in the order of the enum.
inline constexpr std::array<std::string_view, 28> kVariableNames{
    "client_ip",
    "client_port",
    "server_ip",
    "server_port",
    "scheme",
    "listener",
    "connection_id",
    "request_id",
    "method",
    "host",
    "path",
    "query",
    "path_and_query",
    "route",
    "status",
    "tls_version",
    "tls_cipher",
    "tls_server_name",
    "tls_alpn",
    "tls_resumed",
    "tls_client_subject",
    "tls_client_issuer",
    "tls_client_serial",
    "tls_client_fingerprint",
    "tls_client_certificate",
    "user",
    "field:NAME",
    "noted:NAME",
};
static_assert(kVariableNames.size() == static_cast<std::size_t>(Variable::noted) + 1);

// What is written between "${" and "}".
struct NamedVariable {
  Variable variable{};
  std::string_view field = {};  // the NAME of those that have one
};

// Nothing: there is no such variable.
[[nodiscard]] constexpr std::optional<NamedVariable> variable_of(std::string_view text) {
  constexpr std::string_view kPlace = ":NAME";
  for (std::size_t i = 0; i < kVariableNames.size(); ++i) {
    const std::string_view name = kVariableNames[i];
    const auto variable = static_cast<Variable>(i);
    if (!name.ends_with(kPlace)) {
      if (name == text) return NamedVariable{variable};
      continue;
    }
    const std::size_t fixed = name.size() - kPlace.size() + 1;
    if (text.size() <= fixed || !text.starts_with(name.substr(0, fixed))) continue;
    return NamedVariable{variable, text.substr(fixed)};
  }
  return std::nullopt;
}

// The next part of a text with variables.
struct TextPart {
  enum class Kind : std::uint8_t {
    text,
    variable,       // `text` is the name, as written; it may be unknown
    stray_dollar,   // a "$" that begins neither a variable nor "$$"
    open_variable,  // "${" without "}"
  };
  Kind kind = Kind::text;
  std::string_view text;
};

// Takes the next part off `rest`, which is not empty.
[[nodiscard]] constexpr TextPart take_part(std::string_view& rest) {
  using Kind = TextPart::Kind;
  const auto take = [&rest](std::size_t n) {
    const std::string_view taken = rest.substr(0, n);
    rest.remove_prefix(n);
    return taken;
  };
  if (!rest.starts_with('$')) return {Kind::text, take(std::min(rest.find('$'), rest.size()))};
  if (rest.starts_with("$$")) return {Kind::text, take(2).substr(1)};
  if (!rest.starts_with("${")) return {Kind::stray_dollar, take(1)};
  const std::size_t end = rest.find('}');
  if (end == std::string_view::npos) return {Kind::open_variable, take(rest.size())};
  return {Kind::variable, take(end + 1).substr(2, end - 2)};
}

}  // namespace penstock

// Where an ICAP service is: its URI, as configured (RFC 3507 section 4.2).
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace penstock::icap {

inline constexpr std::uint16_t kDefaultPort = 1344;
// Of icaps, by habit: it is not registered.
inline constexpr std::uint16_t kDefaultTlsPort = 11344;

// Its texts fit into a head as they are.
struct ServiceUri {
  bool secure = false;  // icaps: TLS from the first byte
  std::string host;     // in lower case; an IPv6 address without brackets
  std::uint16_t port = kDefaultPort;
  std::string path = "/";  // with the query; begins with a slash
  std::string authority;   // the value of Host: with a port where one was given
  std::string text;        // the whole as request lines have it: "icap://host:1344/path?query"

  friend bool operator==(const ServiceUri&, const ServiceUri&) = default;
};

// "icap://host[:port][/path][?query]", "icaps://[::1]/path". The error is what is wrong, without
// the text.
[[nodiscard]] std::expected<ServiceUri, std::string> parse_service_uri(std::string_view text);

}  // namespace penstock::icap

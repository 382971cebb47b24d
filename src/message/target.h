// Request targets (RFC 9112 section 3.2) and authorities (RFC 3986 section 3.2).
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "message/refusal.h"

namespace penstock {

enum class TargetForm : std::uint8_t { origin, absolute, authority, asterisk };

// host and port of an authority. Views into the parsed text.
struct HostPort {
  std::string_view host;   // without brackets for an IPv6 literal; never empty
  std::uint16_t port = 0;  // 0: none given
  bool ipv6_literal = false;
};

struct Target {
  TargetForm form = TargetForm::origin;
  std::string_view scheme;     // absolute form: as sent
  std::string_view authority;  // absolute and authority form: as sent, without userinfo
  HostPort host;               // absolute and authority form
  // origin and absolute form: path with query; an absolute form without path gives "/" ("*" for
  // OPTIONS, RFC 9112 section 3.2.4), one with only a query gives it without the slash: see
  // `needs_slash`. asterisk form: "*". authority form: empty.
  std::string_view path_and_query;
  bool needs_slash = false;  // "http://host?q": a "/" has to be written before path_and_query
};

// Parses host[:port]: a reg-name or IPv4 address of RFC 3986 characters without percent-encoding,
// or a bracketed IPv6 literal without zone; port 1-65535, or empty after the colon (taken as none).
// Refuses with host_invalid, or userinfo_in_target where there is an "@".
[[nodiscard]] std::expected<HostPort, Refusal> parse_authority(std::string_view text);

// Parses a request target for a method (CONNECT takes authority form with a port only; "*" is for
// OPTIONS only). An absolute form has an authority. Refuses anything that is none of the four
// forms, a fragment, or characters that RFC 3986 does not allow unescaped in a URI, beyond what
// browsers are known to send in paths and queries ( | ^ ` { } " [ ] \ are passed; controls, space,
// DEL, non-ASCII octets and # are not).
[[nodiscard]] std::expected<Target, Refusal> parse_target(std::string_view method,
                                                          std::string_view text);

}  // namespace penstock

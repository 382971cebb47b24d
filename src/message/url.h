// URLs of http and https as they are typed, or come in Location (RFC 3986, RFC 9110 section 4.2).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

struct Login {
  std::string user;
  std::string password;

  friend bool operator==(const Login&, const Login&) = default;
};

// The fragment is dropped. Fits into a request as it is.
struct Url {
  bool secure = false;      // https
  std::string host;         // in lower case; an IPv6 address without brackets
  std::uint16_t port = 80;  // the scheme's own where none was given
  std::string path = "/";   // with the query; begins with a slash
  std::optional<Login> login = {};

  [[nodiscard]] std::string_view scheme() const { return secure ? "https" : "http"; }
  // "example.com", "[::1]:8080": as Host has it, without the scheme's own port (RFC 9110
  // section 4.2.3).
  [[nodiscard]] std::string authority() const;
  // "http://example.com:8080", always with the port; tells origins apart (section 4.3.1).
  [[nodiscard]] std::string origin() const;
  // Without login.
  [[nodiscard]] std::string text() const;
};

// "http://user:pass@[::1]:8080/path?query#fragment". The error is what is wrong, without the text.
[[nodiscard]] std::expected<Url, std::string> parse_url(std::string_view text);

// What a Location stands for that came as the answer to `base` (RFC 3986 section 5.2). What a URL
// should have in %-encoding is encoded here: servers send it as it is. A login in it is dropped.
[[nodiscard]] std::expected<Url, std::string> resolve_reference(const Url& base,
                                                                std::string_view reference);

// "%41" becomes "A". None where a % is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

// A login as it stands before the "@" of a URL, %-encoded. The error is what is wrong with it.
[[nodiscard]] std::expected<Login, std::string> parse_userinfo(std::string_view text);

}  // namespace penstock

#include "message/url.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "message/characters.h"
#include "message/fields.h"
#include "message/target.h"

namespace penstock {
namespace {

using std::unexpected;

// The scheme in front of a ":", empty when there is none (RFC 3986 section 3.1).
std::string_view scheme_of(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !has_class(text.front(), characters::kAlpha)) return {};
  const std::string_view scheme = text.substr(0, colon);
  const bool fits = std::ranges::all_of(scheme, [](char c) {
    return has_class(c, characters::kAlpha | characters::kDigit) || c == '+' || c == '-' ||
           c == '.';
  });
  return fits ? scheme : std::string_view();
}

std::string_view without_fragment(std::string_view text) {
  return text.substr(0, std::min(text.find('#'), text.size()));
}

// With the octets that may not stand in a URL in %-encoding.
std::string encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (has_class(c, characters::kUri)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

// RFC 3986 section 5.2.4, for a path that begins with a slash.
std::string without_dot_segments(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/', 1), path.size());
    const std::string_view segment = path.substr(0, end);
    path.remove_prefix(end);
    const bool up = segment == "/..";
    if (up) out.erase(std::min(out.rfind('/'), out.size()));
    if (!up && segment != "/.") {
      out += segment;
    } else if (path.empty()) {
      out += '/';
    }
  }
  return out;
}

std::string with_clean_path(std::string_view path_and_query) {
  const std::size_t query = std::min(path_and_query.find('?'), path_and_query.size());
  return without_dot_segments(path_and_query.substr(0, query)) +
         std::string(path_and_query.substr(query));
}

std::expected<void, std::string> set_authority(Url& url, std::string_view authority) {
  const auto host = parse_authority(authority);
  if (!host) return unexpected(authority.empty() ? "it names no host" : "its host is not valid");
  url.host = to_lower(host->host);
  url.port = host->port != 0 ? host->port : url.secure ? 443 : 80;
  return {};
}

}  // namespace

std::string Url::authority() const {
  std::string text = host.contains(':') ? '[' + host + ']' : host;
  if (port != (secure ? 443 : 80)) text += ':' + std::to_string(port);
  return text;
}

std::string Url::origin() const {
  const bool ipv6 = host.contains(':');
  return fmt::format("{}://{}{}{}:{}", scheme(), ipv6 ? "[" : "", host, ipv6 ? "]" : "", port);
}

std::string Url::text() const { return fmt::format("{}://{}{}", scheme(), authority(), path); }

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    unsigned octet = 0;
    const char* const end = text.data() + i + 3;
    const auto read = std::from_chars(text.data() + i + 1, end, octet, 16);
    if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
    out += static_cast<char>(octet);
    i += 2;
  }
  return out;
}

std::expected<Login, std::string> parse_userinfo(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  auto user = percent_decoded(text.substr(0, colon));
  auto password = percent_decoded(text.substr(std::min(colon + 1, text.size())));
  const auto is_plain = [](std::string_view part) {
    return std::ranges::none_of(
        part, [](char c) { return has_class(c, characters::kControl) || c == '\t'; });
  };
  if (!user || !password || !is_plain(*user) || !is_plain(*password)) {
    return unexpected("its login is not valid");
  }
  return Login{.user = std::move(*user), .password = std::move(*password)};
}

std::expected<Url, std::string> parse_url(std::string_view text) {
  text = without_fragment(text);
  const std::string_view scheme = scheme_of(text);
  const std::size_t after_scheme = scheme.size() + 1;
  if (scheme.empty() || !text.substr(after_scheme).starts_with("//")) {
    return unexpected(R"(it does not begin with "http://" or "https://")");
  }
  Url url{.secure = equals_ignoring_case(scheme, "https")};
  if (!url.secure && !equals_ignoring_case(scheme, "http")) {
    return unexpected(fmt::format("the scheme {} is none of http and https", scheme));
  }
  if (!all_of_class(text, characters::kUri)) {
    return unexpected("it has a character that must be written as %XX");
  }
  std::string_view rest = text.substr(after_scheme + 2);
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  // Of several the last one is meant: in front of it they are part of the password.
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
    auto login = parse_userinfo(authority.substr(0, at));
    if (!login) return unexpected(std::move(login.error()));
    if (!login->user.empty()) url.login = std::move(*login);
    authority.remove_prefix(at + 1);
  }
  if (const auto set = set_authority(url, authority); !set) return unexpected(set.error());
  url.path = rest.starts_with('/') ? std::string(rest) : '/' + std::string(rest);
  return url;
}

std::expected<Url, std::string> resolve_reference(const Url& base, std::string_view reference) {
  const std::string text = encoded(without_fragment(reference));
  if (!text.empty() && !scheme_of(text).empty()) {
    auto url = parse_url(text);
    if (!url) return url;
    url->login.reset();
    url->path = with_clean_path(url->path);
    return url;
  }
  if (text.starts_with("//")) {
    return resolve_reference(base, fmt::format("{}:{}", base.scheme(), text));
  }
  Url url = base;
  url.login.reset();
  if (text.empty()) return url;
  const std::string_view base_path =
      std::string_view(base.path).substr(0, std::min(base.path.find('?'), base.path.size()));
  if (text.starts_with('?')) {
    url.path = std::string(base_path) + text;
  } else if (text.starts_with('/')) {
    url.path = with_clean_path(text);
  } else {
    url.path = with_clean_path(std::string(base_path.substr(0, base_path.rfind('/') + 1)) + text);
  }
  return url;
}

}  // namespace penstock

#include "message/target.h"

#include <array>
#include <cstddef>
#include <cstring>

#include <arpa/inet.h>

#include "message/characters.h"

namespace penstock {
namespace {

using std::unexpected;

// 1 to 65535, or 0 when the text is no such number.
std::uint16_t parse_port(std::string_view text) {
  if (text.size() > 5) return 0;
  std::uint32_t port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return 0;
    port = port * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return port <= 65535 ? static_cast<std::uint16_t>(port) : std::uint16_t{0};
}

// An IPv6 address without zone; IPvFuture (RFC 3986 section 3.2.2) is not one.
bool is_ipv6_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> copy{};
  if (text.size() >= copy.size() || text.contains('\0')) return false;
  std::memcpy(copy.data(), text.data(), text.size());
  in6_addr address;
  return inet_pton(AF_INET6, copy.data(), &address) == 1;
}

// The length of the scheme at the start of `text` when "://" follows it, else 0.
std::size_t scheme_length(std::string_view text) {
  if (text.empty() || !has_class(text.front(), characters::kAlpha)) return 0;
  std::size_t i = 1;
  while (i < text.size() && (has_class(text[i], characters::kAlpha | characters::kDigit) ||
                             text[i] == '+' || text[i] == '-' || text[i] == '.')) {
    ++i;
  }
  return text.substr(i).starts_with("://") ? i : 0;
}

// In a target an invalid host makes the target malformed; userinfo stays what it is.
unexpected<Refusal> target_refusal(Refusal of_authority) {
  return unexpected(of_authority == Refusal::host_invalid ? Refusal::target_malformed
                                                          : of_authority);
}

std::expected<Target, Refusal> parse_authority_form(std::string_view text) {
  if (text == "*" || text.starts_with('/') || scheme_length(text) != 0) {
    return unexpected(Refusal::target_form_not_allowed);
  }
  const auto host = parse_authority(text);
  if (!host) return target_refusal(host.error());
  if (host->port == 0) return unexpected(Refusal::target_malformed);
  return Target{.form = TargetForm::authority,
                .scheme = {},
                .authority = text,
                .host = *host,
                .path_and_query = {}};
}

std::expected<Target, Refusal> parse_absolute_form(std::string_view method, std::string_view text) {
  const std::size_t scheme = scheme_length(text);
  if (scheme == 0) {
    // "host:443" is the authority form, which only CONNECT may have.
    return unexpected(parse_authority(text) ? Refusal::target_form_not_allowed
                                            : Refusal::target_malformed);
  }
  Target target{.form = TargetForm::absolute,
                .scheme = text.substr(0, scheme),
                .authority = {},
                .host = {},
                .path_and_query = {}};
  const std::string_view rest = text.substr(scheme + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  target.authority = rest.substr(0, authority_end);
  const auto host = parse_authority(target.authority);
  if (!host) return target_refusal(host.error());
  target.host = *host;
  target.path_and_query = rest.substr(authority_end);
  if (target.path_and_query.empty()) {
    target.path_and_query = method == "OPTIONS" ? "*" : "/";
  } else {
    target.needs_slash = target.path_and_query.front() == '?';
  }
  return target;
}

}  // namespace

std::expected<HostPort, Refusal> parse_authority(std::string_view text) {
  if (text.contains('@')) return unexpected(Refusal::userinfo_in_target);
  HostPort result;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return unexpected(Refusal::host_invalid);
    result.host = text.substr(1, close - 1);
    result.ipv6_literal = true;
    if (!is_ipv6_address(result.host)) return unexpected(Refusal::host_invalid);
    rest = text.substr(close + 1);
  } else {
    std::size_t end = 0;
    while (end < text.size() && has_class(text[end], characters::kHost)) ++end;
    if (end == 0) return unexpected(Refusal::host_invalid);
    result.host = text.substr(0, end);
    rest = text.substr(end);
  }
  if (rest.empty()) return result;
  if (rest.front() != ':') return unexpected(Refusal::host_invalid);
  rest.remove_prefix(1);
  if (rest.empty()) return result;
  result.port = parse_port(rest);
  if (result.port == 0) return unexpected(Refusal::host_invalid);
  return result;
}

std::expected<Target, Refusal> parse_target(std::string_view method, std::string_view text) {
  if (text.empty() || !all_of_class(text, characters::kUri)) {
    return unexpected(Refusal::target_malformed);
  }
  if (method == "CONNECT") return parse_authority_form(text);
  if (text.front() == '/') {
    return Target{.form = TargetForm::origin,
                  .scheme = {},
                  .authority = {},
                  .host = {},
                  .path_and_query = text};
  }
  if (text == "*") {
    if (method != "OPTIONS") return unexpected(Refusal::target_form_not_allowed);
    return Target{.form = TargetForm::asterisk,
                  .scheme = {},
                  .authority = {},
                  .host = {},
                  .path_and_query = text};
  }
  return parse_absolute_form(method, text);
}

}  // namespace penstock

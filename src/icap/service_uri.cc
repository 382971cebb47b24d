#include "icap/service_uri.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/text.h"
#include "message/characters.h"
#include "message/fields.h"
#include "message/target.h"

namespace penstock::icap {
namespace {

using std::unexpected;

constexpr std::string_view kAfterScheme = "://";

std::string authority_error(std::string_view authority, Refusal refusal) {
  if (authority.empty()) return "it names no host";
  if (refusal == Refusal::userinfo_in_target) return "it may not have a login";
  const std::size_t colon = authority.rfind(':');
  const bool only_the_port = colon != std::string_view::npos && !authority.ends_with(']') &&
                             parse_authority(authority.substr(0, colon)).has_value();
  if (only_the_port) return "its port is not a number from 1 to 65535";
  if (!authority.starts_with('[') && std::ranges::count(authority, ':') > 1) {
    return "an IPv6 address needs brackets around it";
  }
  return "its host is not valid";
}

}  // namespace

std::expected<ServiceUri, std::string> parse_service_uri(std::string_view text) {
  const std::size_t scheme_end = std::min(text.find(kAfterScheme), text.size());
  const std::string_view scheme = text.substr(0, scheme_end);
  ServiceUri uri;
  uri.secure = equals_ignoring_case(scheme, "icaps");
  if (scheme_end == text.size() || (!uri.secure && !equals_ignoring_case(scheme, "icap"))) {
    return unexpected(R"(it does not begin with "icap://" or "icaps://")");
  }
  if (text.contains('#')) return unexpected("it may not have a fragment");
  if (!all_of_class(text, characters::kUri)) {
    return unexpected("it has a character that must be written as %XX");
  }
  std::string_view rest = text.substr(scheme_end + kAfterScheme.size());
  const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  const auto host = parse_authority(authority);
  if (!host) return unexpected(authority_error(authority, host.error()));

  uri.host = to_lower(host->host);
  uri.port = host->port != 0 ? host->port : uri.secure ? kDefaultTlsPort : kDefaultPort;
  uri.path = rest.starts_with('/') ? std::string(rest) : '/' + std::string(rest);
  uri.authority = host->ipv6_literal ? '[' + uri.host + ']' : uri.host;
  if (host->port != 0) uri.authority += ':' + std::to_string(host->port);
  uri.text = uri.secure ? "icaps" : "icap";
  uri.text.append(kAfterScheme).append(uri.authority).append(uri.path);
  return uri;
}

}  // namespace penstock::icap

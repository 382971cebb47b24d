#include "adapt/privacy_filter.h"

#include <algorithm>
#include <array>

#include "adapt/built_in.h"
#include "adapt/retarget.h"
#include "message/characters.h"

namespace penstock {
namespace {

constexpr std::string_view kReferer = "Referer";
constexpr std::string_view kSlashes = "://";

// In which proxies, networks and the like say who the client is.
constexpr std::array<std::string_view, 18> kForwardingFields = {
    "Forwarded",        "X-Forwarded-For",
    "X-Forwarded-Host", "X-Forwarded-Proto",
    "X-Forwarded-Port", "X-Forwarded-Server",
    "X-Real-IP",        "X-Client-IP",
    "Client-IP",        "True-Client-IP",
    "CF-Connecting-IP", "X-Cluster-Client-IP",
    "X-ProxyUser-IP",   "From",
    "X-UIDH",           "X-MSISDN",
    "X-Wap-Profile",    "X-ATT-DeviceId"};

// A third party's request.
struct PrivacyState final : FilterState {};

std::string_view value_of(const FieldSection& fields, std::string_view name) {
  const Field* const field = fields.find(name);
  return field != nullptr ? field->value : std::string_view();
}

// "https://www.example:1" of a URL with an authority, else empty. User information is none of it.
std::string origin_of(std::string_view url) {
  const std::size_t slashes = url.find(kSlashes);
  if (slashes == std::string_view::npos) return {};
  const std::size_t start = slashes + kSlashes.size();
  const std::string_view authority = url.substr(start, url.find_first_of("/?#", start) - start);
  // "@" stands before it, and so none may be left in it, whoever reads it.
  const std::size_t at = authority.rfind('@');
  const std::string_view host = at == std::string_view::npos ? authority : authority.substr(at + 1);
  return std::string(url.substr(0, start)).append(host);
}

// What is fetched to be looked at by itself, not as a part of a page. Frames are parts; only
// Sec-Fetch-Dest tells them from pages, and not all clients that say "navigate" send it.
bool is_page_of_its_own(const FieldSection& fields) {
  const std::string_view destination = value_of(fields, "Sec-Fetch-Dest");
  return value_of(fields, "Sec-Fetch-Mode") == "navigate" &&
         (destination.empty() || destination == "document");
}

std::string_view host_of(std::string_view origin) {
  const auto authority = parse_authority(origin.substr(origin.find(kSlashes) + kSlashes.size()));
  return authority ? authority->host : std::string_view();
}

std::string_view last_labels(std::string_view host) {
  if (host.find(':') != std::string_view::npos || host.empty() || is_digit(host.back())) {
    return host;  // an address
  }
  const std::size_t last = host.rfind('.');
  if (last == std::string_view::npos || last == 0) return host;
  const std::size_t before = host.rfind('.', last - 1);
  return before == std::string_view::npos ? host : host.substr(before + 1);
}

}  // namespace

bool is_third_party(const RequestHead& request, std::string_view host) {
  const std::string_view site = value_of(request.fields, "Sec-Fetch-Site");
  if (!site.empty()) return site == "cross-site" && !is_page_of_its_own(request.fields);
  const std::string origin = origin_of(value_of(request.fields, kReferer));
  if (origin.empty() || request.fields.value(FieldId::accept).starts_with("text/html"))
    return false;
  return !equals_ignoring_case(last_labels(host_of(origin)), last_labels(host));
}

PrivacyFilter::PrivacyFilter(const PrivacyFilterSettings& settings, FilterSide side)
    : settings_(&settings), interests_(interest(request_point(side))) {
  if (!settings.third_party_cookies) interests_ |= interest(response_point(side));
}

std::optional<FilterOutcome> PrivacyFilter::start(AdaptedMessage& message,
                                                  std::unique_ptr<FilterState>& state) {
  if (message.response() != nullptr) {
    if (state) message.fields().remove(FieldId::set_cookie);
    return kGoOn;
  }
  if (!settings_->third_party_cookies && is_third_party(message.request(), message.facts().host)) {
    state = std::make_unique<PrivacyState>();
    message.fields().remove(FieldId::cookie);
  }
  change_request(message);
  return kGoOn;
}

void PrivacyFilter::change_request(AdaptedMessage& message) const {
  FieldSection& fields = message.fields();
  change_referer(message);
  if (!settings_->user_agent.empty()) fields.set(FieldId::user_agent, settings_->user_agent);
  if (settings_->do_not_track) {
    fields.set("DNT", "1");
    fields.set("Sec-GPC", "1");
  }
  if (!settings_->forwarding) return;
  for (const std::string_view name : kForwardingFields) fields.remove(name);
}

// To its own origin a page may name itself.
void PrivacyFilter::change_referer(AdaptedMessage& message) const {
  FieldSection& fields = message.fields();
  const std::string_view referer = value_of(fields, kReferer);
  if (settings_->referer == RefererPolicy::keep || referer.empty()) return;
  const std::string url = url_of(message.request(), message.facts().client->secure());
  const std::string here = origin_of(url);
  const std::string origin = origin_of(referer);
  const bool same = equals_ignoring_case(origin, here);
  if (same && settings_->referer != RefererPolicy::remove) return;
  const bool downgrade = origin.starts_with("https:") && !here.starts_with("https:");
  if (settings_->referer != RefererPolicy::origin || origin.empty() || downgrade) {
    fields.remove(kReferer);
  } else {
    fields.set(kReferer, fields.arena().join(origin, "/"));
  }
}

}  // namespace penstock

#include "upstream/credential_store.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "base/text.h"
#include "message/fields.h"
#include "message/target.h"

namespace penstock {
namespace {

bool starts_with_ignoring_case(std::string_view text, std::string_view start) {
  return text.size() >= start.size() && equals_ignoring_case(text.substr(0, start.size()), start);
}

bool ends_with_ignoring_case(std::string_view text, std::string_view end) {
  return text.size() >= end.size() &&
         equals_ignoring_case(text.substr(text.size() - end.size()), end);
}

}  // namespace

struct CredentialStore::Rule {
  std::optional<bool> secure;  // any scheme where not given
  std::string host;            // exact, or ".example.com"
  bool any_port = false;
  std::uint16_t port = 0;  // 0: the scheme's own
  std::shared_ptr<Credential> credential;

  [[nodiscard]] bool matches(const OriginView& origin) const {
    if (secure && *secure != origin.secure) return false;
    const std::uint16_t expected = port != 0 ? port : origin.secure ? 443 : 80;
    if (!any_port && origin.port != expected) return false;
    if (!host.starts_with('.')) return equals_ignoring_case(origin.host, host);
    return origin.host.size() > host.size() && ends_with_ignoring_case(origin.host, host);
  }
};

struct CredentialStore::Entry : ListNode {
  Entry(const OriginView& where, const std::shared_ptr<Credential>& credential)
      : host(where.host),
        origin{.secure = where.secure, .host = host, .port = where.port},
        authenticator(std::make_shared<Authenticator>(credential)) {}

  const std::string host;
  const OriginView origin;
  const std::shared_ptr<Authenticator> authenticator;
};

std::size_t CredentialStore::Hash::operator()(const OriginView& origin) const {
  // FNV-1a over the host in lower case.
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&hash](std::uint64_t value) { hash = (hash ^ value) * 0x100000001b3; };
  for (const char c : origin.host) add(static_cast<unsigned char>(to_lower(c)));
  add(origin.port);
  add(origin.secure ? 1 : 0);
  return hash;
}

bool CredentialStore::Equal::operator()(const OriginView& a, const OriginView& b) const {
  return a.port == b.port && a.secure == b.secure && equals_ignoring_case(a.host, b.host);
}

CredentialStore::CredentialStore(std::span<const OriginCredentialSettings> settings,
                                 std::size_t max_origins)
    : max_origins_(std::max<std::size_t>(max_origins, 1)) {
  for (const OriginCredentialSettings& entry : settings) {
    std::optional<Rule> rule = make_rule(entry);
    if (rule) rules_.push_back(std::move(*rule));
  }
}

CredentialStore::~CredentialStore() = default;

std::optional<CredentialStore::Rule> CredentialStore::make_rule(
    const OriginCredentialSettings& settings) {
  Rule rule;
  std::string_view pattern = settings.host;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!starts_with_ignoring_case(pattern, scheme)) continue;
    rule.secure = scheme == "https://";
    pattern.remove_prefix(scheme.size());
    break;
  }
  if (pattern.ends_with(":*")) {
    rule.any_port = true;
    pattern.remove_suffix(2);
  }
  const bool below = pattern.starts_with("*.");
  if (below) pattern.remove_prefix(2);
  const auto authority = parse_authority(pattern);
  if (!authority || authority->host.contains('*') || authority->host.starts_with('.')) {
    return std::nullopt;
  }
  if (below && authority->ipv6_literal) return std::nullopt;
  if (rule.any_port && authority->port != 0) return std::nullopt;
  rule.host = (below ? "." : "") + std::string(authority->host);
  rule.port = authority->port;
  rule.credential = std::make_shared<Credential>(settings.credentials);
  return rule;
}

std::shared_ptr<Authenticator> CredentialStore::find_by_rules(const OriginView& origin) {
  const auto rule = std::ranges::find_if(
      rules_, [&](const Rule& candidate) { return candidate.matches(origin); });
  if (rule == rules_.end()) return nullptr;
  const auto known = entries_.find(origin);
  if (known != entries_.end()) {
    Entry& entry = *known->second;
    entry.unlink();
    recent_.push_front(entry);
    return entry.authenticator;
  }
  if (entries_.size() >= max_origins_) forget_oldest();
  auto entry = std::make_unique<Entry>(origin, rule->credential);
  recent_.push_front(*entry);
  std::shared_ptr<Authenticator> authenticator = entry->authenticator;
  const OriginView key = entry->origin;
  entries_.emplace(key, std::move(entry));
  return authenticator;
}

void CredentialStore::forget_oldest() {
  // By its place: the key is text of the entry.
  entries_.erase(entries_.find(recent_.back().origin));
}

std::string CredentialStore::take_problem() {
  for (const Rule& rule : rules_) {
    std::string problem = rule.credential->take_problem();
    if (!problem.empty()) return problem;
  }
  return {};
}

}  // namespace penstock

// Which origins the proxy authenticates itself to, and with which credentials.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/intrusive_list.h"
#include "upstream/authenticator.h"
#include "upstream/credential.h"
#include "upstream/credential_settings.h"

namespace penstock {

// Scheme, host and port of a request's target.
struct OriginView {
  bool secure = false;    // https
  std::string_view host;  // in any case; an IPv6 literal without brackets
  std::uint16_t port = 80;
};

// The Authenticators of one worker, one for each origin. Belongs to one thread.
class CredentialStore {
 public:
  // Of the least recently used origin beyond this, what it had said is forgotten: it asks again.
  static constexpr std::size_t kMaxOrigins = 1024;

  // The first entry whose pattern matches an origin is for it. A pattern that is none (see
  // OriginCredentialSettings::host) matches nothing.
  explicit CredentialStore(std::span<const OriginCredentialSettings> settings,
                           std::size_t max_origins = kMaxOrigins);
  ~CredentialStore();
  CredentialStore(const CredentialStore&) = delete;
  CredentialStore& operator=(const CredentialStore&) = delete;

  // For that origin, or null when it has no credentials. Stays usable when the store forgets it or
  // is gone. Compares with each pattern in turn; no more than a test where there are none.
  [[nodiscard]] std::shared_ptr<Authenticator> find(const OriginView& origin) {
    return rules_.empty() ? nullptr : find_by_rules(origin);
  }
  // Origins remembered at present.
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // What is wrong with one of the secrets, for the log, each thing once; empty when nothing is.
  [[nodiscard]] std::string take_problem();

 private:
  struct Rule;
  struct Entry;
  struct Hash {
    std::size_t operator()(const OriginView& origin) const;
  };
  struct Equal {
    bool operator()(const OriginView& a, const OriginView& b) const;
  };

  static std::optional<Rule> make_rule(const OriginCredentialSettings& settings);
  std::shared_ptr<Authenticator> find_by_rules(const OriginView& origin);
  void forget_oldest();

  std::size_t max_origins_;
  std::vector<Rule> rules_;
  IntrusiveList<Entry> recent_;  // the most recently used first
  // The keys' hosts are text of the entries.
  std::unordered_map<OriginView, std::unique_ptr<Entry>, Hash, Equal> entries_;
};

}  // namespace penstock

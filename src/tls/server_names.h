// Which certificates are for the name a client asks for.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tls/identity.h"

namespace penstock {

// Looked up by hash: the number of certificates plays no part. A wildcard stands for one label, the
// whole first one (RFC 9525 section 6.3); a certificate with the name itself comes before it.
class TlsServerNames {
 public:
  // One for each type of key, for clients that know only one of them.
  using Choice = std::vector<std::shared_ptr<const TlsIdentity>>;

  TlsServerNames() = default;
  // Where two are for one name and have the same type of key, the first of them is taken. Not none.
  explicit TlsServerNames(std::span<const std::shared_ptr<const TlsIdentity>> identities);

  // Null if there is none for that name (lower case, no dot at the end).
  [[nodiscard]] const Choice* find(std::string_view name) const;
  // For those who ask for no name we have: the first certificate, and those of other types of key
  // for the first of its names.
  [[nodiscard]] const Choice& fallback() const { return fallback_; }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  using Table = std::unordered_map<std::string, Choice, Hash, std::equal_to<>>;
  static void add(Choice& choice, const std::shared_ptr<const TlsIdentity>& identity);

  Table names_;  // wildcards as "*.example"
  Choice fallback_;
};

}  // namespace penstock

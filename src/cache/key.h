// What a stored response is found by.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/hash.h"

namespace penstock {

// The primary cache key (RFC 9111 section 2): the target URI, normalised, and after it, each behind
// a separator that is in no URI, whose responses they are (a group of servers, say) and what the
// configuration adds. A view: the text lives elsewhere.
struct CacheKey {
  static constexpr char kSeparator = '\x1f';

  std::string_view text;
  std::uint64_t hash = 0;

  [[nodiscard]] std::string_view uri() const { return text.substr(0, text.find(kSeparator)); }
};

// Parts of a key. The target URI's are as the request has them.
struct CacheKeyParts {
  std::string_view scheme;          // "http", "https"
  std::string_view host;            // without port and brackets; case makes no difference
  std::uint16_t port = 0;           // 0: the scheme's own
  std::string_view path_and_query;  // "/..."
  std::string_view owner;           // whose responses: those of one are never given for another's
  std::span<const std::string_view> more;  // by configuration
};

// How the query is treated before it becomes part of the key.
struct QueryRules {
  bool ignore = false;                   // all of it
  bool sort = false;                     // the order of parameters makes no difference
  std::span<const std::string> ignored;  // names of parameters that make none; "utm_*"
};

// Writes the key's text into the arena. Scheme and host in lower case, the scheme's own port left
// out; the path as it came: a server may tell spellings apart that mean the same (RFC 3986 section
// 6.2.2), and what it says to one must not be given for another.
[[nodiscard]] CacheKey make_cache_key(const CacheKeyParts& parts, const QueryRules& query,
                                      const HashKey& secret, Arena& arena);
// The URI part alone, of a URI that somebody names: "http://host/path"; empty: it is none.
[[nodiscard]] std::string_view normal_uri(std::string_view uri, const QueryRules& query,
                                          Arena& arena);
// The host of a normalised URI, without port and brackets.
[[nodiscard]] std::string_view host_of_uri(std::string_view uri);

}  // namespace penstock

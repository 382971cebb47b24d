// Sessions that servers let us resume (RFC 8446 section 2.2, RFC 5077).
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tls/openssl.h"

namespace penstock {

// Bounded; what was put in first goes first. For all threads.
class TlsSessionCache {
 public:
  static constexpr std::size_t kMaxSessions = 512;
  // A server gives more than one ticket, as each is used only once (RFC 8446 appendix C.4).
  static constexpr std::size_t kMaxOfOneKey = 4;

  // Keeps the session if it can be resumed at all. It must be nobody else's, see SSL_SESSION_dup().
  void put(std::string_view key, SslSessionPtr session);
  // The newest session of that key, which is no longer in the cache then; null if there is none.
  [[nodiscard]] SslSessionPtr take(std::string_view key);
  [[nodiscard]] std::size_t size() const;

 private:
  struct Entry {
    std::string key;
    SslSessionPtr session;
  };
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  // oldest first
};

}  // namespace penstock

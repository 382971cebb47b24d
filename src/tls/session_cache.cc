#include "tls/session_cache.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace penstock {
namespace {

// A resumed session stands for a certificate that was looked at when it began.
constexpr long kMaxAge = 2L * 60 * 60;  // seconds

bool too_old(const SSL_SESSION* session) {
  const long age = static_cast<long>(std::time(nullptr)) - SSL_SESSION_get_time(session);
  return age < 0 || age > kMaxAge;
}

}  // namespace

void TlsSessionCache::put(std::string_view key, SslSessionPtr session) {
  if (!session || SSL_SESSION_is_resumable(session.get()) == 0) return;
  const std::lock_guard lock(mutex_);
  const auto of_key = [key](const Entry& entry) { return entry.key == key; };
  if (std::ranges::count_if(entries_, of_key) >= static_cast<std::ptrdiff_t>(kMaxOfOneKey)) {
    entries_.erase(std::ranges::find_if(entries_, of_key));
  }
  if (entries_.size() >= kMaxSessions) entries_.erase(entries_.begin());
  entries_.push_back({std::string(key), std::move(session)});
}

SslSessionPtr TlsSessionCache::take(std::string_view key) {
  const std::lock_guard lock(mutex_);
  std::erase_if(entries_, [](const Entry& entry) { return too_old(entry.session.get()); });
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry) {
    if (entry->key != key) continue;
    SslSessionPtr session = std::move(entry->session);
    entries_.erase(std::next(entry).base());
    return session;
  }
  return nullptr;
}

std::size_t TlsSessionCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace penstock

#include "cache/invalidations.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "cache/stored_response.h"

namespace penstock {

std::uint64_t Invalidations::declare(Invalidation invalidation) {
  const std::unique_lock lock(mutex_);
  const std::uint64_t number = last() + 1;
  const std::uint64_t hash = hash_key(invalidation.text);
  switch (invalidation.what) {
    case Invalidation::What::everything:
      everything_.note(number, invalidation.soft);
      break;
    case Invalidation::What::uri:
      uris_[hash].note(number, invalidation.soft);
      break;
    case Invalidation::What::host:
      hosts_[hash].note(number, invalidation.soft);
      break;
    case Invalidation::What::tag:
    case Invalidation::What::group:
      tags_[hash].note(number, invalidation.soft);
      break;
    case Invalidation::What::uri_prefix:
    case Invalidation::What::ban:
      listed_.push_back({.number = number, .invalidation = std::move(invalidation)});
      break;
  }
  last_.store(number, std::memory_order_release);
  return number;
}

Invalidations::Verdict Invalidations::judge_since(const StoredResponse& response) const {
  const std::uint64_t seen = response.looked_at();
  if (seen == last()) return response.made_stale() ? Verdict::stale : Verdict::valid;
  const std::shared_lock lock(mutex_);
  bool gone = seen < forgotten_.load(std::memory_order_relaxed);
  bool stale = response.made_stale();
  const auto apply = [&gone, &stale, seen](const Numbers& numbers) {
    gone = gone || numbers.gone > seen;
    stale = stale || numbers.stale > seen;
  };
  const auto look = [&apply](const ByHash& in, std::uint64_t hash) {
    if (in.empty()) return;
    if (const auto found = in.find(hash); found != in.end()) apply(found->second);
  };
  apply(everything_);
  look(uris_, response.uri_hash());
  look(hosts_, response.host_hash());
  for (const std::uint64_t tag : response.tags()) look(tags_, tag);
  for (auto listed = listed_.rbegin(); listed != listed_.rend() && listed->number > seen;
       ++listed) {
    const Invalidation& one = listed->invalidation;
    const bool meant = one.what == Invalidation::What::ban ? one.expression(response)
                                                           : response.uri().starts_with(one.text);
    if (meant) (one.soft ? stale : gone) = true;
  }
  if (gone) return Verdict::gone;
  response.note_looked_at(last(), stale);
  return stale ? Verdict::stale : Verdict::valid;
}

void Invalidations::forget(std::uint64_t up_to) {
  const std::unique_lock lock(mutex_);
  for (ByHash* const by_hash : {&uris_, &hosts_, &tags_}) {
    std::erase_if(*by_hash, [up_to](const auto& entry) {
      return std::max(entry.second.gone, entry.second.stale) <= up_to;
    });
  }
  std::erase_if(listed_, [up_to](const Listed& one) { return one.number <= up_to; });
  forgotten_.store(std::max(forgotten_.load(std::memory_order_relaxed), up_to),
                   std::memory_order_relaxed);
}

std::size_t Invalidations::size() const {
  const std::shared_lock lock(mutex_);
  return uris_.size() + hosts_.size() + tags_.size() + listed_.size();
}

}  // namespace penstock

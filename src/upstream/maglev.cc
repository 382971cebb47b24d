#include "upstream/maglev.h"

#include <algorithm>
#include <optional>
#include <queue>

#include "base/hash.h"
#include "base/random.h"

namespace penstock {
namespace {

// Primes, as each member steps through all entries. A hundred entries a member keep the shares
// within about 1 %; only two sizes, as another size moves nearly all keys.
constexpr std::size_t kSmallSize = 65'537;
constexpr std::size_t kLargeSize = 655'373;
constexpr std::size_t kEntriesPerMember = 100;
constexpr std::size_t kMostMembers = 65'536;

// A member on its walk through the entries in an order of its own.
struct Walker {
  std::size_t member;
  std::uint64_t weight;
  std::size_t at;
  std::size_t step;
  std::uint64_t next = 1;  // its how-manieth entry comes next
  std::size_t order = 0;   // for those that are equally far

  // Of two, the one goes later that would then have more entries for its weight.
  friend bool operator<(const Walker& a, const Walker& b) {
    const std::uint64_t far_a = a.next * b.weight;
    const std::uint64_t far_b = b.next * a.weight;
    return far_a != far_b ? far_a > far_b : a.order > b.order;
  }
};

std::vector<Walker> make_walkers(std::span<const MemberIdentity> members, std::size_t size) {
  std::vector<Walker> walkers;
  for (std::size_t i = 0; i < members.size() && i < kMostMembers; ++i) {
    if (members[i].weight == 0) continue;
    const std::uint64_t hash = hash_key(members[i].text);
    walkers.push_back({.member = i,
                       .weight = members[i].weight,
                       .at = hash % size,
                       .step = mix(hash) % (size - 1) + 1});
  }
  std::ranges::sort(walkers, {}, [&](const Walker& walker) { return members[walker.member].text; });
  for (std::size_t i = 0; i < walkers.size(); ++i) walkers[i].order = i;
  return walkers;
}

}  // namespace

MaglevTable::MaglevTable(std::span<const MemberIdentity> members) {
  const std::size_t size =
      members.size() * kEntriesPerMember <= kSmallSize ? kSmallSize : kLargeSize;
  std::priority_queue queue(std::less<Walker>{}, make_walkers(members, size));
  if (queue.empty()) return;
  entries_.resize(size);
  std::vector<bool> taken(size);
  for (std::size_t filled = 0; filled < size; ++filled) {
    Walker walker = queue.top();
    queue.pop();
    while (taken[walker.at]) walker.at = (walker.at + walker.step) % size;
    taken[walker.at] = true;
    entries_[walker.at] = static_cast<std::uint16_t>(walker.member);
    ++walker.next;
    queue.push(walker);
  }
}

}  // namespace penstock

#include "upstream/round_robin.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/random.h"

namespace penstock {
namespace {
// A weight of 1, in units of a lag: fine enough that rounding does not matter, and coarse enough
// for the sums of 100,000 members of the greatest weight.
constexpr unsigned kLagBits = 12;
// Steps times members, at most, to find a place to start at: well below a millisecond.
constexpr std::size_t kStartWork = 65'536;
}  // namespace

void RoundRobin::set_members(std::span<const MemberIdentity> members, std::uint64_t seed) {
  std::vector<Turn> old = std::exchange(turns_, {});
  std::ranges::sort(old, {}, &Turn::id);
  bool any_known = false;
  turns_.reserve(members.size());
  for (const MemberIdentity& member : members) {
    const std::uint64_t id = hash_key(member.text);
    Turn turn{.id = id, .rank = mix(seed ^ id)};
    const auto known = std::ranges::lower_bound(old, id, {}, &Turn::id);
    if (known != old.end() && known->id == id) {
      turn.lag = known->lag;
      any_known = true;
    }
    turns_.push_back(turn);
  }
  if (!any_known) start_anywhere(members, seed);
}

void RoundRobin::start_anywhere(std::span<const MemberIdentity> members, std::uint64_t seed) {
  total_ = 0;
  if (members.size() < 2) return;
  std::vector<Member> all;
  all.reserve(members.size());
  for (const MemberIdentity& member : members) all.push_back({.weight = member.weight});
  const Eligible eligible(all, {});
  for (std::uint64_t steps = mix(seed) % (kStartWork / members.size() + 1); steps > 0; --steps) {
    if (!next(eligible)) return;
  }
}

std::optional<std::size_t> RoundRobin::next(const Eligible& eligible) {
  PENSTOCK_CHECK(eligible.size() == turns_.size());
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    if (eligible.contains(i)) total += eligible[i].weight;
  }
  if (total == 0) return std::nullopt;
  if (total != total_) scale_to(total);
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < turns_.size(); ++i) {
    if (!eligible.contains(i)) continue;
    Turn& turn = turns_[i];
    turn.lag += std::int64_t{eligible[i].weight} << kLagBits;
    const Turn& leader = turns_[best.value_or(i)];
    if (!best || turn.lag > leader.lag || (turn.lag == leader.lag && turn.rank > leader.rank)) {
      best = i;
    }
  }
  turns_[*best].lag -= static_cast<std::int64_t>(total << kLagBits);
  return best;
}

// Makes all lags the same parts of the new total as they were of the old one. None owes or is owed
// more than one round, even if it was there when few others were.
void RoundRobin::scale_to(std::uint64_t total) {
  const double scale = total_ == 0 ? 0 : static_cast<double>(total) / static_cast<double>(total_);
  const auto round = static_cast<double>(total << kLagBits);
  for (Turn& turn : turns_) {
    turn.lag = std::llround(std::clamp(static_cast<double>(turn.lag) * scale, -round, round));
  }
  total_ = total;
}

}  // namespace penstock

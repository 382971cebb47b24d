#include "upstream/balancer.h"

#include "base/check.h"
#include "base/hash.h"

namespace penstock {
namespace {

// Places of the table to look at for one key. With half of the members gone, one key in 65,536 gets
// past them.
constexpr int kProbes = 16;

std::optional<std::size_t> first_of(const Eligible& eligible) {
  for (std::size_t i = 0; i < eligible.size(); ++i) {
    if (eligible.contains(i)) return i;
  }
  return std::nullopt;
}

}  // namespace

Balancer::Balancer(const BalanceSettings& settings, std::uint64_t seed)
    : algorithm_(settings.algorithm), seed_(seed) {}

void Balancer::set_members(std::span<const MemberIdentity> members) {
  nodes_.clear();
  nodes_.reserve(members.size());
  for (const MemberIdentity& member : members) {
    nodes_.push_back({.id = hash_key(member.text), .weight = member.weight});
  }
  switch (algorithm_) {
    case Balance::round_robin:
    case Balance::least_connections:
      round_robin_.set_members(members, seed_);
      break;
    case Balance::hash:
      table_ = MaglevTable(members);
      break;
    case Balance::two_choices:
    case Balance::random:
    case Balance::first:
      break;
  }
}

std::optional<std::size_t> Balancer::pick(std::span<const Member> members, std::uint64_t hash,
                                          Random& random, std::span<const std::uint32_t> tried) {
  PENSTOCK_CHECK(members.size() == nodes_.size());
  if (members.size() == 1) return first_of(Eligible(members, {}));
  const auto choice = pick_from(Eligible(members, tried), hash, random);
  if (choice || tried.empty()) return choice;
  return pick_from(Eligible(members, {}), hash, random);
}

std::optional<std::size_t> Balancer::pick_from(const Eligible& eligible, std::uint64_t hash,
                                               Random& random) {
  switch (algorithm_) {
    case Balance::round_robin:
      return round_robin_.next(eligible);
    case Balance::least_connections:
      return least_loaded(eligible);
    case Balance::two_choices:
      return better_of_two(eligible, random);
    case Balance::random:
      return draw_.draw(eligible, random);
    case Balance::hash:
      return by_hash(eligible, hash);
    case Balance::first:
      return first_of(eligible);
  }
  return std::nullopt;
}

std::optional<std::size_t> Balancer::least_loaded(Eligible eligible) {
  std::optional<std::size_t> least;
  bool several = false;
  for (std::size_t i = 0; i < eligible.size(); ++i) {
    if (!eligible.contains(i)) continue;
    if (!least || Eligible::less_loaded(eligible[i], eligible[*least])) {
      least = i;
      several = false;
    } else if (!Eligible::less_loaded(eligible[*least], eligible[i])) {
      several = true;
    }
  }
  if (!several) return least;
  eligible.limit_to_load_of(*least);
  return round_robin_.next(eligible);
}

std::optional<std::size_t> Balancer::better_of_two(const Eligible& eligible, Random& random) {
  const auto one = draw_.draw(eligible, random);
  if (!one) return one;
  const auto other = draw_.draw(eligible, random, one);
  return other && Eligible::less_loaded(eligible[*other], eligible[*one]) ? other : one;
}

// The entry of the key; when its member is not to be had, other entries that follow from the key,
// so that the keys of one member spread over all others as their weights are. Last comes an order
// of all members that follows from the key.
std::optional<std::size_t> Balancer::by_hash(const Eligible& eligible, std::uint64_t hash) const {
  std::uint64_t place = mix(hash);
  for (int i = 0; i < kProbes && !table_.empty(); ++i) {
    const std::size_t member = table_.at(place);
    if (eligible.contains(member)) return member;
    place = mix(place);
  }
  std::optional<std::size_t> best;
  double highest = 0;
  for (std::size_t i = 0; i < eligible.size(); ++i) {
    if (!eligible.contains(i)) continue;
    const double score = rendezvous_score(nodes_[i], hash);
    if (best && score <= highest) continue;
    best = i;
    highest = score;
  }
  return best;
}

}  // namespace penstock

// The members of a group, as those who choose among them see them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace penstock {

// Who a member is. Two processes that name a member alike agree about it, whatever its place.
struct MemberIdentity {
  std::string_view text;     // stable and of this member alone: "10.0.0.1:80", "unix:/run/a.sock"
  std::uint32_t weight = 1;  // as configured; its share of the work
};

// How a member stands at the moment of a choice.
struct Member {
  std::uint32_t weight = 1;  // in the same unit for all members of a choice; 0: takes no new work
  std::uint32_t load = 0;    // requests or connections under way
  bool available = true;
};

// Which members may be chosen: available, with a weight, and not tried before. Points into what it
// is made of. The tried ones are looked through for each member, so they should be few.
class Eligible {
 public:
  Eligible(std::span<const Member> members, std::span<const std::uint32_t> tried)
      : members_(members), tried_(tried) {}

  // Of all members, eligible or not.
  [[nodiscard]] std::size_t size() const { return members_.size(); }
  [[nodiscard]] const Member& operator[](std::size_t index) const { return members_[index]; }
  [[nodiscard]] bool contains(std::size_t index) const {
    const Member& member = members_[index];
    if (!member.available || member.weight == 0) return false;
    if (limit_ != nullptr && less_loaded(*limit_, member)) return false;
    return std::ranges::find(tried_, index) == tried_.end();
  }

  // Leaves out those with more load for their weight than an eligible one has.
  void limit_to_load_of(std::size_t index) { limit_ = &members_[index]; }

  // Whether `a` has less load for its weight than `b`. Their weights are not 0.
  static bool less_loaded(const Member& a, const Member& b) {
    return std::uint64_t{a.load} * b.weight < std::uint64_t{b.load} * a.weight;
  }

 private:
  std::span<const Member> members_;
  std::span<const std::uint32_t> tried_;
  const Member* limit_ = nullptr;
};

}  // namespace penstock

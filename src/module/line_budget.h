// Keeps what somebody else writes into our log bounded, without hiding that there was more.
#pragma once

#include <cstdint>
#include <utility>

#include "base/time.h"

namespace penstock {

// So many lines a period; what is more is counted, and the number said when the period is over.
// For one thread at a time.
class LineBudget {
 public:
  LineBudget(std::uint32_t lines, Duration period) : lines_(lines), period_(period) {}

  // Whether one more line may be written now; if not, it is counted as left out. Call
  // take_left_out() first: a period begins with the first line that comes after the one before.
  [[nodiscard]] bool allows(TimePoint now) {
    if (now >= end_) {
      end_ = now + period_;
      used_ = 0;
    }
    if (used_ < lines_) {
      ++used_;
      return true;
    }
    ++left_out_;
    return false;
  }
  // How many lines were left out in the period that has ended; 0 while it lasts, and once it has
  // been said.
  [[nodiscard]] std::uint64_t take_left_out(TimePoint now) {
    return now >= end_ ? take_left_out() : 0;
  }
  // The same, whether it has ended or not: for the end of all.
  [[nodiscard]] std::uint64_t take_left_out() { return std::exchange(left_out_, 0); }
  // When the present period ends.
  [[nodiscard]] TimePoint end() const { return end_; }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }

 private:
  std::uint32_t lines_;
  Duration period_;
  TimePoint end_ = TimePoint::min();
  std::uint32_t used_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace penstock

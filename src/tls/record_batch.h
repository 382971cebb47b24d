// Which records of a write are on their way, and how much of it each of them carries.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/check.h"

namespace penstock {

// Offsets count from the beginning of the batch's first record. What a peer has got only a part of
// a record of, it can't decrypt: a record counts when it was taken as a whole.
class RecordBatch {
 public:
  static constexpr std::size_t kMaxRecords = 4;

  [[nodiscard]] bool full() const { return made_ == kMaxRecords; }
  // A record of `plain` bytes that ends at this offset.
  void add(std::size_t end, std::size_t plain) {
    PENSTOCK_CHECK(!full());
    records_[made_++] = {static_cast<std::uint32_t>(end), static_cast<std::uint32_t>(plain)};
  }
  // n more bytes were taken; the plain bytes of the records that are complete now.
  [[nodiscard]] std::size_t take(std::size_t n) {
    taken_ += n;
    std::size_t plain = 0;
    while (passed_ < made_ && records_[passed_].end <= taken_) plain += records_[passed_++].plain;
    return plain;
  }
  // The plain bytes of all records that are not complete; forgets these.
  [[nodiscard]] std::size_t take_rest() {
    std::size_t plain = 0;
    while (passed_ < made_) plain += records_[passed_++].plain;
    return plain;
  }

 private:
  struct Record {
    std::uint32_t end;
    std::uint32_t plain;
  };
  std::array<Record, kMaxRecords> records_{};
  std::size_t taken_ = 0;
  std::uint8_t made_ = 0;
  std::uint8_t passed_ = 0;
};

}  // namespace penstock

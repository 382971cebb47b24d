// Texts and lines of heads, written into memory.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/check.h"
#include "message/fields.h"

namespace penstock::http1 {

inline constexpr std::string_view kCrlf = "\r\n";
inline constexpr std::string_view kColon = ": ";
// Digits that put_decimal() writes at most.
inline constexpr std::size_t kDecimalMax = 20;

// Appends texts to memory that the caller has made large enough. Most texts are short: for those
// two overlapping moves of a fixed size cost less than a call of memcpy.
class Output {
 public:
  explicit Output(std::span<char> to) : begin_(to.data()), at_(to.data()), end_(at_ + to.size()) {}

  void put(std::string_view text) {
    const std::size_t size = text.size();
    const char* const from = text.data();
    PENSTOCK_CHECK(size <= static_cast<std::size_t>(end_ - at_));
    if (size > 32) {
      std::memcpy(at_, from, size);
    } else if (size >= 16) {
      ends<16>(from, size);
    } else if (size >= 8) {
      ends<8>(from, size);
    } else if (size >= 4) {
      ends<4>(from, size);
    } else {
      for (std::size_t i = 0; i < size; ++i) at_[i] = from[i];
    }
    at_ += size;
  }
  // A line; name and value as they are.
  void put(const Field& field) { put_line(field.name, field.value); }
  void put_line(std::string_view name, std::string_view value) {
    put(name);
    put(kColon);
    put(value);
    put(kCrlf);
  }
  void put_decimal(std::uint64_t number) {
    std::array<char, kDecimalMax> digits;
    std::size_t first = digits.size();
    do {
      digits[--first] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    put({digits.data() + first, digits.size() - first});
  }
  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(at_ - begin_); }

 private:
  template <std::size_t kSize>
  void ends(const char* from, std::size_t size) {
    std::array<char, kSize> first;
    std::array<char, kSize> last;
    std::memcpy(first.data(), from, kSize);
    std::memcpy(last.data(), from + size - kSize, kSize);
    std::memcpy(at_, first.data(), kSize);
    std::memcpy(at_ + size - kSize, last.data(), kSize);
  }

  char* begin_;
  char* at_;
  char* end_;
};

}  // namespace penstock::http1

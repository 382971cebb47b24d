// Which bytes of a content there are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace penstock::rfc9111 {

// Bytes from `first` up to, not including, `end`.
struct ByteSpan {
  std::uint64_t first = 0;
  std::uint64_t end = 0;

  [[nodiscard]] constexpr std::uint64_t size() const { return end - first; }
  [[nodiscard]] constexpr bool empty() const { return end <= first; }
  friend constexpr bool operator==(const ByteSpan&, const ByteSpan&) = default;
};

// A bounded set of bytes, as spans that are sorted and neither overlap nor touch.
class ByteSpans {
 public:
  // A client must not be able to make a stored response into thousands of pieces.
  static constexpr std::size_t kMaxSpans = 64;

  // Adds the bytes. False: it would take more than kMaxSpans spans, and nothing is changed. Adding
  // an empty span does nothing.
  bool add(ByteSpan span);
  void clear() { spans_.clear(); }

  [[nodiscard]] bool empty() const { return spans_.empty(); }
  // Sorted. Valid until the next change.
  [[nodiscard]] std::span<const ByteSpan> spans() const { return spans_; }
  // All bytes there are.
  [[nodiscard]] std::uint64_t size() const;
  // True when all bytes of `span` are there; so for an empty one.
  [[nodiscard]] bool covers(ByteSpan span) const;
  // The shortest span that has all bytes of `span` which are missing; bytes that are there may lie
  // inside it. Nothing when none are missing.
  [[nodiscard]] std::optional<ByteSpan> missing(ByteSpan span) const;
  // The end of the bytes that are there without a gap from `first`; `first` where that is missing.
  [[nodiscard]] std::uint64_t end_from(std::uint64_t first) const;

  friend bool operator==(const ByteSpans&, const ByteSpans&) = default;

 private:
  std::vector<ByteSpan> spans_;
};

}  // namespace penstock::rfc9111

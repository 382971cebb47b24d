// Range requests at a cache (RFC 9110 section 14, RFC 9111 sections 3.3 and 3.4): reading Range,
// reading and writing Content-Range, what stored bytes can answer, what is missing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/rfc9111/byte_spans.h"
#include "cache/rfc9111/validators.h"
#include "message/fields.h"
#include "message/head.h"

namespace penstock::rfc9111 {

// --- Range ---

// One range of a request (section 14.1.2). "5-9": first and last; "5-": first only; "-3", the last
// three bytes: `last` only, as a length.
struct RangeSpec {
  std::optional<std::uint64_t> first;
  std::optional<std::uint64_t> last;

  friend bool operator==(const RangeSpec&, const RangeSpec&) = default;
};

// A request with more ranges gets the whole (section 14.2 leaves it free to ignore Range).
inline constexpr std::size_t kMaxRanges = 16;

// The ranges of a request, in its order; at least one.
class RangeSet {
 public:
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const RangeSpec* begin() const { return specs_.data(); }
  [[nodiscard]] const RangeSpec* end() const { return specs_.data() + size_; }
  [[nodiscard]] const RangeSpec& operator[](std::size_t i) const { return specs_[i]; }
  // False: there are kMaxRanges.
  bool add(RangeSpec spec);

 private:
  std::array<RangeSpec, kMaxRanges> specs_{};
  std::size_t size_ = 0;
};

// The value of Range. Nothing for what has to be ignored: another unit than bytes, what is not
// understood, a range that ends before it begins, too many. Numbers of more than 64 bits count as
// the largest there is.
[[nodiscard]] std::optional<RangeSet> parse_range(std::string_view value);

// That of a request: nothing where it is not a GET (section 14.2), or has several lines of Range.
[[nodiscard]] std::optional<RangeSet> range_of(const RequestHead& request);

// Gaps up to this size are sent rather than left out: a part of its own costs as much.
inline constexpr std::uint64_t kMinGap = 96;

// The bytes that the ranges name in content of that length, those that cannot be satisfied left
// out, those that overlap or nearly touch made one. In the order in which they were first asked
// for. Empty: not satisfiable, 416.
[[nodiscard]] std::vector<ByteSpan> resolve_ranges(const RangeSet& ranges, std::uint64_t length);

// --- Content-Range (section 14.4) ---

struct ContentRange {
  std::optional<ByteSpan> span;         // none: "bytes */10", in a 416
  std::optional<std::uint64_t> length;  // the complete length; none: "bytes 0-4/*"

  friend bool operator==(const ContentRange&, const ContentRange&) = default;
};

// Nothing for another unit, what is not understood, a range that ends before it begins or lies
// beyond the complete length, and "*/*".
[[nodiscard]] std::optional<ContentRange> parse_content_range(std::string_view value);

// "bytes 0-4/10", "bytes 0-4/*", "bytes */10". The span is not empty.
[[nodiscard]] std::string content_range_text(const ContentRange& range);

// --- Storing a 206 ---

// Whether what a 206 says about itself makes sense.
enum class PartialVerdict : std::uint8_t {
  storable,       // one range, in `range`
  several_parts,  // multipart/byteranges: not stored
  no_range,       // no Content-Range that can be read, or more than one line
  wrong_length,   // Content-Length is not the length of the range
  not_asked       // not one of the bytes that were asked for, or none were asked for
};

// A token: "storable", "several-parts" and so on.
[[nodiscard]] std::string_view to_string(PartialVerdict verdict);

struct PartialCheck {
  PartialVerdict verdict = PartialVerdict::no_range;
  ContentRange range;
};

// Whether a 206 says consistently which bytes it has. `sent`: the Range that was sent to the
// origin. A content that turns out shorter or longer than the range must not be kept, either:
// compare with `range.span->size()` at its end.
[[nodiscard]] PartialCheck check_partial(const ResponseHead& answer,
                                         const std::optional<RangeSet>& sent);

// RFC 9111 section 3.4: parts may be put together when both have the same strong validator, and do
// not contradict each other about the complete length.
[[nodiscard]] bool may_combine(const Validators& stored, std::optional<std::uint64_t> stored_length,
                               const Validators& added, std::optional<std::uint64_t> added_length);

// --- Answering from what is stored ---

// The bytes stored of a response, and its complete length where that is known. A complete response:
// its length, and one span or none if it is empty.
struct StoredBytes {
  const ByteSpans& spans;
  std::optional<std::uint64_t> length;

  [[nodiscard]] bool complete() const { return length && spans.covers({0, *length}); }
};

enum class RangeAnswer : std::uint8_t {
  whole,          // 200 with everything
  single,         // 206 with spans[0]
  multipart,      // 206 with multipart/byteranges of all spans
  unsatisfiable,  // 416
  bytes_missing   // some are not stored: `missing` names a range that has them
};

struct RangeDecision {
  RangeAnswer answer = RangeAnswer::whole;
  std::vector<ByteSpan> spans;
  // With bytes_missing. `last` none: up to the end. A suffix of unknown place comes as it was
  // asked.
  RangeSpec missing;
};

// What the stored bytes are for a request with those ranges (nothing: all is wanted). Ranges of
// content that is empty are ignored: a 206 could not say what it has.
[[nodiscard]] RangeDecision decide_range(const std::optional<RangeSet>& ranges,
                                         const StoredBytes& stored);

// The one range that is missing to make it complete, open at its end where it reaches that; nothing
// if it is complete.
[[nodiscard]] std::optional<RangeSpec> range_to_complete(const StoredBytes& stored);

// "bytes=5-9", "bytes=5-", "bytes=-3".
[[nodiscard]] std::string range_text(const RangeSpec& range);

// Makes the request one for the missing bytes of a stored response: Range, and If-Range with its
// strong validator, so that of another representation everything comes. False: it has none, and
// nothing was written; such parts cannot be combined. Replaces both fields; texts are copied.
bool write_range_request(FieldSection& request, const RangeSpec& missing, const Validators& stored);

}  // namespace penstock::rfc9111

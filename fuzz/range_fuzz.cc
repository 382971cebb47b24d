// Any text as Range and as Content-Range: what they are resolved to lies within the content, what
// is answered from stored bytes is stored, what is missing is not, and what is written is read the
// same.
//
// The input's lines are: the value of Range, the value of Content-Range, and numbers of bytes: the
// complete length, and then by turns how many bytes are stored and how many are not.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cache/rfc9111/byteranges.h"
#include "cache/rfc9111/ranges.h"

namespace {

using namespace penstock;
using namespace penstock::rfc9111;

std::string_view take_line(std::string_view& rest) {
  const std::size_t size = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return line;
}

void check_spans(const std::vector<ByteSpan>& spans, std::optional<std::uint64_t> length) {
  PENSTOCK_CHECK(spans.size() <= kMaxRanges);
  ByteSpans all;
  std::uint64_t sum = 0;
  for (const ByteSpan& span : spans) {
    PENSTOCK_CHECK(!span.empty() && (!length || span.end <= *length));
    PENSTOCK_CHECK(all.add(span));
    sum += span.size();
  }
  // With the length known, nothing is sent twice.
  PENSTOCK_CHECK(!length || all.size() == sum);
}

void check_missing(const RangeSpec& missing, const StoredBytes& stored) {
  PENSTOCK_CHECK(parse_range(range_text(missing)));
  if (!missing.first) {
    PENSTOCK_CHECK(!stored.length);
    return;
  }
  // It begins with a byte that is missing.
  PENSTOCK_CHECK(!stored.length || *missing.first < *stored.length);
  PENSTOCK_CHECK(stored.spans.end_from(*missing.first) == *missing.first);
  if (!missing.last) return;
  PENSTOCK_CHECK(*missing.first <= *missing.last);
  PENSTOCK_CHECK(!stored.spans.covers({*missing.last, *missing.last + 1}));
}

void check_decision(const std::optional<RangeSet>& ranges, const StoredBytes& stored) {
  const RangeDecision decision = decide_range(ranges, stored);
  check_spans(decision.spans, stored.length);
  for (const ByteSpan& span : decision.spans) PENSTOCK_CHECK(stored.spans.covers(span));
  switch (decision.answer) {
    case RangeAnswer::whole:
      PENSTOCK_CHECK(stored.complete());
      break;
    case RangeAnswer::single:
      PENSTOCK_CHECK(decision.spans.size() == 1);
      break;
    case RangeAnswer::multipart: {
      PENSTOCK_CHECK(decision.spans.size() > 1);
      const ByterangesFrame frame({1, 2}, "a/b", decision.spans, stored.length);
      std::uint64_t total = frame.tail().size();
      for (std::size_t i = 0; i < decision.spans.size(); ++i) {
        total += frame.head(i).size() + decision.spans[i].size();
      }
      PENSTOCK_CHECK(frame.total_size() == total);
      break;
    }
    case RangeAnswer::unsatisfiable:
      PENSTOCK_CHECK(stored.length && ranges);
      break;
    case RangeAnswer::bytes_missing:
      PENSTOCK_CHECK(!stored.complete());
      check_missing(decision.missing, stored);
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto ranges = parse_range(take_line(rest));
  if (ranges) {
    PENSTOCK_CHECK(ranges->size() > 0 && ranges->size() <= kMaxRanges);
    for (const RangeSpec& spec : *ranges) {
      const auto again = parse_range(range_text(spec));
      PENSTOCK_CHECK(again && again->size() == 1 && (*again)[0] == spec);
    }
  }
  if (const auto range = parse_content_range(take_line(rest))) {
    PENSTOCK_CHECK(parse_content_range(content_range_text(*range)) == range);
    PENSTOCK_CHECK(!range->span || !range->span->empty());
  }

  std::vector<std::uint64_t> numbers;
  for (const char c : rest) numbers.push_back(static_cast<unsigned char>(c));
  const std::uint64_t length = numbers.empty() ? 0 : numbers.front() * 16;
  ByteSpans spans;
  std::uint64_t at = 0;
  for (std::size_t i = 1; i + 1 < numbers.size(); i += 2) {
    const std::uint64_t end = at + numbers[i];
    static_cast<void>(spans.add({at, std::min(end, length)}));
    at = end + numbers[i + 1];
  }
  check_decision(ranges, {.spans = spans, .length = length});
  check_decision(ranges, {.spans = spans, .length = std::nullopt});
  if (ranges) check_spans(resolve_ranges(*ranges, length), length);
  return 0;
}

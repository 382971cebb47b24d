#include "cache/rfc9111/byte_spans.h"

#include <algorithm>

namespace penstock::rfc9111 {

bool ByteSpans::add(ByteSpan span) {
  if (span.empty()) return true;
  // Those that overlap or touch it become one with it.
  const auto first = std::ranges::lower_bound(spans_, span.first, {}, &ByteSpan::end);
  const auto last = std::ranges::upper_bound(spans_, span.end, {}, &ByteSpan::first);
  if (first == last) {
    if (spans_.size() == kMaxSpans) return false;
    spans_.insert(first, span);
    return true;
  }
  first->first = std::min(first->first, span.first);
  first->end = std::max((last - 1)->end, span.end);
  spans_.erase(first + 1, last);
  return true;
}

std::uint64_t ByteSpans::size() const {
  std::uint64_t size = 0;
  for (const ByteSpan& span : spans_) size += span.size();
  return size;
}

std::uint64_t ByteSpans::end_from(std::uint64_t first) const {
  const auto after = std::ranges::upper_bound(spans_, first, {}, &ByteSpan::end);
  return after != spans_.end() && after->first <= first ? after->end : first;
}

bool ByteSpans::covers(ByteSpan span) const {
  return span.empty() || end_from(span.first) >= span.end;
}

std::optional<ByteSpan> ByteSpans::missing(ByteSpan span) const {
  if (covers(span)) return std::nullopt;
  span.first = end_from(span.first);
  // The span that has the last byte, if there is one.
  const auto holder = std::ranges::lower_bound(spans_, span.end, {}, &ByteSpan::end);
  if (holder != spans_.end() && holder->first < span.end) {
    span.end = std::max(holder->first, span.first);
  }
  return span;
}

}  // namespace penstock::rfc9111

#include "cache/rfc9111/ranges.h"

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "message/characters.h"
#include "message/framing.h"

namespace penstock::rfc9111 {
namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

// Digits only; the largest number there is for more.
std::optional<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (number > (kLargest - digit) / 10) return kLargest;
    number = number * 10 + digit;
  }
  return number;
}

// The same, where what is larger than any length of content is not one.
std::optional<std::uint64_t> parse_position(std::string_view text) {
  const auto number = parse_number(text);
  return number && *number <= kLargest / 2 ? number : std::nullopt;
}

std::optional<RangeSpec> parse_spec(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, dash);
  const std::string_view after = text.substr(dash + 1);
  RangeSpec spec{.first = parse_number(before), .last = parse_number(after)};
  if ((!spec.first && !before.empty()) || (!spec.last && !after.empty())) return std::nullopt;
  if (!spec.first && !spec.last) return std::nullopt;
  if (spec.first && spec.last && *spec.first > *spec.last) return std::nullopt;
  return spec;
}

// The bytes of one range in content of that length; empty where it cannot be satisfied.
ByteSpan resolve(const RangeSpec& spec, std::uint64_t length) {
  if (!spec.first) return {length - std::min(*spec.last, length), length};
  const std::uint64_t end = spec.last && *spec.last < length ? *spec.last + 1 : length;
  return {std::min(*spec.first, end), end};
}

// The wanted bytes of all ranges are there, the complete length being unknown.
std::optional<std::vector<ByteSpan>> stored_spans(const RangeSet& ranges, const ByteSpans& stored) {
  std::vector<ByteSpan> spans;
  for (const RangeSpec& spec : ranges) {
    if (!spec.first || !spec.last || *spec.last == kLargest) return std::nullopt;
    spans.push_back({*spec.first, *spec.last + 1});
    if (!stored.covers(spans.back())) return std::nullopt;
  }
  return spans;
}

// One range that has all that is missing, the complete length being unknown.
RangeSpec missing_of_unknown(const RangeSet& ranges, const ByteSpans& stored) {
  if (ranges.size() == 1 && !ranges[0].first) return ranges[0];
  RangeSpec hull{.first = kLargest, .last = 0};
  for (const RangeSpec& spec : ranges) {
    const bool open = !spec.first || !spec.last || *spec.last == kLargest;
    if (!open && stored.covers({*spec.first, *spec.last + 1})) continue;
    hull.first = std::min(*hull.first, stored.end_from(spec.first.value_or(0)));
    if (open) hull.last.reset();
    if (hull.last) hull.last = std::max(*hull.last, *spec.last);
  }
  // The last ones may be there already.
  if (hull.last) hull.last = stored.missing({*hull.first, *hull.last + 1})->end - 1;
  return hull;
}

RangeSpec open_at(ByteSpan span, std::uint64_t length) {
  if (span.end == length) return {.first = span.first, .last = std::nullopt};
  return {.first = span.first, .last = span.end - 1};
}

RangeDecision found(std::vector<ByteSpan> spans) {
  const RangeAnswer answer = spans.size() == 1 ? RangeAnswer::single : RangeAnswer::multipart;
  return {.answer = answer, .spans = std::move(spans), .missing = {}};
}

RangeDecision decide_of_known(const RangeSet& ranges, const ByteSpans& stored,
                              std::uint64_t length) {
  std::vector<ByteSpan> spans = resolve_ranges(ranges, length);
  if (spans.empty()) return {.answer = RangeAnswer::unsatisfiable, .spans = {}, .missing = {}};
  std::optional<ByteSpan> missing;
  for (const ByteSpan& span : spans) {
    const auto here = stored.missing(span);
    if (!here) continue;
    if (!missing) missing = here;
    missing = {std::min(missing->first, here->first), std::max(missing->end, here->end)};
  }
  if (!missing) return found(std::move(spans));
  return {.answer = RangeAnswer::bytes_missing, .spans = {}, .missing = open_at(*missing, length)};
}

bool is_multipart(const FieldSection& fields) {
  const std::string_view type = fields.value(FieldId::content_type);
  const std::size_t size = std::min(type.find(';'), type.size());
  return equals_ignoring_case(trim_whitespace(type.substr(0, size)), "multipart/byteranges");
}

// Some of the bytes were asked for, as far as can be told.
bool was_asked(const RangeSet& sent, const ContentRange& range) {
  return std::ranges::any_of(sent, [&](const RangeSpec& spec) {
    if (!spec.first && !range.length) return true;
    const ByteSpan wanted = resolve(spec, range.length.value_or(kLargest));
    return std::max(wanted.first, range.span->first) < std::min(wanted.end, range.span->end);
  });
}

}  // namespace

bool RangeSet::add(RangeSpec spec) {
  if (size_ == kMaxRanges) return false;
  specs_[size_++] = spec;
  return true;
}

std::optional<RangeSet> parse_range(std::string_view value) {
  constexpr std::string_view kUnit = "bytes=";
  if (!equals_ignoring_case(value.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  value.remove_prefix(kUnit.size());
  RangeSet ranges;
  while (!value.empty()) {
    const std::size_t size = std::min(value.find(','), value.size());
    const std::string_view element = trim_whitespace(value.substr(0, size));
    value.remove_prefix(std::min(size + 1, value.size()));
    if (element.empty()) continue;
    const auto spec = parse_spec(element);
    if (!spec || !ranges.add(*spec)) return std::nullopt;
  }
  return ranges.size() > 0 ? std::optional(ranges) : std::nullopt;
}

std::optional<RangeSet> range_of(const RequestHead& request) {
  if (request.method != Method::get || request.fields.count(FieldId::range) != 1) {
    return std::nullopt;
  }
  return parse_range(request.fields.value(FieldId::range));
}

std::vector<ByteSpan> resolve_ranges(const RangeSet& ranges, std::uint64_t length) {
  struct Wanted {
    ByteSpan span;
    std::size_t place;  // in the request
  };
  std::vector<Wanted> wanted;
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const ByteSpan span = resolve(ranges[i], length);
    if (!span.empty()) wanted.push_back({span, i});
  }
  std::ranges::sort(wanted, {}, [](const Wanted& one) { return one.span.first; });
  std::vector<Wanted> joined;
  for (const Wanted& one : wanted) {
    if (!joined.empty() && one.span.first <= joined.back().span.end + kMinGap) {
      Wanted& last = joined.back();
      last.span.end = std::max(last.span.end, one.span.end);
      last.place = std::min(last.place, one.place);
    } else {
      joined.push_back(one);
    }
  }
  std::ranges::sort(joined, {}, &Wanted::place);
  std::vector<ByteSpan> spans;
  for (const Wanted& one : joined) spans.push_back(one.span);
  return spans;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  constexpr std::string_view kUnit = "bytes";
  if (!equals_ignoring_case(value.substr(0, kUnit.size()), kUnit)) return std::nullopt;
  value.remove_prefix(kUnit.size());
  if (value.empty() || !is_whitespace(value.front())) return std::nullopt;
  value = trim_whitespace(value);
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view span = value.substr(0, slash);
  const std::string_view length = value.substr(slash + 1);
  ContentRange range;
  if (length != "*") {
    range.length = parse_position(length);
    if (!range.length) return std::nullopt;
  }
  if (span == "*") return range.length ? std::optional(range) : std::nullopt;
  const std::size_t dash = span.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = parse_position(span.substr(0, dash));
  const auto last = parse_position(span.substr(dash + 1));
  if (!first || !last || *first > *last || (range.length && *last >= *range.length)) {
    return std::nullopt;
  }
  range.span = {*first, *last + 1};
  return range;
}

std::string content_range_text(const ContentRange& range) {
  std::string text = "bytes ";
  if (range.span) {
    text += std::to_string(range.span->first) + '-' + std::to_string(range.span->end - 1);
  } else {
    text += '*';
  }
  text += '/';
  return text + (range.length ? std::to_string(*range.length) : "*");
}

std::string_view to_string(PartialVerdict verdict) {
  switch (verdict) {
    case PartialVerdict::storable:
      return "storable";
    case PartialVerdict::several_parts:
      return "several-parts";
    case PartialVerdict::no_range:
      return "no-range";
    case PartialVerdict::wrong_length:
      return "wrong-length";
    case PartialVerdict::not_asked:
      return "not-asked";
  }
  return {};
}

PartialCheck check_partial(const ResponseHead& answer, const std::optional<RangeSet>& sent) {
  using enum PartialVerdict;
  const FieldSection& fields = answer.fields;
  const Field* line = nullptr;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, "Content-Range")) continue;
    if (line != nullptr) return {.verdict = no_range, .range = {}};
    line = &field;
  }
  if (line == nullptr) {
    return {.verdict = is_multipart(fields) ? several_parts : no_range, .range = {}};
  }
  const auto range = parse_content_range(line->value);
  if (!range || !range->span) return {.verdict = no_range, .range = {}};
  const auto framing = content_length(fields);
  if (!framing || (framing->kind == BodyKind::length && framing->length != range->span->size())) {
    return {.verdict = wrong_length, .range = *range};
  }
  const bool asked = sent && was_asked(*sent, *range);
  return {.verdict = asked ? storable : not_asked, .range = *range};
}

bool may_combine(const Validators& stored, std::optional<std::uint64_t> stored_length,
                 const Validators& added, std::optional<std::uint64_t> added_length) {
  if (stored_length && added_length && *stored_length != *added_length) return false;
  return same_strong_validator(stored, added);
}

RangeDecision decide_range(const std::optional<RangeSet>& ranges, const StoredBytes& stored) {
  if (!ranges || stored.length == 0U) {
    const auto missing = range_to_complete(stored);
    if (!missing) return {};
    return {.answer = RangeAnswer::bytes_missing, .spans = {}, .missing = *missing};
  }
  if (stored.length) return decide_of_known(*ranges, stored.spans, *stored.length);
  if (auto spans = stored_spans(*ranges, stored.spans)) return found(std::move(*spans));
  return {.answer = RangeAnswer::bytes_missing,
          .spans = {},
          .missing = missing_of_unknown(*ranges, stored.spans)};
}

std::optional<RangeSpec> range_to_complete(const StoredBytes& stored) {
  if (!stored.length) return RangeSpec{.first = stored.spans.end_from(0), .last = std::nullopt};
  const auto missing = stored.spans.missing({0, *stored.length});
  if (!missing) return std::nullopt;
  return open_at(*missing, *stored.length);
}

std::string range_text(const RangeSpec& range) {
  std::string text = "bytes=";
  if (range.first) text += std::to_string(*range.first);
  text += '-';
  if (range.last) text += std::to_string(*range.last);
  return text;
}

bool write_range_request(FieldSection& request, const RangeSpec& missing,
                         const Validators& stored) {
  if (!stored.strong()) return false;
  const std::string_view validator = stored.etag ? stored.etag->text : stored.last_modified_text;
  request.remove(FieldId::range);
  request.remove(FieldId::if_range);
  request.add(FieldId::range, request.keep(range_text(missing)));
  request.add(FieldId::if_range, request.keep(validator));
  return true;
}

}  // namespace penstock::rfc9111

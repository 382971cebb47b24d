// What the fuzzers of request and response heads have in common.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

#include "base/check.h"
#include "http1/head_parser.h"
#include "message/characters.h"

namespace penstock::fuzz {

// Small ones, so that short inputs reach them.
inline constexpr http1::HeadLimits kSmallLimits{.head = 200, .start_line = 60, .fields = 6};

struct Scanned {
  http1::Progress progress = http1::Progress::need_more;
  Refusal refusal = Refusal::none;
  std::size_t size = 0;
  std::size_t start = 0;
  friend bool operator==(const Scanned&, const Scanned&) = default;
};

// Scans the input as it grows by `step` bytes at a time.
inline Scanned scan(std::string_view input, const http1::HeadLimits& limits, http1::HeadKind kind,
                    std::size_t step) {
  http1::HeadScanner scanner(limits, kind);
  for (std::size_t end = 0;;) {
    end = std::min(end + step, input.size());
    const http1::Progress progress = scanner.scan(input.substr(0, end));
    if (progress == http1::Progress::done) {
      return {progress, Refusal::none, scanner.size(), scanner.start()};
    }
    if (progress == http1::Progress::refused) return {progress, scanner.refusal(), 0, 0};
    if (end == input.size()) return {};
  }
}

// The outcome of scanning, after checking that it does not depend on the split.
inline Scanned scan_all_ways(std::string_view input, const http1::HeadLimits& limits,
                             http1::HeadKind kind) {
  const Scanned whole = scan(input, limits, kind, std::max<std::size_t>(input.size(), 1));
  for (const std::size_t step : {1U, 2U, 7U, 64U}) {
    PENSTOCK_CHECK(scan(input, limits, kind, step) == whole);
  }
  if (whole.progress == http1::Progress::done) {
    PENSTOCK_CHECK(whole.size <= std::min(input.size(), limits.head));
    PENSTOCK_CHECK(input.substr(0, whole.size).ends_with("\r\n\r\n"));
    PENSTOCK_CHECK(whole.start <= 2 * http1::kLeadingEmptyLines);
  }
  return whole;
}

inline bool has_no_control_bytes(std::string_view text) {
  return find_control(text.data(), text.data() + text.size()) == text.data() + text.size();
}

// No accepted field has bytes that could end its line or mean something else to another parser.
inline void check_fields(const FieldSection& fields) {
  for (const Field& field : fields) {
    PENSTOCK_CHECK(is_token(field.name));
    PENSTOCK_CHECK(is_field_value(field.value));
    PENSTOCK_CHECK(field.id == field_id(field.name));
    PENSTOCK_CHECK(field.id == FieldId::other ||
                   equals_ignoring_case(field.name, field_name(field.id)));
  }
}

// The same lines in the same order, but for those that the writer puts elsewhere or writes itself.
inline void check_same_fields(const FieldSection& a, const FieldSection& b) {
  const auto is_the_writers = [](const Field& field) {
    return field.id == FieldId::host || field.id == FieldId::content_length ||
           field.id == FieldId::transfer_encoding;
  };
  auto left = a.begin();
  auto right = b.begin();
  for (;;) {
    left = std::find_if_not(left, a.end(), is_the_writers);
    right = std::find_if_not(right, b.end(), is_the_writers);
    if (left == a.end() || right == b.end()) break;
    PENSTOCK_CHECK(left->name == right->name && left->value == right->value);
    ++left;
    ++right;
  }
  PENSTOCK_CHECK(left == a.end() && right == b.end());
}

}  // namespace penstock::fuzz

// Cache-Control of requests and responses (RFC 9111 section 5.2), and Pragma (section 5.4).
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>

#include "message/characters.h"
#include "message/fields.h"

namespace penstock::rfc9111 {

using std::chrono::seconds;

// The longest time there is here: longer ones count as this (RFC 9111 section 1.2.2).
inline constexpr seconds kMaxDelta{std::int64_t{1} << 31};

// delta-seconds: digits and nothing else, capped at kMaxDelta; nothing for other text.
[[nodiscard]] std::optional<seconds> parse_delta_seconds(std::string_view text);

// The field names that a directive is limited to: no-cache="a, b". Valid names only.
class FieldNames {
 public:
  [[nodiscard]] bool empty() const { return lists_[0].empty(); }
  // Upper and lower case are the same.
  [[nodiscard]] bool contains(std::string_view name) const;
  // Calls f(name) for each, as written; one may come twice.
  template <class F>
  void for_each(F f) const {
    for (const std::string_view list : lists_) for_each_element(list, f);
  }
  // Adds a list of names. False where it has none, or something that is not a name, or there are
  // too many lists already.
  bool add(std::string_view list);

 private:
  std::array<std::string_view, 2> lists_;
};

// The directives that count of one message. Views point into its fields.
//
// Of a directive that comes several times the first one counts. A time that is no delta-seconds (or
// missing) is 0: stale, and no leave to be stale (RFC 9111 section 4.2.1). It may be quoted.
// Unknown directives are ignored; upper and lower case are the same.
struct Directives {
  std::optional<seconds> max_age;
  std::optional<seconds> s_maxage;
  std::optional<seconds> min_fresh;               // requests
  std::optional<seconds> max_stale;               // requests; kMaxDelta if no time is given
  std::optional<seconds> stale_while_revalidate;  // RFC 5861
  std::optional<seconds> stale_if_error;          // RFC 5861; also in requests

  // For the response as a whole. no-cache and private with a list are in the lists only; if the
  // list can't be understood, or is empty, they count for the whole response.
  bool no_cache = false;
  bool is_private = false;
  FieldNames no_cache_fields;
  FieldNames private_fields;

  bool no_store = false;
  bool no_transform = false;
  bool only_if_cached = false;  // requests
  bool must_revalidate = false;
  bool proxy_revalidate = false;
  // These three allow something: they do not count if they have an argument.
  bool must_understand = false;
  bool is_public = false;
  bool immutable = false;  // RFC 8246

  // A quoted string is not closed: what follows it in the line may have been meant as directives.
  bool malformed = false;

  // One directive: `argument` is what follows "=", with its quotes; nothing where there is no "=".
  // Unknown ones are ignored.
  void add(std::string_view name, std::optional<std::string_view> argument);
  // All directives of a line of Cache-Control.
  void add_line(std::string_view line);
};

// Those of Cache-Control.
[[nodiscard]] Directives response_directives(const FieldSection& fields);
// Those of Cache-Control; where there is no such field, no_cache for "Pragma: no-cache".
[[nodiscard]] Directives request_directives(const FieldSection& fields);

}  // namespace penstock::rfc9111

// Conditional requests at a cache: evaluating a client's (RFC 9110 section 13, RFC 9111 section
// 4.3.2), making those that validate (section 4.3.1), and the 304 (RFC 9110 section 15.4.5).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cache/rfc9111/validators.h"
#include "message/fields.h"
#include "message/head.h"

namespace penstock::rfc9111 {

// --- A client's conditions ---

enum class Precondition : std::uint8_t {
  full,          // the conditions are met, or there are none: the response as it is, or a range
  not_modified,  // the client has it: 304
  forward        // only the origin may tell: the request goes there with its conditions
};

// Why.
enum class ConditionReason : std::uint8_t {
  none,                 // no condition that concerns a cache
  if_match,             // If-Match is the origin's (RFC 9111 section 4.3.2)
  if_unmodified_since,  // so is this
  if_none_match,        // a tag matches (not_modified), or none does (full)
  if_modified_since     // not changed since (not_modified), or changed (full)
};

// A token: "none", "if-match" and so on.
[[nodiscard]] std::string_view to_string(ConditionReason reason);

struct ConditionVerdict {
  Precondition verdict = Precondition::full;
  ConditionReason reason = ConditionReason::none;
  // With `full`: a Range is to be ignored, as If-Range names another representation (RFC 9110
  // section 13.1.5).
  bool ignore_range = false;
};

// The stored response a request has selected, as far as conditions look at it.
struct ConditionTarget {
  int status = 200;
  Validators validators;
  std::chrono::sys_seconds received;  // when it was received, or last validated
};

// Evaluates a request's conditions, in the order of RFC 9110 section 13.2.2, for a stored response
// that may be used without asking, or was just found valid. Those of requests that are neither GET
// nor HEAD, and for responses of another status than 200 and 206, are not evaluated: `full`, except
// that If-Match and If-Unmodified-Since still are the origin's.
//
// If-None-Match compares weakly, and where it is there, If-Modified-Since is ignored; a response
// without a tag matches "*" only. If-Modified-Since compares to Last-Modified, else to Date, else
// to the time it was received; one that is no date, or there twice, is ignored.
[[nodiscard]] ConditionVerdict evaluate_conditions(const RequestHead& request,
                                                   const ConditionTarget& stored);

// If-Range alone (RFC 9110 section 13.1.5): true when there is none, or when it matches strongly:
// the same strong tag, or exactly the same date where that is strong. What is neither does not
// match.
[[nodiscard]] bool range_applies(const FieldSection& request, const Validators& stored);

// True when the request has a condition that only its origin may evaluate.
[[nodiscard]] bool has_origin_conditions(const FieldSection& request);

// --- Requests that validate ---

// Takes the client's own If-None-Match and If-Modified-Since away (take_conditions), or its Range
// and If-Range (take_range), so that the origin's answer is one to keep; put_back() adds them
// again. The views in the list are those of the section: it must outlive them.
[[nodiscard]] std::vector<Field> take_conditions(FieldSection& request);
[[nodiscard]] std::vector<Field> take_range(FieldSection& request);
void put_back(FieldSection& request, std::span<const Field> taken);

// What is sent in one If-None-Match at most; further tags are left out.
inline constexpr std::size_t kMaxSentTags = 32;
inline constexpr std::size_t kMaxSentTagText = 4096;  // bytes

// Makes the request one that validates: If-None-Match with the tags of `stored`, each once, and
// If-Modified-Since with the Last-Modified of the first. `stored`: the response to be validated
// first, then others that a request for the URI could select (never incomplete ones, whose content
// could not be sent on). The others' tags are left out where the first has only a date, which would
// not count beside them, or a tag that is not well-formed. Replaces If-None-Match and
// If-Modified-Since, so take the client's away before. Texts are copied into the section. False:
// there is no validator, and nothing was written.
//
// `client_tags`: the client's own list, which may be added (RFC 9111 section 4.3.2); a 304 with a
// tag of it that is none of ours is then the client's answer.
bool write_validation(FieldSection& request, std::span<const Validators> stored,
                      std::string_view client_tags = {});

// --- 304 ---

// True for fields that a 304 made of a stored response has (RFC 9110 section 15.4.5):
// Cache-Control, CDN-Cache-Control, Content-Location, Date, ETag, Expires, Vary; Last-Modified only
// where there is no tag. All others are in the response the client has. Set-Cookie above all stays
// out.
[[nodiscard]] bool is_in_not_modified(const Field& field, bool has_etag);

// Fills `out` with status 304 and those fields; views into `stored`, which must outlive it. Age and
// what this hop adds are the caller's.
void make_not_modified(const FieldSection& stored, ResponseHead& out);

}  // namespace penstock::rfc9111

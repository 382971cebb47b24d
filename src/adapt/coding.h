// Content codings in header fields: what a message is coded with, and what a client takes.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "adapt/body_settings.h"
#include "message/fields.h"

namespace penstock {

// The token of a coding, such as "gzip".
[[nodiscard]] std::string_view to_string(ContentCoding coding);
// The coding of a token in any case, "x-gzip" too (RFC 9110 section 8.4.1.3); nothing if it is not
// one of ours.
[[nodiscard]] std::optional<ContentCoding> content_coding(std::string_view token);

// Codings of one message, in the order in which they were applied: the last one is to be taken off
// first. Never identity, and a few at most.
class ContentCodings {
 public:
  static constexpr std::size_t kMost = 4;

  // False when there are too many.
  bool add(ContentCoding coding) {
    if (count_ == kMost) return false;
    codings_[count_++] = coding;
    return true;
  }
  [[nodiscard]] std::span<const ContentCoding> in_order() const {
    return {codings_.data(), count_};
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t size() const { return count_; }

 private:
  std::array<ContentCoding, kMost> codings_{};
  std::size_t count_ = 0;
};

// What the Content-Encoding lines say, taken as one list (RFC 9110 section 8.4); empty where there
// are none. "identity" in it means nothing. Nothing at all is returned when a coding is not one of
// ours, is not a plain token, or there are more than ContentCodings::kMost: then the content has to
// stay as it is.
[[nodiscard]] std::optional<ContentCodings> parse_content_encoding(const FieldSection& fields);

// All that the Accept-Encoding lines of a request say, as one list; of the section's arena where
// there are several.
[[nodiscard]] std::string_view accept_encoding(FieldSection& request);

// The coding to apply for a request: of those in `ours`, which stand in the order of preference,
// the one the client gives the most weight; identity if it would rather have that, or wants none of
// them (RFC 9110 section 12.5.3). Nothing is returned when the client takes none of ours and no
// identity either ("identity;q=0", or "*;q=0" without a word about identity).
//
// Without an Accept-Encoding, and with an empty one, the choice is identity: RFC 9110 allows any
// coding in the first case, but clients that do not say what they take often take nothing. Elements
// with a weight that is none are left out. Of several elements with one coding the first counts.
[[nodiscard]] std::optional<ContentCoding> choose_coding(const FieldSection& request,
                                                         std::span<const ContentCoding> ours);
// The same by the list itself.
[[nodiscard]] std::optional<ContentCoding> choose_coding(std::string_view accepted,
                                                         std::span<const ContentCoding> ours);

}  // namespace penstock

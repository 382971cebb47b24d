#include "message/fields.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "message/characters.h"

namespace penstock {
namespace {

using enum FieldId;

constexpr std::size_t kIds = static_cast<std::size_t>(count_);
static_assert(kIds <= 64, "sets of ids are words of 64 bits");

constexpr std::array<std::string_view, kIds> kNames = {
    "",
    "Accept",
    "Age",
    "Authentication-Info",
    "Authorization",
    "Cache-Control",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Cookie",
    "Date",
    "ETag",
    "Expect",
    "Expires",
    "Forwarded",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Keep-Alive",
    "Last-Modified",
    "Location",
    "Max-Forwards",
    "Pragma",
    "Proxy-Authenticate",
    "Proxy-Authentication-Info",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Proxy-Status",
    "Proxy-Support",
    "Range",
    "Retry-After",
    "Server",
    "Set-Cookie",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "User-Agent",
    "Vary",
    "Via",
    "Warning",
    "WWW-Authenticate",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Request-Id",
};

consteval std::uint64_t set_of(std::initializer_list<FieldId> ids) {
  std::uint64_t set = 0;
  for (const FieldId id : ids) set |= std::uint64_t{1} << static_cast<unsigned>(id);
  return set;
}

constexpr bool in_set(std::uint64_t set, FieldId id) {
  return (set >> static_cast<unsigned>(id) & 1) != 0;
}

constexpr std::uint64_t kHopByHop =
    set_of({connection, keep_alive, proxy_connection, te, trailer, transfer_encoding, upgrade,
            proxy_authenticate, proxy_authentication_info, proxy_authorization, proxy_support});

constexpr std::uint64_t kForbiddenInTrailers =
    kHopByHop |
    // Framing and routing.
    set_of({content_length, host, via, forwarded, x_forwarded_for, x_forwarded_host,
            x_forwarded_proto, max_forwards}) |
    // Request modifiers: controls and conditionals.
    set_of({cache_control, expect, pragma, range, if_match, if_none_match, if_modified_since,
            if_unmodified_since, if_range}) |
    // Authentication and state.
    set_of({authorization, www_authenticate, cookie, set_cookie}) |
    // Response control data.
    set_of({age, date, expires, location, retry_after, vary, warning}) |
    // How the content is to be understood.
    set_of({content_encoding, content_type});

// --- The lookup of names: a perfect hash of length, first, middle and last letter. ---

constexpr std::size_t kLongest = std::ranges::max(kNames, {}, &std::string_view::size).size();

constexpr std::uint32_t letters_of(std::string_view name) {
  const auto letter = [](char c) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(c) | 0x20U);
  };
  return static_cast<std::uint32_t>(name.size()) | letter(name.front()) << 8 |
         letter(name[name.size() / 2]) << 16 | letter(name.back()) << 24;
}

constexpr std::size_t slot_of(std::uint32_t letters, std::uint32_t multiplier) {
  return (letters * multiplier) >> 24;
}

consteval std::uint32_t find_multiplier() {
  for (std::uint32_t multiplier = 0x9e3779b1;; multiplier += 0x3c6ef372) {
    std::array<bool, 256> taken{};
    bool fits = true;
    for (std::size_t i = 1; i < kIds && fits; ++i) {
      bool& slot = taken[slot_of(letters_of(kNames[i]), multiplier)];
      fits = !slot;
      slot = true;
    }
    if (fits) return multiplier;
  }
}

constexpr std::uint32_t kMultiplier = find_multiplier();

consteval std::array<FieldId, 256> make_slots() {
  std::array<FieldId, 256> slots{};
  for (std::size_t i = 1; i < kIds; ++i) {
    slots[slot_of(letters_of(kNames[i]), kMultiplier)] = static_cast<FieldId>(i);
  }
  return slots;
}

constexpr std::array<FieldId, 256> kSlots = make_slots();

// A name in lower case, and the bits to set in text before it is compared: the case bit of letters.
// Setting it elsewhere would take a CR for a '-'.
struct Pattern {
  std::array<char, 32> lower{};
  std::array<char, 32> case_bits{};
};
static_assert(kLongest <= 32);

consteval std::array<Pattern, kIds> make_patterns() {
  std::array<Pattern, kIds> patterns{};
  for (std::size_t i = 0; i < kIds; ++i) {
    for (std::size_t k = 0; k < kNames[i].size(); ++k) {
      patterns[i].lower[k] = to_lower(kNames[i][k]);
      patterns[i].case_bits[k] = has_class(kNames[i][k], characters::kAlpha) ? 0x20 : 0;
    }
  }
  return patterns;
}

constexpr std::array<Pattern, kIds> kPatterns = make_patterns();

template <class Word>
bool word_matches(std::string_view text, const Pattern& pattern, std::size_t at) {
  Word a;
  Word b;
  Word bits;
  std::memcpy(&a, text.data() + at, sizeof(Word));
  std::memcpy(&b, pattern.lower.data() + at, sizeof(Word));
  std::memcpy(&bits, pattern.case_bits.data() + at, sizeof(Word));
  return static_cast<Word>(a | bits) == b;
}

// Compares by words, the last of which overlaps the one before.
bool matches(std::string_view text, const Pattern& pattern) {
  const std::size_t size = text.size();
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) {
      if (!word_matches<std::uint64_t>(text, pattern, at)) return false;
    }
    return word_matches<std::uint64_t>(text, pattern, size - 8);
  }
  if (size >= 4) {
    return word_matches<std::uint32_t>(text, pattern, 0) &&
           word_matches<std::uint32_t>(text, pattern, size - 4);
  }
  for (std::size_t at = 0; at < size; ++at) {
    if (!word_matches<std::uint8_t>(text, pattern, at)) return false;
  }
  return true;
}

}  // namespace

FieldId field_id(std::string_view name) {
  if (name.empty() || name.size() > kLongest) return other;
  const FieldId id = kSlots[slot_of(letters_of(name), kMultiplier)];
  const std::size_t index = static_cast<std::size_t>(id);
  return kNames[index].size() == name.size() && matches(name, kPatterns[index]) ? id : other;
}

std::string_view field_name(FieldId id) { return kNames[static_cast<std::size_t>(id)]; }
bool is_hop_by_hop(FieldId id) { return in_set(kHopByHop, id); }
bool is_forbidden_in_trailers(FieldId id) { return in_set(kForbiddenInTrailers, id); }

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (to_lower(a[i]) != to_lower(b[i])) return false;
  }
  return true;
}

bool is_alike(std::string_view a, std::string_view b) {
  const auto folded = [](char c) { return c == '_' ? '-' : to_lower(c); };
  return std::ranges::equal(a, b, {}, folded, folded);
}

void FieldSection::grow() {
  // Room at first for the lines of nearly all messages, so that they take memory once.
  constexpr std::size_t kFirstLines = 32;
  lines_.reserve(std::max(kFirstLines, 2 * lines_.capacity()));
}

const Field* FieldSection::find(FieldId id) const {
  if ((present_ & bit(id)) == 0) return nullptr;
  for (const Field& field : lines_) {
    if (field.id == id) return &field;
  }
  return nullptr;
}

const Field* FieldSection::find(std::string_view name) const {
  const FieldId id = field_id(name);
  if (id != FieldId::other) return find(id);
  for (const Field& field : lines_) {
    if (field.id == FieldId::other && equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

std::string_view FieldSection::value(FieldId id) const {
  const Field* const field = find(id);
  return field != nullptr ? field->value : std::string_view{};
}

std::size_t FieldSection::count(FieldId id) const {
  if ((present_ & bit(id)) == 0) return 0;
  return static_cast<std::size_t>(std::ranges::count(lines_, id, &Field::id));
}

std::size_t FieldSection::remove(FieldId id) {
  if ((present_ & bit(id)) == 0) return 0;
  present_ &= ~bit(id);
  return remove_if([id](const Field& field) { return field.id == id; });
}

std::size_t FieldSection::remove(std::string_view name) {
  const FieldId id = field_id(name);
  if (id != FieldId::other) return remove(id);
  return remove_if([name](const Field& field) {
    return field.id == FieldId::other && equals_ignoring_case(field.name, name);
  });
}

void FieldSection::set(FieldId id, std::string_view value) { set(field_name(id), value); }

void FieldSection::set(std::string_view name, std::string_view value) {
  const FieldId id = field_id(name);
  const auto named = [&](const Field& field) {
    return field.id == id && (id != FieldId::other || equals_ignoring_case(field.name, name));
  };
  const auto first = std::ranges::find_if(lines_, named);
  if (first == lines_.end()) {
    add(id, name, value);
    return;
  }
  first->value = value;
  lines_.erase(std::remove_if(std::next(first), lines_.end(), named), lines_.end());
}

void FieldSection::clear() {
  lines_.clear();
  present_ = 0;
}

}  // namespace penstock

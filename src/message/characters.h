// Which octets may stand where (RFC 9110 section 5.6, RFC 3986 section 2), and the scan for those
// that may not stand in a head at all.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace penstock {

namespace characters {

inline constexpr std::uint8_t kToken = 1;    // tchar
inline constexpr std::uint8_t kHost = 2;     // unreserved and sub-delims
inline constexpr std::uint8_t kUri = 4;      // may stand in a request target
inline constexpr std::uint8_t kControl = 8;  // 0x00-0x1f without HTAB, and DEL
inline constexpr std::uint8_t kDigit = 16;
inline constexpr std::uint8_t kAlpha = 32;

consteval std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> table{};
  const auto set = [&](std::string_view members, int bits) {
    for (const char c : members)
      table[static_cast<unsigned char>(c)] |= static_cast<std::uint8_t>(bits);
  };
  for (unsigned c = 0; c < 0x20; ++c) {
    if (c != '\t') table[c] |= kControl;
  }
  table[0x7f] |= kControl;
  set("0123456789", kToken | kHost | kUri | kDigit);
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", kToken | kHost | kUri | kAlpha);
  set("!#$%&'*+-.^_`|~", kToken);
  set("-._~"
      "!$&'()*+,;=",
      kHost | kUri);
  set(":/?@%", kUri);
  // Not allowed by RFC 3986, but sent unescaped in paths and queries by programs in wide use.
  set("|^`{}\"[]\\", kUri);
  return table;
}

inline constexpr std::array<std::uint8_t, 256> kClasses = make_classes();

}  // namespace characters

[[nodiscard]] constexpr bool has_class(char c, std::uint8_t classes) {
  return (characters::kClasses[static_cast<unsigned char>(c)] & classes) != 0;
}
[[nodiscard]] constexpr bool is_token_char(char c) { return has_class(c, characters::kToken); }
[[nodiscard]] constexpr bool is_whitespace(char c) { return c == ' ' || c == '\t'; }

// True when all of the text is of one of the given classes; so of empty text.
[[nodiscard]] constexpr bool all_of_class(std::string_view text, std::uint8_t classes) {
  // Without a way out before the end: texts are short, and nearly all are right.
  unsigned outside = 0;
  for (const char c : text) outside |= has_class(c, classes) ? 0U : 1U;
  return outside == 0;
}

// A token: at least one tchar and nothing else (RFC 9110 section 5.6.2).
[[nodiscard]] constexpr bool is_token(std::string_view text) {
  return !text.empty() && all_of_class(text, characters::kToken);
}

// find_control() by words of eight bytes: for where there is no SSE2, and for the last few bytes.
[[nodiscard, gnu::noinline]] inline const char* find_control_portable(const char* at,
                                                                      const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  while (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    const std::uint64_t del = word ^ (kOnes * 0x7f);
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word & kHigh;
    const std::uint64_t equals_del = (del - kOnes) & ~del & kHigh;
    // A hit may also be a tab (or, above a hit, a borrow): the bytes tell.
    if ((below_space | equals_del) != 0) {
      for (const char* const stop = at + 8; at != stop; ++at) {
        if (has_class(*at, characters::kControl)) return at;
      }
    } else {
      at += 8;
    }
  }
  while (at != end && !has_class(*at, characters::kControl)) ++at;
  return at;
}

// The first control byte other than HTAB in [at, end), or end. In a head this is where the line
// ends, or where it is broken.
[[nodiscard, gnu::always_inline]] inline const char* find_control(const char* at, const char* end) {
#if defined(__SSE2__)
  const __m128i last_control = _mm_set1_epi8(0x1f);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  while (end - at >= 16) {
    __m128i block;
    std::memcpy(&block, at, 16);
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(block, last_control), block);
    const __m128i bad =
        _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(block, tab), low), _mm_cmpeq_epi8(block, del));
    const int hits = _mm_movemask_epi8(bad);
    if (hits != 0) return at + std::countr_zero(static_cast<unsigned>(hits));
    at += 16;
  }
#endif
  return find_control_portable(at, end);
}

// The first `c` in the first 32 bytes of [at, end), or null when it is not among them.
[[nodiscard]] inline const char* find_near(const char* at, const char* end, char c) {
#if defined(__SSE2__)
  if (end - at >= 32) {
    __m128i blocks[2];
    std::memcpy(blocks, at, sizeof(blocks));
    const __m128i wanted = _mm_set1_epi8(c);
    const auto low = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(blocks[0], wanted)));
    const auto high = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(blocks[1], wanted)));
    const unsigned hits = low | high << 16;
    return hits != 0 ? at + std::countr_zero(hits) : nullptr;
  }
#endif
  const auto size = static_cast<std::size_t>(end - at);
  return static_cast<const char*>(std::memchr(at, c, size < 32 ? size : 32));
}

// True for text that may be a field's value: no control bytes but HTAB, no whitespace at either end
// (RFC 9110 section 5.5).
[[nodiscard]] inline bool is_field_value(std::string_view text) {
  if (text.empty()) return true;
  if (is_whitespace(text.front()) || is_whitespace(text.back())) return false;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  return find_control(begin, end) == end;
}

[[nodiscard]] constexpr std::string_view trim_whitespace(std::string_view text) {
  while (!text.empty() && is_whitespace(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_whitespace(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace penstock

// What can be chosen about the bodies that are changed on their way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace penstock {

// The content codings there are here (RFC 9110 section 8.4.1, RFC 7932, RFC 8878).
enum class ContentCoding : std::uint8_t { identity, gzip, deflate, br, zstd };

// When a compressor gives what it has so far, at the cost of some compression.
enum class FlushPolicy : std::uint8_t {
  when_idle,  // whenever its source has nothing ready: what streams is not held up
  at_end,     // never before the end: the smallest result, for what nobody waits for in parts
};

// The compression levels of a coding that are of use where others wait. What lies above costs
// several times the work for a few percent; br from quality 7 on takes 10 to 40 MiB of memory, too.
struct LevelRange {
  int least = 0;
  int most = 0;
  int usual = 0;
  friend bool operator==(const LevelRange&, const LevelRange&) = default;
};

// gzip and deflate: of zlib, 1 to 9. br: quality 0 to 6. zstd: 1 to 12. All 0 for identity.
[[nodiscard]] constexpr LevelRange level_range(ContentCoding coding) {
  switch (coding) {
    case ContentCoding::identity:
      break;
    case ContentCoding::gzip:
    case ContentCoding::deflate:
      return {.least = 1, .most = 9, .usual = 6};
    case ContentCoding::br:
      return {.least = 0, .most = 6, .usual = 5};
    case ContentCoding::zstd:
      return {.least = 1, .most = 12, .usual = 3};
  }
  return {};
}

// What a decoded body may come to. It is never in memory as a whole; the limits are for whoever
// gets it, and for the work it makes.
struct DecompressLimits {
  std::uint64_t output = 0;  // bytes of the decoded body; 0: any number
  // Once `ratio_from` bytes were decoded, no more than `ratio` times the bytes they were decoded
  // from; 0: any number. gzip and deflate cannot do better than 1032; content that is of use to
  // anybody rarely passes 100.
  std::uint64_t ratio = 1000;
  std::uint64_t ratio_from = 1024 * 1024;
};

// One replacement in bodies; see SubstitutionRules for what rules do together.
struct SubstitutionRule {
  std::string pattern;      // a text, or a regular expression in the syntax of RE2; UTF-8
  std::string replacement;  // of an expression: with \0 (all of the match) to \9, and "\\" for "\"
  bool regex = false;
  bool ignore_case = false;
  bool once = false;  // only the first match in a body
};

// How long a match may be: the bytes that may be held back while it is not decided yet.
inline constexpr std::size_t kUsualLongestMatch = 4 * 1024;
inline constexpr std::size_t kMostLongestMatch = 32 * 1024;

}  // namespace penstock

// A hash of text that is the same in every process, on every machine and in every version.
#pragma once

#include <cstdint>
#include <string_view>

namespace penstock {

// The secret of a keyed hash.
struct HashKey {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

// SipHash-2-4 (Aumasson and Bernstein, 2012). Without the key nobody can tell the hash of a text
// from a random number, or choose texts whose hashes meet.
[[nodiscard]] std::uint64_t keyed_hash(const HashKey& key, std::string_view text);

// keyed_hash() with a key of zeros: for choices that all processes have to make alike, such as a
// server by its name. Changing it would move the users of every consistent hash.
[[nodiscard]] inline std::uint64_t hash_key(std::string_view text) { return keyed_hash({}, text); }

// A key made of a secret text of any length, always the same one. It is as hard to guess as the
// text is.
[[nodiscard]] inline HashKey make_hash_key(std::string_view secret) {
  return {.low = keyed_hash({.low = 1, .high = 0}, secret),
          .high = keyed_hash({.low = 2, .high = 0}, secret)};
}

}  // namespace penstock

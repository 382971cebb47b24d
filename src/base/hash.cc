#include "base/hash.h"

#include <bit>
#include <cstddef>
#include <cstring>

namespace penstock {
namespace {

struct SipState {
  std::uint64_t a;
  std::uint64_t b;
  std::uint64_t c;
  std::uint64_t d;

  void round() {
    a += b;
    c += d;
    b = std::rotl(b, 13) ^ a;
    d = std::rotl(d, 16) ^ c;
    a = std::rotl(a, 32);
    c += b;
    a += d;
    b = std::rotl(b, 17) ^ c;
    d = std::rotl(d, 21) ^ a;
    c = std::rotl(c, 32);
  }

  void add(std::uint64_t word) {
    d ^= word;
    round();
    round();
    a ^= word;
  }
};

// Up to eight bytes, the first one lowest.
std::uint64_t word_at(const char* at, std::size_t size) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, size);
  return std::endian::native == std::endian::big ? __builtin_bswap64(word) : word;
}

}  // namespace

std::uint64_t keyed_hash(const HashKey& key, std::string_view text) {
  // The constants are "somepseudorandomlygeneratedbytes".
  SipState state{.a = key.low ^ 0x736f6d6570736575U,
                 .b = key.high ^ 0x646f72616e646f6dU,
                 .c = key.low ^ 0x6c7967656e657261U,
                 .d = key.high ^ 0x7465646279746573U};
  const std::uint64_t size = text.size();
  while (text.size() >= 8) {
    state.add(word_at(text.data(), 8));
    text.remove_prefix(8);
  }
  const std::uint64_t rest = text.empty() ? 0 : word_at(text.data(), text.size());
  state.add(rest | size << 56);
  state.c ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.a ^ state.b ^ state.c ^ state.d;
}

}  // namespace penstock

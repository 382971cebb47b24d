#include "base/hash.h"

#include <array>
#include <cstddef>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace penstock {
namespace {

// The published vectors: key 00 01 02 ... 0f, texts 00 01 02 ... of each length.
TEST(KeyedHash, GivesThePublishedNumbers) {
  const HashKey key{.low = 0x0706050403020100U, .high = 0x0f0e0d0c0b0a0908U};
  const std::array<std::uint64_t, 16> expected = {
      0x726fdb47dd0e0e31U, 0x74f839c593dc67fdU, 0x0d6c8009d9a94f5aU, 0x85676696d7fb7e2dU,
      0xcf2794e0277187b7U, 0x18765564cd99a68dU, 0xcbc9466e58fee3ceU, 0xab0200f58b01d137U,
      0x93f5f5799a932462U, 0x9e0082df0ba9e4b0U, 0x7a5dbbc594ddb9f3U, 0xf4b32f46226bada7U,
      0x751e8fbc860ee5fbU, 0x14ea5627c0843d90U, 0xf723ca908e7af2eeU, 0xa129ca6149be45e5U};
  std::string text;
  for (std::size_t size = 0; size < expected.size(); ++size) {
    EXPECT_EQ(keyed_hash(key, text), expected[size]) << size;
    text.push_back(static_cast<char>(size));
  }
}

// What is written down elsewhere (cookies, which server has what in its cache) rests on these.
TEST(HashKeyFunction, NeverChanges) {
  EXPECT_EQ(hash_key(""), 0x1e924b9d737700d7U);
  EXPECT_EQ(hash_key("10.0.0.1:80"), keyed_hash(HashKey{}, "10.0.0.1:80"));
  EXPECT_NE(hash_key("10.0.0.1:80"), hash_key("10.0.0.2:80"));
}

TEST(MakeHashKey, TellsSecretsApart) {
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100; ++i) {
    const HashKey key = make_hash_key("secret " + std::to_string(i));
    EXPECT_TRUE(seen.insert(key.low).second);
    EXPECT_TRUE(seen.insert(key.high).second);
  }
}

}  // namespace
}  // namespace penstock

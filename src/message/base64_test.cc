#include "message/base64.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Base64, BothWays) {
  // RFC 4648 section 10.
  const std::pair<std::string, std::string> cases[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(to_base64(bytes), text);
    EXPECT_EQ(from_base64(text), bytes);
  }
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all += static_cast<char>(byte);
  EXPECT_EQ(from_base64(to_base64(all)), all);
}

TEST(Base64, PaddingMayBeMissing) { EXPECT_EQ(from_base64("Zm8"), "fo"); }

TEST(Base64, OtherCharactersAreNone) {
  for (const char* text : {"Zm 8", "Zm8-", "Z=g", "\xff\xff\xff\xff"}) {
    EXPECT_FALSE(from_base64(text)) << text;
  }
}

}  // namespace
}  // namespace penstock

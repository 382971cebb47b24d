#include "message/characters.h"

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace penstock {
namespace {

bool is_control(unsigned c) { return (c < 0x20 && c != '\t') || c == 0x7f; }

// Every byte value at every place of texts as long as a few blocks, behind bytes that come close.
TEST(FindControl, FindsTheFirstControlByteAtAnyPlace) {
  for (const char filler : {'a', '\t', ' ', '~', '\x80', '\xff'}) {
    for (std::size_t size = 1; size <= 40; ++size) {
      for (unsigned c = 0; c < 256; ++c) {
        const std::size_t at = c % size;
        std::string text(size, filler);
        text[at] = static_cast<char>(c);
        const char* const end = text.data() + size;
        const char* const expected = is_control(c) ? text.data() + at : end;
        ASSERT_EQ(find_control(text.data(), end), expected) << "byte " << c << " of " << size;
        ASSERT_EQ(find_control_portable(text.data(), end), expected)
            << "byte " << c << " of " << size;
      }
    }
  }
}

TEST(FindControl, TakesTheFirstOfSeveral) {
  for (std::size_t first = 0; first < 40; ++first) {
    for (std::size_t second = first; second < 40; ++second) {
      std::string text(40, '\t');
      text[second] = '\x7f';
      text[first] = '\0';
      const char* const end = text.data() + text.size();
      ASSERT_EQ(find_control(text.data(), end), text.data() + first);
      ASSERT_EQ(find_control_portable(text.data(), end), text.data() + first);
    }
  }
}

TEST(FindNear, FindsTheFirstWithin32Bytes) {
  for (std::size_t size = 0; size < 70; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[size - 1] = ':';
      text[at] = ':';
      const char* const end = text.data() + size;
      ASSERT_EQ(find_near(text.data(), end, ':'), at < 32 ? text.data() + at : nullptr);
      ASSERT_EQ(find_near(text.data(), text.data() + at, ':'), nullptr);
    }
  }
}

TEST(Characters, TokensAreTchars) {
  const std::string_view tchars =
      "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  for (unsigned c = 0; c < 256; ++c) {
    const char text = static_cast<char>(c);
    EXPECT_EQ(is_token({&text, 1}), tchars.contains(text)) << c;
  }
  EXPECT_FALSE(is_token(""));
  EXPECT_FALSE(is_token("a b"));
}

TEST(Characters, FieldValuesHaveNoControlBytesAndNoWhitespaceAround) {
  for (const std::string_view good : {"", "a", "a b", "a\tb", "\xe4\xff", "\"q\""}) {
    EXPECT_TRUE(is_field_value(good)) << good;
  }
  using namespace std::string_view_literals;
  for (const std::string_view bad :
       {" a"sv, "a "sv, "\ta"sv, "a\r\nb"sv, "a\nb"sv, "a\0b"sv, "\x7f"sv}) {
    EXPECT_FALSE(is_field_value(bad)) << bad;
  }
}

}  // namespace
}  // namespace penstock

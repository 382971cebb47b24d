#include "message/method.h"

#include <string>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Method, NamesAreCaseSensitiveTokens) {
  for (int i = 0; i < static_cast<int>(Method::other); ++i) {
    const auto method = static_cast<Method>(i);
    const std::string name(to_string(method));
    EXPECT_EQ(method_of(name), method) << name;
    std::string lower = name;
    lower[0] = static_cast<char>(lower[0] + 32);
    EXPECT_EQ(method_of(lower), Method::other) << lower;
    EXPECT_EQ(method_of(name + "X"), Method::other);
    EXPECT_EQ(method_of(name.substr(1)), Method::other);
  }
  EXPECT_EQ(method_of(""), Method::other);
  EXPECT_EQ(method_of("PROPFIND"), Method::other);
  EXPECT_EQ(to_string(Method::other), "");
}

TEST(Method, SafeAndIdempotentAsInRfc9110Section92) {
  const auto names = [](bool (*property)(Method)) {
    std::string text;
    for (int i = 0; i <= static_cast<int>(Method::other); ++i) {
      const auto method = static_cast<Method>(i);
      if (property(method)) text.append(to_string(method)).append(" ");
    }
    return text;
  };
  EXPECT_EQ(names(is_safe), "GET HEAD OPTIONS TRACE ");
  EXPECT_EQ(names(is_idempotent), "GET HEAD PUT DELETE OPTIONS TRACE ");
}

}  // namespace
}  // namespace penstock

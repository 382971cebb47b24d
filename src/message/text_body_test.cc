#include "message/text_body.h"

#include <string>

#include <gtest/gtest.h>

#include "async/virtual_time_test.h"

namespace penstock {
namespace {

Task<void> take(BodySource& body, std::string& into) {
  const auto slice = co_await body.next();
  if (slice) into = slice->view();
}

TEST(TextBody, GivesItsTextOnce) {
  TextBody body("hello");
  EXPECT_EQ(body.remaining(), 5U);
  EXPECT_FALSE(body.at_end());
  EXPECT_EQ(body.take_ready().view(), "hello");
  EXPECT_TRUE(body.at_end());
  EXPECT_EQ(body.remaining(), 0U);
  EXPECT_TRUE(body.take_ready().empty());
  EXPECT_EQ(body.trailers(), nullptr);
}

TEST(TextBody, IsReadyAtOnce) {
  VirtualTime time;
  TextBody body("hello");
  std::string got;
  time.spawn(take(body, got));
  EXPECT_EQ(got, "hello");
  EXPECT_TRUE(body.at_end());
}

TEST(TextBody, EmptyIsAtItsEnd) {
  TextBody body;
  EXPECT_TRUE(body.at_end());
  EXPECT_EQ(body.remaining(), 0U);
}

}  // namespace
}  // namespace penstock

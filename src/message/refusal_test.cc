#include "message/refusal.h"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

#include "message/status.h"

namespace penstock {
namespace {

TEST(Refusal, EachHasATokenASectionAStatusAndASentence) {
  std::set<std::string_view> tokens;
  for (int i = 1; i < static_cast<int>(Refusal::count_); ++i) {
    const RefusalInfo& row = info(static_cast<Refusal>(i));
    EXPECT_EQ(static_cast<int>(row.refusal), i);
    EXPECT_TRUE(tokens.insert(row.token).second) << row.token;
    EXPECT_TRUE(row.section.starts_with("RFC ")) << row.token;
    EXPECT_TRUE(row.text.ends_with('.')) << row.token;
    EXPECT_FALSE(reason_phrase(row.status).empty()) << row.token;
  }
}

TEST(Refusal, StatusOfThoseThatAreNotJust400) {
  EXPECT_EQ(info(Refusal::bare_lf).status, 400);
  EXPECT_EQ(info(Refusal::start_line_too_long).status, 414);
  EXPECT_EQ(info(Refusal::expectation_unknown).status, 417);
  EXPECT_EQ(info(Refusal::head_too_large).status, 431);
  EXPECT_EQ(info(Refusal::too_many_fields).status, 431);
  EXPECT_EQ(info(Refusal::transfer_encoding_unknown).status, 501);
  EXPECT_EQ(info(Refusal::version_not_supported).status, 505);
}

TEST(Status, ReasonPhrases) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(502), "Bad Gateway");
  EXPECT_EQ(reason_phrase(299), "");
  EXPECT_EQ(reason_phrase(-1), "");
}

TEST(Status, OnesThatNeverHaveContent) {
  for (const int status : {100, 101, 199, 204, 304})
    EXPECT_TRUE(never_has_content(status)) << status;
  for (const int status : {200, 205, 206, 303, 404})
    EXPECT_FALSE(never_has_content(status)) << status;
}

}  // namespace
}  // namespace penstock

#include "icap/quirks.h"

#include <set>

#include <gtest/gtest.h>

#include "icap/problem.h"

namespace penstock::icap {
namespace {

TEST(Quirks, IsASet) {
  Quirks quirks;
  EXPECT_TRUE(quirks.empty());
  EXPECT_EQ(to_string(quirks), "");
  quirks.add(Quirk::folded_field);
  quirks.add(Quirk::bare_lf);
  quirks.add(Quirk::folded_field);
  EXPECT_TRUE(quirks.has(Quirk::bare_lf));
  EXPECT_FALSE(quirks.has(Quirk::created));
  EXPECT_EQ(to_string(quirks), "lines that end in LF alone, a folded field");

  Quirks others(Quirk::created);
  others.add(quirks);
  EXPECT_EQ(others.without(quirks), Quirks(Quirk::created));
  EXPECT_TRUE(quirks.without(others).empty());
}

TEST(Quirks, EachHasWordsOfItsOwn) {
  std::set<std::string_view> words;
  for (int i = 0; i < static_cast<int>(Quirk::count_); ++i) {
    words.insert(to_string(static_cast<Quirk>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(Quirk::count_));
  EXPECT_FALSE(words.contains("unknown"));
}

TEST(Problem, EachHasWordsOfItsOwn) {
  std::set<std::string_view> words;
  for (int i = 0; i < static_cast<int>(Problem::count_); ++i) {
    words.insert(to_string(static_cast<Problem>(i)));
  }
  EXPECT_EQ(words.size(), static_cast<std::size_t>(Problem::count_));
  EXPECT_FALSE(words.contains("unknown"));
}

}  // namespace
}  // namespace penstock::icap

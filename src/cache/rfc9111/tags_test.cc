#include "cache/rfc9111/tags.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::rfc9111 {
namespace {

using testing::ElementsAre;

std::vector<std::string> tags_of(const FieldSection& fields) {
  std::vector<std::string> tags;
  EXPECT_TRUE(for_each_tag(fields, [&](std::string_view tag) { tags.emplace_back(tag); }));
  return tags;
}

TEST(Tags, OfSurrogateKeyStandBetweenSpaces) {
  FieldSection fields;
  fields.add(FieldId::other, "surrogate-key", "a  b,c\td");
  EXPECT_THAT(tags_of(fields), ElementsAre("a", "b,c", "d"));
}

TEST(Tags, OfCacheTagStandBetweenCommas) {
  FieldSection fields;
  fields.add(FieldId::other, "Cache-Tag", "a, two words ,,B,");
  fields.add(FieldId::other, "Other", "x");
  fields.add(FieldId::other, "CACHE-TAG", "b");
  EXPECT_THAT(tags_of(fields), ElementsAre("a", "two words", "B", "b"));
}

TEST(Tags, AreBoundedInLengthAndNumber) {
  const std::string longest(kMaxTagLength, 'x');
  const std::string text = longest + "y " + longest + " z";
  FieldSection fields;
  fields.add(FieldId::other, "Surrogate-Key", text);
  EXPECT_THAT(tags_of(fields), ElementsAre(longest, "z"));

  std::string many;
  for (std::size_t i = 0; i <= kMaxTags; ++i) many += "t,";
  FieldSection too_many;
  too_many.add(FieldId::other, "Cache-Tag", many);
  std::size_t count = 0;
  EXPECT_FALSE(for_each_tag(too_many, [&](std::string_view) { ++count; }));
  EXPECT_EQ(count, kMaxTags);
}

}  // namespace
}  // namespace penstock::rfc9111

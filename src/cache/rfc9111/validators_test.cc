#include "cache/rfc9111/validators.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/rfc9111/fields_test.h"

namespace penstock::rfc9111 {
namespace {

using testing::ElementsAre;

EntityTag tag_of(std::string_view text) {
  const auto tag = parse_entity_tag(text);
  EXPECT_TRUE(tag) << text;
  return tag.value_or(EntityTag{});
}

// --- RFC 9110 section 8.8.3 ---

TEST(EntityTag, IsStrongOrWeak) {
  EXPECT_TRUE(tag_of(R"("x")").strong());
  EXPECT_TRUE(tag_of(R"("")").strong());
  EXPECT_TRUE(tag_of("\"a\xfc\\,\"").strong());
  const EntityTag weak = tag_of(R"(W/"x,y")");
  EXPECT_TRUE(weak.well_formed());
  EXPECT_FALSE(weak.strong());
  EXPECT_EQ(weak.opaque, R"("x,y")");
  EXPECT_EQ(weak.text, R"(W/"x,y")");
}

TEST(EntityTag, ThatIsNotWellFormedIsItsText) {
  constexpr std::array<std::string_view, 9> kTexts{
      "abc", R"(w/"x")", R"(W\"x")", R"(W"x")", R"("a b")", R"("a)", R"(a")", R"("a"b)", "W/"};
  for (const std::string_view text : kTexts) {
    const EntityTag tag = tag_of(text);
    EXPECT_FALSE(tag.well_formed()) << text;
    EXPECT_FALSE(tag.strong()) << text;
    EXPECT_EQ(tag.text, text);
  }
  for (const std::string_view text : {"", "*", "a b", "a,b", R"("a" "b")"}) {
    EXPECT_FALSE(parse_entity_tag(text)) << text;
  }
}

// Section 8.8.3.2, with its table.
TEST(EntityTag, ComparesStronglyAndWeakly) {
  struct Case {
    std::string_view a, b;
    bool strong, weak;
  };
  constexpr std::array kCases{
      Case{R"(W/"1")", R"(W/"1")", false, true}, Case{R"(W/"1")", R"(W/"2")", false, false},
      Case{R"(W/"1")", R"("1")", false, true},   Case{R"("1")", R"("1")", true, true},
      Case{R"("a")", R"("A")", false, false},    Case{"abc", "abc", false, true},
      Case{"abc", R"("abc")", false, false},     Case{R"(w/"1")", R"(w/"1")", false, true},
      Case{R"(w/"1")", R"(W/"1")", false, false}};
  for (const Case& one : kCases) {
    EXPECT_EQ(matches_strongly(tag_of(one.a), tag_of(one.b)), one.strong) << one.a << one.b;
    EXPECT_EQ(matches_weakly(tag_of(one.a), tag_of(one.b)), one.weak) << one.a << one.b;
    EXPECT_EQ(matches_weakly(tag_of(one.b), tag_of(one.a)), one.weak) << one.a << one.b;
  }
}

std::vector<std::string> elements(std::string_view list) {
  std::vector<std::string> texts;
  while (const auto tag = next_entity_tag(list)) texts.emplace_back(tag->text);
  return texts;
}

TEST(EntityTagList, IsSplitAtCommasOutsideTags) {
  EXPECT_THAT(elements(R"("a", W/"b,c",,x , "d\", "e")"),
              ElementsAre(R"("a")", R"(W/"b,c")", "x", R"("d\")", R"("e")"));
  EXPECT_THAT(elements(R"("a", b c, *, "open, "x")"),
              ElementsAre(R"("a")", "b c", "*", R"("open, "x")"));
  EXPECT_THAT(elements(" , "), ElementsAre());
}

TEST(EntityTagList, Matches) {
  const EntityTag tag = tag_of(R"("b")");
  EXPECT_TRUE(any_matches_weakly(R"("a", "b", "c")", tag));
  EXPECT_TRUE(any_matches_weakly(R"(W/"b")", tag));
  EXPECT_TRUE(any_matches_weakly(" * ", tag));
  EXPECT_FALSE(any_matches_weakly(R"("a", *)", tag));
  EXPECT_FALSE(any_matches_weakly(R"(b)", tag));
  EXPECT_FALSE(any_matches_weakly("", tag));
}

// --- Responses ---

constexpr std::string_view kMonday = "Mon, 02 Jan 2023 00:00:00 GMT";
constexpr std::string_view kMinuteLater = "Mon, 02 Jan 2023 00:01:00 GMT";
constexpr std::string_view kAlmost = "Mon, 02 Jan 2023 00:00:59 GMT";

TEST(Validators, AreReadOnce) {
  const FieldSection fields = make_fields(
      {{"ETag", R"("a")"}, {"ETag", R"("a")"}, {"Last-Modified", kMonday}, {"Date", kAlmost}});
  const Validators validators = validators_of(fields);
  ASSERT_TRUE(validators.etag);
  EXPECT_EQ(validators.etag->text, R"("a")");
  EXPECT_EQ(validators.last_modified_text, kMonday);
  EXPECT_EQ(*validators.date - *validators.last_modified, std::chrono::seconds(59));

  const FieldSection doubtful = make_fields({{"ETag", R"("a")"},
                                             {"ETag", R"("b")"},
                                             {"ETag", R"("a")"},
                                             {"Last-Modified", kMonday},
                                             {"Last-Modified", kAlmost}});
  EXPECT_TRUE(validators_of(doubtful).empty());
  const FieldSection no_date = make_fields({{"Last-Modified", "yesterday"}, {"ETag", ""}});
  EXPECT_TRUE(validators_of(no_date).empty());
  EXPECT_EQ(validators_of(no_date).last_modified_text, "");
}

// RFC 9110 section 8.8.2.2.
TEST(Validators, OfDatesAreStrongAMinuteLater) {
  const auto strong = [](std::string_view date) {
    const FieldSection fields = make_fields({{"Last-Modified", kMonday}, {"Date", date}});
    return validators_of(fields).strong();
  };
  EXPECT_TRUE(strong(kMinuteLater));
  EXPECT_FALSE(strong(kAlmost));
  EXPECT_FALSE(strong("-"));
  const FieldSection weak_tag =
      make_fields({{"Last-Modified", kMonday}, {"Date", kMinuteLater}, {"ETag", R"(W/"x")"}});
  EXPECT_FALSE(validators_of(weak_tag).strong());
  EXPECT_TRUE(validators_of(weak_tag).strong_last_modified());
}

TEST(Validators, AreTheSameStrongly) {
  const FieldSection tag = make_fields({{"ETag", R"("x")"}});
  const FieldSection weak = make_fields({{"ETag", R"(W/"x")"}});
  const FieldSection date = make_fields({{"Last-Modified", kMonday}, {"Date", kMinuteLater}});
  const FieldSection early = make_fields({{"Last-Modified", kMonday}, {"Date", kAlmost}});
  const FieldSection both =
      make_fields({{"ETag", R"("x")"}, {"Last-Modified", kMonday}, {"Date", kMinuteLater}});
  const auto same = [](const FieldSection& a, const FieldSection& b) {
    return same_strong_validator(validators_of(a), validators_of(b));
  };
  EXPECT_TRUE(same(tag, tag));
  EXPECT_TRUE(same(tag, both));
  EXPECT_TRUE(same(date, date));
  EXPECT_FALSE(same(tag, weak));
  EXPECT_FALSE(same(weak, weak));
  EXPECT_FALSE(same(date, early));
  EXPECT_FALSE(same(date, both));
  EXPECT_FALSE(same({}, {}));
}

}  // namespace
}  // namespace penstock::rfc9111

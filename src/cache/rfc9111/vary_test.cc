#include "cache/rfc9111/vary.h"

#include <array>
#include <initializer_list>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/rfc9111/fields_test.h"
#include "cache/rfc9111/weighted_list.h"

namespace penstock::rfc9111 {
namespace {

VaryNames vary_of(std::initializer_list<std::string_view> values) {
  FieldSection fields;
  for (const std::string_view value : values) fields.add(FieldId::vary, value);
  return parse_vary(fields);
}

// The key for one field with these lines.
std::string key_of(std::string_view name, std::initializer_list<std::string_view> values,
                   const VaryRules& rules = {}) {
  FieldSection request;
  for (const std::string_view value : values) request.add(field_id(name), name, value);
  const auto key = variant_key(name, request, rules);
  EXPECT_TRUE(key);
  EXPECT_TRUE(selects(*key, request, rules));
  return key.value_or("none");
}

// --- RFC 9110 section 12.5.5: the field ---

TEST(Vary, NamesAreInLowerCaseSortedAndUnique) {
  EXPECT_EQ(vary_of({"Foo, accept-encoding", "", " FOO ,,Bar"}),
            (VaryNames{VaryKind::names, "accept-encoding,bar,foo"}));
  EXPECT_EQ(vary_of({}), VaryNames{});
  EXPECT_EQ(vary_of({"", " , "}), VaryNames{});
}

TEST(Vary, StarAnywhereIsAny) {
  const VaryNames any{VaryKind::any, ""};
  EXPECT_EQ(vary_of({"*"}), any);
  EXPECT_EQ(vary_of({"*, *"}), any);
  EXPECT_EQ(vary_of({"", "*"}), any);
  EXPECT_EQ(vary_of({", *"}), any);
  EXPECT_EQ(vary_of({"*, Foo"}), any);
  EXPECT_EQ(vary_of({"Foo, *"}), any);
  EXPECT_EQ(vary_of({"Foo", "Bar,*"}), any);
}

TEST(Vary, WhatIsNoNameOrTooMuchIsAny) {
  EXPECT_EQ(vary_of({"Foo Bar"}).kind, VaryKind::any);
  EXPECT_EQ(vary_of({"\"Foo\""}).kind, VaryKind::any);
  std::string many;
  for (std::size_t i = 0; i <= kMaxVaryNames; ++i) many += 'n' + std::to_string(i) + ',';
  EXPECT_EQ(vary_of({many}).kind, VaryKind::any);
  EXPECT_EQ(vary_of({std::string(kMaxVaryText, 'a')}).kind, VaryKind::any);
  EXPECT_EQ(vary_of({std::string(kMaxVaryText - 1, 'a')}).kind, VaryKind::names);
}

// --- RFC 9111 section 4.1: keys ---

TEST(VariantKey, HasEachNameWithItsValue) {
  const FieldSection request = make_fields({{"Foo", "1"}, {"bar", ""}, {"Other", "x"}});
  EXPECT_EQ(variant_key("bar,baz,foo", request), "bar:\nbaz\nfoo:1");
  EXPECT_EQ(variant_key("", request), "");
  EXPECT_EQ(names_of_key("bar:\nbaz\nfoo:1,2:3"), "bar,baz,foo");
  EXPECT_EQ(names_of_key(""), "");
}

TEST(VariantKey, SelectsByAllNamesAndNoOther) {
  const std::string key = *variant_key("bar,baz,foo", make_fields({{"Foo", "1"}, {"Baz", "789"}}));
  EXPECT_TRUE(selects(key, make_fields({{"Baz", "789"}, {"X", "y"}, {"foo", "1"}})));
  EXPECT_FALSE(selects(key, make_fields({{"Foo", "1"}, {"Baz", "78"}})));
  EXPECT_FALSE(selects(key, make_fields({{"Foo", "1"}, {"Baz", "7890"}})));
  EXPECT_FALSE(selects(key, make_fields({{"Foo", "1"}})));
  EXPECT_FALSE(selects(key, make_fields({{"Foo", "1"}, {"Baz", "789"}, {"Bar", ""}})));
  EXPECT_FALSE(selects("foo:", make_fields({})));
  EXPECT_FALSE(selects("foo", make_fields({{"Foo", ""}})));
  EXPECT_TRUE(selects("", make_fields({{"Foo", "1"}})));
}

TEST(VariantKey, JoinsLinesAndDropsSpacesAroundCommas) {
  EXPECT_EQ(key_of("foo", {"1", "2"}), "foo:1,2");
  EXPECT_EQ(key_of("foo", {"1 , 2"}), "foo:1,2");
  EXPECT_EQ(key_of("foo", {"1,\t2"}), "foo:1,2");
  EXPECT_EQ(key_of("foo", {"1 2,, 3"}), "foo:1 2,,3");
  EXPECT_EQ(key_of("foo", {"", "1"}), "foo:,1");
}

TEST(VariantKey, LeavesQuotedStringsAndFieldsThatAreNoLists) {
  EXPECT_EQ(key_of("foo", {R"("a , \" , b" , c)"}), R"(foo:"a , \" , b",c)");
  EXPECT_EQ(key_of("foo", {R"("a , b)", R"(c" , d)"}), R"(foo:"a , b, c",d)");
  EXPECT_EQ(key_of("user-agent", {"A (KHTML, like B)"}), "user-agent:A (KHTML, like B)");
  EXPECT_EQ(key_of("cookie", {"a=1 , 2"}), "cookie:a=1 , 2");
  EXPECT_EQ(key_of("referer", {"http://x/a , b"}), "referer:http://x/a , b");
}

TEST(VariantKey, IsBounded) {
  const std::string value(kMaxVariantKey - 4, 'x');
  EXPECT_TRUE(variant_key("foo", make_fields({{"Foo", value}})));
  EXPECT_FALSE(variant_key("foo", make_fields({{"Foo", value + "x"}})));
  EXPECT_FALSE(variant_key("foo,goo", make_fields({{"Foo", value}})));
  EXPECT_FALSE(selects("foo:1", make_fields({{"Foo", value + "x"}})));
}

// --- By meaning ---

struct Normal {
  std::string_view name, value, key;
};

TEST(VariantKey, OfWhatClientsAccept) {
  constexpr std::array kCases{
      Normal{"accept-language", "en, de", "de,en"},
      Normal{"accept-language", "De , eN", "de,en"},
      Normal{"accept-language", "de;q=1.000, en ; q=0.500", "de,en;q=0.5"},
      Normal{"accept-language", "en;Q=0.05,*;q=0.0", "*;q=0,en;q=0.05"},
      Normal{"accept-language", "en, en", "en"},
      Normal{"accept-language", ",en,", "en"},
      Normal{"accept-language", "", ""},
      Normal{"accept-charset", "UTF-8, *;q=0.1", "*;q=0.1,utf-8"},
      Normal{"accept-encoding", "x-gzip, Deflate;q=0.999, br", "br,deflate;q=0.999,gzip"},
      Normal{"accept-encoding", "gzip, x-gzip", "gzip"},
      Normal{"accept", "text/HTML ; Level=A;q=0.3, */*;q=0.10",
             "*/*;q=0.1,text/html;level=A;q=0.3"},
      Normal{"accept", "a/b;x=1;y=2,a/b", "a/b,a/b;x=1;y=2"},
      // Not understood: as text.
      Normal{"accept-language", "en, de;q=2", "en,de;q=2"},
      Normal{"accept-language", "en, de;q=0.1234", "en,de;q=0.1234"},
      Normal{"accept-language", "en, de;q=1.001", "en,de;q=1.001"},
      Normal{"accept-language", "en, de;x=1", "en,de;x=1"},
      Normal{"accept-language", "en;q=0.5, EN", "en;q=0.5,EN"},
      Normal{"accept-language", "en us, B", "en us,B"},
      Normal{"accept", "b, a/b", "b,a/b"},
      Normal{"accept", "b/c, a/b;q=1;x=2", "b/c,a/b;q=1;x=2"},
      Normal{"accept", R"(b/c, a/b;x="1 , 2")", R"(b/c,a/b;x="1 , 2")"},
  };
  for (const Normal& one : kCases) {
    const std::string key = std::string(one.name) + ':' + std::string(one.key);
    EXPECT_EQ(key_of(one.name, {one.value}), key);
    // A normal form is its own.
    EXPECT_EQ(key_of(one.name, {one.key}), key);
  }
  EXPECT_EQ(key_of("accept-language", {"en", "de"}), "accept-language:de,en");
  EXPECT_EQ(key_of("accept-language", {"EN, de"}, {.by_meaning = false}), "accept-language:EN,de");
}

TEST(VariantKey, OfMoreThanIsSortedIsText) {
  std::string many = "z";
  for (std::size_t i = 0; i < WeightedList::kMaxItems; ++i) many += ", l" + std::to_string(i);
  EXPECT_THAT(key_of("accept-language", {many}), testing::StartsWith("accept-language:z,l0,"));
  const std::string long_text = "b, " + std::string(3000, 'a');
  EXPECT_THAT(key_of("accept-language", {long_text}), testing::StartsWith("accept-language:b,aa"));
}

TEST(VariantKey, OfCodingsThatMatter) {
  constexpr std::array<std::string_view, 2> kCodings{"br", "gzip"};
  const VaryRules rules{.codings = kCodings};
  const auto key = [&](std::string_view value) {
    return key_of("accept-encoding", {value}, rules).substr(sizeof("accept-encoding"));
  };
  EXPECT_EQ(key("gzip, deflate, br"), "br,gzip");
  EXPECT_EQ(key("br, gzip, zstd"), "br,gzip");
  EXPECT_EQ(key("deflate"), "");
  EXPECT_EQ(key("identity"), "");
  EXPECT_EQ(key(""), "");
  EXPECT_EQ(key("*"), "br,gzip");
  EXPECT_EQ(key("*;q=0.5, gzip;q=0"), "br;q=0.5");
  EXPECT_EQ(key("gzip, *;q=0"), "gzip,identity;q=0");
  EXPECT_EQ(key("gzip;q=0.5, identity"), "gzip;q=0.5,identity");
  EXPECT_EQ(key("identity;q=0"), "identity;q=0");
  EXPECT_EQ(key("br;q=x, gzip"), "br;q=x,gzip");
  // None is another than an empty one.
  EXPECT_EQ(variant_key("accept-encoding", {}, rules), "accept-encoding");
}

// --- Content-Language ---

TEST(PrefersLanguage, OnlyWhatIsNamedItselfAboveAllOthers) {
  const auto prefers = [](std::string_view accepted, std::string_view content) {
    return prefers_language(make_fields({{"Accept-Language", accepted}}), content);
  };
  EXPECT_TRUE(prefers("fr;q=0.5, de;q=1.0", "de"));
  EXPECT_TRUE(prefers("DE-at, de;q=0.9", "de-AT"));
  EXPECT_TRUE(prefers("de;q=0.2, *;q=0.1", "de"));
  EXPECT_FALSE(prefers("fr, de", "de"));
  EXPECT_FALSE(prefers("de, *", "de"));
  EXPECT_FALSE(prefers("de", "de-AT"));
  EXPECT_FALSE(prefers("de-AT", "de"));
  EXPECT_FALSE(prefers("de", "de, fr"));
  EXPECT_FALSE(prefers("de;q=0", "de"));
  EXPECT_FALSE(prefers("*", "*"));
  EXPECT_FALSE(prefers("de", ""));
  EXPECT_FALSE(prefers("de;q=9, fr", "de"));
  EXPECT_FALSE(prefers_language({}, "de"));
}

TEST(VariantKey, IsPassedOverForAContentLanguageThatIsWanted) {
  const std::string key = *variant_key("accept-language,foo",
                                       make_fields({{"Accept-Language", "en, de"}, {"Foo", "1"}}));
  const FieldSection request =
      make_fields({{"Accept-Language", "fr;q=0.5, de;q=1.0"}, {"Foo", "1"}});
  EXPECT_TRUE(selects(key, request, {.by_content_language = true}, "de"));
  EXPECT_FALSE(selects(key, request, {.by_content_language = true}, "en"));
  EXPECT_FALSE(selects(key, request, {.by_content_language = true}));
  EXPECT_FALSE(selects(key, request, {}, "de"));
  const FieldSection other = make_fields({{"Accept-Language", "de"}, {"Foo", "2"}});
  EXPECT_FALSE(selects(key, other, {.by_content_language = true}, "de"));
}

}  // namespace
}  // namespace penstock::rfc9111

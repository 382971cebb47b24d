#include "upstream/sticky.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Lines = std::vector<std::string_view>;

FieldSection section(const Lines& cookies) {
  FieldSection fields;
  fields.add(FieldId::host, "a.example");
  for (const std::string_view cookie : cookies) fields.add(FieldId::cookie, cookie);
  fields.add(FieldId::accept, "*/*");
  return fields;
}

std::string text_of_all(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields) text.append(field.name).append("=").append(field.value) += '|';
  return text;
}

std::string found(const Lines& cookies, std::string_view name = "id") {
  const FieldSection fields = section(cookies);
  return std::string(find_cookie(fields, name).value_or("none"));
}

std::string without(const Lines& cookies, std::string_view name = "id") {
  FieldSection fields = section(cookies);
  const std::string before = text_of_all(fields);
  const bool removed = remove_cookie(fields, name);
  EXPECT_FALSE(find_cookie(fields, name));
  EXPECT_EQ(removed, text_of_all(fields) != before);
  const std::string text = text_of_all(fields);
  const std::string head = "Host=a.example|";
  const std::string tail = "Accept=*/*|";
  EXPECT_TRUE(text.starts_with(head) && text.ends_with(tail)) << text;
  return text.substr(head.size(), text.size() - head.size() - tail.size());
}

TEST(FindCookie, ReadsPairsAsServersDo) {
  EXPECT_EQ(found({"id=1"}), "1");
  EXPECT_EQ(found({"a=2; id=1; b=3"}), "1");
  EXPECT_EQ(found({"a=2;id=1;b=3"}), "1");
  EXPECT_EQ(found({" a=2 ;\tid = 1 ; b=3"}), "1");
  EXPECT_EQ(found({"id=\"1\""}), "1");
  EXPECT_EQ(found({"id="}), "");
  EXPECT_EQ(found({"id=\"\""}), "");
  EXPECT_EQ(found({"id=\""}), "\"");
  EXPECT_EQ(found({"id=a=b"}), "a=b");
  EXPECT_EQ(found({"id=1; id=2"}), "1");
  EXPECT_EQ(found({"a=2", "b=3; id=1", "id=4"}), "1");
  EXPECT_EQ(found({"x=\"a; id=1; b\""}), "1");
}

TEST(FindCookie, TakesNothingElseForIt) {
  EXPECT_EQ(found({}), "none");
  EXPECT_EQ(found({""}), "none");
  EXPECT_EQ(found({";;; ;"}), "none");
  EXPECT_EQ(found({"id"}), "none");
  EXPECT_EQ(found({"id; =id; =1"}), "none");
  EXPECT_EQ(found({"ID=1; Id=2"}), "none");
  EXPECT_EQ(found({"xid=1; idx=2; i=d; a=id=3"}), "none");
  EXPECT_EQ(found({"a=1, id=2"}), "none");
}

TEST(RemoveCookie, LeavesTheOthersAsTheyAre) {
  EXPECT_EQ(without({"a=2; id=1; b=3"}), "Cookie=a=2; b=3|");
  EXPECT_EQ(without({"id=1; a=2; b=3"}), "Cookie=a=2; b=3|");
  EXPECT_EQ(without({"a=2; b=3; id=1"}), "Cookie=a=2; b=3|");
  EXPECT_EQ(without({"a=2;id=1;b=3;;c"}), "Cookie=a=2; b=3; c|");
  EXPECT_EQ(without({"a=\"2\";id=\"1\"; b = 3 ;"}), "Cookie=a=\"2\"; b = 3|");
  EXPECT_EQ(without({"id=1; a=2; id=3"}), "Cookie=a=2|");
  // Short pairs without a space: the value gets longer.
  EXPECT_EQ(without({"a;b;c;d;e;f;g;h;id=1"}), "Cookie=a; b; c; d; e; f; g; h|");
}

TEST(RemoveCookie, JoinsLinesAndDropsAnEmptyField) {
  EXPECT_EQ(without({"a=2", "id=1", "b=3; c=4"}), "Cookie=a=2; b=3; c=4|");
  EXPECT_EQ(without({"id=1"}), "");
  EXPECT_EQ(without({"id=1", "id=2; ; id=3"}), "");
}

TEST(RemoveCookie, ChangesNothingWithoutIt) {
  EXPECT_EQ(without({}), "");
  EXPECT_EQ(without({"a=2 ;;  b", "c=3"}), "Cookie=a=2 ;;  b|Cookie=c=3|");
  EXPECT_EQ(without({"id"}), "Cookie=id|");
  EXPECT_EQ(without({""}), "Cookie=|");
}

TEST(RemoveCookie, TextOutlivesAMove) {
  FieldSection fields = section({"a=2; id=1"});
  ASSERT_TRUE(remove_cookie(fields, "id"));
  const FieldSection moved = std::move(fields);
  EXPECT_EQ(moved.value(FieldId::cookie), "a=2");
}

TEST(StickyIds, AreStableAndKeyed) {
  const HashKey key = make_hash_key("a secret");
  const StickyId id = make_sticky_id(key, "10.0.0.1:80");
  EXPECT_EQ(text_of(id), text_of(make_sticky_id(key, "10.0.0.1:80")));
  EXPECT_NE(text_of(id), text_of(make_sticky_id(key, "10.0.0.2:80")));
  EXPECT_NE(text_of(id), text_of(make_sticky_id({}, "10.0.0.1:80")));
  EXPECT_EQ(text_of(id).find_first_not_of("0123456789abcdef"), std::string_view::npos);
  // A change here would move every user once.
  EXPECT_EQ(text_of(make_sticky_id({}, "")), "1e924b9d737700d7");
}

TEST(StickyIds, AreFoundAgain) {
  std::vector<StickyId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(make_sticky_id({}, std::to_string(i)));
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(find_sticky_member(ids, std::string(text_of(ids[i]))), i);
  }
  EXPECT_FALSE(find_sticky_member(ids, ""));
  EXPECT_FALSE(find_sticky_member(ids, text_of(ids[3]).substr(1)));
  EXPECT_FALSE(find_sticky_member(ids, std::string(1'000, '0')));
  EXPECT_FALSE(find_sticky_member({}, "1e924b9d737700d7"));
}

TEST(SetCookieValue, HasItsAttributes) {
  Arena arena;
  const StickyId id = make_sticky_id({}, "");
  StickyCookie cookie{.name = "SERVER", .id = text_of(id)};
  EXPECT_EQ(set_cookie_value(arena, cookie),
            "SERVER=1e924b9d737700d7; Path=/; HttpOnly; SameSite=Lax");
  cookie.secure = true;
  EXPECT_EQ(set_cookie_value(arena, cookie),
            "SERVER=1e924b9d737700d7; Path=/; HttpOnly; SameSite=Lax; Secure");
  cookie.max_age = std::chrono::hours(1);
  EXPECT_EQ(set_cookie_value(arena, cookie),
            "SERVER=1e924b9d737700d7; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600; Secure");
  cookie.secure = false;
  cookie.max_age = std::chrono::seconds::max();
  EXPECT_TRUE(set_cookie_value(arena, cookie).ends_with("; Max-Age=9223372036854775807"));
}

}  // namespace
}  // namespace penstock

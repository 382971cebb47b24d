#include "message/structured.h"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::structured {
namespace {

std::string shown(const Value& value) {
  switch (value.type) {
    case Type::integer:
      return std::to_string(value.number);
    case Type::decimal:
      return std::to_string(value.number) + "/1000";
    case Type::string:
      return "s:" + unescaped(value);
    case Type::token:
      return "t:" + std::string(value.text);
    case Type::bytes:
      return "b:" + std::string(value.text);
    case Type::boolean:
      return value.number != 0 ? "true" : "false";
    case Type::date:
      return "@" + std::to_string(value.number);
    case Type::display_string:
      return "d:" + std::string(value.text);
  }
  return {};
}

std::string shown(const Item& item) {
  return shown(item.value) + std::string(item.parameters.text());
}

// Members as "key=value" or "value", separated by "|"; "invalid", "empty", "absent".
std::string shown(Kind kind, const std::vector<std::string_view>& lines) {
  FieldSection fields;
  for (const std::string_view line : lines) fields.add(FieldId::other, "Test", line);
  std::string all;
  const Presence found = for_each_member(kind, fields, "test", [&](const Member& member) {
    if (!all.empty()) all += "|";
    if (kind == Kind::dictionary) all.append(member.key).append("=");
    if (!member.is_inner_list) {
      all += shown(member.item);
      return;
    }
    all += "(";
    std::string_view inner = member.inner_list;
    for (Item item; next_item(inner, item);) all += shown(item) + " ";
    all.append(")").append(member.item.parameters.text());
  });
  switch (found) {
    case Presence::absent:
      return "absent";
    case Presence::invalid:
      return "invalid";
    case Presence::empty:
      return "empty";
    case Presence::present:
      break;
  }
  return all;
}

std::string list(std::string_view line) { return shown(Kind::list, {line}); }
std::string dictionary(std::string_view line) { return shown(Kind::dictionary, {line}); }
std::string item(std::string_view line) {
  const std::optional<Item> parsed = parse_item(line);
  return parsed ? shown(*parsed) : "invalid";
}

TEST(StructuredFields, Numbers) {  // RFC 9651 section 4.2.4
  EXPECT_EQ(item("42"), "42");
  EXPECT_EQ(item("-0"), "0");
  EXPECT_EQ(item("0042"), "42");
  EXPECT_EQ(item("999999999999999"), "999999999999999");
  EXPECT_EQ(item("-999999999999999"), "-999999999999999");
  EXPECT_EQ(item("1.5"), "1500/1000");
  EXPECT_EQ(item("-0.123"), "-123/1000");
  EXPECT_EQ(item("123456789012.123"), "123456789012123/1000");
  for (const std::string_view text : {"1000000000000000", "--1", "-", "+1", "1.", "1.1234", ".5",
                                      "1234567890123.1", "1.5.4", "1-", "4 2", "- 1", "0x1"}) {
    EXPECT_EQ(item(text), "invalid") << text;
  }
}

TEST(StructuredFields, Strings) {  // section 4.2.5
  EXPECT_EQ(item(R"("foo bar")"), "s:foo bar");
  EXPECT_EQ(item(R"("")"), "s:");
  EXPECT_EQ(item(R"("a \"b\" \\c")"), R"(s:a "b" \c)");
  for (const std::string_view text : {R"("foo)", R"("foo\")", R"("\f")", R"(foo")", R"('foo')",
                                      "\"a\tb\"", "\"f\xc3\xbc\"", R"("a\)", "\"a\x7f\""}) {
    EXPECT_EQ(item(text), "invalid") << text;
  }
}

TEST(StructuredFields, Tokens) {  // section 4.2.6
  EXPECT_EQ(item("a_b-c.d3:f%00/*"), "t:a_b-c.d3:f%00/*");
  EXPECT_EQ(item("*foo"), "t:*foo");
  EXPECT_EQ(item("Foo"), "t:Foo");
  EXPECT_EQ(item("/foo"), "invalid");
  EXPECT_EQ(item("a{b"), "invalid");
}

TEST(StructuredFields, OtherTypes) {  // sections 4.2.7 to 4.2.10
  EXPECT_EQ(item(":aGVsbG8=:"), "b:aGVsbG8=");
  EXPECT_EQ(item(":aGVsbG8:"), "b:aGVsbG8");
  EXPECT_EQ(item("::"), "b:");
  EXPECT_EQ(item("?1"), "true");
  EXPECT_EQ(item("?0"), "false");
  EXPECT_EQ(item("@1659578233"), "@1659578233");
  EXPECT_EQ(item("@-1"), "@-1");
  EXPECT_EQ(item(R"(%"f%c3%bc%22")"), "d:f%c3%bc%22");
  for (const std::string_view text : {":aGVsbG8=",
                                      ":aGVsbG8",
                                      ":aGVs bG8=:",
                                      ":a:",
                                      ":aGVsbG8==:",
                                      ":a-_b:",
                                      "?2",
                                      "?",
                                      "?true",
                                      "@1.5",
                                      "@",
                                      "@ 1",
                                      R"(%"f%C3%BC")",
                                      R"(%"%c3")",
                                      R"(%"%c3%28")",
                                      R"(%"%ed%a0%80")",
                                      R"(%"%f4%90%80%80")",
                                      R"(%"%e0%80%80")",
                                      R"(%"%c")",
                                      R"(%"a)",
                                      "%",
                                      "%a",
                                      R"(% "a")"}) {
    EXPECT_EQ(item(text), "invalid") << text;
  }
}

TEST(StructuredFields, ItemsAndParameters) {  // sections 4.2.3, 4.2.3.2
  EXPECT_EQ(item("  1  "), "1");
  EXPECT_EQ(item("1;a;b=2;  c=\"x;y\""), "1;a;b=2;  c=\"x;y\"");
  for (const std::string_view text : {"", "  ", "1,2", "\t1", "1\t", "1 ;a", "1;A=1", "1;",
                                      "1;a=", "1;a =1", "1;a= 1", "1;a=(1)", "1;1"}) {
    EXPECT_EQ(item(text), "invalid") << text;
  }
  const Parameters parameters = parse_item("1;a;b=2;a=\"x;b=3\";c=?0")->parameters;
  EXPECT_EQ(shown(*parameters.find("a")), "s:x;b=3");  // the last one
  EXPECT_EQ(shown(*parameters.find("b")), "2");
  EXPECT_FALSE(parameters.find("c")->is_true());
  EXPECT_TRUE(parse_item("1;a")->parameters.find("a")->is_true());
  EXPECT_FALSE(parameters.find("d"));
}

TEST(StructuredFields, Lists) {  // section 4.2.1
  EXPECT_EQ(list("1, a,\"b,c\" \t,\t ?0"), "1|t:a|s:b,c|false");
  EXPECT_EQ(list("(1 2), (), ( a;x  b );y=1"), "(1 2 )|()|(t:a;x t:b );y=1");
  EXPECT_EQ(list("1 \t"), "1");
  for (const std::string_view text : {"1,", ",1", "1,,2", "1 2", "(1", "1)", "(1,2)", "(1\t2)",
                                      "((1))", "(1)2", "(1\"a\")", "1, (", "a;", "\t1"}) {
    EXPECT_EQ(list(text), "invalid") << text;
  }
}

TEST(StructuredFields, Dictionaries) {  // section 4.2.2
  EXPECT_EQ(dictionary("max-age=3600, a, *b.c_d=?0;x"), "max-age=3600|a=true|*b.c_d=false;x");
  EXPECT_EQ(dictionary("a;x=1, b=(1 2);y"), "a=true;x=1|b=(1 2 );y");
  EXPECT_EQ(dictionary("a=1,a=2"), "a=1|a=2");  // whoever stores them overwrites
  for (const std::string_view text : {"MaX-aGe=1", "a =1", "a= 1", "a=", "a=1,", "1=1", "\"a\"=1",
                                      "max-age=10000, &&&&&", "a=1;;b", "a=1 b=2"}) {
    EXPECT_EQ(dictionary(text), "invalid") << text;
  }
}

TEST(StructuredFields, SeveralLinesAreOneValue) {  // section 4.2
  EXPECT_EQ(shown(Kind::list, {"1", "2, 3"}), "1|2|3");
  EXPECT_EQ(shown(Kind::dictionary, {"a=1", "b", "a=2"}), "a=1|b=true|a=2");
  EXPECT_EQ(shown(Kind::list, {}), "absent");
  EXPECT_EQ(shown(Kind::list, {""}), "empty");
  EXPECT_EQ(shown(Kind::list, {"1", "", "2"}), "invalid");
  EXPECT_EQ(shown(Kind::list, {"", ""}), "invalid");
  EXPECT_EQ(shown(Kind::list, {"1,", "2"}), "invalid");
  EXPECT_EQ(shown(Kind::list, {"1", "&"}), "invalid");
  EXPECT_EQ(shown(Kind::list, {"(1", "2)"}), "invalid");
  EXPECT_EQ(shown(Kind::list, {"\"a", "b\""}), "invalid");
}

TEST(StructuredFields, LongLinesAreInvalid) {
  const std::string most = "\"" + std::string(kMaxLine - 2, 'a') + "\"";
  EXPECT_TRUE(is_valid(Kind::list, most));
  EXPECT_FALSE(is_valid(Kind::list, most + " "));
  EXPECT_TRUE(parse_item(most));
  EXPECT_FALSE(parse_item(most + " "));
}

TEST(StructuredFields, Writing) {  // section 4.1
  const auto written = [](std::string_view text) {
    std::string out;
    append_token_or_string(out, text);
    return out;
  };
  EXPECT_EQ(written("a/b"), "a/b");
  EXPECT_EQ(written("*"), "*");
  EXPECT_EQ(written("1a"), "\"1a\"");
  EXPECT_EQ(written(""), "\"\"");
  EXPECT_EQ(written("a \"b\\"), R"("a \"b\\")");
  EXPECT_EQ(written("a\r\nb\xff, c"), R"("a??b?, c")");
  EXPECT_TRUE(is_key("a.b_c-d*1"));
  EXPECT_FALSE(is_key("A"));
  EXPECT_FALSE(is_key("1"));
  EXPECT_FALSE(is_key(""));
  EXPECT_FALSE(is_string("a\tb"));
  std::string out;
  append_integer(out, 1'000'000'000'000'000);
  append_integer(out, -1'000'000'000'000'000);
  EXPECT_EQ(out, "999999999999999-999999999999999");
}

}  // namespace
}  // namespace penstock::structured

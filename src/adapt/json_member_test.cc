#include "adapt/json_member.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

std::string member(std::string_view line, std::string_view name) {
  std::string value;
  return find_json_member(line, name, value) ? value : "none";
}

TEST(JsonMember, TextsAndNumbers) {
  const std::string_view line = R"({"time":"now","status":200,"reused":true,"last":"x"})";
  EXPECT_EQ(member(line, "time"), "now");
  EXPECT_EQ(member(line, "status"), "200");
  EXPECT_EQ(member(line, "reused"), "true");
  EXPECT_EQ(member(line, "last"), "x");
  EXPECT_EQ(member(line, "stat"), "none");
  EXPECT_EQ(member(line, "none"), "none");
}

TEST(JsonMember, EscapesAreUndone) {
  const std::string_view line = R"({"a":"\"\\\u0001\\u0041","b":1})";
  EXPECT_EQ(member(line, "a"), "\"\\\x01\\u0041");
  EXPECT_EQ(member(line, "b"), "1");
}

// What a client has sent is not taken for a member.
TEST(JsonMember, NothingInsideATextIsFound) {
  const std::string_view line = R"({"target":"/\",\"status\":999","status":200})";
  EXPECT_EQ(member(line, "status"), "200");
}

TEST(JsonMember, CutTextsEnd) {
  EXPECT_EQ(member(R"({"a":"x)", "a"), "x");
  EXPECT_EQ(member("{\"a\":\"x\\", "a"), "x");
  EXPECT_EQ(member("{\"a\":\"\\u0", "a"), std::string(1, '\0'));
}

}  // namespace
}  // namespace penstock

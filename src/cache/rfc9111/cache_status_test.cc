#include "cache/rfc9111/cache_status.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "cache/rfc9111/fields_test.h"
#include "message/structured.h"

namespace penstock::rfc9111 {
namespace {

using std::chrono::seconds;

std::string member(const CacheStatus& status, std::string_view cache = "penstock") {
  std::string value;
  append_cache_status(value, cache, status);
  EXPECT_TRUE(structured::is_valid(structured::Kind::list, value)) << value;
  return value;
}

// RFC 9211 section 2.
TEST(CacheStatus, TellsHitsAndForwarding) {
  EXPECT_EQ(member({.ttl = seconds(30)}), "penstock; hit; ttl=30");
  EXPECT_EQ(member({.ttl = seconds(-5), .detail = "stale-if-error"}),
            "penstock; hit; ttl=-5; detail=stale-if-error");
  EXPECT_EQ(member({.forward = ForwardReason::uri_miss,
                    .forward_status = 200,
                    .ttl = seconds(60),
                    .stored = true,
                    .collapsed = true,
                    .key = "http://a.test/",
                    .detail = "x y"}),
            "penstock; fwd=uri-miss; fwd-status=200; ttl=60; stored; collapsed"
            "; key=\"http://a.test/\"; detail=\"x y\"");
  // What only a forwarded request can have.
  EXPECT_EQ(member({.forward_status = 200, .stored = true, .collapsed = true}), "penstock; hit");
}

TEST(CacheStatus, NamesAllReasons) {
  EXPECT_EQ(to_string(ForwardReason::none), "");
  EXPECT_EQ(to_string(ForwardReason::bypass), "bypass");
  EXPECT_EQ(to_string(ForwardReason::method), "method");
  EXPECT_EQ(to_string(ForwardReason::uri_miss), "uri-miss");
  EXPECT_EQ(to_string(ForwardReason::vary_miss), "vary-miss");
  EXPECT_EQ(to_string(ForwardReason::miss), "miss");
  EXPECT_EQ(to_string(ForwardReason::request), "request");
  EXPECT_EQ(to_string(ForwardReason::stale), "stale");
  EXPECT_EQ(to_string(ForwardReason::partial), "partial");
}

TEST(CacheStatus, WritesTextsThatCanBeRead) {
  EXPECT_EQ(member({}, "cache one"), "\"cache one\"; hit");
  EXPECT_EQ(member({.key = "a\"b\\c", .detail = "d\"e"}),
            R"(penstock; hit; key="a\"b\\c"; detail="d\"e")");
  EXPECT_EQ(member({.key = "caf\xc3\xa9", .detail = "a\tb"}), "penstock; hit");
}

TEST(CacheStatus, ComesBehindThatOfCachesNearerTheOrigin) {
  FieldSection fields = make_fields(
      {{"Cache-Status", "origin; hit"}, {"A", "1"}, {"cache-status", "near; fwd=miss"}});
  set_cache_status(fields, "penstock", {.forward = ForwardReason::stale});
  EXPECT_EQ(text_of(fields), "Cache-Status: origin; hit, near; fwd=miss, penstock; fwd=stale|A: 1");
  FieldSection none;
  set_cache_status(none, "penstock", {});
  EXPECT_EQ(text_of(none), "Cache-Status: penstock; hit");
}

}  // namespace
}  // namespace penstock::rfc9111

// The same scenarios for every pair of what the client and the origin speak: HTTP/1.1 or HTTP/2,
// with TLS or without.
#include <chrono>
#include <cstdint>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/versions_harness.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class VersionsTest : public testing::TestWithParam<std::tuple<Speech, Speech>> {
 protected:
  [[nodiscard]] static Speech client() { return std::get<0>(GetParam()); }
  [[nodiscard]] static Speech server() { return std::get<1>(GetParam()); }
  // What a client that broke off its own request, or was cut off, is to see: an error.
  static void expect_cut(const Arrived& arrived) { EXPECT_TRUE(arrived.error.has_value()); }

  const Arrived& at_origin(std::size_t i = 0) { return *world.seen().at(i); }

  VersionsWorld world{client(), server()};
};

// So that a mixed up or repeated piece is noticed.
std::string numbered(std::size_t bytes, const std::string& mark) {
  std::string text;
  for (std::size_t i = 0; text.size() < bytes; ++i) text += mark + std::to_string(i) + ".";
  text.resize(bytes);
  return text;
}

constexpr Error kBrokenAtServer{.kind = ErrorKind::io, .side = Side::server};
constexpr Error kBrokenAtClient{.kind = ErrorKind::io, .side = Side::client};

std::vector<BodyPiece> in_pieces(const std::string& text, std::size_t size, Duration after = {}) {
  std::vector<BodyPiece> out;
  for (std::size_t i = 0; i < text.size(); i += size) {
    out.push_back({.text = text.substr(i, size), .after = after});
  }
  return out;
}

TEST_P(VersionsTest, Get) {
  world.answer({.fields = {{"X-Answer", "a, b"}, {"Set-Cookie", "a=1"}, {"Set-Cookie", "b=2"}},
                .content = {{"hello"}}});
  const Arrived got = world.ask(Request{.fields = {{"X-Asked", "why"}, {"Cookie", "a=1; b=2"}}});
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.content, "hello");
  EXPECT_EQ(got.error, std::nullopt);
  EXPECT_EQ(got.fields.at("x-answer"), "a, b");
  EXPECT_EQ(got.fields.at("set-cookie"), "a=1|b=2");
  EXPECT_EQ(got.fields.at("content-length"), "5");
  EXPECT_EQ(got.fields.at("via"), is_http2(server()) ? "2 us" : "1.1 us");
  EXPECT_EQ(got.fields.count("connection"), 0U);
  EXPECT_EQ(got.fields.count("transfer-encoding"), 0U);
  EXPECT_EQ(got.fields.count("date"), 1U);
  EXPECT_EQ(at_origin().method, "GET");
  EXPECT_EQ(at_origin().target, "/x");
  EXPECT_EQ(at_origin().fields.at("host"), "site.example");
  EXPECT_EQ(at_origin().fields.at("x-asked"), "why");
  EXPECT_EQ(at_origin().fields.at("cookie"), "a=1; b=2");
  EXPECT_EQ(at_origin().fields.at("via"), is_http2(client()) ? "2 us" : "1.1 us");
  EXPECT_EQ(at_origin().fields.at("x-forwarded-proto"), is_tls(client()) ? "https" : "http");
}

TEST_P(VersionsTest, ManyOnOneConnection) {
  for (int i = 0; i < 20; ++i) {
    world.answer({.content = {{numbered(100, std::to_string(i) + ":")}}});
    const Arrived got = world.ask(Request{.path = "/" + std::to_string(i)});
    ASSERT_EQ(got.content, numbered(100, std::to_string(i) + ":"));
  }
  EXPECT_EQ(world.seen().size(), 20U);
  EXPECT_EQ(world.origin_connections(), 1U);
}

TEST_P(VersionsTest, ManyAtOnce) {
  world.answer({.content = {{"same"}}, .after = milliseconds(50)});
  std::vector<Request> requests(50);
  for (const Arrived& got : world.ask(std::move(requests))) {
    EXPECT_EQ(got.content, "same");
  }
  if (is_http2(server())) EXPECT_EQ(world.origin_connections(), 1U);
}

TEST_P(VersionsTest, Head) {
  world.answer({.content = {{"hello"}}});
  const Arrived got = world.ask(Request{.method = "HEAD"});
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.content, "");
  EXPECT_EQ(got.fields.at("content-length"), "5");
  EXPECT_EQ(got.error, std::nullopt);
  EXPECT_EQ(at_origin().method, "HEAD");
}

TEST_P(VersionsTest, StatusesWithoutContent) {
  for (const int status : {204, 304}) {
    world.answer({.status = status, .fields = {{"ETag", "\"1\""}}});
    const Arrived got = world.ask(Request{});
    EXPECT_EQ(got.status, status);
    EXPECT_EQ(got.content, "");
    EXPECT_EQ(got.error, std::nullopt);
    EXPECT_EQ(got.fields.at("etag"), "\"1\"");
  }
}

TEST_P(VersionsTest, Uploads) {
  world.answer({.content = {{"thanks"}}});
  for (const std::size_t size : {0UL, 1UL, 5000UL, 300'000UL, 3'000'000UL}) {
    for (const bool chunked : {false, true}) {
      SCOPED_TRACE(std::to_string(size) + (chunked ? " chunked" : ""));
      const std::string content = numbered(size, "u");
      const Arrived got = world.ask(
          Request{.method = "PUT", .content = in_pieces(content, 70'000), .chunked = chunked});
      EXPECT_EQ(got.content, "thanks");
      const Arrived& seen = *world.seen().back();
      EXPECT_TRUE(seen.content == content) << seen.content.size();
      EXPECT_EQ(seen.error, std::nullopt);
      if (!chunked && size > 0) EXPECT_EQ(seen.fields.at("content-length"), std::to_string(size));
    }
  }
}

TEST_P(VersionsTest, Downloads) {
  for (const std::size_t size : {0UL, 1UL, 5000UL, 300'000UL, 3'000'000UL}) {
    for (const bool chunked : {false, true}) {
      SCOPED_TRACE(std::to_string(size) + (chunked ? " chunked" : ""));
      const std::string content = numbered(size, "d");
      world.answer({.content = in_pieces(content, 50'000), .chunked = chunked});
      const Arrived got = world.ask(Request{});
      EXPECT_TRUE(got.content == content) << got.content.size();
      EXPECT_EQ(got.error, std::nullopt);
      EXPECT_EQ(got.fields.count("content-length"), chunked ? 0U : 1U);
    }
  }
}

TEST_P(VersionsTest, Trailers) {
  world.answer({.fields = {{"Trailer", "X-Sum"}},
                .content = {{"abc"}, {"def"}},
                .trailers = {{"X-Sum", "6"}},
                .chunked = true});
  const Arrived got = world.ask(Request{.method = "POST",
                                        .fields = {{"TE", "trailers"}, {"Trailer", "X-Asked"}},
                                        .content = {{"up"}},
                                        .trailers = {{"X-Asked", "2"}},
                                        .chunked = true});
  EXPECT_EQ(got.content, "abcdef");
  EXPECT_EQ(got.trailers.at("x-sum"), "6");
  EXPECT_EQ(at_origin().content, "up");
  EXPECT_EQ(at_origin().trailers.at("x-asked"), "2");
}

TEST_P(VersionsTest, InformationalResponses) {
  world.answer({.content = {{"late"}}, .inform = {103, 102, 103}});
  const Arrived got = world.ask(Request{});
  EXPECT_EQ(got.informed, (std::vector<int>{103, 102, 103}));
  EXPECT_EQ(got.content, "late");
}

TEST_P(VersionsTest, LargeHeads) {
  const std::string large(20'000, 'v');
  world.answer({.fields = {{"X-Large", large}}});
  const Arrived got = world.ask(Request{.fields = {{"X-Asked", large}}});
  EXPECT_EQ(got.fields.at("x-large"), large);
  EXPECT_EQ(at_origin().fields.at("x-asked"), large);
}

TEST_P(VersionsTest, ResponseThatIsCut) {
  for (const bool chunked : {false, true}) {
    world.answer(
        {.content = {{"half"}, {.text = "never", .error = kBrokenAtServer}}, .chunked = chunked});
    const Arrived got = world.ask(Request{});
    EXPECT_EQ(got.status, 200);
    expect_cut(got);
  }
  world.answer({.content = {{"whole"}}});
  EXPECT_EQ(world.ask(Request{}).content, "whole");
}

TEST_P(VersionsTest, RequestThatIsCut) {
  for (const bool chunked : {false, true}) {
    world.answer({});
    const Arrived got =
        world.ask(Request{.method = "POST",
                          .content = {{"half"}, {.text = "never", .error = kBrokenAtClient}},
                          .chunked = chunked});
    expect_cut(got);
  }
  for (const auto& seen : world.seen()) EXPECT_TRUE(seen->error.has_value());
  world.answer({.content = {{"whole"}}});
  EXPECT_EQ(world.ask(Request{}).content, "whole");
}

TEST_P(VersionsTest, ClientThatLeaves) {
  world.answer({.content = {{"late"}}, .after = seconds(20)});
  const Arrived got = world.ask(Request{.leave_after = seconds(1)}, seconds(5));
  expect_cut(got);
  world.world().run_for(seconds(1));
  // In HTTP/1 the end of a connection does not say that nobody waits for the answer.
  if (is_http2(client()) && is_http2(server())) EXPECT_TRUE(at_origin().handler_cancelled);
}

TEST_P(VersionsTest, ClientThatLeavesInTheMiddle) {
  world.answer({.content = in_pieces(numbered(1'000'000, "d"), 1000, milliseconds(10))});
  const Arrived got = world.ask(Request{.leave_after = seconds(1)}, seconds(5));
  EXPECT_EQ(got.status, 200);
  expect_cut(got);
  world.world().run_for(seconds(1));
  EXPECT_TRUE(at_origin().handler_cancelled);
  EXPECT_LT(got.content.size(), 200'000U);
}

// The rest of the request is not wanted any more; the answer has to arrive all the same.
TEST_P(VersionsTest, AnswerBeforeTheRequestIsThere) {
  world.answer({.status = 403, .content = {{"enough"}}, .read_request = false});
  const Arrived got = world.ask(Request{
      .method = "POST", .content = in_pieces(numbered(2'000'000, "u"), 10'000, milliseconds(5))});
  EXPECT_EQ(got.status, 403);
  EXPECT_EQ(got.content, "enough");
  world.answer({.content = {{"again"}}});
  EXPECT_EQ(world.ask(Request{}).content, "again");
}

// A stream that nobody reads from holds back only itself.
TEST_P(VersionsTest, SlowAndFastTogether) {
  world.answer({.content = in_pieces(numbered(100'000, "s"), 1000, milliseconds(50))});
  std::vector<Request> requests(8);
  const TimePoint begun = world.world().now();
  for (const Arrived& got : world.ask(std::move(requests))) {
    EXPECT_TRUE(got.content == numbered(100'000, "s"));
  }
  EXPECT_LT(world.world().now() - begun, seconds(8));
}

INSTANTIATE_TEST_SUITE_P(All, VersionsTest,
                         testing::Combine(testing::ValuesIn(kSpeeches),
                                          testing::ValuesIn(kSpeeches)),
                         [](const testing::TestParamInfo<VersionsTest::ParamType>& info) {
                           return std::string(to_string(std::get<0>(info.param))) + "_to_" +
                                  std::string(to_string(std::get<1>(info.param)));
                         });

}  // namespace
}  // namespace penstock

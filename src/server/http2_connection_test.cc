#include "server/http2_connection.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "server/http2_test.h"

namespace penstock {
namespace {

using http2::Received;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Http2ConnectionTest : public Http2Test {};

TEST_F(Http2ConnectionTest, AnswersARequest) {
  const Received& got = get("/hello");
  EXPECT_EQ(got.status(), "200");
  EXPECT_EQ(got.field("content-length"), "6");
  EXPECT_EQ(got.field("date"), "Thu, 29 Feb 2024 12:00:00 GMT");
  EXPECT_EQ(got.content, "/hello");
  EXPECT_TRUE(got.ended);
  EXPECT_FALSE(got.reset);
  ASSERT_EQ(handler.seen.size(), 1U);
  EXPECT_EQ(handler.seen[0].method, "GET");
  EXPECT_EQ(handler.seen[0].target, "/hello");
  EXPECT_TRUE(handler.seen[0].sent);
}

TEST_F(Http2ConnectionTest, SettingsSayWhatIsAllowed) {
  settings.http2.max_streams = 7;
  client();
  EXPECT_EQ(peer().settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 7U);
  EXPECT_EQ(peer().settings[NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE], 256U * 1024);
  EXPECT_EQ(peer().settings[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE], 64U * 1024);
  EXPECT_EQ(peer().settings[NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL], 1U);
  EXPECT_EQ(peer().settings[NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES], 1U);
  EXPECT_EQ(peer().windows[0], 1024U * 1024 - 65535);
}

TEST_F(Http2ConnectionTest, ManyRequestsAtOnceGoOutInOneWrite) {
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    requests += Peer::headers(1 + 2 * i, Peer::request("GET", "/" + std::to_string(i)), true);
  }
  client().send(requests);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(peer()[1 + 2 * i].content, "/" + std::to_string(i));
}

TEST_F(Http2ConnectionTest, BytesOneByOne) {
  peer().drip(std::string(http2::kPreface) + http2::frame(NGHTTP2_SETTINGS, 0, 0, {}) +
              Peer::headers(1, Peer::request("POST", "/x"), false) + Peer::data(1, "abc", false) +
              Peer::data(1, "def", true));
  EXPECT_EQ(peer()[1].status(), "200");
  ASSERT_EQ(handler.seen.size(), 1U);
  EXPECT_EQ(handler.seen[0].content, "abcdef");
}

TEST_F(Http2ConnectionTest, LargeBodiesBothWays) {
  std::string content(1'000'000, 'x');
  for (std::size_t i = 0; i < content.size(); i += 97) content[i] = static_cast<char>('a' + i % 26);
  handler.reply.content = content;
  client().send(Peer::headers(1, Peer::request("POST", "/"), false));
  // No faster than the windows allow.
  std::size_t at = 0;
  std::uint64_t window = 256 * 1024;
  while (at < content.size()) {
    window = 256 * 1024 + peer().windows[1];
    ASSERT_LT(at, window);
    const std::size_t size = std::min<std::size_t>({16384, content.size() - at, window - at});
    const bool last = at + size == content.size();
    peer().send(Peer::data(1, std::string_view(content).substr(at, size), last), milliseconds(3));
    at += size;
  }
  wait(seconds(1));
  ASSERT_EQ(handler.seen.size(), 1U);
  EXPECT_EQ(handler.seen[0].content, content);
  EXPECT_EQ(peer()[1].content, content);
  EXPECT_TRUE(peer()[1].ended);
  std::size_t largest = 0;
  for (const auto& frame : peer().frames) {
    if (frame.type == NGHTTP2_DATA) largest = std::max(largest, frame.payload.size());
  }
  EXPECT_LE(largest, 16384U);
}

TEST_F(Http2ConnectionTest, HeadAndNoContent) {
  handler.reply.framing = Framing{.kind = BodyKind::length, .length = 99};
  handler.reply.fields = {{"Content-Length", "99"}};
  const Received& head = ask(Peer::request("HEAD", "/"));
  EXPECT_EQ(head.field("content-length"), "99");
  EXPECT_TRUE(head.ended);
  EXPECT_EQ(head.content, "");
  handler.reply = {.status = 204, .content = "", .fields = {{"Content-Length", "0"}}};
  client().send(Peer::headers(3, Peer::request("GET", "/"), true));
  EXPECT_EQ(peer()[3].status(), "204");
  EXPECT_EQ(peer()[3].field("content-length"), "");
  EXPECT_TRUE(peer()[3].ended);
}

TEST_F(Http2ConnectionTest, ConnectionFieldsOfAResponseAreNotSent) {
  handler.reply.fields = {
      {"Connection", "close"},          {"Keep-Alive", "timeout=5"}, {"Proxy-Connection", "close"},
      {"Transfer-Encoding", "chunked"}, {"Upgrade", "h2c"},          {"X-Mixed-Case", "Stays"}};
  const Received& got = get("/");
  EXPECT_EQ(got.field("connection") + got.field("keep-alive") + got.field("proxy-connection") +
                got.field("transfer-encoding") + got.field("upgrade"),
            "");
  EXPECT_EQ(got.field("x-mixed-case"), "Stays");
}

TEST_F(Http2ConnectionTest, InformationalResponses) {
  handler.reply.inform = {103, 100};
  const Received& got = get("/");
  ASSERT_EQ(got.heads.size(), 3U);
  EXPECT_EQ(got.status(0), "103");
  EXPECT_EQ(got.status(1), "100");
  EXPECT_EQ(got.status(2), "200");
}

TEST_F(Http2ConnectionTest, TrailersDown) {
  TimedBody body({{.text = "abc"}, {.text = "def", .after = milliseconds(5)}});
  body.trailer_fields.add(FieldId::other, "X-Sum", "6");
  body.trailer_fields.add(FieldId::content_length, "6");  // not there
  handler.reply.body = &body;
  handler.reply.framing = Framing{.kind = BodyKind::chunked};
  const Received& got = get("/");
  EXPECT_EQ(got.content, "abcdef");
  ASSERT_EQ(got.heads.size(), 2U);
  EXPECT_EQ(got.heads[1], (Lines{{"x-sum", "6"}}));
  EXPECT_TRUE(got.ended);
}

TEST_F(Http2ConnectionTest, AnUnreadRequestIsResetWithoutError) {
  handler.reply.read_body = false;
  const Received& got = ask(Peer::request("POST", "/"), false);
  EXPECT_EQ(got.status(), "200");
  EXPECT_TRUE(got.ended);
  ASSERT_TRUE(got.reset);
  EXPECT_EQ(*got.reset, 0U);
}

TEST_F(Http2ConnectionTest, AResetCancelsOnlyItsRequest) {
  handler.reply.after = seconds(1);
  client().send(Peer::headers(1, Peer::request("GET", "/1"), true) +
                Peer::headers(3, Peer::request("GET", "/3"), true));
  client().send(Peer::reset_frame(1, NGHTTP2_CANCEL));
  wait(seconds(2));
  ASSERT_EQ(handler.seen.size(), 2U);
  EXPECT_FALSE(handler.seen[0].slept);
  EXPECT_TRUE(handler.seen[1].slept);
  EXPECT_EQ(peer()[3].content, "/3");
  EXPECT_TRUE(peer()[1].heads.empty());
}

TEST_F(Http2ConnectionTest, TheEndOfTheConnectionCancelsAll) {
  handler.reply.after = seconds(10);
  client().send(Peer::headers(1, Peer::request("GET", "/1"), true) +
                Peer::headers(3, Peer::request("GET", "/3"), true));
  peer().close();
  wait(seconds(2));
  EXPECT_TRUE(ended);
  EXPECT_FALSE(handler.seen[0].slept);
  EXPECT_FALSE(handler.seen[1].slept);
}

TEST_F(Http2ConnectionTest, WhoseFaultAResponseWasCutIsTold) {
  TimedBody waits({{.text = "abc"}, {.text = "def", .after = seconds(10)}});
  handler.reply.body = &waits;
  handler.reply.framing = Framing{.kind = BodyKind::chunked};
  get("/");
  client().send(Peer::reset_frame(1, NGHTTP2_CANCEL));
  wait(milliseconds(10));
  EXPECT_EQ(handler.seen[0].fate, CloseReason::cancelled);

  TimedBody fails({{.text = "abc"}, {.error = Error{.kind = ErrorKind::closed}}});
  handler.reply.body = &fails;
  client().send(Peer::headers(3, Peer::request("GET", "/"), true), seconds(1));
  EXPECT_EQ(handler.seen[1].fate, CloseReason::other_side_failed);
}

TEST_F(Http2ConnectionTest, ABodyThatFailsIsCutVisibly) {
  TimedBody body({{.text = "abc"},
                  {.after = milliseconds(5),
                   .error = Error{.kind = ErrorKind::closed, .side = Side::server}}});
  handler.reply.body = &body;
  handler.reply.framing = Framing{.kind = BodyKind::chunked};
  const Received& got = get("/");
  EXPECT_EQ(got.content, "abc");
  EXPECT_FALSE(got.ended);
  ASSERT_TRUE(got.reset);
  EXPECT_EQ(*got.reset, NGHTTP2_INTERNAL_ERROR);
  EXPECT_EQ(handler.seen[0].sent.error().side, Side::server);
}

TEST_F(Http2ConnectionTest, ABodyOfAnotherLengthIsCutVisibly) {
  for (const std::uint64_t length : {2U, 4U}) {
    const auto id = static_cast<std::int32_t>(length - 1);
    handler.reply.content = "abc";
    handler.reply.framing = Framing{.kind = BodyKind::length, .length = length};
    client().send(Peer::headers(id, Peer::request("GET", "/"), true));
    EXPECT_FALSE(peer()[id].ended);
    ASSERT_TRUE(peer()[id].reset);
    EXPECT_EQ(*peer()[id].reset, NGHTTP2_INTERNAL_ERROR);
  }
}

// --- The peer's message.

TEST_F(Http2ConnectionTest, ContentOfAnotherLengthIsRefused) {
  const Lines post = Peer::request("POST", "/", {{"content-length", "4"}});
  client().send(Peer::headers(1, post, false) + Peer::data(1, "abcde", false));
  client().send(Peer::headers(3, post, false) + Peer::data(3, "abc", true));
  client().send(Peer::headers(5, post, false));
  client().send(Peer::data(5, "abc", true));
  client().send(Peer::headers(7, post, true));
  for (const std::int32_t id : {1, 3, 5, 7}) {
    ASSERT_TRUE(peer()[id].reset) << id;
    EXPECT_EQ(*peer()[id].reset, NGHTTP2_PROTOCOL_ERROR) << id;
    EXPECT_FALSE(peer()[id].ended) << id;
  }
  client().send(Peer::headers(9, post, false) + Peer::data(9, "abcd", true));
  EXPECT_EQ(peer()[9].status(), "200");
}

TEST_F(Http2ConnectionTest, TrailersUp) {
  client().send(Peer::headers(1, Peer::request("POST", "/"), false) + Peer::data(1, "abc", false) +
                Peer::headers(1, {{"x-sum", "1"}}, true));
  EXPECT_EQ(peer()[1].status(), "200");
  EXPECT_EQ(handler.seen[0].content, "abc");
  EXPECT_EQ(handler.seen[0].trailers, "x-sum: 1\n");
}

TEST_F(Http2ConnectionTest, MalformedTrailersResetTheStream) {
  const std::vector<std::string> wrong = {
      Peer::headers(1, {{":path", "/"}}, true), Peer::headers(3, {{"connection", "x"}}, true),
      Peer::headers(5, {{"x", "a\nb"}}, true),  // and one that is not the end:
      Peer::headers(7, {{"x", "y"}}, false)};
  std::int32_t id = 1;
  for (const std::string& trailers : wrong) {
    client().send(Peer::headers(id, Peer::request("POST", "/"), false) +
                  Peer::data(id, "abc", false));
    client().send(trailers);
    ASSERT_TRUE(peer()[id].reset) << id;
    EXPECT_EQ(*peer()[id].reset, NGHTTP2_PROTOCOL_ERROR) << id;
    EXPECT_TRUE(peer()[id].heads.empty()) << id;
    id += 2;
  }
  EXPECT_FALSE(ended);
}

TEST_F(Http2ConnectionTest, AMalformedRequestIsAnsweredAndReset) {
  const Received& got = ask(Peer::request("GET", "/", {{"connection", "close"}}));
  EXPECT_EQ(got.status(), "400");
  EXPECT_FALSE(got.ended);
  ASSERT_TRUE(got.reset);
  EXPECT_EQ(*got.reset, NGHTTP2_PROTOCOL_ERROR);
  ASSERT_TRUE(handler.seen[0].problem);
  EXPECT_EQ(handler.seen[0].problem->cause, static_cast<int>(Refusal::connection_field));
  // The others are not concerned.
  client().send(Peer::headers(3, Peer::request("GET", "/"), true));
  EXPECT_EQ(peer()[3].status(), "200");
}

TEST_F(Http2ConnectionTest, AHeadThatIsTooLargeIsOnlyAnswered) {
  settings.request_head.head = 4096;
  const Received& got = ask(Peer::request("GET", "/", {{"x", std::string(5000, 'x')}}));
  EXPECT_EQ(handler.seen[0].problem->cause, static_cast<int>(Refusal::head_too_large));
  EXPECT_TRUE(got.ended);
  EXPECT_FALSE(got.reset);
}

TEST_F(Http2ConnectionTest, OverloadIsAProblem) {
  settings.buffer_bytes = 0;
  const SlabRef held = SlabPool::take(SlabSize::small);
  get("/");
  ASSERT_TRUE(handler.seen[0].problem);
  EXPECT_EQ(handler.seen[0].problem->kind, ErrorKind::overloaded);
}

TEST_F(Http2ConnectionTest, AForwardListenerGetsAbsoluteTargets) {
  listener.mode = ListenerMode::forward;
  get("/path?q");
  EXPECT_EQ(handler.seen[0].target, "https://example.com/path?q");
}

// --- Flow control.

TEST_F(Http2ConnectionTest, AStalledStreamHoldsBackOnlyItself) {
  handler.reply.read_body = false;
  handler.reply.after = seconds(20);
  client().send(Peer::headers(1, Peer::request("POST", "/slow"), false));
  const std::string piece(16384, 'x');
  for (int i = 0; i < 16; ++i) client().send(Peer::data(1, piece, false), milliseconds(1));
  EXPECT_EQ(peer().windows[1], 0U);  // its window is used up

  handler.reply = {};
  client().send(Peer::headers(3, Peer::request("POST", "/fast"), false));
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    client().send(Peer::data(3, piece, i == 199), milliseconds(3));
    sent += piece.size();
    ASSERT_LE(sent + 16 * piece.size(), 1024 * 1024 + peer().windows[0]);
    ASSERT_LE(sent, 256 * 1024 + peer().windows[3]);
  }
  EXPECT_EQ(peer()[3].status(), "200");
  EXPECT_EQ(handler.seen[1].content.size(), sent);
}

// Content that nobody takes, because its stream is over, does not use the connection's window up.
TEST_F(Http2ConnectionTest, UnreadContentGivesTheWindowBack) {
  handler.reply.read_body = false;
  std::uint64_t sent = 0;
  for (std::int32_t id = 1; id < 400; id += 2) {
    // With the head, and behind the response.
    const std::string piece(id % 4 == 1 ? 3000 : 16384, 'x');
    client().send(
        Peer::headers(id, Peer::request("POST", "/"), false) + Peer::data(id, piece, false),
        milliseconds(3));
    client().send(Peer::data(id, piece, false), milliseconds(1));
    sent += 2 * piece.size();
    ASSERT_LE(sent, 1024 * 1024 + peer().windows[0]) << id;
    EXPECT_EQ(peer()[id].status(), "200");
    wait(seconds(1));  // so that the resets are no flood
  }
  EXPECT_FALSE(ended);
}

TEST_F(Http2ConnectionTest, MoreThanTheWindowIsAnError) {
  handler.reply.read_body = false;
  handler.reply.after = seconds(20);
  client().send(Peer::headers(1, Peer::request("POST", "/slow"), false));
  for (int i = 0; i < 17; ++i) client().send(Peer::data(1, std::string(16384, 'x'), false));
  ASSERT_TRUE(peer()[1].reset.has_value() || !peer().goaways.empty());
}

TEST_F(Http2ConnectionTest, ASlowReaderGetsNoMoreThanItsWindow) {
  handler.reply.content = std::string(100'000, 'x');
  client(1000).send(Peer::headers(1, Peer::request("GET", "/"), true));
  EXPECT_EQ(peer()[1].content.size(), 1000U);
  client().send(Peer::window_update(1, 500));
  EXPECT_EQ(peer()[1].content.size(), 1500U);
  EXPECT_FALSE(handler.seen[0].sent);
}

TEST_F(Http2ConnectionTest, AWindowThatNeverOpensEndsTheStream) {
  handler.reply.content = std::string(100'000, 'x');
  client(1000).send(Peer::headers(1, Peer::request("GET", "/"), true));
  wait(seconds(59));
  EXPECT_FALSE(peer()[1].reset);
  wait(seconds(2));
  ASSERT_TRUE(peer()[1].reset);
  EXPECT_EQ(*peer()[1].reset, NGHTTP2_CANCEL);
  EXPECT_EQ(handler.seen[0].sent.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(handler.seen[0].sent.error().side, Side::client);
  EXPECT_FALSE(ended);
}

TEST_F(Http2ConnectionTest, APeerThatReadsNothingEndsTheConnection) {
  handler.reply.content = std::string(2'000'000, 'x');
  client().reading = false;
  peer().send(Peer::headers(1, Peer::request("GET", "/"), true));
  wait(seconds(70));
  EXPECT_TRUE(ended);
  EXPECT_FALSE(handler.seen[0].sent);
}

TEST_F(Http2ConnectionTest, StreamsTakeTurns) {
  handler.reply.content = std::string(200'000, 'x');
  client().send(Peer::headers(1, Peer::request("GET", "/"), true) +
                Peer::headers(3, Peer::request("GET", "/"), true));
  wait(seconds(1));
  // The second stream had begun long before the first one ended.
  std::size_t of_first = 0;
  for (const auto& frame : peer().frames) {
    if (frame.type != NGHTTP2_DATA) continue;
    if (frame.id == 3) break;
    of_first += frame.payload.size();
  }
  EXPECT_LT(of_first, 64'000U);
  EXPECT_TRUE(peer()[1].ended && peer()[3].ended);
}

TEST_F(Http2ConnectionTest, APriorityFieldChangesTheOrder) {
  handler.reply.content = std::string(200'000, 'x');
  client().send(Peer::headers(1, Peer::request("GET", "/", {{"priority", "u=5"}}), true) +
                Peer::headers(3, Peer::request("GET", "/", {{"priority", "u=1"}}), true));
  wait(seconds(1));
  std::size_t of_first = 0;
  for (const auto& frame : peer().frames) {
    if (frame.id == 1 && frame.type == NGHTTP2_DATA) of_first += frame.payload.size();
    if (frame.id == 3 && (frame.flags & NGHTTP2_FLAG_END_STREAM) != 0) break;
  }
  EXPECT_LT(of_first, 64'000U);
  EXPECT_TRUE(peer()[1].ended && peer()[3].ended);
}

// --- Time.

// Streams whose turn has not come are not stalled, as long as others get on.
TEST_F(Http2ConnectionTest, StreamsOfLessUrgencyMayWaitLong) {
  handler.reply.content = std::string(1'000'000, 'x');
  peer().send(std::string(http2::kPreface) +
              http2::frame(NGHTTP2_SETTINGS, 0, 0,
                           http2::big_endian(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2) +
                               http2::big_endian(1 << 30, 4)) +
              Peer::headers(1, Peer::request("GET", "/1", {{"priority", "u=0"}}), true) +
              Peer::headers(3, Peer::request("GET", "/3", {{"priority", "u=5"}}), true));
  for (int i = 0; i < 8; ++i) {
    wait(seconds(25));
    peer().send(Peer::window_update(0, 1000));
  }
  EXPECT_EQ(peer()[1].content.size(), 65535U + 8000);
  EXPECT_EQ(peer()[3].content.size(), 0U);
  EXPECT_FALSE(peer()[3].reset);
  wait(seconds(61));
  EXPECT_TRUE(peer()[1].reset);
  EXPECT_TRUE(peer()[3].reset);
}

TEST_F(Http2ConnectionTest, IdleConnectionsEnd) {
  get("/");
  wait(seconds(119));
  EXPECT_TRUE(peer().goaways.empty());
  wait(seconds(3));
  EXPECT_TRUE(ended);
  ASSERT_EQ(peer().goaways.size(), 2U);  // the notice, then the real one
  EXPECT_EQ(peer().goaways[1], 0U);
  EXPECT_EQ(peer().last_stream, 1U);
  EXPECT_EQ(connection->ending().reason, "idle");
}

TEST_F(Http2ConnectionTest, SettingsHaveToBeAnswered) {
  peer().answer_settings = false;
  client();
  peer().begin();
  wait(seconds(12));
  EXPECT_TRUE(ended);
  ASSERT_FALSE(peer().goaways.empty());
  EXPECT_EQ(peer().goaways.back(), NGHTTP2_SETTINGS_TIMEOUT);
}

TEST_F(Http2ConnectionTest, SettingsMayBeAnsweredBehindMuchContent) {
  peer().answer_settings = false;
  client();
  peer().begin();
  client().send(Peer::headers(1, Peer::request("POST", "/"), false));
  for (int second = 0; second < 30; ++second) {
    client().send(Peer::data(1, "slow", false), seconds(1));
    ASSERT_FALSE(ended) << second;
  }
  client().send(http2::frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""));
  wait(seconds(12));
  EXPECT_FALSE(ended);
}

TEST_F(Http2ConnectionTest, AHeadHasToEnd) {
  client().send(http2::frame(NGHTTP2_HEADERS, 0, 1, http2::hpack(Peer::request("GET", "/"))));
  wait(seconds(29));
  EXPECT_FALSE(ended);
  wait(seconds(3));
  EXPECT_TRUE(ended);
  EXPECT_EQ(connection->ending().reason, "a field section took too long");
}

TEST_F(Http2ConnectionTest, ASlowBodyEndsOnlyItsStream) {
  client().send(Peer::headers(1, Peer::request("POST", "/"), false));
  wait(seconds(61));
  ASSERT_TRUE(handler.seen[0].body_error);
  EXPECT_EQ(handler.seen[0].body_error->kind, ErrorKind::timed_out);
  EXPECT_EQ(handler.seen[0].body_error->side, Side::client);
  EXPECT_FALSE(ended);
}

// --- Drain.

TEST_F(Http2ConnectionTest, DrainLetsRequestsUnderWayEnd) {
  handler.reply.after = seconds(3);
  client().send(Peer::headers(1, Peer::request("GET", "/1"), true));
  connection->drain();
  // What was sent before the GOAWAY came is still served.
  client().send(Peer::headers(3, Peer::request("GET", "/3"), true), milliseconds(1));
  wait(milliseconds(100));
  ASSERT_EQ(peer().goaways.size(), 2U);
  EXPECT_EQ(peer().last_stream, 3U);
  // What comes later is not.
  client().send(Peer::headers(5, Peer::request("GET", "/5"), true));
  wait(seconds(5));
  EXPECT_EQ(peer()[1].content, "/1");
  EXPECT_EQ(peer()[3].content, "/3");
  EXPECT_TRUE(peer()[5].heads.empty());
  EXPECT_TRUE(ended);
  EXPECT_TRUE(peer().closed);
}

TEST_F(Http2ConnectionTest, DrainWithoutAnAnswerToThePing) {
  client().answer_pings = false;
  connection->drain();
  wait(seconds(3));
  EXPECT_TRUE(ended);
  EXPECT_EQ(peer().goaways.size(), 2U);
}

// The GOAWAY names the last stream that is served, also where it has to wait to be written.
TEST_F(Http2ConnectionTest, DrainWhileThePeerReadsNothing) {
  handler.reply.content = std::string(2'000'000, 'x');
  client().reading = false;
  client().send(Peer::headers(1, Peer::request("GET", "/1"), true));
  connection->drain();
  wait(seconds(3));
  client().send(Peer::headers(3, Peer::request("GET", "/3"), true));
  client().reading = true;
  wait(seconds(5));
  ASSERT_EQ(peer().goaways.size(), 2U);
  EXPECT_EQ(peer().last_stream, 1U);
  EXPECT_EQ(handler.seen.size(), 1U);
  EXPECT_EQ(peer()[1].content.size(), 2'000'000U);
  EXPECT_TRUE(peer()[3].heads.empty());
  EXPECT_TRUE(ended);
}

// The final GOAWAY says that it was not looked at, so the client may have sent it elsewhere.
TEST_F(Http2ConnectionTest, WhatComesWithTheAnswerToThePingIsNotServed) {
  handler.reply.after = seconds(3);
  client().answer_pings = false;
  client().send(Peer::headers(1, Peer::request("GET", "/1"), true));
  connection->drain();
  wait(milliseconds(10));
  client().send(http2::frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, std::string(8, '\0')) +
                Peer::headers(3, Peer::request("POST", "/3"), true) +
                Peer::headers(5, Peer::request("POST", "/5"), true));
  EXPECT_EQ(peer().last_stream, 1U);
  EXPECT_EQ(handler.seen.size(), 1U);
  wait(seconds(6));
  EXPECT_EQ(peer()[1].content, "/1");
  EXPECT_TRUE(ended);
}

TEST_F(Http2ConnectionTest, ARequestAfterTheClientsGoawayIsNotServed) {
  const std::string goodbye = http2::frame(NGHTTP2_GOAWAY, 0, 0, std::string(8, '\0'));
  client().send(goodbye, milliseconds(2));
  client().send(Peer::headers(1, Peer::request("GET", "/"), true));
  wait(seconds(2));
  EXPECT_TRUE(ended);
  EXPECT_TRUE(handler.seen.empty());
  EXPECT_EQ(peer().goaways.size(), 1U);
  EXPECT_EQ(peer().last_stream, 0U);
}

TEST_F(Http2ConnectionTest, BeginsLikeHttp2) {
  EXPECT_TRUE(begins_like_http2(""));
  EXPECT_TRUE(begins_like_http2("PRI * HT"));
  EXPECT_TRUE(begins_like_http2(std::string(http2::kPreface) + "more"));
  EXPECT_FALSE(begins_like_http2("PRO"));
  EXPECT_FALSE(begins_like_http2("GET / HTTP/1.1\r\n"));
}

TEST_F(Http2ConnectionTest, ALargeHeadIsSent) {
  const std::string large(50'000, 'x');
  handler.reply.fields = {{"X-Large", large}, {"X-More", large}};
  const Received& got = get("/");
  wait(milliseconds(100));
  EXPECT_EQ(got.field("x-large").size(), large.size());
  EXPECT_EQ(got.field("x-more").size(), large.size());
  EXPECT_EQ(got.content, "/");
  EXPECT_TRUE(got.ended);
}

}  // namespace
}  // namespace penstock

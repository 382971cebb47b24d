#include "upstream/lease.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "upstream/upstream_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kRequestEnd(kHeadEnd);
const std::string kOkText(kOk);
constexpr Framing kChunked{.kind = BodyKind::chunked};

class LeaseTest : public UpstreamTest {};

std::string heads_1xx(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "HTTP/1.1 103 Early Hints\r\n\r\n";
  return text;
}

TEST_F(LeaseTest, PlainExchange) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kRequestEnd, .answer = kOkText}}});
  const Conversation got = get();
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.content, "ok");
  EXPECT_EQ(got.fate, CloseReason::kept);
  EXPECT_TRUE(got.response_started);
  EXPECT_EQ(server.received(0), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(got.bytes_sent, server.received(0).size());
}

TEST_F(LeaseTest, BodyThatComesSlowly) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = "Sum: 6\r\n\r\n", .answer = kOkText}}});
  TimedBody body({{"one"}, {"two", seconds(1)}, {"three", seconds(1)}});
  body.trailer_fields.add(FieldId::other, "Sum", "6");
  Conversation conversation("POST");
  conversation.body = &body;
  conversation.framing = kChunked;
  talk(conversation);
  EXPECT_EQ(conversation.status, 200);
  EXPECT_EQ(conversation.fate, CloseReason::kept);
  EXPECT_EQ(server.received(0),
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\nSum: 6\r\n\r\n");
}

TEST_F(LeaseTest, InformationalResponses) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kRequestEnd,
         .answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" +
                   kOkText}}});
  const Conversation got = get();
  EXPECT_EQ(got.informational, (std::vector<int>{100, 103}));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.fate, CloseReason::kept);
}

TEST_F(LeaseTest, SwitchingProtocolsIsFinal) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kRequestEnd,
         .answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nbytes of x"}}});
  const Conversation got = get();
  EXPECT_EQ(got.status, 101);
  EXPECT_TRUE(got.informational.empty());
  EXPECT_EQ(got.content, "");
  EXPECT_NE(got.fate, CloseReason::kept);  // never for another request
}

TEST_F(LeaseTest, InformationalResponsesAreBounded) {
  for (const int count : {63, 65, 1000}) {
    SCOPED_TRACE(count);
    ScriptedServer server(network, "10.0.0.1:80",
                          {{{.until = kRequestEnd, .answer = heads_1xx(count) + kOkText}}});
    Conversation conversation;
    conversation.fresh = true;
    talk(conversation);
    if (count <= 64) {
      EXPECT_TRUE(conversation.answered);
      EXPECT_EQ(conversation.informational.size(), static_cast<std::size_t>(count));
    } else {
      ASSERT_FALSE(conversation.answered);
      EXPECT_EQ(conversation.answered.error().kind, ErrorKind::limit);
      EXPECT_EQ(conversation.answered.error().side, Side::server);
      EXPECT_LE(conversation.informational.size(), 64U);
      EXPECT_EQ(conversation.fate, CloseReason::refused_message);
    }
  }
}

struct SettleCase {
  const char* name;
  const char* response;
  Then then;
  CloseReason expected;
  const char* method = "GET";
  bool read_body = true;
  Settlement settlement = Settlement::reuse;
};

constexpr SettleCase kSettleCases[] = {
    {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::go_on, CloseReason::kept},
    {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
     Then::go_on, CloseReason::kept},
    {"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n",
     Then::go_on, CloseReason::kept},
    {"no content", "HTTP/1.1 204 No Content\r\n\r\n", Then::go_on, CloseReason::kept},
    {"not modified", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", Then::go_on,
     CloseReason::kept},
    {"head", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", Then::go_on, CloseReason::kept,
     "HEAD"},
    {"empty body not asked for", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Then::go_on,
     CloseReason::kept, "GET", false},
    {"close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", Then::go_on,
     CloseReason::said_close},
    {"close wins", "HTTP/1.1 204 X\r\nConnection: keep-alive, close\r\n\r\n", Then::go_on,
     CloseReason::said_close},
    {"1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::go_on, CloseReason::said_close},
    {"1.0 keep-alive", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok",
     Then::go_on, CloseReason::kept},
    {"until close", "HTTP/1.1 200 OK\r\n\r\nok", Then::close, CloseReason::framed_by_close},
    {"unread", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Then::go_on,
     CloseReason::body_unread, "GET", false},
    {"unread although it is there", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::go_on,
     CloseReason::body_unread, "GET", false},
    {"stray bytes", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
     Then::go_on, CloseReason::stray_bytes},
    {"stray bytes after HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::go_on,
     CloseReason::stray_bytes, "HEAD"},
    {"cut", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Then::close,
     CloseReason::peer_closed},
    {"cut chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Then::close,
     CloseReason::peer_closed},
    {"bad chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", Then::go_on,
     CloseReason::refused_message},
    {"client failed", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Then::go_on,
     CloseReason::other_side_failed, "GET", true, Settlement::close},
    {"no response", "", Then::close, CloseReason::peer_closed},
    {"reset", "", Then::reset, CloseReason::broken},
    {"half a head", "HTTP/1.1 200", Then::close, CloseReason::peer_closed},
    {"malformed head", "HTTP/1.1 2OO\r\n\r\n", Then::go_on, CloseReason::refused_message},
    {"both framings",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok", Then::go_on,
     CloseReason::refused_message},
};

TEST_F(LeaseTest, ReasonsForTheFateOfTheConnection) {
  for (const SettleCase& c : kSettleCases) {
    SCOPED_TRACE(c.name);
    ScriptedServer server(network, "10.0.0.1:80",
                          {{{.until = kRequestEnd, .answer = c.response, .then = c.then}}});
    Conversation conversation(c.method);
    conversation.fresh = true;
    conversation.read_body = c.read_body;
    conversation.settlement = c.settlement;
    talk(conversation);
    EXPECT_EQ(to_string(conversation.fate), to_string(c.expected));
    const bool kept = c.expected == CloseReason::kept;
    EXPECT_EQ(pool.idle_count(), kept ? 1U : 0U);
    world.run_for(settings.targets.idle + seconds(2));
    EXPECT_EQ(world.open_streams(), 0U);
  }
}

TEST_F(LeaseTest, ErrorsOfTheServerAreOfItsSide) {
  struct Case {
    const char* response;
    Then then;
    ErrorKind kind;
    bool started;
  };
  for (const Case& c : {Case{"", Then::close, ErrorKind::closed, false},
                        Case{"", Then::reset, ErrorKind::reset, false},
                        Case{"H", Then::close, ErrorKind::closed, true},
                        Case{"ICY 200 OK\r\n\r\n", Then::go_on, ErrorKind::protocol, true},
                        Case{"HTTP/1.1 99 X\r\n\r\n", Then::go_on, ErrorKind::protocol, true}}) {
    SCOPED_TRACE(c.response);
    ScriptedServer server(network, "10.0.0.1:80",
                          {{{.until = kRequestEnd, .answer = c.response, .then = c.then}}});
    Conversation conversation;
    talk(conversation);
    ASSERT_FALSE(conversation.answered);
    EXPECT_EQ(conversation.answered.error().kind, c.kind);
    EXPECT_EQ(conversation.answered.error().side, Side::server);
    EXPECT_EQ(conversation.response_started, c.started);
    EXPECT_FALSE(conversation.answered.error().retryable);  // bytes of the request were sent
    EXPECT_GT(conversation.bytes_sent, 0U);
  }
}

TEST_F(LeaseTest, SilentServerTimesOut) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kRequestEnd}}});
  const TimePoint start = world.now();
  Conversation conversation;
  talk(conversation);
  ASSERT_FALSE(conversation.answered);
  EXPECT_EQ(conversation.answered.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(conversation.fate, CloseReason::timed_out);
  EXPECT_GE(conversation.answered_at - start, settings.stall);
  EXPECT_LT(conversation.answered_at - start, settings.stall + milliseconds(10));
}

}  // namespace
}  // namespace penstock

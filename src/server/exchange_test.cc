// Responses: how they are framed for the client, and what is added.
#include "server/exchange.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "server/server_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kDateLine(kDate);

class ExchangeTest : public ServerTest {};

TEST_F(ExchangeTest, ExactBytes) {
  EXPECT_EQ(ask("GET /one HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\n" + kDateLine + "Content-Length: 4\r\n\r\n/one");
}

TEST_F(ExchangeTest, DateIsAddedOnlyWhereItIsMissing) {
  handler.reply.fields = {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}};
  const std::string answer = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_NE(answer.find("\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), std::string::npos);
  EXPECT_EQ(answer.find(kDateLine), std::string::npos);
}

struct FramingCase {
  const char* name;
  const char* method;
  const char* version;
  int status;
  Framing framing;
  const char* length_field;  // what the handler's head has itself
  const char* expected;      // from the first field after Date on
};

constexpr Framing kNone{};
constexpr Framing kLength2{.kind = BodyKind::length, .length = 2};
constexpr Framing kChunked{.kind = BodyKind::chunked};
constexpr Framing kUntilClose{.kind = BodyKind::until_close};
constexpr const char* kChunkedOk = "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";

constexpr FramingCase kFramingCases[] = {
    {"length", "GET", "1.1", 200, kLength2, "", "Content-Length: 2\r\n\r\nok"},
    {"chunked", "GET", "1.1", 200, kChunked, "", kChunkedOk},
    {"until close", "GET", "1.1", 200, kUntilClose, "", kChunkedOk},
    {"none", "GET", "1.1", 200, kNone, "", "Content-Length: 0\r\n\r\n"},
    {"wrong length in the head", "GET", "1.1", 200, kLength2, "77", "Content-Length: 2\r\n\r\nok"},
    {"length beside chunks", "GET", "1.1", 200, kChunked, "77", kChunkedOk},
    {"204", "GET", "1.1", 204, kLength2, "2", "\r\n"},
    {"204 without length", "GET", "1.1", 204, kNone, "", "\r\n"},
    {"304", "GET", "1.1", 304, kNone, "77", "Content-Length: 77\r\n\r\n"},
    {"304 chunked", "GET", "1.1", 304, kChunked, "", "\r\n"},
    {"HEAD", "HEAD", "1.1", 200, kNone, "77", "Content-Length: 77\r\n\r\n"},
    {"HEAD of unknown length", "HEAD", "1.1", 200, kChunked, "", "\r\n"},
    {"1.0 length", "GET", "1.0", 200, kLength2, "",
     "Connection: close\r\nContent-Length: 2\r\n\r\nok"},
    {"1.0 chunked", "GET", "1.0", 200, kChunked, "", "Connection: close\r\n\r\nok"},
    {"1.0 until close", "GET", "1.0", 200, kUntilClose, "", "Connection: close\r\n\r\nok"},
    {"1.0 none", "GET", "1.0", 200, kNone, "", "Connection: close\r\nContent-Length: 0\r\n\r\n"},
    {"1.0 HEAD", "HEAD", "1.0", 200, kNone, "77",
     "Connection: close\r\nContent-Length: 77\r\n\r\n"},
    {"1.0 204", "GET", "1.0", 204, kNone, "", "Connection: close\r\n\r\n"},
};

TEST_F(ExchangeTest, FramingForTheClient) {
  for (const FramingCase& c : kFramingCases) {
    SCOPED_TRACE(c.name);
    handler.reply.status = c.status;
    handler.reply.framing = c.framing;
    handler.reply.content = c.framing.has_body() ? "ok" : "";
    handler.reply.fields = {{"Date", "now"}};
    if (*c.length_field != '\0')
      handler.reply.fields.emplace_back("Content-Length", c.length_field);
    const std::string answer =
        ask(std::string(c.method) + " / HTTP/" + c.version + "\r\nHost: a\r\n\r\n");
    const std::string mark = "Date: now\r\n";
    const std::size_t begin = answer.find(mark);
    ASSERT_NE(begin, std::string::npos) << answer;
    EXPECT_EQ(answer.substr(begin + mark.size()), c.expected);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 ")) << answer;  // our version, always
  }
}

TEST_F(ExchangeTest, TrailersGoWhereThereAreChunks) {
  for (const bool old : {false, true}) {
    TimedBody body({{"ok"}});
    body.trailer_fields.add(FieldId::other, "Sum", "7");
    handler.reply.body = &body;
    handler.reply.framing = kChunked;
    const std::string answer =
        ask(std::string("GET / HTTP/1.") + (old ? "0" : "1") + "\r\nHost: a\r\n\r\n");
    const std::string end = old ? "\r\n\r\nok" : "\r\n\r\n2\r\nok\r\n0\r\nSum: 7\r\n\r\n";
    EXPECT_TRUE(answer.ends_with(end)) << answer;
  }
}

TEST_F(ExchangeTest, InformationalResponsesAreNotForHttp10) {
  handler.reply.inform = {100, 103};
  const std::string new_one = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(
      new_one.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
                          "HTTP/1.1 200 OK\r\n"))
      << new_one;
  const std::string old_one = ask("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(old_one.starts_with("HTTP/1.1 200 OK\r\n")) << old_one;
  EXPECT_EQ(old_one.find("100"), std::string::npos);
}

// Breaks off an informational response, so that some of it is on its way.
class Interrupter final : public Handler {
 public:
  Task<void> handle(Exchange& exchange) override {
    ResponseHead head;
    head.status = 103;
    head.fields.add(FieldId::other, "Large", head.fields.keep(std::string(200'000, 'x')));
    Scope scope((co_await this_context()).executor());
    scope.spawn(inform(exchange, head));
    co_await yield_turn();
    scope.cancel();
    co_await scope.join();
    begun = exchange.response_begun();
  }
  bool begun = false;

 private:
  static Task<void> inform(Exchange& exchange, ResponseHead& head) {
    static_cast<void>(co_await exchange.inform(head));
  }
};

TEST_F(ExchangeTest, AnInformationalResponseThatIsCutIsTheLast) {
  Interrupter interrupter;
  other = &interrupter;
  const auto client = connect();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", seconds(2));
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 103 ")) << client->received.size();
  EXPECT_LT(client->received.size(), 200'000U);
  EXPECT_TRUE(interrupter.begun);
  EXPECT_TRUE(client->ended);
}

// The client has to see that a body was cut, whatever its framing.
TEST_F(ExchangeTest, BodyThatFailsIsSeenToBeCut) {
  const Error cut{.kind = ErrorKind::closed, .side = Side::server};
  struct Case {
    const char* name;
    const char* version;
    Framing framing;
    const char* end;
    bool reset;
  };
  for (const Case& c :
       {Case{"length", "1", {.kind = BodyKind::length, .length = 100}, "part", false},
        Case{"chunked", "1", kChunked, "4\r\npart\r\n", false},
        Case{"until close", "0", kUntilClose, "part", true}}) {
    SCOPED_TRACE(c.name);
    TimedBody body({{"part"}, {.after = seconds(1), .error = cut}});
    handler.reply.body = &body;
    handler.reply.framing = c.framing;
    const auto client = connect();
    client->send(std::string("GET / HTTP/1.") + c.version + "\r\nHost: a\r\n\r\n", seconds(2));
    EXPECT_TRUE(client->received.ends_with(c.end)) << client->received;
    ASSERT_TRUE(client->ended);
    EXPECT_EQ(client->closed(), !c.reset);
    EXPECT_EQ(handler.seen.back().sent.error().side, Side::server);
  }
}

TEST_F(ExchangeTest, ClientThatTakesNothing) {
  network.set_faults({.min_buffer = 1024, .max_buffer = 1024});
  handler.reply.content = std::string(64 * 1024, 'x');
  server();
  world.script(Address::parse(listener.addresses.front()).value(), {.down = {.stall_after = 2000}});
  const auto client = connect();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", settings.stall + seconds(1));
  ASSERT_EQ(handler.seen.size(), 1U);
  EXPECT_EQ(handler.seen[0].sent.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(handler.seen[0].sent.error().side, Side::client);
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ExchangeTest, BodyOfTheRequest) {
  struct Case {
    const char* body;
    std::string content;
  };
  for (const Case& c :
       {Case{"Content-Length: 5\r\n\r\nhello", "hello"}, Case{"Content-Length: 0\r\n\r\n", ""},
        Case{"\r\n", ""},
        Case{"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n", "hello"}}) {
    ask("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(c.body));
    EXPECT_EQ(handler.seen.back().content, c.content);
    EXPECT_FALSE(handler.seen.back().body_error);
  }
}

TEST_F(ExchangeTest, BodyThatIsCutOrStallsOrIsMalformed) {
  struct Case {
    const char* name;
    const char* body;
    bool end;
    ErrorKind kind;
  };
  for (const Case& c :
       {Case{"cut", "Content-Length: 5\r\n\r\nhel", true, ErrorKind::closed},
        Case{"cut chunks", "Transfer-Encoding: chunked\r\n\r\n2\r\nhe", true, ErrorKind::closed},
        Case{"stalls", "Content-Length: 5\r\n\r\nhel", false, ErrorKind::timed_out},
        Case{"malformed", "Transfer-Encoding: chunked\r\n\r\nno\r\n", false,
             ErrorKind::protocol}}) {
    SCOPED_TRACE(c.name);
    const auto client = connect();
    client->send("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(c.body));
    if (c.end) client->end();
    wait(settings.stall + seconds(1));
    const TestHandler::Seen& seen = handler.seen.back();
    ASSERT_TRUE(seen.body_error);
    EXPECT_EQ(seen.body_error->kind, c.kind);
    EXPECT_EQ(seen.body_error->side, Side::client);
    // It can still be told so.
    EXPECT_TRUE(seen.sent);
    EXPECT_TRUE(client->received.starts_with("HTTP/1.1 200 OK")) << client->received;
    EXPECT_NE(client->received.find("\r\nConnection: close\r\n"), std::string::npos);
  }
}

}  // namespace
}  // namespace penstock

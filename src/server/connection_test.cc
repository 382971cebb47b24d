#include "server/connection.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "server/server_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class ConnectionTest : public ServerTest {};

TEST_F(ConnectionTest, IdleOnesAreClosedInTime) {
  const auto client = connect();
  client->send(kGet);
  const TimePoint start = world.now();
  wait(settings.client_idle - seconds(1));
  EXPECT_FALSE(client->ended);
  wait(seconds(2));
  EXPECT_TRUE(client->closed());
  EXPECT_LE(client->ended_at - start, settings.client_idle + milliseconds(2));
  EXPECT_EQ(handler.seen.size(), 1U);  // nobody is told
}

TEST_F(ConnectionTest, HeadThatTakesTooLong) {
  const auto client = connect();
  client->send("GET / HT");
  // Each byte anew is no way to hold a connection: the time counts from the first one.
  for (int i = 0; i < 29; ++i) client->send(i == 0 ? "TP/1.1\r\nX: " : "x", seconds(1));
  EXPECT_TRUE(handler.seen.empty());
  wait(seconds(2));
  ASSERT_EQ(handler.seen.size(), 1U);
  ASSERT_TRUE(handler.seen[0].problem);
  EXPECT_EQ(handler.seen[0].problem->kind, ErrorKind::timed_out);
  EXPECT_EQ(handler.seen[0].problem->side, Side::client);
  EXPECT_NE(client->received.find("\r\nConnection: close\r\n"), std::string::npos);
}

TEST_F(ConnectionTest, ClientsThatGoWithoutARequest) {
  for (const char* said : {"", "\r\n", "GET / HTTP/1.1\r\nHost:"}) {
    const auto client = connect();
    if (*said != '\0') client->send(said);
    client->end();
    wait(milliseconds(10));
    EXPECT_TRUE(client->closed());
    EXPECT_EQ(client->received, "");
  }
  EXPECT_TRUE(handler.seen.empty());
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ConnectionTest, RefusedHeads) {
  settings.request_head = {.head = 1000, .start_line = 200, .fields = 5};
  struct Case {
    std::string request;
    Refusal refusal;
  };
  std::string many;
  for (int i = 0; i < 6; ++i) many += "A: b\r\n";
  for (const Case& c : {
           Case{"\x16\x03\x01", Refusal::control_byte},
           Case{"GET /\r\n\r\n", Refusal::request_line_malformed},
           Case{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refusal::version_not_supported},
           Case{"GET / HTTP/1.1\r\n\r\n", Refusal::host_missing},
           Case{"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", Refusal::host_repeated},
           Case{"GET /" + std::string(300, 'x'), Refusal::start_line_too_long},
           Case{"GET / HTTP/1.1\r\nA: " + std::string(1000, 'x'), Refusal::head_too_large},
           Case{"GET / HTTP/1.1\r\nHost: a\r\n" + many + "\r\n", Refusal::too_many_fields},
           Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
                Refusal::content_length_invalid},
           Case{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
                "chunked\r\n\r\n",
                Refusal::content_length_with_transfer_encoding},
       }) {
    SCOPED_TRACE(c.request.substr(0, 60));
    const auto client = connect();
    client->send(c.request + kGet, seconds(1));
    ASSERT_TRUE(handler.seen.back().problem);
    EXPECT_EQ(handler.seen.back().problem->kind, ErrorKind::protocol);
    EXPECT_EQ(handler.seen.back().problem->cause, static_cast<int>(c.refusal));
    EXPECT_EQ(handler.seen.back().problem->side, Side::client);
    // Answered once; what follows is not looked at.
    EXPECT_TRUE(client->received.starts_with("HTTP/1.1 400 ")) << client->received;
    EXPECT_NE(client->received.find("\r\nConnection: close\r\n"), std::string::npos);
    EXPECT_EQ(client->received.find("HTTP/1.1", 9), std::string::npos);
    handler.seen.resize(1);
  }
}

// A plain close would throw away what the client has not read yet.
TEST_F(ConnectionTest, LingeringClose) {
  const auto client = connect();
  client->send("bad\r\n\r\n");
  EXPECT_TRUE(client->closed());  // our direction has ended
  EXPECT_EQ(server().connections(), 1U);
  for (int i = 0; i < 3; ++i) client->send("more of it", seconds(1));
  EXPECT_EQ(server().connections(), 1U);  // still taken in
  client->end();
  wait(milliseconds(10));
  EXPECT_EQ(server().connections(), 0U);
}

Task<void> run_connection(ClientConnection& connection, bool& ended) {
  co_await connection.run();
  ended = true;
}
Task<void> send_request(ByteStream& stream) {
  static_cast<void>(co_await send_text(stream, "GET / HTTP/1.0\r\n\r\n"));
}

// Which takes its time where the client is slow to read.
TEST_F(ConnectionTest, AResponseThatEndsWithTheConnectionEndsInOrderInsideTls) {
  handler.reply.framing = Framing{.kind = BodyKind::chunked};
  for (const bool secure : {false, true}) {
    StreamPair pair = make_stream_pair(world);
    ClientInfo info{.listener = &listener};
    const ConnectionFacts facts{.tls = TlsClientFacts{}, .sender = {}};
    if (secure) info.facts = std::make_shared<ConnectionFacts>(facts);
    const bool draining = false;
    bool ended = false;
    Scope scope(world.executor());
    ClientConnection connection(std::move(pair.accepting), {}, info, settings, draining, handler);
    scope.spawn(run_connection(connection, ended));
    scope.spawn(send_request(*pair.connecting));
    wait(seconds(1));
    EXPECT_EQ(handler.seen.size(), secure ? 2U : 1U);
    EXPECT_EQ(ended, !secure);
    pair.connecting->shutdown_write();
    wait(seconds(1));
    EXPECT_TRUE(ended);
  }
}

TEST_F(ConnectionTest, LingeringIsBoundedInTime) {
  const auto silent = connect();
  silent->send("bad\r\n\r\n");
  EXPECT_EQ(server().connections(), 1U);
  wait(seconds(31));
  EXPECT_EQ(server().connections(), 0U);

  const auto chatty = connect();
  chatty->send("bad\r\n\r\n");
  for (int i = 0; i < 31; ++i) chatty->send("x", seconds(1));
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ConnectionTest, LingeringIsBoundedInBytes) {
  const auto client = connect();
  client->send("bad\r\n\r\n");
  for (int i = 0; i < 5; ++i) client->send(std::string(1024 * 1024, 'x'), milliseconds(100));
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ConnectionTest, UnreadBytesDoNotCutTheResponse) {
  handler.reply.read_body = false;
  handler.reply.content = std::string(32 * 1024, 'y');
  const auto client = connect();
  client->send(
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n" + std::string(60 * 1024, 'x'),
      seconds(1));
  EXPECT_TRUE(client->received.ends_with("yyyy"));
  EXPECT_GT(client->received.size(), 32U * 1024);
  EXPECT_TRUE(client->closed());
}

TEST_F(ConnectionTest, ClientThatBreaksCancelsTheHandler) {
  handler.reply.after = seconds(100);
  const auto client = connect();
  client->send(kGet);
  ASSERT_EQ(handler.seen.size(), 1U);
  client->reset();
  wait(milliseconds(10));
  EXPECT_FALSE(handler.seen[0].slept);
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(ConnectionTest, ClientThatOnlyEndsItsDirectionGetsItsResponse) {
  handler.reply.after = seconds(1);
  const auto client = connect();
  client->send(kGet);
  client->end();
  wait(seconds(2));
  EXPECT_TRUE(handler.seen[0].slept);
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 200 OK"));
  EXPECT_TRUE(client->closed());
}

// A worker whose buffers are used up takes no new request.
TEST_F(ConnectionTest, Overloaded) {
  const auto client = connect();
  settings.buffer_bytes = 0;
  client->send(kGet);
  ASSERT_EQ(handler.seen.size(), 1U);
  ASSERT_TRUE(handler.seen[0].problem);
  EXPECT_EQ(handler.seen[0].problem->kind, ErrorKind::overloaded);
  EXPECT_EQ(handler.seen[0].target, "");
  EXPECT_NE(client->received.find("\r\nConnection: close\r\n"), std::string::npos);
}

TEST_F(ConnectionTest, HandlerThatDoesNotAnswerClosesTheConnection) {
  class Silent final : public Handler {
   public:
    Task<void> handle(Exchange& /*exchange*/) override { co_return; }
  } silent;
  Server quiet(world.executor(), settings, share, Handlers{.http = &silent});
  const auto accepting = network.listen(Address::parse("192.0.2.1:81").value(), quiet);
  TestClient client(network, accepting->local_address());
  client.send(kGet);
  EXPECT_TRUE(client.ended);
  EXPECT_EQ(client.received, "");
  EXPECT_EQ(quiet.connections(), 0U);
}

}  // namespace
}  // namespace penstock

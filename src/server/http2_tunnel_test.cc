// CONNECT and extended CONNECT on streams of HTTP/2.
#include <chrono>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "message/websocket.h"
#include "server/http2_test.h"

namespace penstock {
namespace {

using http2::Received;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Opens a tunnel and sends back what comes, in brackets.
class EchoHandler final : public Handler {
 public:
  bool good_accept = true;
  bool abort = false;
  std::string upgrade = {};
  RequestHead request;
  std::optional<Error> open_error;
  std::optional<Result<void>> ended;

  Task<void> handle(Exchange& exchange) override {
    request.method = exchange.request().method;
    method = std::string(exchange.request().method_text);
    target = std::string(exchange.request().target_text);
    FieldSection& fields = exchange.request().fields;
    connection_field = std::string(fields.value(FieldId::connection));
    upgrade_field = std::string(fields.value(FieldId::upgrade));
    has_body = exchange.body_framing().has_body();
    ResponseHead head;
    head.status = upgrade.empty() ? 200 : 101;
    if (!upgrade.empty()) {
      const Field* const key = fields.find(kWebSocketKeyField);
      const WebSocketAccept accept =
          websocket_accept(good_accept && key != nullptr ? key->value : "wrong");
      head.fields.add(FieldId::other, kWebSocketAcceptField,
                      head.fields.keep({accept.data(), accept.size()}));
      head.fields.add(FieldId::other, "Sec-WebSocket-Protocol", "chat");
    }
    const auto opened = co_await exchange.open_tunnel(head, upgrade);
    if (!opened) {
      open_error = opened.error();
      co_return co_await answer_badly(exchange);
    }
    ended = co_await echo(exchange);
  }

  std::string method;
  std::string target;
  std::string connection_field;
  std::string upgrade_field;
  bool has_body = true;

 private:
  static Task<void> answer_badly(Exchange& exchange) {
    ResponseHead head;
    head.status = 502;
    TextBody body("bad");
    static_cast<void>(
        co_await exchange.respond(head, body, {.kind = BodyKind::length, .length = 3}));
  }
  Task<Result<void>> echo(Exchange& exchange) {
    ByteStream& stream = exchange.tunnel_stream();
    InputBuffer& input = exchange.tunnel_input();
    Executor& executor = (co_await this_context()).executor();
    while (true) {
      const auto got =
          co_await read_some(stream, input, deadline_after(executor.now(), seconds(30)));
      if (!got) co_return fail(got.error());
      if (*got == 0) break;
      const std::string text = "[" + std::string(input.unread()) + "]";
      input.consume(input.size());
      iovec part = to_iovec(text);
      const auto put = co_await write_all(stream, {&part, 1}, executor.now(), seconds(30));
      if (!put) co_return fail(put.error());
      if (abort) {
        stream.set_abortive();
        co_return Result<void>{};
      }
    }
    stream.shutdown_write();
    co_return Result<void>{};
  }
};

class Http2TunnelTest : public Http2Test {
 protected:
  Handler& used_handler() override { return echo; }
  Received& connect() {
    return ask({{":method", "CONNECT"}, {":authority", "example.com:443"}}, false);
  }
  Received& websocket() {
    echo.upgrade = "websocket";
    return ask({{":method", "CONNECT"},
                {":protocol", "websocket"},
                {":scheme", "https"},
                {":path", "/chat"},
                {":authority", "example.com"},
                {"sec-websocket-version", "13"}},
               false);
  }

  EchoHandler echo;
};

TEST_F(Http2TunnelTest, Connect) {
  const Received& got = connect();
  EXPECT_EQ(got.status(), "200");
  EXPECT_EQ(got.field("content-length"), "");
  EXPECT_EQ(echo.method, "CONNECT");
  EXPECT_EQ(echo.target, "example.com:443");
  EXPECT_FALSE(echo.has_body);
  client().send(Peer::data(1, "hello", false));
  EXPECT_EQ(got.content, "[hello]");
  EXPECT_FALSE(got.ended);
  client().send(Peer::data(1, "", true));
  EXPECT_TRUE(got.ended);
  EXPECT_FALSE(got.reset);
  ASSERT_TRUE(echo.ended);
  EXPECT_TRUE(*echo.ended);
}

TEST_F(Http2TunnelTest, ManyBytes) {
  const Received& got = connect();
  std::string all;
  for (int i = 0; i < 100; ++i) {
    client().send(Peer::data(1, std::string(10'000, static_cast<char>('a' + i % 26)), i == 99),
                  milliseconds(5));
  }
  wait(seconds(1));
  EXPECT_TRUE(got.ended);
  std::size_t bytes = 0;
  for (const char c : got.content) bytes += c == '[' || c == ']' ? 0U : 1U;
  EXPECT_EQ(bytes, 1'000'000U);
}

TEST_F(Http2TunnelTest, TheClientResets) {
  connect();
  client().send(Peer::reset_frame(1, NGHTTP2_CANCEL));
  ASSERT_TRUE(echo.ended);
  EXPECT_FALSE(*echo.ended);
}

TEST_F(Http2TunnelTest, TheOtherSideBreaks) {
  echo.abort = true;
  const Received& got = connect();
  client().send(Peer::data(1, "x", false));
  ASSERT_TRUE(got.reset);
  EXPECT_EQ(*got.reset, NGHTTP2_CONNECT_ERROR);
}

TEST_F(Http2TunnelTest, SilenceTimesOut) {
  connect();
  wait(seconds(31));
  ASSERT_TRUE(echo.ended);
  EXPECT_EQ(echo.ended->error().kind, ErrorKind::timed_out);
}

TEST_F(Http2TunnelTest, WebSocket) {
  const Received& got = websocket();
  EXPECT_EQ(echo.method, "GET");
  EXPECT_EQ(echo.target, "/chat");
  EXPECT_EQ(echo.connection_field, "Upgrade");
  EXPECT_EQ(echo.upgrade_field, "websocket");
  EXPECT_EQ(got.status(), "200");
  EXPECT_EQ(got.field("sec-websocket-accept"), "");
  EXPECT_EQ(got.field("sec-websocket-protocol"), "chat");
  client().send(Peer::data(1, "frame", false));
  EXPECT_EQ(got.content, "[frame]");
  client().send(Peer::data(1, "", true));
  EXPECT_TRUE(got.ended);
}

TEST_F(Http2TunnelTest, AWrongAcceptIsNotOurServers) {
  echo.good_accept = false;
  const Received& got = websocket();
  EXPECT_EQ(got.status(), "502");
  EXPECT_TRUE(got.ended);
  ASSERT_TRUE(echo.open_error);
  EXPECT_EQ(echo.open_error->side, Side::server);
}

}  // namespace
}  // namespace penstock

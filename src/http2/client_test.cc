// Connections in the client role, against a server made of frames.
#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "http2/connection.h"
#include "http2/raw_peer_test.h"
#include "message/text_body.h"
#include "message/timed_body_test.h"
#include "sim/stream.h"

namespace penstock::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Http2Client : public testing::Test, public ConnectionUser {
 protected:
  Http2Client() {
    settings.role = Role::client;
    StreamPair pair = make_stream_pair(world);
    stream_ = std::move(pair.connecting);
    peer = std::make_unique<RawPeer>(world, std::move(pair.accepting), Role::server);
  }
  ~Http2Client() override {
    stream.reset();
    peer->close();
    wait(seconds(3));
    scope_.cancel();
    wait({});
    connection.reset();
    stream_.reset();
  }
  void on_request(std::unique_ptr<Stream> /*stream*/) override { ADD_FAILURE(); }
  void on_change() override { ++changes; }

  void start() {
    connection = std::make_unique<Connection>(*stream_, input_, settings, world.executor(), *this);
    scope_.spawn(run(*this));
    peer->begin();
  }
  // A request on a new stream, without a body.
  void ask(Method method = Method::get) {
    if (!connection) start();
    RequestHead head = make_head(method);
    stream = connection->open();
    ASSERT_TRUE(stream->send_request(head, {}, true));
    wait(milliseconds(10));
  }
  static RequestHead make_head(Method method) {
    RequestHead head;
    head.method = method;
    head.method_text = to_string(method);
    head.target.path_and_query = "/path";
    head.version = Version::http11;
    head.fields.add(FieldId::host, "example.com");
    head.fields.add(FieldId::connection, "te");
    head.fields.add(FieldId::te, "trailers");
    head.fields.add(FieldId::other, "X-Own", "1");
    return head;
  }
  // The response's head, if it comes within a second.
  Result<void> receive(ResponseHead& head) {
    result_.reset();
    scope_.spawn(receive_head(*this, head));
    wait(seconds(2));
    return result_.value_or(fail(ErrorKind::io));
  }
  struct Content {
    std::string text;
    Result<void> ended;
  };
  Content content() {
    Content got{.text = {}, .ended = fail(ErrorKind::io)};
    scope_.spawn(receive_content(*stream, got));
    wait(seconds(70));
    return got;
  }
  void wait(Duration time) { world.run_for(time); }

  SimWorld world{1};
  ConnectionSettings settings;
  std::unique_ptr<RawPeer> peer;
  std::unique_ptr<Connection> connection;
  std::unique_ptr<Stream> stream;
  std::optional<Result<void>> ended;
  int changes = 0;
  Result<void> sent = fail(ErrorKind::io);

  static Task<void> send(Http2Client& self, BodySource& body, Framing framing) {
    self.sent = co_await self.stream->send_body(body, framing);
  }
  static Task<void> answer(ByteStream& stream, std::string& got) {
    static_cast<void>(co_await receive_size(stream, got, 5));
    static_cast<void>(co_await send_text(stream, "world"));
    stream.shutdown_write();
  }
  Scope& scope() { return scope_; }

 private:
  static Task<void> run(Http2Client& self) { self.ended = co_await self.connection->run(); }
  static Task<void> receive_head(Http2Client& self, ResponseHead& head) {
    const TimePoint deadline = self.world.now() + seconds(1);
    self.result_ = co_await self.stream->receive_response(head, deadline);
  }
  static Task<void> receive_content(Stream& stream, Content& got) {
    while (!stream.at_end()) {
      const auto slice = co_await stream.next();
      if (!slice) {
        got.ended = fail(slice.error());
        co_return;
      }
      got.text += slice->view();
    }
    got.ended = {};
  }

  Scope scope_{world.executor()};
  InputBuffer input_;
  std::unique_ptr<ByteStream> stream_;
  std::optional<Result<void>> result_;
};

std::string response(std::int32_t id, const Lines& lines, bool end) {
  return RawPeer::headers(id, lines, end);
}

TEST_F(Http2Client, SendsARequest) {
  ask();
  const Received& got = (*peer)[1];
  EXPECT_EQ(got.heads.at(0), (Lines{{":method", "GET"},
                                    {":scheme", "https"},
                                    {":authority", "example.com"},
                                    {":path", "/path"},
                                    {"te", "trailers"},
                                    {"x-own", "1"}}));
  EXPECT_TRUE(got.ended);
  EXPECT_EQ(peer->settings[NGHTTP2_SETTINGS_ENABLE_PUSH], 0U);
}

TEST_F(Http2Client, ReceivesResponses) {
  ask();
  peer->send(response(1, {{":status", "103"}, {"link", "x"}}, false) +
             response(1, {{":status", "200"}, {"content-length", "6"}}, false) +
             RawPeer::data(1, "abc", false) + RawPeer::data(1, "def", false) +
             response(1, {{"x-sum", "1"}}, true));
  ResponseHead early;
  ASSERT_TRUE(receive(early));
  EXPECT_EQ(early.status, 103);
  ResponseHead head;
  ASSERT_TRUE(receive(head));
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.reason, "OK");
  EXPECT_EQ(stream->framing(), (Framing{BodyKind::length, 6}));
  EXPECT_EQ(stream->remaining(), 6U);
  const Content got = content();
  EXPECT_EQ(got.text, "abcdef");
  EXPECT_TRUE(got.ended);
  ASSERT_NE(stream->trailers(), nullptr);
  EXPECT_EQ(stream->trailers()->find("x-sum")->value, "1");
}

TEST_F(Http2Client, HeadHasALengthAndNoContent) {
  ask(Method::head);
  peer->send(response(1, {{":status", "200"}, {"content-length", "6"}}, true));
  ResponseHead head;
  ASSERT_TRUE(receive(head));
  EXPECT_EQ(stream->framing(), Framing{});
  EXPECT_TRUE(stream->at_end());
}

TEST_F(Http2Client, SendsABodyWithTrailers) {
  start();
  RequestHead head = make_head(Method::post);
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(head, {}, false));
  TimedBody body({{.text = "abc"}, {.text = "def", .after = milliseconds(5)}});
  body.trailer_fields.add(FieldId::other, "X-Sum", "1");
  scope().spawn(send(*this, body, {.kind = BodyKind::chunked}));
  wait(seconds(1));
  EXPECT_TRUE(sent);
  EXPECT_EQ((*peer)[1].content, "abcdef");
  EXPECT_EQ((*peer)[1].heads.at(1), (Lines{{"x-sum", "1"}}));
  EXPECT_TRUE((*peer)[1].ended);
}

TEST_F(Http2Client, AResponseBeforeTheRequestIsSent) {
  start();
  RequestHead head = make_head(Method::post);
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(head, {}, false));
  TimedBody body({{.text = "abc"}, {.text = "def", .after = seconds(5)}});
  scope().spawn(send(*this, body, {.kind = BodyKind::chunked}));
  wait(milliseconds(10));
  peer->send(response(1, {{":status", "413"}}, false) + RawPeer::data(1, "no", true) +
             RawPeer::reset_frame(1, NGHTTP2_NO_ERROR));
  wait(seconds(10));
  EXPECT_FALSE(sent);
  ResponseHead got;
  ASSERT_TRUE(receive(got));
  EXPECT_EQ(got.status, 413);
  const Content received = content();
  EXPECT_EQ(received.text, "no");
  EXPECT_TRUE(received.ended);
}

TEST_F(Http2Client, RefusedStreamsCanBeTriedAgain) {
  ask();
  peer->send(RawPeer::reset_frame(1, NGHTTP2_REFUSED_STREAM));
  ResponseHead head;
  const auto got = receive(head);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::reset);
  EXPECT_EQ(got.error().side, Side::server);
  EXPECT_TRUE(got.error().retryable);
  EXPECT_EQ(stream->reset_code(), ErrorCode::refused_stream);
}

TEST_F(Http2Client, OtherResetsCanNot) {
  ask();
  peer->send(response(1, {{":status", "200"}}, false) + RawPeer::data(1, "abc", false) +
             RawPeer::reset_frame(1, NGHTTP2_INTERNAL_ERROR));
  ResponseHead head;
  ASSERT_TRUE(receive(head));
  const Content got = content();
  EXPECT_EQ(got.text, "abc");
  ASSERT_FALSE(got.ended);
  EXPECT_EQ(got.ended.error().kind, ErrorKind::reset);
  EXPECT_FALSE(got.ended.error().retryable);
}

TEST_F(Http2Client, GoawayNamesWhatWasNotLookedAt) {
  ask();
  std::unique_ptr<Stream> first = std::move(stream);
  ask();
  peer->send(frame(NGHTTP2_GOAWAY, 0, 0, big_endian(1, 4) + big_endian(NGHTTP2_NO_ERROR, 4)));
  EXPECT_EQ(connection->room(), 0U);
  ResponseHead head;
  const auto second = receive(head);
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().retryable);
  // The other one goes on, and then the connection ends.
  peer->send(response(1, {{":status", "204"}}, true));
  stream = std::move(first);
  ResponseHead other;
  EXPECT_TRUE(receive(other));
  ASSERT_TRUE(ended);
  EXPECT_TRUE(*ended);
}

TEST_F(Http2Client, TheEndOfTheConnectionBreaksStreams) {
  ask();
  peer->close();
  ResponseHead head;
  const auto got = receive(head);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().side, Side::server);
  ASSERT_TRUE(ended);
  EXPECT_FALSE(*ended);
}

TEST_F(Http2Client, MalformedResponses) {
  start();
  const std::vector<std::string> wrong = {
      response(1, {{":status", "101"}}, false),
      response(1, {{":status", "2000"}}, true),
      response(1, {{"x", "y"}}, true),
      response(1, {{":status", "103"}}, true),
      response(1, {{":status", "200"}, {"transfer-encoding", "chunked"}}, true),
      response(1, {{":status", "200"}, {"content-length", "5"}}, true),
      response(1, {{":status", "200"}, {"content-length", "5, 6"}}, true),
      response(1, {{":status", "103"}}, false) + RawPeer::data(1, "x", true),
  };
  std::int32_t id = 1;
  for (const std::string& text : wrong) {
    ask();
    ASSERT_EQ(stream->id(), id);
    std::string bytes = text;
    for (std::size_t at = 0; at < bytes.size();
         at += 9 + number_at(std::string(1, '\0') + bytes.substr(at, 3))) {
      bytes.replace(at + 5, 4, big_endian(static_cast<std::uint32_t>(id), 4));
    }
    peer->send(bytes);
    ResponseHead head;
    auto got = receive(head);
    if (got && head.status == 103) got = receive(head);
    ASSERT_FALSE(got) << id;
    EXPECT_EQ(got.error().kind, ErrorKind::protocol) << id;
    // What is over on both sides can't be reset.
    const bool over = (text[4] & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!over) EXPECT_EQ((*peer)[id].reset, NGHTTP2_PROTOCOL_ERROR) << id;
    id += 2;
  }
}

TEST_F(Http2Client, ContentOfAnotherLength) {
  ask();
  peer->send(response(1, {{":status", "200"}, {"content-length", "5"}}, false) +
             RawPeer::data(1, "abc", true));
  ResponseHead head;
  ASSERT_TRUE(receive(head));
  EXPECT_EQ(content().ended.error().kind, ErrorKind::protocol);
  ask();
  peer->send(response(3, {{":status", "200"}, {"content-length", "5"}}, false));
  ASSERT_TRUE(receive(head));
  peer->send(RawPeer::data(3, "abc", true));
  const Content got = content();
  ASSERT_FALSE(got.ended);
  EXPECT_EQ(got.ended.error().kind, ErrorKind::protocol);
  EXPECT_EQ(got.ended.error().cause, static_cast<int>(Refusal::content_length_mismatch));
}

TEST_F(Http2Client, SlowStreamsHoldBackNoOther) {
  settings.http2.stream_window = 65536;
  settings.http2.connection_window = 65536;
  start();
  // Ten streams that nobody reads from.
  std::vector<std::unique_ptr<Stream>> slow;
  const std::string piece(16384, 'x');
  for (std::int32_t i = 0; i < 10; ++i) {
    ask();
    slow.push_back(std::move(stream));
    peer->send(response(1 + 2 * i, {{":status", "200"}}, false));
    for (int k = 0; k < 4; ++k) peer->send(RawPeer::data(1 + 2 * i, piece, false));
  }
  EXPECT_GE(131072 + peer->windows[0], 10U * 65536);
  ask();
  peer->send(response(21, {{":status", "200"}}, false) + RawPeer::data(21, "abc", true));
  ResponseHead head;
  ASSERT_TRUE(receive(head));
  EXPECT_EQ(content().text, "abc");
  EXPECT_EQ(slow.front()->received(), 65536U);
}

TEST_F(Http2Client, SilenceTimesOut) {
  ask();
  peer->send(response(1, {{":status", "200"}}, false));
  ResponseHead head;
  ASSERT_TRUE(receive(head));
  const Content got = content();
  ASSERT_FALSE(got.ended);
  EXPECT_EQ(got.ended.error().kind, ErrorKind::timed_out);
  stream.reset();
  wait(milliseconds(10));
  EXPECT_EQ((*peer)[1].reset, NGHTTP2_CANCEL);
}

TEST_F(Http2Client, RoomIsWhatThePeerAllows) {
  start();
  EXPECT_EQ(connection->room(), 100U);
  peer->send(frame(NGHTTP2_SETTINGS, 0, 0,
                   big_endian(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2) + big_endian(2, 4)));
  EXPECT_EQ(connection->room(), 2U);
  EXPECT_GT(changes, 0);
  ask();
  EXPECT_EQ(connection->room(), 1U);
  std::unique_ptr<Stream> unused = connection->open();
  EXPECT_EQ(connection->room(), 0U);
  unused.reset();
  EXPECT_EQ(connection->room(), 1U);
  peer->send(response(1, {{":status", "204"}}, true));
  EXPECT_EQ(connection->room(), 2U);
}

// A GOAWAY that came before the request would be the end of the connection for the server.
TEST_F(Http2Client, ShutDownEndsAfterTheLastStream) {
  start();
  wait(seconds(1));
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(make_head(Method::get), {}, true));
  connection->shut_down();
  wait(seconds(1));
  EXPECT_EQ((*peer)[1].heads.size(), 1U);
  EXPECT_TRUE(peer->goaways.empty());
  EXPECT_FALSE(ended);
  peer->send(response(1, {{":status", "204"}}, true));
  wait(seconds(2));
  EXPECT_EQ(peer->goaways.size(), 1U);
  ASSERT_TRUE(ended);
  EXPECT_TRUE(*ended);
}

TEST_F(Http2Client, AStreamMayOutliveItsConnection) {
  ask();
  peer->close();
  wait(seconds(2));
  ASSERT_TRUE(ended);
  connection.reset();
  EXPECT_FALSE(stream->send_request(make_head(Method::get), {}, true));
  ResponseHead head;
  EXPECT_FALSE(receive(head));
}

TEST_F(Http2Client, TunnelByExtendedConnect) {
  start();
  peer->send(frame(NGHTTP2_SETTINGS, 0, 0,
                   big_endian(NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 2) + big_endian(1, 4)));
  EXPECT_TRUE(connection->peer_takes_extended_connect());
  RequestHead head = make_head(Method::get);
  head.fields.add(FieldId::upgrade, "websocket");
  head.fields.add(FieldId::other, "Sec-WebSocket-Key", "x");
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(head, {.protocol = "websocket"}, false));
  wait(milliseconds(10));
  EXPECT_EQ((*peer)[1].field(":method"), "CONNECT");
  EXPECT_EQ((*peer)[1].field(":protocol"), "websocket");
  EXPECT_EQ((*peer)[1].field("sec-websocket-key"), "");
  EXPECT_EQ((*peer)[1].field("upgrade"), "");
  peer->send(response(1, {{":status", "200"}}, false) + RawPeer::data(1, "hello", false));
  ResponseHead got;
  ASSERT_TRUE(receive(got));
  ByteStream& bytes = stream->bytes();
  EXPECT_TRUE(bytes.has_pending_input());
  std::string text;
  scope().spawn(answer(bytes, text));
  wait(seconds(1));
  EXPECT_EQ(text, "hello");
  EXPECT_EQ((*peer)[1].content, "world");
  EXPECT_TRUE((*peer)[1].ended);
}

TEST_F(Http2Client, APathThatLacksItsSlashGetsIt) {
  start();
  RequestHead head = make_head(Method::get);
  head.target.path_and_query = "?q=1";
  head.target.needs_slash = true;
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(head, {}, true));
  wait(milliseconds(10));
  EXPECT_EQ((*peer)[1].field(":path"), "/?q=1");
}

// Also while nobody has acknowledged that it is switched off.
TEST_F(Http2Client, APushEndsTheConnection) {
  peer->answer_settings = false;
  ask();
  peer->send(frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1,
                   big_endian(2, 4) + hpack(RawPeer::request("GET", "/pushed"))) +
             response(2, {{":status", "200"}}, true));
  EXPECT_EQ(peer->goaways, std::vector<std::uint32_t>{NGHTTP2_PROTOCOL_ERROR});
  EXPECT_LE(connection->streams(), 1U);
  ResponseHead head;
  EXPECT_FALSE(receive(head));
}

TEST_F(Http2Client, ALargeHeadIsSent) {
  start();
  RequestHead head = make_head(Method::get);
  const std::string large(50'000, 'x');
  for (int i = 0; i < 10; ++i) head.fields.add(FieldId::other, "x-large", large);
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(head, {}, true));
  wait(milliseconds(100));
  ASSERT_EQ((*peer)[1].heads.size(), 1U);
  const Lines& lines = (*peer)[1].heads[0];
  EXPECT_EQ(std::ranges::count(lines, std::pair<std::string, std::string>("x-large", large)), 10);
}

TEST_F(Http2Client, AHeadLargerThanThePeerTakesIsNotSent) {
  start();
  peer->send(frame(NGHTTP2_SETTINGS, 0, 0,
                   big_endian(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 2) + big_endian(8 * 1024, 4)));
  RequestHead head = make_head(Method::get);
  const std::string large(8 * 1024, 'x');
  head.fields.add(FieldId::other, "x-large", large);
  stream = connection->open();
  const auto sent = stream->send_request(head, {}, true);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().side, Side::client);
  EXPECT_EQ(sent.error().cause, static_cast<int>(Refusal::head_too_large));
  stream.reset();
  EXPECT_EQ(connection->streams(), 0U);
  ask();
  EXPECT_EQ((*peer)[1].field(":path"), "/path");
}

TEST_F(Http2Client, TrailersThatAreTooLargeResetTheStream) {
  start();
  RequestHead head = make_head(Method::post);
  stream = connection->open();
  ASSERT_TRUE(stream->send_request(head, {}, false));
  TimedBody body({{.text = "hello"}});
  const std::string large(2'000'000, 'x');
  body.trailer_fields.add(FieldId::other, "x-large", large);
  scope().spawn(send(*this, body, {.kind = BodyKind::chunked}));
  wait(seconds(1));
  EXPECT_FALSE(sent);
  EXPECT_EQ((*peer)[1].reset, NGHTTP2_INTERNAL_ERROR);
}

TEST_F(Http2Client, StreamsThatWaitForThePeerMayBeGivenUp) {
  start();
  peer->send(frame(NGHTTP2_SETTINGS, 0, 0,
                   big_endian(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2) + big_endian(1, 4)));
  RequestHead head = make_head(Method::get);
  std::vector<std::unique_ptr<Stream>> more;
  for (int i = 0; i < 4; ++i) {
    more.push_back(connection->open());
    ASSERT_TRUE(more.back()->send_request(head, {}, true));
  }
  wait(milliseconds(10));
  more[1].reset();
  more[2].reset();
  wait(milliseconds(10));
  peer->send(response(1, {{":status", "204"}}, true));
  EXPECT_TRUE((*peer)[7].ended);
  EXPECT_TRUE((*peer)[3].heads.empty());
  peer->send(response(7, {{":status", "204"}}, true));
  EXPECT_EQ(connection->streams(), 0U);
}

}  // namespace
}  // namespace penstock::http2

// Uploads: what happens while the request's body is still on its way.
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

class LeaseUploadTest : public UpstreamTest {
 protected:
  void upload(Conversation& conversation, BodySource& body) {
    conversation.body = &body;
    conversation.framing = {.kind = BodyKind::chunked};
    talk(conversation);
  }
};

TEST_F(LeaseUploadTest, WholeUploadThenResponse) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = "\r\n0\r\n\r\n", .answer = kOkText}}});
  TimedBody body({{"one"}, {"two", seconds(1)}});
  Conversation conversation("PUT");
  upload(conversation, body);
  EXPECT_EQ(conversation.status, 200);
  EXPECT_EQ(conversation.fate, CloseReason::kept);
}

TEST_F(LeaseUploadTest, EarlyResponseGoesOnBesideTheUpload) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kRequestEnd, .answer = kOkText}}});
  TimedBody body({{"one"}, {"two", seconds(10)}});
  Conversation conversation("PUT");
  const TimePoint start = world.now();
  upload(conversation, body);
  EXPECT_EQ(conversation.status, 200);
  EXPECT_EQ(conversation.content, "ok");
  EXPECT_LT(conversation.answered_at - start, seconds(1));
  // The rest is not sent: the end must not look like the end of a whole request.
  EXPECT_EQ(conversation.fate, CloseReason::body_unsent);
  world.run_for(milliseconds(10));
  EXPECT_TRUE(server.was_reset(0));
  EXPECT_EQ(server.received(0).find("two"), std::string::npos);
}

TEST_F(LeaseUploadTest, UploadThatEndsWhileTheResponseIsRead) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kRequestEnd, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"},
        {.until = "\r\n0\r\n\r\n", .answer = "half"}}});
  TimedBody body({{"one"}, {"two", seconds(1)}});
  Conversation conversation("PUT");
  upload(conversation, body);
  EXPECT_EQ(conversation.content, "halfhalf");
  EXPECT_EQ(conversation.fate, CloseReason::kept);
}

TEST_F(LeaseUploadTest, BodyThatFailsEndsTheWaitForTheResponse) {
  for (const ErrorKind kind : {ErrorKind::closed, ErrorKind::reset, ErrorKind::timed_out,
                               ErrorKind::protocol, ErrorKind::limit}) {
    SCOPED_TRACE(to_string(kind));
    ScriptedServer server(network, "10.0.0.1:80", {{{.until = kRequestEnd}}});
    const TimePoint start = world.now();
    TimedBody body({{"one"}, {.after = seconds(1), .error = Error{kind, Side::client}}});
    Conversation conversation("POST");
    upload(conversation, body);
    ASSERT_FALSE(conversation.answered);
    EXPECT_EQ(conversation.answered.error().kind, kind);
    EXPECT_EQ(conversation.answered.error().side, Side::client);
    EXPECT_FALSE(conversation.answered.error().retryable);
    EXPECT_EQ(conversation.answered_at - start, seconds(1) + milliseconds(2));
    EXPECT_EQ(conversation.fate, CloseReason::other_side_failed);
    world.run_for(milliseconds(10));
    EXPECT_TRUE(server.was_reset(0));
  }
}

TEST_F(LeaseUploadTest, BodyThatFailsAtOnce) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kRequestEnd}}});
  TimedBody body({{.error = Error{ErrorKind::closed, Side::client}}});
  Conversation conversation("POST");
  upload(conversation, body);
  ASSERT_FALSE(conversation.answered);
  EXPECT_EQ(conversation.answered.error().side, Side::client);
  EXPECT_EQ(conversation.answered.error().kind, ErrorKind::closed);
}

// RFC 9112 section 9.6: what the server said before it stopped reading is worth reading.
TEST_F(LeaseUploadTest, ServerThatAnswersAndClosesWhileTheBodyIsOnItsWay) {
  const std::string answer =
      "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kRequestEnd, .answer = answer, .then = Then::end}}});
  TimedBody body({{"one"}, {"two", seconds(1)}, {"three", seconds(10)}});
  Conversation conversation("POST");
  upload(conversation, body);
  EXPECT_EQ(conversation.status, 413);
  EXPECT_EQ(conversation.content, "no");
  EXPECT_EQ(conversation.fate, CloseReason::body_unsent);
}

TEST_F(LeaseUploadTest, AnswerIsDeliveredAlthoughSendingFailed) {
  network.set_faults({.min_buffer = 16 * 1024, .max_buffer = 16 * 1024});
  // More than the buffers hold: the write waits, and ends with the reset.
  const std::string much = std::string(100 * 1024, 'x') + "enough" + std::string(100 * 1024, 'x');
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kRequestEnd, .answer = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"},
        {.until = "enough", .then = Then::reset}}});
  TimedBody body({{much}});
  Conversation conversation("POST");
  conversation.framing = {.kind = BodyKind::length, .length = much.size()};
  conversation.body = &body;
  talk(conversation);
  EXPECT_EQ(conversation.status, 413);
  EXPECT_EQ(conversation.content, "no");
  EXPECT_NE(conversation.fate, CloseReason::kept);
}

TEST_F(LeaseUploadTest, ResetWithoutAnswerWhileSending) {
  network.set_faults({.min_buffer = 16 * 1024, .max_buffer = 16 * 1024});
  const std::string much(256 * 1024, 'x');
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = "xxxx", .then = Then::reset}}});
  TimedBody body({{much}});
  Conversation conversation("POST");
  conversation.framing = {.kind = BodyKind::length, .length = much.size()};
  conversation.body = &body;
  talk(conversation);
  ASSERT_FALSE(conversation.answered);
  EXPECT_EQ(conversation.answered.error().kind, ErrorKind::reset);
  EXPECT_EQ(conversation.answered.error().side, Side::server);
  EXPECT_FALSE(conversation.response_started);
}

// As long as the request is moving the server isn't silent but listening.
TEST_F(LeaseUploadTest, MovingUploadKeepsWaiting) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kRequestEnd}}});
  const TimePoint start = world.now();
  std::vector<BodyPiece> pieces;
  for (int i = 0; i < 5; ++i) pieces.push_back({.text = "piece", .after = settings.stall / 2});
  TimedBody body(std::move(pieces));
  Conversation conversation("POST");
  upload(conversation, body);
  ASSERT_FALSE(conversation.answered);
  EXPECT_EQ(conversation.answered.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(conversation.answered.error().side, Side::server);
  // The last piece came after five halves of it.
  EXPECT_GE(conversation.answered_at - start, settings.stall * 7 / 2);
  EXPECT_LT(conversation.answered_at - start, settings.stall * 7 / 2 + milliseconds(20));
}

// One piece that takes long is as good as several.
TEST_F(LeaseUploadTest, UploadThatIsTakenSlowlyKeepsWaiting) {
  class SlowServer final : public AcceptHandler {
   public:
    SlowServer(SimNetwork& network, Duration pause)
        : executor_(network.executor()),
          pause_(pause),
          scope_(executor_),
          listener_(network.listen(kAddress, *this)) {}
    ~SlowServer() {
      scope_.cancel();
      while (executor_.has_ready()) executor_.run_ready();
    }
    void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                   const Address& /*local*/) override {
      stream_ = std::move(stream);
      scope_.spawn(take(*this));
    }

   private:
    static Task<void> take(SlowServer& self) {
      const Executor& executor = (co_await this_context()).executor();
      std::string got;
      while (!got.ends_with("END")) {
        const auto some = co_await receive_size(*self.stream_, got, got.size() + 1);
        if (!some) co_return;
        const bool slept = co_await sleep_until(executor.now() + self.pause_);
        if (!slept) co_return;
      }
      static_cast<void>(co_await send_text(*self.stream_, kOkText));
    }

    const Address kAddress = Address::parse("10.0.0.1:80").value();
    Executor& executor_;
    Duration pause_;
    std::unique_ptr<ByteStream> stream_;
    Scope scope_;
    std::unique_ptr<Listener> listener_;
  };
  network.set_faults({.min_buffer = 1024, .max_buffer = 1024});
  const SlowServer server(network, settings.stall / 2);
  const std::string much = std::string(10 * 1024, 'x') + "END";
  TimedBody body({{much}});
  Conversation conversation("POST");
  conversation.framing = {.kind = BodyKind::length, .length = much.size()};
  conversation.body = &body;
  talk(conversation);
  EXPECT_TRUE(conversation.answered) << to_string(conversation.answered.error().kind);
  EXPECT_EQ(conversation.status, 200);
}

TEST_F(LeaseUploadTest, ServerThatTakesNothingTimesOut) {
  network.set_faults({.min_buffer = 1024, .max_buffer = 1024});
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = "", .answer = ""}}});
  world.script(server.address(), {.up = {.stall_after = 100}});
  const std::string much(64 * 1024, 'x');
  TimedBody body({{much}});
  Conversation conversation("POST");
  conversation.framing = {.kind = BodyKind::length, .length = much.size()};
  conversation.body = &body;
  talk(conversation);
  ASSERT_FALSE(conversation.answered);
  EXPECT_EQ(conversation.answered.error().kind, ErrorKind::timed_out);
  EXPECT_EQ(conversation.answered.error().side, Side::server);
}

TEST_F(LeaseUploadTest, CancelledInTheMiddle) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kRequestEnd}}});
  TimedBody body({{"one"}, {"two", seconds(10)}});
  Conversation conversation("POST");
  conversation.body = &body;
  conversation.framing = {.kind = BodyKind::chunked};
  begin(conversation);
  world.run_for(seconds(1));
  scope.cancel();
  world.run_for(milliseconds(10));
  ASSERT_TRUE(conversation.done);
  EXPECT_EQ(conversation.answered.error().kind, ErrorKind::cancelled);
  EXPECT_TRUE(server.was_reset(0));
}

}  // namespace
}  // namespace penstock

#include "http1/message_writer.h"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "http1/head_reader.h"
#include "message/timed_body_test.h"
#include "sim/peer.h"
#include "sim/stream.h"

namespace penstock::http1 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Framing kNone{};
constexpr Framing kChunked{.kind = BodyKind::chunked};
constexpr Framing kUntilClose{.kind = BodyKind::until_close};
constexpr Framing length(std::uint64_t n) { return {.kind = BodyKind::length, .length = n}; }

class MessageWriterTest : public testing::Test {
 protected:
  MessageWriterTest() { scope.spawn(receive(*this)); }
  ~MessageWriterTest() override {
    scope.cancel();
    world.run_for({});
  }

  static Task<void> receive(MessageWriterTest& self) {
    static_cast<void>(co_await receive_all(*self.pair.accepting, self.wire));
  }
  static Task<void> send(MessageWriterTest& self, Slice head, BodySource& body, Framing framing) {
    self.result = co_await send_message(self.to, std::move(head), body, framing);
  }
  // As the codec makes it: in a slab of its own, with room behind it.
  static Slice head_in_slab() {
    SlabRef slab = SlabPool::take(SlabSize::small);
    const std::string_view text = "HEAD\r\n\r\n";
    text.copy(slab->data(), text.size());
    const std::string_view bytes(slab->data(), text.size());
    return {std::move(slab), bytes};
  }
  std::string run(BodySource& body, Framing framing, Duration time = seconds(100)) {
    result.reset();
    wire.clear();
    to.content = to.sent = 0;
    scope.spawn(send(*this, head_in_slab(), body, framing));
    world.run_for(time);
    return wire;
  }

  SimWorld world{1};
  StreamPair pair = make_stream_pair(world);
  std::string wire;
  Outgoing to{.stream = pair.connecting.get(), .side = Side::client, .stall = seconds(60)};
  std::optional<Result<void>> result;
  Scope scope{world.executor()};
};

TEST_F(MessageWriterTest, ExactBytes) {
  struct Case {
    const char* name;
    std::vector<BodyPiece> pieces;
    Framing framing;
    const char* expected;
  };
  for (const Case& c : {
           Case{"none", {}, kNone, ""},
           Case{"length", {{"hello"}}, length(5), "hello"},
           Case{"length in pieces", {{"he"}, {"llo", seconds(1)}}, length(5), "hello"},
           Case{"length 0", {}, length(0), ""},
           Case{"until close", {{"he"}, {"llo", seconds(1)}}, kUntilClose, "hello"},
           Case{"chunked", {{"hello"}}, kChunked, "5\r\nhello\r\n0\r\n\r\n"},
           Case{"what is ready is one chunk",
                {{"he"}, {"llo"}},
                kChunked,
                "5\r\nhello\r\n0\r\n\r\n"},
           Case{"what comes later is another",
                {{"he"}, {"llo", seconds(1)}},
                kChunked,
                "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"},
           Case{"chunked and empty", {}, kChunked, "0\r\n\r\n"},
           Case{"size in hex",
                {{std::string(26, 'x')}},
                kChunked,
                "1a\r\nxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"},
       }) {
    SCOPED_TRACE(c.name);
    TimedBody body(c.pieces);
    EXPECT_EQ(run(body, c.framing), std::string("HEAD\r\n\r\n") + c.expected);
    EXPECT_TRUE(result && *result);
    EXPECT_EQ(to.sent, wire.size());
    std::size_t content = 0;
    for (const BodyPiece& piece : c.pieces) content += piece.text.size();
    EXPECT_EQ(to.content, content);
  }
}

TEST_F(MessageWriterTest, Trailers) {
  TimedBody body({{"hi"}});
  body.trailer_fields.add(FieldId::other, "Sum", "2");
  body.trailer_fields.add(FieldId::content_length, "2");  // not allowed there
  EXPECT_EQ(run(body, kChunked), "HEAD\r\n\r\n2\r\nhi\r\n0\r\nSum: 2\r\n\r\n");
}

// Content of all sizes, of one piece or several, around the bounds of copying and gathering.
TEST_F(MessageWriterTest, ContentArrivesWhole) {
  for (const std::size_t size : {1UL, 2047UL, 2048UL, 2049UL, 5000UL, 70'000UL}) {
    for (const std::size_t count : {1UL, 2UL, 11UL, 12UL, 13UL, 30UL}) {
      std::vector<BodyPiece> pieces;
      std::string all;
      for (std::size_t i = 0; i < count; ++i) {
        pieces.push_back({std::string(size, static_cast<char>('a' + i % 26))});
        all += pieces.back().text;
      }
      TimedBody body(std::move(pieces));
      const std::string got = run(body, length(all.size()));
      EXPECT_TRUE(got == "HEAD\r\n\r\n" + all) << size << " * " << count;
      EXPECT_TRUE(result && *result);
    }
  }
}

// Where a small body is joined to the head, both are one part of the write.
TEST_F(MessageWriterTest, HeadOfSomebodyElseIsNotWrittenTo) {
  const Slice shared = head_in_slab();
  const std::string before(shared.data(), 20);
  TimedBody body({{"hello"}});
  scope.spawn(send(*this, shared, body, length(5)));
  world.run_for(seconds(1));
  EXPECT_EQ(wire, "HEAD\r\n\r\nhello");
  EXPECT_EQ(std::string(shared.data(), 20), before);
}

TEST_F(MessageWriterTest, HeadNeverWaitsForTheBody) {
  for (const Framing framing : {length(5), kChunked, kUntilClose}) {
    TimedBody body({{"hello", seconds(10)}});
    EXPECT_EQ(run(body, framing, seconds(1)), "HEAD\r\n\r\n");
    world.run_for(seconds(100));
    EXPECT_NE(wire.find("hello"), std::string::npos);
  }
}

TEST_F(MessageWriterTest, WrongLengthIsAnErrorOfTheOtherSide) {
  for (const Side side : {Side::client, Side::server}) {
    to.side = side;
    for (const std::vector<BodyPiece>& pieces : {std::vector<BodyPiece>{{"hell"}},
                                                 {{"hello!"}},
                                                 {{"hel"}, {"lo!", seconds(1)}},
                                                 {{"he"}, {"ll", seconds(1)}},
                                                 {}}) {
      TimedBody body(pieces);
      run(body, length(5));
      ASSERT_TRUE(result && !*result);
      EXPECT_EQ(result->error().kind, ErrorKind::protocol);
      EXPECT_EQ(result->error().side, side == Side::client ? Side::server : Side::client);
      // Never more than was announced.
      EXPECT_LE(wire.size(), std::string_view("HEAD\r\n\r\nhello").size());
    }
  }
}

TEST_F(MessageWriterTest, FailureOfTheSourceLeavesChunksUnterminated) {
  const Error cut{.kind = ErrorKind::closed, .side = Side::server};
  TimedBody body({{"part"}, {.after = seconds(1), .error = cut}});
  EXPECT_EQ(run(body, kChunked), "HEAD\r\n\r\n4\r\npart\r\n");
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error(), cut);
}

TEST_F(MessageWriterTest, WithoutHead) {
  TimedBody body({{"he"}, {"llo", seconds(1)}});
  scope.spawn(send(*this, Slice(), body, kChunked));
  world.run_for(seconds(10));
  EXPECT_EQ(wire, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
  EXPECT_TRUE(result && *result);
}

TEST_F(MessageWriterTest, PeerThatBreaksOrTakesNothing) {
  for (const bool breaks : {true, false}) {
    StreamPair small = make_stream_pair(world, {.min_buffer = 100, .max_buffer = 100}, {});
    to = {.stream = small.connecting.get(), .side = Side::server, .stall = seconds(60)};
    TimedBody body({{std::string(1000, 'x')}});
    result.reset();
    scope.spawn(send(*this, head_in_slab(), body, length(1000)));
    world.run_for(seconds(1));
    EXPECT_FALSE(result);
    if (breaks) {
      small.accepting->set_abortive();
      small.accepting.reset();
    }
    world.run_for(seconds(60));
    ASSERT_TRUE(result && !*result);
    EXPECT_EQ(result->error().kind, breaks ? ErrorKind::reset : ErrorKind::timed_out);
    EXPECT_EQ(result->error().side, Side::server);
    EXPECT_EQ(to.sent, 100U);  // counted although it failed
  }
}

TEST_F(MessageWriterTest, ProgressIsNoted) {
  const TimePoint start = world.now();
  TimedBody body({{"he"}, {"llo", seconds(5)}});
  run(body, length(5));
  EXPECT_EQ(to.last_progress, start + seconds(5));
}

TEST(Serialise, SlabFitsTheHead) {
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  EXPECT_EQ(serialise(head, {}).value().view(), "HTTP/1.1 200 OK\r\n\r\n");
  for (const std::size_t size : {4000UL, 16'000UL, 60'000UL, 500'000UL}) {
    const std::string value(size, 'x');
    ResponseHead large;
    large.status = 200;
    large.fields.add(FieldId::other, "A", value);
    const auto bytes = serialise(large, {});
    ASSERT_TRUE(bytes) << size;
    EXPECT_TRUE(bytes->view().ends_with("x\r\n\r\n"));
  }
  const std::string huge(600'000, 'x');
  ResponseHead too_large;
  too_large.fields.add(FieldId::other, "A", huge);
  EXPECT_EQ(serialise(too_large, {}).error().kind, ErrorKind::limit);
}

}  // namespace
}  // namespace penstock::http1

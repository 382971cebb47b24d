#include "http1/body_reader.h"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/peer.h"
#include "sim/stream.h"

namespace penstock::http1 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Framing kChunked{.kind = BodyKind::chunked};
constexpr Framing kUntilClose{.kind = BodyKind::until_close};
constexpr Framing length(std::uint64_t n) { return {.kind = BodyKind::length, .length = n}; }

// What became of reading a body.
struct Outcome {
  std::string content;
  std::optional<Error> error;
  bool at_end = false;
  std::string rest;  // what is left in the buffer
  std::string trailers;
};

enum class Ending : std::uint8_t { stays_open, closes, resets };

class BodyReaderTest : public testing::Test {
 protected:
  ~BodyReaderTest() override { world.run_for({}); }

  static Task<void> read(BodyReader& reader, Outcome& outcome) {
    while (!reader.at_end()) {
      const auto slice = co_await reader.next();
      if (!slice) {
        outcome.error = slice.error();
        co_return;
      }
      outcome.content += slice->view();
    }
    outcome.at_end = true;
  }
  static Task<void> send(ByteStream& stream, std::string text) {
    static_cast<void>(co_await send_text(stream, std::move(text)));
  }
  void say(StreamPair& pair, std::string_view text) {
    scope.spawn(send(*pair.accepting, std::string(text)));
    world.run_for(milliseconds(2));
  }
  static void end(StreamPair& pair, Ending ending) {
    if (ending == Ending::stays_open) return;
    if (ending == Ending::resets) pair.accepting->set_abortive();
    pair.accepting.reset();
  }

  // Reads a body that comes in these two pieces.
  Outcome run(const Framing& framing, std::string_view first, std::string_view second,
              Ending ending = Ending::stays_open) {
    StreamPair pair = make_stream_pair(world);
    InputBuffer input;
    BodyReader reader(*pair.connecting, input, framing, limits, Side::server, stall);
    Outcome outcome;
    scope.spawn(read(reader, outcome));
    if (!first.empty()) say(pair, first);
    if (!second.empty()) say(pair, second);
    end(pair, ending);
    world.run_for(stall + seconds(1));
    outcome.rest = input.unread();
    EXPECT_EQ(reader.received(), outcome.content.size());
    EXPECT_EQ(reader.failure().has_value(), outcome.error.has_value());
    if (FieldSection* trailers = reader.trailers()) {
      for (const Field& field : *trailers) {
        outcome.trailers.append(field.name).append(": ").append(field.value).append("\n");
      }
    }
    return outcome;
  }

  SimWorld world{1};
  ChunkLimits limits;
  Duration stall = seconds(60);
  Scope scope{world.executor()};
};

struct BodyCase {
  const char* name;
  Framing framing;
  const char* wire;
  const char* content;
  const char* trailers = "";
  bool closes = false;
};

constexpr BodyCase kBodies[] = {
    {"length", length(5), "hello", "hello"},
    {"chunks", kChunked, "5\r\nhello\r\n0\r\n\r\n", "hello"},
    {"several chunks", kChunked, "2\r\nhe\r\n1;x=\"y\"\r\nl\r\n002\r\nlo\r\n00\r\n\r\n", "hello"},
    {"trailers", kChunked, "5\r\nhello\r\n0\r\nSum: 5\r\nX: y\r\n\r\n", "hello", "Sum: 5\nX: y\n"},
    {"no chunks", kChunked, "0\r\n\r\n", ""},
    {"until close", kUntilClose, "hello", "hello", "", true},
};

TEST_F(BodyReaderTest, EverySplit) {
  for (const BodyCase& c : kBodies) {
    const std::string_view wire = c.wire;
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
      SCOPED_TRACE(std::string(c.name) + " cut at " + std::to_string(cut));
      const Outcome outcome = run(c.framing, wire.substr(0, cut), wire.substr(cut),
                                  c.closes ? Ending::closes : Ending::stays_open);
      EXPECT_TRUE(outcome.at_end);
      EXPECT_EQ(outcome.content, c.content);
      EXPECT_EQ(outcome.trailers, c.trailers);
      EXPECT_EQ(outcome.rest, "");
    }
  }
}

TEST_F(BodyReaderTest, NothingPastTheBodyIsConsumed) {
  for (const BodyCase& c : kBodies) {
    if (c.closes) continue;
    SCOPED_TRACE(c.name);
    const Outcome outcome = run(c.framing, std::string(c.wire) + "GET / HTTP/1.1\r\n", "");
    EXPECT_EQ(outcome.content, c.content);
    EXPECT_EQ(outcome.rest, "GET / HTTP/1.1\r\n");
  }
}

// A body that was cut short gives an error, never an early end.
TEST_F(BodyReaderTest, EveryCut) {
  for (const BodyCase& c : kBodies) {
    const std::string_view wire = c.wire;
    for (const Ending ending : {Ending::closes, Ending::resets}) {
      for (std::size_t cut = 0; cut < wire.size(); ++cut) {
        SCOPED_TRACE(std::string(c.name) + " cut at " + std::to_string(cut));
        const Outcome outcome = run(c.framing, wire.substr(0, cut), "", ending);
        if (c.closes && ending == Ending::closes) continue;  // that is its end
        EXPECT_FALSE(outcome.at_end);
        ASSERT_TRUE(outcome.error);
        EXPECT_EQ(outcome.error->kind,
                  ending == Ending::closes ? ErrorKind::closed : ErrorKind::reset);
        EXPECT_EQ(outcome.error->side, Side::server);
        EXPECT_TRUE(std::string_view(c.content).starts_with(outcome.content));
      }
    }
  }
}

TEST_F(BodyReaderTest, SilenceTimesOut) {
  for (const BodyCase& c : kBodies) {
    SCOPED_TRACE(c.name);
    const Outcome outcome = run(c.framing, std::string_view(c.wire).substr(0, 1), "");
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->kind, ErrorKind::timed_out);
  }
}

TEST_F(BodyReaderTest, MalformedChunks) {
  struct Case {
    const char* wire;
    const char* content;
    Refusal refusal;
  };
  for (const Case& c : {Case{"x\r\n", "", Refusal::chunk_size_malformed},
                        Case{"-1\r\n", "", Refusal::chunk_size_malformed},
                        Case{"5\r\nhelloX\r\n", "hello", Refusal::chunk_data_not_terminated},
                        Case{"fffffffffffffffff\r\n", "", Refusal::chunk_size_overflow},
                        Case{"0\r\nX : y\r\n\r\n", "", Refusal::trailer_malformed}}) {
    SCOPED_TRACE(c.wire);
    const Outcome outcome = run(kChunked, c.wire, "");
    ASSERT_TRUE(outcome.error);
    EXPECT_EQ(outcome.error->kind, ErrorKind::protocol);
    EXPECT_EQ(info(static_cast<Refusal>(outcome.error->cause)).token, info(c.refusal).token);
    EXPECT_EQ(outcome.content, c.content);
  }
}

TEST_F(BodyReaderTest, WithoutBodyNothingIsRead) {
  for (const Framing framing : {Framing{}, length(0)}) {
    const Outcome outcome = run(framing, "next", "");
    EXPECT_TRUE(outcome.at_end);
    EXPECT_EQ(outcome.rest, "");  // not even into the buffer
  }
}

TEST_F(BodyReaderTest, CancelledReadCanBeResumed) {
  for (const BodyCase& c : kBodies) {
    SCOPED_TRACE(c.name);
    const std::string_view wire = c.wire;
    StreamPair pair = make_stream_pair(world);
    InputBuffer input;
    BodyReader reader(*pair.connecting, input, c.framing, limits, Side::client, stall);
    Outcome first;
    {
      Scope inner(world.executor());
      inner.spawn(read(reader, first));
      say(pair, wire.substr(0, 1));
      inner.cancel();
      world.run_for({});
    }
    ASSERT_TRUE(first.error);
    EXPECT_EQ(first.error->kind, ErrorKind::cancelled);
    EXPECT_FALSE(reader.failure());
    Outcome second;
    scope.spawn(read(reader, second));
    say(pair, wire.substr(1));
    if (c.closes) end(pair, Ending::closes);
    world.run_for(milliseconds(2));
    EXPECT_TRUE(second.at_end);
    EXPECT_EQ(first.content + second.content, c.content);
  }
}

TEST_F(BodyReaderTest, Remaining) {
  StreamPair pair = make_stream_pair(world);
  InputBuffer input;
  BodyReader reader(*pair.connecting, input, length(5), limits, Side::client, stall);
  EXPECT_EQ(reader.remaining(), 5U);
  EXPECT_TRUE(reader.take_ready().empty());
  Outcome outcome;
  scope.spawn(read(reader, outcome));
  say(pair, "he");
  EXPECT_EQ(reader.remaining(), 3U);
  say(pair, "llo");
  EXPECT_EQ(reader.remaining(), 0U);
  const BodyReader chunks(*pair.connecting, input, kChunked, limits, Side::client, stall);
  EXPECT_EQ(chunks.remaining(), std::nullopt);
  const BodyReader none(*pair.connecting, input, {}, limits, Side::client, stall);
  EXPECT_EQ(none.remaining(), 0U);
}

TEST_F(BodyReaderTest, LargeBody) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += std::to_string(i);
  const Outcome outcome = run(length(text.size()), text, "");
  EXPECT_TRUE(outcome.content == text);
  EXPECT_TRUE(outcome.at_end);
}

}  // namespace
}  // namespace penstock::http1

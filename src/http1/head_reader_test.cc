#include "http1/head_reader.h"

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

constexpr std::string_view kHead = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class HeadReaderTest : public testing::Test {
 protected:
  struct Outcome {
    std::optional<Result<void>> result;
    std::size_t size = 0;  // of the head
    TimePoint at{};
  };

  ~HeadReaderTest() override {
    scope.cancel();
    world.run_for({});
  }

  static Task<void> read(HeadReaderTest& self, Outcome& outcome) {
    HeadScanner scanner(self.limits);
    const TimePoint deadline = self.world.now() + seconds(30);
    outcome.result = co_await read_head(*self.pair.connecting, self.input, scanner, deadline);
    outcome.size = scanner.size();
    outcome.at = self.world.now();
  }
  static Task<void> send(ByteStream& stream, std::string text) {
    static_cast<void>(co_await send_text(stream, std::move(text)));
  }
  void begin(Outcome& outcome) { scope.spawn(read(*this, outcome)); }
  void say(std::string_view text) {
    scope.spawn(send(*pair.accepting, std::string(text)));
    world.run_for(milliseconds(2));
  }

  SimWorld world{1};
  HeadLimits limits;
  StreamPair pair = make_stream_pair(world);
  InputBuffer input;
  Scope scope{world.executor()};
};

TEST_F(HeadReaderTest, EverySplit) {
  for (std::size_t cut = 0; cut <= kHead.size(); ++cut) {
    Outcome outcome;
    begin(outcome);
    say(kHead.substr(0, cut));
    if (cut < kHead.size()) {
      EXPECT_FALSE(outcome.result);
      say(kHead.substr(cut));
    }
    ASSERT_TRUE(outcome.result && *outcome.result) << cut;
    EXPECT_EQ(outcome.size, kHead.size());
    EXPECT_EQ(input.unread(), kHead);  // it stays there
    input.consume(input.size());
  }
}

TEST_F(HeadReaderTest, BytesThatWaitAreLookedAtFirst) {
  Outcome first;
  begin(first);
  say(std::string(kHead) + std::string(kHead) + "rest");
  ASSERT_TRUE(first.result && *first.result);
  input.consume(first.size);
  Outcome second;
  begin(second);
  ASSERT_TRUE(second.result && *second.result);  // without any read
  input.consume(second.size);
  EXPECT_EQ(input.unread(), "rest");
}

TEST_F(HeadReaderTest, EndOfTheStream) {
  for (const std::string_view before : {"", "GET / HTTP/1.1\r\n"}) {
    pair = make_stream_pair(world);
    input.consume(input.size());
    Outcome outcome;
    begin(outcome);
    if (!before.empty()) say(before);
    pair.accepting->shutdown_write();
    world.run_for(milliseconds(2));
    ASSERT_TRUE(outcome.result);
    EXPECT_EQ(outcome.result->error().kind, ErrorKind::closed);
    EXPECT_EQ(input.empty(), before.empty());
  }
}

TEST_F(HeadReaderTest, RefusedAsSoonAsItCanBe) {
  Outcome outcome;
  begin(outcome);
  say("GET / HTTP/1.1\nHost");
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->error().kind, ErrorKind::protocol);
  EXPECT_EQ(outcome.result->error().cause, static_cast<int>(Refusal::bare_lf));
}

TEST_F(HeadReaderTest, DeadlineIsOfTheWholeHead) {
  const TimePoint start = world.now();
  Outcome outcome;
  begin(outcome);
  say("GET / HTTP/1.1\r\nA: ");
  for (int i = 0; i < 40; ++i) {
    say("x");
    world.run_for(seconds(1));
  }
  ASSERT_TRUE(outcome.result);
  EXPECT_EQ(outcome.result->error().kind, ErrorKind::timed_out);
  EXPECT_EQ(outcome.at - start, seconds(30));
}

TEST_F(HeadReaderTest, Cancelled) {
  Outcome outcome;
  begin(outcome);
  say("GET");
  scope.cancel();
  world.run_for({});
  EXPECT_EQ(outcome.result->error().kind, ErrorKind::cancelled);
}

}  // namespace
}  // namespace penstock::http1

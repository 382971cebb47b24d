// Whatever the network does, what arrives is what was sent, up to some point, in its order.
#include "sim/faults.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "base/slab.h"
#include "sim/network.h"
#include "sim/peer.h"

namespace penstock {
namespace {

using std::chrono::seconds;
using Count = Result<std::size_t>;

constexpr std::size_t kLength = 150'000;
constexpr Duration kPatience = seconds(30);

// The text one direction carries; every few bytes of it are found nowhere else.
std::string text_of(std::uint64_t key, std::size_t length) {
  Random random(key);
  std::string text;
  while (text.size() < length) text += std::to_string(random.next()) + ' ';
  text.resize(length);
  return text;
}

struct Talk {
  std::string said;
  std::string heard;
  Count sent = fail(ErrorKind::io);
  Count received = fail(ErrorKind::io);
};

Task<void> say(ByteStream& stream, Talk& talk) {
  talk.sent = co_await send_text(stream, talk.said, kPatience);
  if (talk.sent) stream.shutdown_write();
}

Task<void> hear(ByteStream& stream, Talk& talk) {
  talk.received = co_await receive_all(stream, talk.heard, kPatience * 20);
}

// Both directions at once over one connection.
struct Outcome {
  Talk up;
  Talk down;
  std::uint64_t trace_hash = 0;
  std::size_t streams_left = 0;
  std::size_t bytes_left = 0;
};

Outcome talk_both_ways(std::uint64_t seed, const Faults& faults, std::size_t length = kLength) {
  Outcome outcome;
  SimWorld world(seed, faults);
  outcome.up.said = text_of(seed * 2, world.random().skewed(0, length));
  outcome.down.said = text_of(seed * 2 + 1, world.random().skewed(0, length));
  {
    Scope scope(world.executor());
    StreamPair streams = make_stream_pair(world);
    scope.spawn(say(*streams.connecting, outcome.up));
    scope.spawn(hear(*streams.connecting, outcome.down));
    scope.spawn(say(*streams.accepting, outcome.down));
    scope.spawn(hear(*streams.accepting, outcome.up));
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    EXPECT_EQ(scope.running(), 0U);
    EXPECT_EQ(world.pending_ops(), 0U);
  }
  EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
  outcome.trace_hash = world.trace_hash();
  outcome.streams_left = world.open_streams();
  outcome.bytes_left = world.bytes_in_flight();
  return outcome;
}

void expect_sound(const Talk& talk) {
  EXPECT_TRUE(talk.said.starts_with(talk.heard));
  // An end that looks orderly is the real one.
  if (talk.received) {
    EXPECT_EQ(talk.heard.size(), talk.said.size());
    EXPECT_TRUE(talk.sent);
  }
}

void expect_sound(const Outcome& outcome) {
  expect_sound(outcome.up);
  expect_sound(outcome.down);
  EXPECT_EQ(outcome.streams_left, 0U);
  EXPECT_EQ(outcome.bytes_left, 0U);
}

TEST(Faults, RoughNetworksDeliverEverything) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE(seed);
    const Outcome outcome = talk_both_ways(seed, Faults::rough());
    expect_sound(outcome);
    EXPECT_TRUE(outcome.up.received && outcome.down.received);
  }
}

TEST(Faults, TinyBuffersDeliverEverything) {
  Faults faults = Faults::rough();
  faults.min_buffer = 1;
  faults.max_buffer = 16;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    const Outcome outcome = talk_both_ways(seed, faults, 2'000);
    expect_sound(outcome);
    EXPECT_TRUE(outcome.up.received && outcome.down.received);
  }
}

// Each fault by itself and all together: nothing is invented, swapped or silently cut.
TEST(Faults, BrokenConnectionsAreVisiblyBroken) {
  std::vector<Faults> kinds(4);
  kinds[0].reset = 0.5;
  kinds[1].stall = 0.5;
  kinds[2].reset = 0.5;
  kinds[2].lose_unread = 0.5;
  kinds[3] = Faults::hostile();
  kinds[3].reset = kinds[3].stall = 0.3;
  for (const Faults& faults : kinds) {
    int broken = 0;
    int whole = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
      SCOPED_TRACE(seed);
      const Outcome outcome = talk_both_ways(seed, faults);
      expect_sound(outcome);
      ++(outcome.up.received && outcome.down.received ? whole : broken);
    }
    EXPECT_GT(broken, 10);
    EXPECT_GT(whole, 10);
  }
}

TEST(Faults, TheSameSeedGivesTheSameHistory) {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Outcome first = talk_both_ways(seed, Faults::hostile());
    const Outcome second = talk_both_ways(seed, Faults::hostile());
    EXPECT_EQ(first.trace_hash, second.trace_hash);
    EXPECT_EQ(first.up.heard, second.up.heard);
    EXPECT_NE(first.trace_hash, talk_both_ways(seed + 1000, Faults::hostile()).trace_hash);
  }
}

// Accepts, answers everything it reads with the same bytes, and closes.
class EchoServer final : public AcceptHandler {
 public:
  explicit EchoServer(Executor& executor) : scope_(executor) {}
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    scope_.spawn(serve(std::move(stream)));
  }
  [[nodiscard]] std::size_t running() const { return scope_.running(); }

 private:
  static Task<void> serve(std::unique_ptr<ByteStream> stream) {
    std::string text;
    const Count got = co_await receive_all(*stream, text, kPatience);
    if (got) co_await send_text(*stream, text, kPatience);
  }
  Scope scope_;
};

struct Tally {
  int refused = 0;
  int timed_out = 0;
  int reset = 0;
  int answered = 0;
  void count(const Error& error) {
    if (error.kind == ErrorKind::refused) ++refused;
    if (error.kind == ErrorKind::timed_out) ++timed_out;
    if (error.kind == ErrorKind::reset) ++reset;
  }
};

Task<void> ask(SimNetwork& network, std::uint64_t key, Tally& tally) {
  const TimePoint deadline = network.world().now() + kPatience;
  auto stream = co_await network.connect(Address::parse("192.0.2.1:7").value(), deadline);
  if (!stream) {
    tally.count(stream.error());
    co_return;
  }
  const std::string text = text_of(key, mix(key) % 20'000);
  std::string answer;
  Count done = co_await send_text(**stream, text, kPatience);
  if (done) {
    (*stream)->shutdown_write();
    done = co_await receive_all(**stream, answer, kPatience);
  }
  EXPECT_TRUE(text.starts_with(answer));
  if (!done) tally.count(done.error());
  if (done && answer == text) ++tally.answered;
}

TEST(Faults, ManyConnectionsThroughAHostileNetwork) {
  const std::size_t slabs_before = SlabPool::bytes_in_use();
  std::vector<std::uint64_t> hashes;
  for (int round = 0; round < 2; ++round) {
    SimWorld world(42, Faults::hostile());
    SimNetwork network(world);
    Tally tally;
    EchoServer server(world.executor());
    const auto listener = network.listen(Address::parse("192.0.2.1:7").value(), server);
    Scope scope(world.executor());
    for (std::uint64_t i = 0; i < 1'000; ++i) {
      world.call_at(world.now() + std::chrono::milliseconds(i * 3),
                    [&, i] { scope.spawn(ask(network, i, tally)); });
    }
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    EXPECT_EQ(scope.running() + server.running(), 0U);
    EXPECT_GT(tally.refused, 5);
    EXPECT_GT(tally.timed_out, 5);
    EXPECT_GT(tally.reset, 5);
    EXPECT_GT(tally.answered, 800);
    EXPECT_EQ(world.open_streams(), 0U);
    EXPECT_EQ(world.pending_ops(), 0U);
    EXPECT_EQ(world.bytes_in_flight(), 0U);
    hashes.push_back(world.trace_hash());
  }
  EXPECT_EQ(hashes[0], hashes[1]);
  EXPECT_EQ(SlabPool::bytes_in_use(), slabs_before);
}

}  // namespace
}  // namespace penstock

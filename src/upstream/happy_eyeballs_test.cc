#include "upstream/happy_eyeballs.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/network.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Outcome = std::optional<Result<Connected>>;

constexpr Fate kVanish{.connect = Fate::Connect::vanish};
constexpr Fate kRefuse{.connect = Fate::Connect::refuse};
// There and back.
constexpr Duration kTrip = milliseconds(2);

class Accepted final : public AcceptHandler {
 public:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    streams.push_back(std::move(stream));
  }
  std::vector<std::unique_ptr<ByteStream>> streams;
};

// Three addresses of one server, all of which work unless a test says otherwise.
class HappyEyeballsTest : public testing::Test {
 protected:
  HappyEyeballsTest() {
    for (const Address& address : addresses) {
      listeners.push_back(network.listen(address, accepted));
    }
  }
  static Task<void> connect(Network& network, std::span<const Address> addresses,
                            ConnectLimits limits, Outcome& outcome, TimePoint& ended) {
    outcome = co_await connect_first(network, addresses, limits);
    ended = network.executor().now();
  }
  void start(std::size_t count = 3) {
    scope.spawn(connect(network, std::span(addresses).first(count), limits, outcome, ended));
  }
  // Starts and runs to the end.
  void race(std::size_t count = 3) {
    start(count);
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    ASSERT_TRUE(outcome);
  }
  void script(std::size_t index, const Fate& fate) { world.script(addresses[index], fate); }
  // The winner was that one, after that time, and nothing else is left open.
  void expect_winner(std::size_t index, Duration after) {
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_EQ((*outcome)->index, index);
    EXPECT_EQ(ended - begin, after);
    outcome.reset();
    accepted.streams.clear();
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    EXPECT_EQ(world.open_streams(), 0U);
    EXPECT_EQ(world.pending_ops(), 0U);
  }
  void expect_failure(ErrorKind kind, Duration after) {
    ASSERT_TRUE(outcome && !*outcome);
    EXPECT_EQ(outcome->error().kind, kind);
    EXPECT_EQ(outcome->error().side, Side::server);
    EXPECT_TRUE(outcome->error().retryable);
    EXPECT_EQ(ended - begin, after);
    accepted.streams.clear();
    EXPECT_EQ(world.open_streams(), 0U);
  }

  SimWorld world{1};
  SimNetwork network{world};
  Scope scope{world.executor()};
  Accepted accepted;
  std::vector<Address> addresses{*Address::parse("[2001:db8::1]:80"),
                                 *Address::parse("192.0.2.1:80"),
                                 *Address::parse("[2001:db8::2]:80")};
  std::vector<std::unique_ptr<Listener>> listeners;
  ConnectLimits limits;
  Outcome outcome;
  TimePoint begin = world.now();
  TimePoint ended{};
};

TEST_F(HappyEyeballsTest, TheFirstThatWorksIsTheOnlyOneTried) {
  race();
  EXPECT_EQ(world.connections_made(), 1U);
  expect_winner(0, kTrip);
}

TEST_F(HappyEyeballsTest, ASingleAddressIsJustAConnect) {
  race(1);
  expect_winner(0, kTrip);
}

TEST_F(HappyEyeballsTest, ASingleAddressFailsAsAConnectDoes) {
  script(0, kVanish);
  limits.attempt = seconds(3);
  race(1);
  expect_failure(ErrorKind::timed_out, seconds(3));
}

TEST_F(HappyEyeballsTest, TheNextStartsBesideOneThatDoesNotAnswer) {
  script(0, kVanish);
  race();
  EXPECT_EQ(world.connections_made(), 1U);
  expect_winner(1, milliseconds(250) + kTrip);
}

TEST_F(HappyEyeballsTest, TheNextStartsAtOnceWhenOneFails) {
  script(0, kRefuse);
  script(1, kRefuse);
  race();
  expect_winner(2, 3 * kTrip);
}

// The second one has its own time, whatever happens to the first one meanwhile.
TEST_F(HappyEyeballsTest, AnOlderFailureStartsNothing) {
  script(0, kVanish);
  script(1, kVanish);
  limits.attempt = milliseconds(300);
  race();
  expect_winner(2, milliseconds(500) + kTrip);
}

TEST_F(HappyEyeballsTest, ASlowFirstOneMayStillWin) {
  Faults slow;
  slow.latency = {milliseconds(150), milliseconds(150)};  // 300 ms there and back
  network.set_faults(slow);
  script(1, kVanish);
  race();
  expect_winner(0, milliseconds(300));
}

TEST_F(HappyEyeballsTest, TheSecondOfTwoInTheSameTurnIsClosed) {
  Faults slow;
  slow.latency = {milliseconds(126), milliseconds(126)};  // as long as 250 ms and a trip
  network.set_faults(slow);
  start();
  world.run_for(milliseconds(200));
  network.set_faults({});
  world.run_for(milliseconds(51));
  EXPECT_FALSE(outcome);
  EXPECT_EQ(world.connections_made(), 2U);
  EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
  ASSERT_EQ(accepted.streams.size(), 2U);
  EXPECT_EQ(world.open_streams(), 3U);  // of the second one only what was accepted
  expect_winner(0, milliseconds(250) + kTrip);
}

TEST_F(HappyEyeballsTest, WithoutStaggerTheNextWaitsForTheEnd) {
  script(0, kVanish);
  limits.attempt = seconds(2);
  limits.stagger = {};
  race();
  expect_winner(1, seconds(2) + kTrip);
}

TEST_F(HappyEyeballsTest, TheMostTellingErrorIsKept) {
  script(0, kVanish);
  script(1, kRefuse);
  script(2, kVanish);
  limits.attempt = seconds(1);
  race();
  expect_failure(ErrorKind::refused, milliseconds(250) + kTrip + seconds(1));
}

TEST_F(HappyEyeballsTest, EndsAtTheDeadline) {
  for (std::size_t i = 0; i < 3; ++i) script(i, kVanish);
  limits.deadline = begin + milliseconds(400);
  race();
  EXPECT_EQ(world.connections_made(), 0U);
  expect_failure(ErrorKind::timed_out, milliseconds(400));
}

TEST_F(HappyEyeballsTest, NothingStartsAfterTheDeadline) {
  script(0, kVanish);
  limits.deadline = begin + milliseconds(100);
  race();
  EXPECT_EQ(world.connections_made(), 0U);
  expect_failure(ErrorKind::timed_out, milliseconds(100));
}

TEST_F(HappyEyeballsTest, CancellingEndsAllAttempts) {
  script(0, kVanish);
  script(1, kVanish);
  start();
  world.run_for(milliseconds(300));
  EXPECT_FALSE(outcome);
  scope.cancel();
  world.run_for({});
  ASSERT_TRUE(outcome);
  expect_failure(ErrorKind::cancelled, milliseconds(300));
}

TEST_F(HappyEyeballsTest, CancelledBeforeItBegins) {
  scope.cancel();
  race();
  expect_failure(ErrorKind::cancelled, {});
}

}  // namespace
}  // namespace penstock

#include "net/accept_spread.h"

#include <algorithm>
#include <atomic>
#include <list>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "net/loop_test.h"
#include "net/socket_stream.h"

namespace penstock {
namespace {

// What one worker of a listener has got.
class TestWorker final : public AcceptHandler {
 public:
  TestWorker(AcceptSeat& own_seat, std::atomic<std::size_t>& connections)
      : seat(own_seat), connections_(connections) {
    seat.sit_down(loop, *this);
  }

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override {
    streams.push_back(std::move(stream));
    peers.push_back(peer);
    locals.push_back(local);
    ++connections_;
    seat.opened(loop.executor().now());
  }
  // False: another worker gets it.
  bool accept(AcceptedSocket accepted) {
    if (seat.hand_over(accepted, loop.executor().now())) return false;
    on_accept(SocketStream::create(loop, std::move(accepted.socket), false), accepted.peer,
              accepted.local);
    return true;
  }
  void close_one() {
    streams.pop_back();
    --connections_;
    seat.closed();
  }
  void turn() { loop.run_once(Duration::zero()); }

  EventLoop loop;
  AcceptSeat& seat;
  std::vector<std::unique_ptr<ByteStream>> streams;
  std::vector<Address> peers, locals;

 private:
  std::atomic<std::size_t>& connections_;
};

using Numbers = std::vector<std::size_t>;

class AcceptSpreadTest : public testing::Test {
 protected:
  void make_workers(std::size_t count, std::size_t most = 1'000'000) {
    spread_.make_seats(count, connections, most);
    for (std::size_t i = 0; i < count; ++i) workers.emplace_back(spread_.seat(i), connections);
  }
  TestWorker& worker(std::size_t i) { return *std::next(workers.begin(), static_cast<long>(i)); }

  AcceptedSocket a_connection() {
    RawConnection made = make_unix_connection();
    clients.push_back(std::move(made.peer));
    return {.socket = std::move(made.ours), .peer = kPeer, .local = kLocal};
  }
  // One turn of the worker's in which it accepts so many.
  void accept_at(TestWorker& at, int count) {
    for (int i = 0; i < count; ++i) at.accept(a_connection());
    at.seat.flush();
  }
  // Each is gone again, wherever it got to, when the next one comes.
  void accept_short_ones_at(TestWorker& at, int count) {
    for (int i = 0; i < count; ++i) {
      const Numbers before = numbers();
      accept_at(at, 1);
      turn();
      for (std::size_t w = 0; w < before.size(); ++w) {
        if (worker(w).streams.size() > before[w]) worker(w).close_one();
      }
    }
  }
  void turn() {
    for (TestWorker& one : workers) one.turn();
  }
  std::vector<std::size_t> numbers() {
    std::vector<std::size_t> out;
    for (const TestWorker& one : workers) out.push_back(one.streams.size());
    return out;
  }

  const Address kPeer = *Address::parse("192.0.2.9:1234");
  const Address kLocal = *Address::parse("192.0.2.1:80");
  std::atomic<std::size_t> connections = 0;
  std::vector<Peer> clients;
  std::list<TestWorker> workers;

 private:
  AcceptSpread spread_;
};

TEST_F(AcceptSpreadTest, AFewGoToAllInTurn) {
  make_workers(4);
  for (int i = 0; i < 8; ++i) {
    accept_at(worker(0), 1);
    turn();
  }
  EXPECT_EQ(numbers(), (Numbers{2, 2, 2, 2}));
}

TEST_F(AcceptSpreadTest, WhatIsHandedOverComesWithItsAddressesAndWorks) {
  make_workers(2);
  accept_at(worker(0), 2);
  turn();
  ASSERT_EQ(numbers(), (Numbers{1, 1}));
  EXPECT_EQ(worker(1).peers[0], kPeer);
  EXPECT_EQ(worker(1).locals[0], kLocal);
  worker(1).streams[0]->shutdown_write();
  EXPECT_EQ(clients[1].receive(), "");  // the end, not a descriptor that was lost
  EXPECT_EQ(connections, 2U);
}

TEST_F(AcceptSpreadTest, ABurstInOneTurnSpreads) {
  make_workers(4);
  for (int i = 0; i < 40; ++i) accept_at(worker(0), 25);
  turn();
  const auto [least, most] = std::ranges::minmax(numbers());
  EXPECT_LE(most, least + least / 4) << least;
  EXPECT_EQ(connections, 1000U);
}

TEST_F(AcceptSpreadTest, EvenOnesAreLeftWhereTheyAre) {
  make_workers(2);
  for (int i = 0; i < 100; ++i) {
    for (TestWorker& one : workers) EXPECT_TRUE(one.accept(a_connection())) << i;
  }
  EXPECT_EQ(numbers(), (Numbers{100, 100}));
}

TEST_F(AcceptSpreadTest, ShortOnesSpreadByTheirRate) {
  make_workers(2);
  accept_short_ones_at(worker(0), 300);
  EXPECT_EQ(worker(0).peers.size() + worker(1).peers.size(), 300U);
  EXPECT_GT(worker(1).peers.size(), 100U);
  EXPECT_LE(worker(1).peers.size(), 150U);
}

TEST_F(AcceptSpreadTest, TheRateDoesNotBurdenTheOneWithMoreConnections) {
  make_workers(2);
  for (int i = 0; i < 10; ++i) worker(1).on_accept(nullptr, kPeer, kLocal);
  turn();
  accept_short_ones_at(worker(0), 200);
  EXPECT_EQ(worker(1).peers.size(), 10U);
}

TEST_F(AcceptSpreadTest, NothingMovesTwice) {
  make_workers(2);
  accept_at(worker(0), 2);
  // It gets busier than the one that hands over before it takes that up.
  for (int i = 0; i < 5; ++i) worker(1).on_accept(nullptr, kPeer, kLocal);
  turn();
  turn();
  EXPECT_EQ(numbers(), (Numbers{1, 6}));
}

TEST_F(AcceptSpreadTest, WhatIsOnItsWayCounts) {
  make_workers(2);
  accept_at(worker(0), 2);
  EXPECT_EQ(worker(1).seat.load(), 1U);
  EXPECT_EQ(connections, 2U);
  turn();
  EXPECT_EQ(worker(1).seat.load(), 1U);
  EXPECT_EQ(connections, 2U);
}

TEST_F(AcceptSpreadTest, AtTheBoundTheWorkerThatAcceptsNotices) {
  make_workers(2, 4);
  for (int i = 0; i < 3; ++i) worker(0).on_accept(nullptr, kPeer, kLocal);
  EXPECT_TRUE(worker(0).accept(a_connection()));  // the fourth
}

TEST_F(AcceptSpreadTest, WhoeverLeavesTakesUpWhatIsOnItsWay) {
  make_workers(2);
  accept_at(worker(0), 2);
  worker(1).seat.leave();
  EXPECT_EQ(numbers(), (Numbers{1, 1}));
  turn();  // the call that was made for it finds nothing
  EXPECT_EQ(numbers(), (Numbers{1, 1}));
}

TEST_F(AcceptSpreadTest, WhoeverHasLeftGetsNothing) {
  make_workers(2);
  for (int i = 0; i < 3; ++i) worker(0).accept(a_connection());  // not sent off yet
  worker(1).seat.leave();
  worker(0).seat.flush();
  EXPECT_EQ(numbers(), (Numbers{3, 0}));
  EXPECT_EQ(worker(0).seat.load(), 3U);
  EXPECT_EQ(worker(1).seat.load(), 0U);
  EXPECT_EQ(connections, 3U);
}

TEST_F(AcceptSpreadTest, WhoeverHasLeftKeepsWhatItAccepts) {
  make_workers(2);
  worker(0).seat.leave();
  accept_at(worker(0), 10);
  EXPECT_EQ(numbers(), (Numbers{10, 0}));
}

// Threads that accept and leave at moments of their own: every connection is served by somebody.
TEST_F(AcceptSpreadTest, NothingIsLostWhileWorkersLeave) {
  constexpr int kRounds = 20;
  constexpr int kEach = 100;
  for (int round = 0; round < kRounds; ++round) {
    AcceptSpread spread;
    std::atomic<std::size_t> count = 0;
    std::list<TestWorker> all;
    spread.make_seats(3, count, 1'000'000);
    for (std::size_t i = 0; i < 3; ++i) all.emplace_back(spread.seat(i), count);
    std::vector<std::thread> threads;
    int leaves_after = 10 + round;
    for (TestWorker& one : all) {
      leaves_after = leaves_after * 2 % kEach;
      threads.emplace_back([&one, leaves_after] {
        for (int i = 0; i < kEach; ++i) {
          if (i == leaves_after) one.seat.leave();
          for (int j = 0; j < 1 + i % 3; ++j) {
            RawConnection made = make_unix_connection();
            one.accept({.socket = std::move(made.ours), .peer = {}, .local = {}});
          }
          one.seat.flush();
          one.turn();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    std::size_t served = 0;
    for (const TestWorker& one : all) served += one.streams.size();
    EXPECT_EQ(served, count);
    EXPECT_EQ(served, 3U * 199U);
    for (const TestWorker& one : all) EXPECT_EQ(one.seat.load(), one.streams.size());
  }
}

}  // namespace
}  // namespace penstock

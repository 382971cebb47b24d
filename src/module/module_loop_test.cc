#include "module/module_loop.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include "module/local_test.h"
#include "net/loop_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class ModuleLoopTest : public testing::Test {
 protected:
  ~ModuleLoopTest() override { loop.detach(); }
  std::uint64_t timer(int period_ms, const std::string& name) {
    return loop.start_timer(milliseconds(period_ms),
                            [this, name](std::uint64_t /*id*/) { called.push_back(name); });
  }
  std::vector<std::string> take_called() { return std::exchange(called, {}); }

  VirtualWorker worker;
  ModuleLoop loop;
  std::vector<std::string> called;
};

TEST_F(ModuleLoopTest, TimersAreCalledEveryPeriod) {
  loop.attach(worker.worker());
  const auto first = timer(10, "10");
  const auto second = timer(25, "25");
  EXPECT_NE(first, 0U);
  EXPECT_NE(first, second);
  worker.advance(milliseconds(9));
  EXPECT_THAT(take_called(), IsEmpty());
  worker.advance(milliseconds(41));
  EXPECT_THAT(take_called(), ElementsAre("10", "10", "25", "10", "10", "10", "25"));
  loop.stop_timer(first);
  loop.stop_timer(first);
  loop.stop_timer(12345);
  worker.advance(milliseconds(25));
  EXPECT_THAT(take_called(), ElementsAre("25"));
  EXPECT_EQ(loop.start_timer(Duration::zero(), [](std::uint64_t /*id*/) {}), 0U);
}

TEST_F(ModuleLoopTest, WhatIsBegunBeforeThereIsAWorkerHappensThen) {
  timer(10, "timer");
  timer(1, "stopped");
  loop.stop_timer(2);
  EXPECT_TRUE(loop.call([this] { called.emplace_back("call"); }));
  const RawConnection pair = make_unix_connection();
  EXPECT_NE(loop.start_watch(
                pair.ours.get(), POLLOUT, true,
                [this](std::uint64_t /*id*/, short /*events*/) { called.emplace_back("watch"); }),
            0U);
  worker.advance(milliseconds(100));
  loop.attach(worker.worker());
  EXPECT_THAT(take_called(), IsEmpty());
  worker.advance(milliseconds(10));
  EXPECT_THAT(take_called(), ElementsAre("watch", "call", "timer"));
}

TEST_F(ModuleLoopTest, CallsThatComeTooLateAreNotMadeUpFor) {
  loop.attach(worker.worker());
  timer(10, "10");
  worker.turn();
  const TimePoint late = worker.executor().now() + milliseconds(95);
  worker.executor().set_time(late, {});
  worker.executor().timers().advance(late);
  EXPECT_THAT(take_called(), ElementsAre("10"));
  worker.advance(milliseconds(9));
  EXPECT_THAT(take_called(), IsEmpty());
  worker.advance(milliseconds(1));
  EXPECT_THAT(take_called(), ElementsAre("10"));
}

TEST_F(ModuleLoopTest, WhatIsStoppedOnTheWorkersThreadIsNotCalledAnyMore) {
  loop.attach(worker.worker());
  // Both are due at once: whichever is first stops the other, and itself.
  std::vector<std::uint64_t> ids;
  for (int i = 0; i < 2; ++i) {
    ids.push_back(loop.start_timer(milliseconds(10), [&](std::uint64_t id) {
      called.push_back(std::to_string(id));
      for (const std::uint64_t one : ids) loop.stop_timer(one);
    }));
  }
  worker.advance(milliseconds(100));
  EXPECT_EQ(take_called().size(), 1U);

  const RawConnection pair = make_unix_connection();
  ids.clear();
  for (int i = 0; i < 2; ++i) {
    ids.push_back(
        loop.start_watch(pair.ours.get(), POLLOUT, false, [&](std::uint64_t id, short /*events*/) {
          called.push_back(std::to_string(id));
          for (const std::uint64_t one : ids) loop.stop_watch(one);
        }));
  }
  for (int i = 0; i < 3; ++i) worker.turn();
  EXPECT_EQ(take_called().size(), 1U);
}

TEST_F(ModuleLoopTest, WatchesAreLevelTriggered) {
  loop.attach(worker.worker());
  RawConnection pair = make_unix_connection();
  std::vector<short> seen;
  const auto id =
      loop.start_watch(pair.ours.get(), POLLIN, false,
                       [&seen](std::uint64_t /*id*/, short events) { seen.push_back(events); });
  ASSERT_NE(id, 0U);
  worker.turn();
  EXPECT_THAT(seen, IsEmpty());
  pair.peer.send("x");
  worker.turn();
  worker.turn();
  EXPECT_THAT(seen, ElementsAre(POLLIN, POLLIN));
  std::array<char, 8> buffer{};
  ASSERT_EQ(::read(pair.ours.get(), buffer.data(), buffer.size()), 1);
  worker.turn();
  EXPECT_EQ(seen.size(), 2U);
  // That the other end is gone is said unasked.
  pair.peer.close();
  worker.turn();
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen.back(), POLLIN | POLLHUP);
  loop.stop_watch(id);
  const int wakes = worker.wakes;
  worker.turn();
  EXPECT_EQ(seen.size(), 3U);
  EXPECT_EQ(worker.wakes, wakes) << "it is still watched, though nobody is told";
}

TEST_F(ModuleLoopTest, OnceMeansUntilItIsRearmed) {
  loop.attach(worker.worker());
  const RawConnection pair = make_unix_connection();
  const auto id =
      loop.start_watch(pair.ours.get(), POLLOUT, true,
                       [this](std::uint64_t /*id*/, short /*e*/) { called.emplace_back("out"); });
  for (int i = 0; i < 3; ++i) worker.turn();
  EXPECT_THAT(take_called(), ElementsAre("out"));
  loop.rearm_watch(id);
  for (int i = 0; i < 3; ++i) worker.turn();
  EXPECT_THAT(take_called(), ElementsAre("out"));
  loop.stop_watch(id);
  loop.rearm_watch(id);
  worker.turn();
  EXPECT_THAT(take_called(), IsEmpty());
}

TEST_F(ModuleLoopTest, ADescriptorThatIsClosedTooEarlyHurtsNobody) {
  loop.attach(worker.worker());
  RawConnection pair = make_unix_connection();
  const int number = pair.ours.get();
  const auto watch = [this](int fd, const std::string& name) {
    return loop.start_watch(fd, POLLIN, false, [this, name](std::uint64_t /*id*/, short /*e*/) {
      called.push_back(name);
    });
  };
  const auto first = watch(number, "first");
  pair.ours.reset();
  RawConnection other = make_unix_connection();
  ASSERT_EQ(other.ours.get(), number) << "the number was to be used again";
  const auto second = watch(number, "second");
  loop.stop_watch(first);
  worker.turn();
  other.peer.send("x");
  worker.turn();
  EXPECT_THAT(take_called(), ElementsAre("second"));
  loop.stop_watch(second);
  // Nothing of ours keeps the connection.
  other.ours.reset();
  EXPECT_EQ(other.peer.receive(), "");
}

TEST_F(ModuleLoopTest, WhatCannotBeWatchedIsRefused) {
  const auto nothing = [](std::uint64_t /*id*/, short /*events*/) {};
  const RawConnection pair = make_unix_connection();
  EXPECT_EQ(loop.start_watch(pair.ours.get(), 0x4000, false, nothing), 0U);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(loop.start_watch(1'000'000, POLLIN, false, nothing), 0U);
  EXPECT_EQ(errno, EBADF);
  const Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(file);
  EXPECT_EQ(loop.start_watch(file.get(), POLLIN, false, nothing), 0U);
  EXPECT_EQ(errno, EPERM);
}

TEST_F(ModuleLoopTest, NothingHappensWithoutAWorkerAnyMore) {
  loop.attach(worker.worker());
  const RawConnection pair = make_unix_connection();
  timer(10, "timer");
  EXPECT_NE(loop.start_watch(
                pair.ours.get(), POLLOUT, false,
                [this](std::uint64_t /*id*/, short /*events*/) { called.emplace_back("watch"); }),
            0U);
  loop.detach();
  worker.advance(milliseconds(100));
  EXPECT_THAT(take_called(), IsEmpty());
  EXPECT_FALSE(loop.call([] {}));
  EXPECT_EQ(timer(10, "timer"), 0U);
  EXPECT_EQ(
      loop.start_watch(pair.ours.get(), POLLOUT, false, [](std::uint64_t /*id*/, short /*e*/) {}),
      0U);
}

TEST_F(ModuleLoopTest, AGateThatIsClosedIsTheEndAsWell) {
  loop.attach(worker.worker());
  worker.gate->close();
  EXPECT_FALSE(loop.call([] {}));
  EXPECT_EQ(timer(10, "timer"), 0U);
}

// A real loop, and threads that start and stop without pause.
TEST(ModuleLoopThreads, StartAndStopFromAnywhere) {
  EventLoop events;
  EventLoopPort port(events);
  const auto gate = std::make_shared<WorkerGate>(
      [&events](std::function<void()> f) { events.call(std::move(f)); });
  ModuleLoop loop;
  loop.attach({.gate = gate, .port = &port});
  std::thread worker([&events] { events.run(); });
  std::atomic<int> timers = 0;
  std::atomic<int> watches = 0;
  const auto play = [&] {
    const RawConnection pair = make_unix_connection();
    for (int i = 0; i < 200 || timers.load() == 0 || watches.load() == 0; ++i) {
      const auto timer = loop.start_timer(milliseconds(1), [&](std::uint64_t id) {
        ++timers;
        loop.stop_timer(id);
      });
      const auto watch = loop.start_watch(pair.ours.get(), POLLOUT, i % 2 == 0,
                                          [&](std::uint64_t id, short /*events*/) {
                                            ++watches;
                                            loop.rearm_watch(id);
                                          });
      const auto stopped = loop.start_timer(milliseconds(1), [](std::uint64_t /*id*/) {});
      loop.stop_timer(stopped);
      if (i % 10 != 0) loop.stop_timer(timer);
      loop.stop_watch(watch);
    }
  };
  std::thread other(play);
  play();
  other.join();
  events.call([&] {
    loop.detach();
    events.stop();
  });
  worker.join();
  gate->close();
}

}  // namespace
}  // namespace penstock

#include "net/event_loop.h"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "async/event.h"
#include "async/sleep.h"
#include "net/loop_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

class CountingSource final : public EventSource {
 public:
  void on_events(std::uint32_t events) override {
    ++calls;
    last = events;
    if (then) then();
  }
  int calls = 0;
  std::uint32_t last = 0;
  std::function<void()> then;
};

class EventLoopTest : public LoopTest {
 protected:
  static Fd signalled() { return Fd(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC)); }
};

TEST_F(EventLoopTest, TellsTheSourceUntilRemoved) {
  CountingSource source;
  const Fd fd = signalled();
  EXPECT_EQ(loop.add(fd.get(), EPOLLIN, source), 0);
  EXPECT_EQ(loop.add(fd.get(), EPOLLIN, source), EEXIST);
  settle();
  EXPECT_EQ(source.calls, 3);  // level-triggered
  EXPECT_EQ(source.last, std::uint32_t{EPOLLIN});
  loop.modify(fd.get(), 0, source);
  settle();
  EXPECT_EQ(source.calls, 3);
  loop.modify(fd.get(), EPOLLOUT | EPOLLET, source);
  settle();
  EXPECT_EQ(source.calls, 4);
  loop.remove(fd.get());
  EXPECT_EQ(loop.add(-1, EPOLLIN, source), EBADF);
}

Task<void> note_wakening(Event& event, bool& woken) { woken = co_await event.wait(); }

TEST_F(EventLoopTest, TasksRunAfterAllEventsOfATurn) {
  Event event;
  bool woken = false;
  spawn(note_wakening(event, woken));
  std::vector<bool> seen;
  CountingSource sources[3];
  const Fd fds[3] = {signalled(), signalled(), signalled()};
  for (std::size_t i = 0; i < 3; ++i) {
    sources[i].then = [&] {
      seen.push_back(woken);
      event.set();
    };
    EXPECT_EQ(loop.add(fds[i].get(), EPOLLIN | EPOLLET, sources[i]), 0);
  }
  loop.run_once(0s);
  EXPECT_EQ(seen, (std::vector{false, false, false}));
  EXPECT_TRUE(woken);
}

Task<void> sleep_for(Duration time, TimePoint& woken) {
  Executor& executor = (co_await this_context()).executor();
  co_await sleep_until(executor.now() + time);
  woken = executor.now();
}

TEST_F(EventLoopTest, SleepersWakeInTime) {
  const TimePoint start = now();
  TimePoint woken[3]{};
  spawn(sleep_for(1ms, woken[0]));
  spawn(sleep_for(40ms, woken[1]));
  spawn(sleep_for(90ms, woken[2]));  // on the wheel's second level
  run();
  EXPECT_GE(woken[0] - start, 1ms);
  EXPECT_GE(woken[1] - start, 40ms);
  EXPECT_GE(woken[2] - start, 90ms);
  EXPECT_LT(woken[2] - start, 5s);
}

TEST_F(EventLoopTest, WaitsNoLongerThanAllowed) {
  const auto start = std::chrono::steady_clock::now();
  loop.run_once(20ms);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
}

TEST_F(EventLoopTest, WallTimeIsTheSystemsTime) {
  loop.run_once(0s);
  const auto difference = std::chrono::system_clock::now() - loop.executor().wall_now();
  EXPECT_LT(std::chrono::abs(difference), 5s);
}

Task<void> spin(int rounds, int& count) {
  for (; count < rounds; ++count) {
    struct Yield {
      bool await_ready() { return false; }
      void await_suspend(std::coroutine_handle<> self) { executor->post(self); }
      void await_resume() {}
      Executor* executor;
    };
    Yield yield{&(co_await this_context()).executor()};
    co_await yield;
  }
}

TEST_F(EventLoopTest, BusyTasksDoNotKeepOthersFromTheirEvents) {
  int rounds = 0;
  spawn(spin(1000, rounds));
  CountingSource source;
  const Fd fd = signalled();
  EXPECT_EQ(loop.add(fd.get(), EPOLLIN, source), 0);
  loop.run_once(10s);
  EXPECT_EQ(source.calls, 1);
  EXPECT_LT(rounds, 1000);
  run();
  EXPECT_EQ(rounds, 1000);
}

TEST_F(EventLoopTest, CallsFromOtherThreadsRunOnTheLoopsThread) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 500;
  const std::thread::id here = std::this_thread::get_id();
  int done = 0;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < kCalls; ++call) {
        loop.call([&] {
          EXPECT_EQ(std::this_thread::get_id(), here);
          ++done;
        });
      }
    });
  }
  run_until([&] { return done == kThreads * kCalls; });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(EventLoopTest, ACallMayCallAgain) {
  int depth = 0;
  std::function<void()> again = [&] {
    if (++depth < 5) loop.call(again);
  };
  loop.call(again);
  run_until([&] { return depth == 5; });
}

TEST(EventLoop, StopEndsRun) {
  EventLoop loop;
  std::atomic<bool> in_run = false;
  loop.call([&] { in_run = true; });
  std::thread stopper([&] {
    in_run.wait(false);
    loop.stop();
  });
  // The loop sets the flag from inside run(), and may be waiting for events when it is stopped.
  loop.call([&] { in_run.notify_all(); });
  loop.run();
  stopper.join();
  loop.run();  // stays stopped
}

TEST(EventLoop, StopBeforeRun) {
  EventLoop loop;
  loop.stop();
  loop.run();
}

TEST(EventLoop, DropsCallsThatNeverRan) {
  const auto held = std::make_shared<int>(1);
  {
    EventLoop loop;
    loop.call([held] { FAIL(); });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace penstock

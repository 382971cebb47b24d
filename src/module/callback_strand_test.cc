#include "module/callback_strand.h"

#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using testing::ElementsAre;

TEST(CallbackStrand, CallsInPlaceUntilTheEnd) {
  const auto strand = std::make_shared<CallbackStrand>(nullptr);
  EXPECT_FALSE(strand->elsewhere());
  int calls = 0;
  const auto f = [&calls] { ++calls; };
  strand->run(ModuleEvent::timer, f, nullptr);
  EXPECT_EQ(calls, 1);
  strand->end();
  strand->end();
  strand->run(ModuleEvent::timer, f, nullptr);
  EXPECT_EQ(calls, 1);
}

TEST(CallbackStrand, MayBeEndedByItsOwnCall) {
  const auto strand = std::make_shared<CallbackStrand>(nullptr);
  int calls = 0;
  const auto f = [&] {
    ++calls;
    strand->end();
  };
  strand->run(ModuleEvent::timer, f, nullptr);
  strand->run(ModuleEvent::timer, f, nullptr);
  EXPECT_EQ(calls, 1);
}

TEST(CallbackStrand, TheEndWaitsForTheCallThatIsUnderWay) {
  const auto strand = std::make_shared<CallbackStrand>(nullptr);
  std::promise<void> begun;
  std::promise<void> go_on;
  std::atomic<bool> done = false;
  std::thread worker([&] {
    strand->run(
        ModuleEvent::watch,
        [&] {
          begun.set_value();
          go_on.get_future().wait();
          done = true;
        },
        nullptr);
  });
  begun.get_future().wait();
  std::thread ender([&] {
    strand->end();
    EXPECT_TRUE(done.load());
  });
  go_on.set_value();
  ender.join();
  worker.join();
}

TEST(CallbackStrand, TheWatchdogIsTold) {
  std::vector<std::string> lines;
  Watchdog watchdog([&](std::string_view line) { lines.emplace_back(line); }, {});
  WatchdogSlot& slot = watchdog.add_slot();
  const WatchedInstance watched = watchdog.add_instance("slow", std::chrono::milliseconds(10));
  const auto strand = std::make_shared<CallbackStrand>(&watched);
  strand->run(
      ModuleEvent::watch,
      [&] {
        watchdog.look(TimePoint{std::chrono::seconds(1)});
        watchdog.look(TimePoint{std::chrono::seconds(2)});
      },
      &slot);
  EXPECT_THAT(lines, ElementsAre("module.slow: watch has held a worker for 1000 ms and goes on"));
}

// Elsewhere is where the test says.
class ElsewhereTest : public testing::Test {
 protected:
  void run_posted() {
    for (const auto& f : std::exchange(posted, {})) f();
  }
  CallbackStrand::Call noting(int n) {
    return [this, n] { called.push_back(n); };
  }

  std::vector<CallbackStrand::Call> posted;
  std::vector<int> called;
  std::shared_ptr<CallbackStrand> strand = std::make_shared<CallbackStrand>(
      nullptr, [this](CallbackStrand::Call f) { posted.push_back(std::move(f)); });
};

TEST_F(ElsewhereTest, CallsOneAfterTheOtherOnOneThreadAtATime) {
  EXPECT_TRUE(strand->elsewhere());
  for (const int n : {1, 2, 3}) strand->run(ModuleEvent::timer, noting(n), nullptr);
  EXPECT_TRUE(called.empty());
  EXPECT_EQ(posted.size(), 1U);
  run_posted();
  EXPECT_THAT(called, ElementsAre(1, 2, 3));
  strand->run(ModuleEvent::timer, noting(4), nullptr);
  EXPECT_EQ(posted.size(), 1U);
  run_posted();
  EXPECT_THAT(called, ElementsAre(1, 2, 3, 4));
}

TEST_F(ElsewhereTest, WhatWaitsAtTheEndIsDropped) {
  strand->run(
      ModuleEvent::timer,
      [this] {
        called.push_back(1);
        strand->end();
      },
      nullptr);
  strand->run(ModuleEvent::timer, noting(2), nullptr);
  run_posted();
  strand->run(ModuleEvent::timer, noting(3), nullptr);
  EXPECT_THAT(called, ElementsAre(1));
  EXPECT_TRUE(posted.empty());
}

}  // namespace
}  // namespace penstock

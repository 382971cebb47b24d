#include "module/blocking_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

namespace penstock {
namespace {

// Holds jobs until it is opened, and says how many are held.
class Barrier {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++held_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_for_held(int count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(20), [&] { return held_ == count; }));
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int held_ = 0;
  bool open_ = false;
};

class BlockingPoolTest : public testing::Test {
 protected:
  ~BlockingPoolTest() override {
    barrier.open();
    pool.end(&one);
    pool.end(&other);
  }

  const int one = 0;
  const int other = 0;
  Barrier barrier;
  BlockingPool pool;
};

TEST_F(BlockingPoolTest, RunsWorkAndThenWhatComesAfterIt) {
  std::mutex mutex;
  std::condition_variable changed;
  int done = 0;
  std::thread::id worked;
  ASSERT_TRUE(pool.run(
      &one, [&] { worked = std::this_thread::get_id(); },
      [&] {
        EXPECT_EQ(worked, std::this_thread::get_id());
        const std::lock_guard lock(mutex);
        ++done;
        changed.notify_all();
      }));
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return done == 1; }));
  EXPECT_NE(worked, std::this_thread::get_id());
}

TEST_F(BlockingPoolTest, EightRunAtATimeAndManyWait) {
  for (std::size_t i = 0; i < BlockingPool::kMaxThreads; ++i) {
    ASSERT_TRUE(pool.run(&one, [this] { barrier.wait(); }, {}));
  }
  barrier.wait_for_held(BlockingPool::kMaxThreads);
  std::atomic<std::size_t> ran = 0;
  for (std::size_t i = 0; i < BlockingPool::kMaxWaiting; ++i) {
    ASSERT_TRUE(pool.run(&other, [&ran] { ++ran; }, {}));
  }
  EXPECT_FALSE(pool.run(&other, [&ran] { ++ran; }, {}));
  EXPECT_EQ(ran.load(), 0U);
  // The end of those that wait makes room.
  pool.end(&other);
  EXPECT_EQ(ran.load(), 0U);
  EXPECT_TRUE(pool.run(&one, [&ran] { ++ran; }, {}));
  barrier.open();
  pool.end(&one);
}

TEST_F(BlockingPoolTest, TheEndDropsWhatWaitsAndWaitsForWhatRuns) {
  Barrier others;
  std::atomic<bool> finished = false;
  std::atomic<int> dropped = 0;
  ASSERT_TRUE(pool.run(&one, [this] { barrier.wait(); }, [&finished] { finished = true; }));
  for (std::size_t i = 1; i < BlockingPool::kMaxThreads; ++i) {
    ASSERT_TRUE(pool.run(&other, [&others] { others.wait(); }, {}));
  }
  barrier.wait_for_held(1);
  others.wait_for_held(BlockingPool::kMaxThreads - 1);
  for (std::size_t i = 0; i < BlockingPool::kMaxWaiting; ++i) {
    ASSERT_TRUE(pool.run(&one, [&dropped] { ++dropped; }, {}));
  }
  std::thread ender([&] {
    pool.end(&one);
    // The others' still run.
    EXPECT_TRUE(finished.load());
  });
  // There is room again once they have been dropped.
  while (!pool.run(&other, [] {}, {})) std::this_thread::yield();
  EXPECT_FALSE(finished.load());
  barrier.open();
  ender.join();
  others.open();
  pool.end(&other);
  EXPECT_EQ(dropped.load(), 0);
}

TEST_F(BlockingPoolTest, AJobMayEndItsOwnOwner) {
  ASSERT_TRUE(pool.run(&one,
                       [this] {
                         pool.end(&one);
                         barrier.wait();
                       },
                       {}));
  barrier.wait_for_held(1);
}

TEST_F(BlockingPoolTest, ManyFromManyThreads) {
  std::atomic<int> ran = 0;
  std::atomic<int> after = 0;
  const auto submit = [&](const int& owner) {
    for (int i = 0; i < 500; ++i) {
      while (!pool.run(&owner, [&ran] { ++ran; }, [&after] { ++after; })) {
        std::this_thread::yield();
      }
    }
    while (after.load() < 1000) std::this_thread::yield();
    pool.end(&owner);
  };
  std::thread thread([&] { submit(other); });
  submit(one);
  thread.join();
  EXPECT_EQ(ran.load(), 1000);
}

}  // namespace
}  // namespace penstock

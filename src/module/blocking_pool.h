// Threads for what modules do that blocks.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace penstock {

// Shared by all instances; safe to use from all threads. Threads are started when they are first
// needed, and then stay.
class BlockingPool {
 public:
  static constexpr std::size_t kMaxThreads = 8;
  static constexpr std::size_t kMaxWaiting = 1024;

  BlockingPool() = default;
  // All owners must have been ended.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` on one of the threads, then `after` on the same. `owner` is a name for end() and is
  // not looked into. False: too many wait, or no thread can be had.
  [[nodiscard]] bool run(const void* owner, std::function<void()> work,
                         std::function<void()> after);
  // The same for what must be run whatever waits. Of each owner one at a time, so that there is a
  // bound; where no thread can be had, it waits until one can.
  void run_anyway(const void* owner, std::function<void()> work);
  // Drops the jobs of that owner that wait, and waits for those that run, unless this is called by
  // one of them. To be called when it begins no more.
  void end(const void* owner);

 private:
  struct Job {
    const void* owner = nullptr;
    std::function<void()> work;
    std::function<void()> after;
  };
  // A thread, with the owner of the job it runs; null: none.
  struct Seat {
    const void* owner = nullptr;
    std::thread thread;
  };
  // A thread for one job more, if one is wanted. False: there is none at all.
  bool make_room();
  bool start_thread();
  void work(Seat& seat);

  std::mutex mutex_;
  std::condition_variable news_;   // a job waits, or it is time to stop
  std::condition_variable ended_;  // a job has ended
  std::deque<Job> waiting_;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::size_t idle_ = 0;
  bool stop_ = false;
};

}  // namespace penstock

#include "module/blocking_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/check.h"

namespace penstock {

BlockingPool::~BlockingPool() {
  {
    const std::lock_guard lock(mutex_);
    PENSTOCK_CHECK(waiting_.empty());
    stop_ = true;
    news_.notify_all();
  }
  for (const auto& seat : seats_) seat->thread.join();
}

bool BlockingPool::run(const void* owner, std::function<void()> work, std::function<void()> after) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= kMaxWaiting || !make_room()) return false;
  waiting_.push_back({.owner = owner, .work = std::move(work), .after = std::move(after)});
  news_.notify_one();
  return true;
}

void BlockingPool::run_anyway(const void* owner, std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  make_room();
  waiting_.push_back({.owner = owner, .work = std::move(work), .after = {}});
  news_.notify_one();
}

bool BlockingPool::make_room() {
  // Those that are idle may have been woken for jobs that wait already.
  if (waiting_.size() < idle_ || seats_.size() == kMaxThreads) return true;
  return start_thread() || !seats_.empty();
}

bool BlockingPool::start_thread() {
  Seat& seat = *seats_.emplace_back(std::make_unique<Seat>());
  try {
    seat.thread = std::thread([this, &seat] { this->work(seat); });
  } catch (const std::system_error&) {
    seats_.pop_back();
    return false;
  }
  return true;
}

void BlockingPool::work(Seat& seat) {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    news_.wait(lock, [this] { return stop_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    Job job = std::move(waiting_.front());
    waiting_.pop_front();
    seat.owner = job.owner;
    lock.unlock();
    job.work();
    if (job.after) job.after();
    job = {};
    lock.lock();
    seat.owner = nullptr;
    ended_.notify_all();
  }
}

void BlockingPool::end(const void* owner) {
  std::deque<Job> dropped;  // destroyed without the lock
  std::unique_lock lock(mutex_);
  std::deque<Job> rest;
  for (Job& job : waiting_) (job.owner == owner ? dropped : rest).push_back(std::move(job));
  waiting_.swap(rest);
  const auto here = std::this_thread::get_id();
  ended_.wait(lock, [this, owner, here] {
    return std::ranges::none_of(seats_, [owner, here](const auto& seat) {
      return seat->owner == owner && seat->thread.get_id() != here;
    });
  });
}

}  // namespace penstock

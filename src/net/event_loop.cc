#include "net/event_loop.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include <sys/eventfd.h>

#include "base/check.h"
#include "base/clock.h"

namespace penstock {
namespace {

// Few enough that what a batch reads is still in the cache when its tasks run, many enough that
// asking for events costs little.
constexpr std::size_t kEventsATurn = 32;
// Rounds of ready tasks before the sockets are looked at again.
constexpr int kRoundsATurn = 4;

using WallDuration = std::chrono::system_clock::duration;

}  // namespace

EventLoop::EventLoop()
    : executor_(monotonic_now()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wakeup_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      events_(kEventsATurn) {
  PENSTOCK_CHECK(epoll_ && wakeup_fd_);
  PENSTOCK_CHECK(add(wakeup_fd_.get(), EPOLLIN, wakeup_) == 0);
  update_time();
}

EventLoop::~EventLoop() = default;

int EventLoop::add(int fd, std::uint32_t events, EventSource& source) {
  epoll_event event{.events = events, .data = {.ptr = &source}};
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : errno;
}

void EventLoop::modify(int fd, std::uint32_t events, EventSource& source) {
  epoll_event event{.events = events, .data = {.ptr = &source}};
  PENSTOCK_CHECK(epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0);
}

void EventLoop::remove(int fd) { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::update_time() {
  const TimePoint now = monotonic_now();
  // Calendar time follows the monotonic clock; its difference is looked up once a second, so that
  // a turn reads one clock.
  if (now >= next_wall_look_) {
    wall_at_zero_ = std::chrono::system_clock::now() -
                    std::chrono::duration_cast<WallDuration>(now.time_since_epoch());
    next_wall_look_ = now + std::chrono::seconds(1);
  }
  executor_.set_time(
      now, wall_at_zero_ + std::chrono::duration_cast<WallDuration>(now.time_since_epoch()));
}

void EventLoop::run() {
  while (!stopped_.load(std::memory_order_acquire)) run_once(std::chrono::seconds(60));
}

void EventLoop::run_once(Duration max_wait) {
  int timeout_ms = 0;
  if (!executor_.has_ready()) {
    const TimePoint next = executor_.timers().next();
    const Duration wait = next == kNever ? max_wait : std::min(max_wait, next - executor_.now());
    if (wait > Duration::zero()) {
      // Rounded up: a wait that ends just before the timer is due would be followed by idle turns.
      timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
    }
  }
  const int count =
      epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  PENSTOCK_CHECK(count >= 0 || errno == EINTR);
  update_time();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<std::size_t>(i)];
    static_cast<EventSource*>(event.data.ptr)->on_events(event.events);
  }
  executor_.timers().advance(executor_.now());
  run_calls();
  for (int round = 0; round < kRoundsATurn && executor_.has_ready(); ++round) {
    executor_.run_ready();
  }
}

void EventLoop::stop() {
  stopped_.store(true, std::memory_order_release);
  wake();
}

void EventLoop::call(std::function<void()> f) {
  {
    const std::lock_guard lock(calls_mutex_);
    calls_.push_back(std::move(f));
  }
  wake();
}

void EventLoop::wake() {
  const std::uint64_t one = 1;
  // A full counter means a wake-up is pending already.
  [[maybe_unused]] const auto written = ::write(wakeup_fd_.get(), &one, sizeof one);
}

void EventLoop::Wakeup::on_events(std::uint32_t /*events*/) {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(loop_->wakeup_fd_.get(), &count, sizeof count);
  loop_->calls_waiting_ = true;
}

void EventLoop::run_calls() {
  if (!std::exchange(calls_waiting_, false)) return;
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(calls_mutex_);
    calls.swap(calls_);
  }
  for (const auto& f : calls) f();
}

}  // namespace penstock

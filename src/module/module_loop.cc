#include "module/module_loop.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>

#include "base/check.h"

namespace penstock {
namespace {

constexpr int kEventsATurn = 32;
// Descriptors below are those of the standard streams.
constexpr int kLowestFd = 3;
constexpr short kWatchable = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;

// epoll has the same bits for them.
static_assert(POLLIN == EPOLLIN && POLLOUT == EPOLLOUT && POLLPRI == EPOLLPRI &&
              POLLRDHUP == EPOLLRDHUP && POLLERR == EPOLLERR && POLLHUP == EPOLLHUP);

}  // namespace

ModuleLoop::ModuleLoop() = default;

ModuleLoop::~ModuleLoop() { PENSTOCK_CHECK(state_ != State::attached); }

void ModuleLoop::attach(LoopWorker worker) {
  const std::lock_guard lock(mutex_);
  PENSTOCK_CHECK(state_ == State::waiting);
  worker_ = std::move(worker);
  state_ = State::attached;
  if (epoll_) watch_locked();
  for (auto& f : waiting_) call_locked(std::move(f));
  waiting_.clear();
}

void ModuleLoop::detach() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(watching_, false)) worker_.port->remove(epoll_.get());
  state_ = State::detached;
  waiting_.clear();
  due_.clear();
  disarm();
  worker_ = {};
}

bool ModuleLoop::call(std::function<void()> f) {
  const std::lock_guard lock(mutex_);
  return call_locked(std::move(f));
}

// Under the lock, so that all that is called is called in the order of its coming.
bool ModuleLoop::call_locked(std::function<void()> f) {
  if (state_ == State::waiting) {
    waiting_.push_back(std::move(f));
    return true;
  }
  return state_ == State::attached && worker_.gate->call(std::move(f));
}

std::uint64_t ModuleLoop::start_timer(Duration period, OnTimer f) {
  if (period <= Duration::zero()) return 0;
  auto shared = std::make_shared<const OnTimer>(std::move(f));
  const std::lock_guard lock(mutex_);
  const std::uint64_t id = ++last_id_;
  // The time is the worker's to tell.
  if (!call_locked([this, id] { schedule(id); })) return 0;
  timers_.emplace(id, TimerEntry{.period = period, .f = std::move(shared)});
  return id;
}

void ModuleLoop::schedule(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = timers_.find(id);
  if (state_ != State::attached || at == timers_.end()) return;
  at->second.due = deadline_after(worker_.port->executor().now(), at->second.period);
  due_.emplace(at->second.due, id);
  arm_locked();
}

void ModuleLoop::stop_timer(std::uint64_t id) {
  std::shared_ptr<const OnTimer> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = timers_.find(id);
  if (at == timers_.end()) return;
  // The worker's timer stays as it is, and may then fire for nothing.
  due_.erase({at->second.due, id});
  dropped = std::move(at->second.f);
  timers_.erase(at);
}

void ModuleLoop::arm_locked() {
  if (!due_.empty()) worker_.port->executor().timers().arm(*this, due_.begin()->first);
}

void ModuleLoop::on_timer() {
  const TimePoint now = worker_.port->executor().now();
  while (true) {
    const Due due = take_due(now);
    if (!due.f) break;
    (*due.f)(due.id);
  }
  const std::lock_guard lock(mutex_);
  if (state_ == State::attached) arm_locked();
}

ModuleLoop::Due ModuleLoop::take_due(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (due_.empty() || due_.begin()->first > now) return {};
  const std::uint64_t id = due_.begin()->second;
  due_.erase(due_.begin());
  TimerEntry& timer = timers_.at(id);
  timer.due = deadline_after(timer.due, timer.period);
  if (timer.due <= now) timer.due = deadline_after(now, timer.period);
  due_.emplace(timer.due, id);
  return {.id = id, .f = timer.f};
}

// Most modules watch nothing: the worker has one descriptor more only where one does.
bool ModuleLoop::begin_watching_locked() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_ || state_ != State::attached) return static_cast<bool>(epoll_);
  return call_locked([this] {
    const std::lock_guard lock(mutex_);
    if (state_ == State::attached) watch_locked();
  });
}

void ModuleLoop::watch_locked() {
  PENSTOCK_CHECK(worker_.port->add(epoll_.get(), EPOLLIN, *this) == 0);
  watching_ = true;
}

std::uint64_t ModuleLoop::start_watch(int descriptor, short events, bool once, OnEvents f) {
  if ((events & ~kWatchable) != 0) {
    errno = EINVAL;
    return 0;
  }
  WatchEntry watch{.fd = Fd(::fcntl(descriptor, F_DUPFD_CLOEXEC, kLowestFd)),
                   .events = static_cast<std::uint32_t>(events),
                   .f = std::make_shared<const OnEvents>(std::move(f))};
  if (!watch.fd) return 0;
  if (once) watch.events |= EPOLLONESHOT;
  const std::lock_guard lock(mutex_);
  if (state_ == State::detached) {
    errno = ECANCELED;
    return 0;
  }
  if (!epoll_ && !begin_watching_locked()) return 0;
  const std::uint64_t id = ++last_id_;
  epoll_event event{.events = watch.events, .data = {.u64 = id}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, watch.fd.get(), &event) != 0) return 0;
  watches_.emplace(id, std::move(watch));
  return id;
}

void ModuleLoop::rearm_watch(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = watches_.find(id);
  if (at == watches_.end()) return;
  epoll_event event{.events = at->second.events, .data = {.u64 = id}};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, at->second.fd.get(), &event);
}

void ModuleLoop::stop_watch(std::uint64_t id) {
  WatchEntry dropped;  // the function is destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto at = watches_.find(id);
  if (at == watches_.end()) return;
  // Closing ours alone does not end it: the module's stands for the same open file.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, at->second.fd.get(), nullptr);
  dropped = std::move(at->second);
  watches_.erase(at);
}

void ModuleLoop::on_events(std::uint32_t /*events*/) {
  std::array<epoll_event, kEventsATurn> events{};
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsATurn, 0);
  for (int i = 0; i < count; ++i) {
    // Copied: it is packed.
    const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
    const auto seen = static_cast<short>(events[static_cast<std::size_t>(i)].events);
    std::shared_ptr<const OnEvents> f;
    {
      const std::lock_guard lock(mutex_);
      const auto at = watches_.find(id);
      if (at != watches_.end()) f = at->second.f;
    }
    if (f) (*f)(id, seen);
  }
}

}  // namespace penstock

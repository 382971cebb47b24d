#include "helper/helper_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <random>
#include <string>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"

namespace penstock {
namespace {

// Of what a helper printed before it died; as much as a pipe holds.
constexpr int kLastReads = 16;

// For poll(2), rounded up.
int milliseconds_until(TimePoint deadline) {
  if (deadline == kNever) return -1;
  const Duration left = std::max(Duration::zero(), deadline - monotonic_now());
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(left).count();
  return static_cast<int>(std::min<std::int64_t>(whole, 1'000'000));
}

Random random_generator() {
  std::random_device device;
  return Random(std::uint64_t{device()} << 32 | device());
}

}  // namespace

HelperProcess::HelperProcess(HelperProcessSettings settings, Log& log)
    : settings_(std::move(settings)),
      log_(&log),
      wakeup_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      delay_(settings_.restart, random_generator()) {
  PENSTOCK_CHECK(wakeup_);
}

HelperProcess::~HelperProcess() {
  stop();
  PENSTOCK_CHECK(listeners_.empty());
}

bool HelperProcess::start() {
  // A helper ends with the thread that started it, so it has to be that one.
  thread_ = std::thread([this] { run(); });
  std::unique_lock lock(mutex_);
  const auto known = [this] { return begun_ != Begun::not_yet; };
  if (!changed_.wait_for(lock, settings_.patience, known)) {
    log_->warning("helper {}: takes long to begin", settings_.name);
  }
  return begun_ != Begun::failed;
}

void HelperProcess::note_begun(Begun how) {
  const std::lock_guard lock(mutex_);
  if (begun_ == Begun::not_yet) begun_ = how;
  changed_.notify_all();
}

void HelperProcess::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  if (thread_.joinable()) thread_.join();
}

void HelperProcess::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wakeup_.get(), &one, sizeof one);
}

bool HelperProcess::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

std::shared_ptr<HelperLink> HelperProcess::listen(Listener& listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(&listener);
  return link_;
}

void HelperProcess::forget(Listener& listener) {
  const std::lock_guard lock(mutex_);
  std::erase(listeners_, &listener);
}

void HelperProcess::kill(const HelperLink& link, std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (link_.get() != &link || !child_) return;
  log_->error("helper {}: {}; killing it", settings_.name, reason);
  child_->kill(SIGKILL);
}

void HelperProcess::tell_to_reopen() {
  const std::lock_guard lock(mutex_);
  if (child_ && ready_) child_->kill(SIGUSR1);
}

pid_t HelperProcess::id() const {
  const std::lock_guard lock(mutex_);
  return child_ ? child_->id() : 0;
}

void HelperProcess::set_link(std::shared_ptr<HelperLink> link) {
  const std::lock_guard lock(mutex_);
  link_ = std::move(link);
  for (Listener* const listener : listeners_) listener->on_link(link_);
}

void HelperProcess::run() {
  while (!stopping()) {
    const TimePoint started = monotonic_now();
    ready_ = false;
    if (start_child()) look_after_child();
    note_begun(Begun::failed);
    if (stopping()) return;
    const Duration delay = delay_.after(monotonic_now() - started);
    log_->info("helper {}: starting it again in {} ms", settings_.name,
               std::chrono::duration_cast<std::chrono::milliseconds>(delay).count());
    const TimePoint again = monotonic_now() + delay;
    while (!stopping() && wait(again) != Event::timed_out) {
    }
  }
}

bool HelperProcess::start_child() {
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    log_->error("helper {}: no pipe: {}", settings_.name, std::strerror(errno));
    return false;
  }
  output_ = Fd(ends[0]);
  const Fd output_end(ends[1]);
  ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
  auto link = HelperLink::create(settings_.shape);
  if (!link) {
    log_->error("helper {}: no shared memory: {}", settings_.name,
                std::strerror(link.error().cause));
    return false;
  }
  auto child = ChildProcess::start(settings_.arguments, (*link)->descriptors(), output_end.get());
  if (!child) {
    log_->error("helper {}: can't start it: {}", settings_.name,
                std::strerror(child.error().cause));
    return false;
  }
  log_->info("helper {}: started, process {}", settings_.name, child->id());
  {
    const std::lock_guard lock(mutex_);
    child_.emplace(std::move(*child));
  }
  set_link(std::move(*link));
  return true;
}

HelperProcess::Event HelperProcess::wait(TimePoint deadline) {
  // poll() leaves negative descriptors out.
  std::array<pollfd, 4> polled = {
      pollfd{wakeup_.get(), POLLIN, 0}, pollfd{child_ ? child_->fd() : -1, POLLIN, 0},
      pollfd{output_.get(), POLLIN, 0}, pollfd{child_ && !ready_ ? link_->ready() : -1, POLLIN, 0}};
  const int count = ::poll(polled.data(), polled.size(), milliseconds_until(deadline));
  if (count > 0 && polled[0].revents != 0) {
    std::uint64_t wakes = 0;
    [[maybe_unused]] const auto got = ::read(wakeup_.get(), &wakes, sizeof wakes);
  }
  // What it prints comes last: there may be no end of it.
  if (count > 0 && polled[1].revents != 0) return Event::ended;
  if (count > 0 && polled[3].revents != 0) return Event::ready;
  if (monotonic_now() >= deadline) return Event::timed_out;
  return count > 0 && polled[2].revents != 0 ? Event::output : Event::woken;
}

bool HelperProcess::read_output() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::read(output_.get(), buffer.data(), buffer.size());
  if (size < 0 && errno == EINTR) return true;
  if (size < 0 && errno == EAGAIN) return false;
  if (size <= 0) {
    end_output();
    return false;
  }
  lines_.add({buffer.data(), static_cast<std::size_t>(size)},
             [this](std::string_view line) { print(line); });
  return true;
}

void HelperProcess::end_output() {
  lines_.flush([this](std::string_view line) { print(line); });
  output_.reset();
}

// Lines of a log of its own (base/log.h) keep their level; anything else is unusual.
void HelperProcess::print(std::string_view line) {
  constexpr std::size_t kLevel = sizeof "2026-01-31T12:00:00.123Z";
  constexpr std::size_t kText = kLevel + sizeof "error";
  const bool is_log = line.size() > kText && line[10] == 'T' && line[kLevel - 2] == 'Z';
  const std::string_view level = is_log ? line.substr(kLevel, 5) : std::string_view();
  const std::string_view text = is_log ? line.substr(kText) : line;
  if (level == "debug") {
    log_->debug("helper {}: {}", settings_.name, text);
  } else if (level == "info ") {
    log_->info("helper {}: {}", settings_.name, text);
  } else if (level == "error") {
    log_->error("helper {}: {}", settings_.name, text);
  } else {
    log_->warning("helper {}: {}", settings_.name, text);
  }
}

void HelperProcess::look_after_child() {
  TimePoint kill_at = kNever;
  bool told = false;
  while (true) {
    if (!told && stopping()) {
      told = true;
      kill_at = deadline_after(monotonic_now(), std::max(Duration(1), settings_.grace));
      link_->close_requests();
    }
    switch (wait(kill_at)) {
      case Event::woken:
        break;
      case Event::ready:
        ready_ = true;
        note_begun(Begun::ready);
        break;
      case Event::output:
        read_output();
        break;
      case Event::ended:
        return end_child();
      case Event::timed_out:
        log_->warning("helper {}: does not end; killing it", settings_.name);
        child_->kill(SIGKILL);
        kill_at = kNever;
    }
  }
}

void HelperProcess::end_child() {
  // First, as callers wait.
  set_link(nullptr);
  std::string how;
  {
    const std::lock_guard lock(mutex_);
    how = child_->wait();  // it has ended
    child_.reset();
  }
  // Its last words. Processes that it has started may still have the other end; those are not
  // waited for.
  for (int i = 0; i < kLastReads && output_ && read_output(); ++i) {
  }
  if (output_) end_output();
  if (stopping()) {
    log_->info("helper {}: {}", settings_.name, how);
  } else {
    log_->error("helper {}: {}", settings_.name, how);
  }
}

}  // namespace penstock

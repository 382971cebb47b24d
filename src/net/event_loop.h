// The event loop of a worker: epoll, timers, and the executor's turns.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include <sys/epoll.h>

#include "async/executor.h"
#include "net/fd.h"

namespace penstock {

// Something with a file descriptor on the loop.
class EventSource {
 public:
  // Called in the loop's first phase of a turn, when no task runs. Must not destroy any source:
  // what it completes goes on in the second phase, through Executor::post().
  virtual void on_events(std::uint32_t events) = 0;

 protected:
  ~EventSource() = default;
};

// A turn: wait for events; let each source do its reads and writes and post what they complete;
// fire timers; run the ready tasks. As tasks run only when all events of a batch were handled, a
// stream they destroy can't have an event left in it.
class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;
  ~EventLoop();

  [[nodiscard]] Executor& executor() { return executor_; }

  // Registers once; `events` with EPOLLET stays for the descriptor's life (closing it ends it).
  // 0, or the errno of a failure.
  [[nodiscard]] int add(int fd, std::uint32_t events, EventSource& source);
  void modify(int fd, std::uint32_t events, EventSource& source);
  void remove(int fd);

  // Runs turns until stop(). One turn waits for at most `max_wait`.
  void run();
  void run_once(Duration max_wait);
  // From any thread: makes run() return after the present turn.
  void stop();
  // From any thread: runs f on the loop's thread, after the events of one of the next turns.
  void call(std::function<void()> f);

 private:
  class Wakeup final : public EventSource {
   public:
    explicit Wakeup(EventLoop& loop) : loop_(&loop) {}
    void on_events(std::uint32_t events) override;

   private:
    EventLoop* loop_;
  };
  void wake();
  void update_time();
  void run_calls();

  Executor executor_;
  Fd epoll_;
  Fd wakeup_fd_;
  Wakeup wakeup_{*this};
  std::vector<epoll_event> events_;
  TimePoint next_wall_look_{};
  std::chrono::system_clock::time_point wall_at_zero_;
  bool calls_waiting_ = false;
  std::atomic<bool> stopped_ = false;
  std::mutex calls_mutex_;
  std::vector<std::function<void()>> calls_;
};

}  // namespace penstock

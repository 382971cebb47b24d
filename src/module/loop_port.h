// The loop that calls modules back, as far as they need it; so that tests can have another one.
#pragma once

#include <cstdint>

#include "async/executor.h"
#include "net/event_loop.h"

namespace penstock {

class LoopPort {
 public:
  // Its time and its timers; for the loop's thread only.
  [[nodiscard]] virtual Executor& executor() = 0;
  // As EventLoop::add() and remove(); on the loop's thread, or while it does not run.
  [[nodiscard]] virtual int add(int fd, std::uint32_t events, EventSource& source) = 0;
  virtual void remove(int fd) = 0;

 protected:
  ~LoopPort() = default;
};

// A worker's, which must outlive it.
class EventLoopPort final : public LoopPort {
 public:
  explicit EventLoopPort(EventLoop& loop) : loop_(&loop) {}
  [[nodiscard]] Executor& executor() override { return loop_->executor(); }
  [[nodiscard]] int add(int fd, std::uint32_t events, EventSource& source) override {
    return loop_->add(fd, events, source);
  }
  void remove(int fd) override { loop_->remove(fd); }

 private:
  EventLoop* loop_;
};

}  // namespace penstock

// For tests of what is behind the services of modules: a worker on virtual time, a log to be read.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "async/virtual_time_test.h"
#include "async/worker_gate.h"
#include "base/log.h"
#include "module/loop_port.h"
#include "module/module_loop.h"
#include "module/subrequest_runner.h"

namespace penstock {

// The test is the worker's thread: time passes when it says so, and turns are taken by it.
class VirtualWorker final : public LoopPort {
 public:
  [[nodiscard]] Executor& executor() override { return time.executor; }
  [[nodiscard]] int add(int fd, std::uint32_t events, EventSource& source) override {
    EXPECT_EQ(events, EPOLLIN);
    fd_ = fd;
    source_ = &source;
    return 0;
  }
  void remove(int fd) override {
    EXPECT_EQ(fd, fd_);
    source_ = nullptr;
  }
  [[nodiscard]] LoopWorker worker(SubrequestRunner* runner = nullptr) {
    return {.gate = gate, .port = this, .subrequests = runner};
  }

  // What has come, and what is then due, without time passing.
  void turn() {
    pollfd polled{.fd = fd_, .events = POLLIN, .revents = 0};
    if (source_ != nullptr && ::poll(&polled, 1, 0) == 1) {
      ++wakes;
      source_->on_events(EPOLLIN);
    }
    std::vector<std::function<void()>> calls;
    {
      const std::lock_guard lock(mutex_);
      calls.swap(calls_);
    }
    for (const auto& f : calls) f();
    time.run();
  }
  // Stops at each timer on the way.
  void advance(Duration by) {
    turn();
    time.advance(by);
  }
  // Takes turns until something has come from other threads.
  template <class Condition>
  void run_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not happen";
      turn();
      std::this_thread::yield();
    }
  }

  int wakes = 0;  // how often there was something for the descriptors' source
  VirtualTime time;
  std::shared_ptr<WorkerGate> gate = std::make_shared<WorkerGate>([this](std::function<void()> f) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(f));
  });

 private:
  int fd_ = -1;
  EventSource* source_ = nullptr;
  std::mutex mutex_;
  std::vector<std::function<void()>> calls_;
};

// A folder of the test's own, with a log in it.
class TestLog {
 public:
  explicit TestLog(LogLevel level = LogLevel::info) {
    std::string name = testing::TempDir() + "penstock_module_XXXXXX";
    folder = ::mkdtemp(name.data());
    file_.emplace(path("log"));
    log_.emplace(*file_, level);
  }
  ~TestLog() {
    file_.reset();
    std::filesystem::remove_all(folder);
  }
  TestLog(const TestLog&) = delete;
  TestLog& operator=(const TestLog&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return folder + "/" + name; }
  [[nodiscard]] static std::string content(const std::string& of) {
    std::ostringstream text;
    text << std::ifstream(of).rdbuf();
    return text.str();
  }
  [[nodiscard]] Log& log() { return *log_; }
  // The lines so far, without their time; later ones are lost.
  [[nodiscard]] std::vector<std::string> take_lines() {
    file_.reset();
    std::vector<std::string> lines;
    std::ifstream file(path("log"));
    for (std::string line; std::getline(file, line);) lines.push_back(line.substr(25));
    return lines;
  }

  std::string folder;

 private:
  std::optional<LogFile> file_;
  std::optional<Log> log_;
};

}  // namespace penstock

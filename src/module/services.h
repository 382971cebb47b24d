// What modules need of the proxy beside the messages: time, descriptors, threads, requests of their
// own, logs, metrics. Where an instance's callbacks run decides who provides it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "penstock/module.h"

namespace penstock {

// A request of a module's own, with texts of its own.
struct SubrequestJob {
  std::string method;
  std::string url;
  std::string upstream;
  std::vector<std::pair<std::string, std::string>> fields;
  std::string content;
  std::uint64_t timeout_ms = 30'000;
  std::uint64_t max_content = 1024 * 1024;
};

struct SubrequestResult {
  int status = 0;     // 0: there was no response
  std::string error;  // why, a short name
  std::vector<std::pair<std::string, std::string>> fields;
  std::string content;
};

// For one instance. Functions may be called from any thread; what they call back is called from one
// thread that runs the module's callbacks, never from inside the function itself. destroyed with
// the instance: nothing is called back after that.
class ModuleServices {
 public:
  virtual ~ModuleServices() = default;
  // Nothing is called back once this has returned; what runs is waited for, and each `done` that
  // was to come is called from inside this. The other functions may still be called, and begin
  // nothing.
  virtual void stop() = 0;

  // As timer_start() and the following of struct penstock_api. A result of 0 is a failure.
  virtual std::uint64_t start_timer(std::uint64_t period_ms, std::function<void()> f) = 0;
  virtual void stop_timer(std::uint64_t id) = 0;
  virtual std::uint64_t start_watch(int descriptor, short events, std::function<void(short)> f) = 0;
  virtual void stop_watch(std::uint64_t id) = 0;
  // False: too many wait.
  virtual bool run_blocking(std::function<void()> work, std::function<void()> done) = 0;
  virtual bool subrequest(SubrequestJob job, std::function<void(SubrequestResult)> done) = 0;

  // A line in the proxy's log, with the instance's name in front; bounded.
  virtual void log(int level, std::string_view text) = 0;
  // 0: it cannot be opened.
  virtual std::uint64_t open_log_file(const std::string& path) = 0;
  virtual void write_log_file(std::uint64_t id, std::string_view line) = 0;
  // 0: the name is none, or there are too many.
  virtual std::uint64_t metric(std::string_view name, std::string_view help) = 0;
  virtual void add_to_metric(std::uint64_t id, std::int64_t n) = 0;
  virtual void set_metric(std::uint64_t id, std::int64_t n) = 0;
};

}  // namespace penstock

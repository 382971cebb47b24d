// Counters and gauges of modules, published as text for Prometheus.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace penstock {

// One number of one instance. Safe to use from all threads, without locks.
class alignas(64) ModuleMetric {
 public:
  void add(std::int64_t n) {
    value_.fetch_add(n, std::memory_order_relaxed);
    if (n < 0) make_gauge();
  }
  void set(std::int64_t n) {
    value_.store(n, std::memory_order_relaxed);
    make_gauge();
  }
  [[nodiscard]] std::int64_t value() const { return value_.load(std::memory_order_relaxed); }
  // It was set, or went down: a counter does neither.
  [[nodiscard]] bool is_gauge() const { return gauge_.load(std::memory_order_relaxed); }

 private:
  // Written once, so that others may go on reading it.
  void make_gauge() {
    if (!is_gauge()) gauge_.store(true, std::memory_order_relaxed);
  }
  std::atomic<std::int64_t> value_ = 0;
  std::atomic<bool> gauge_ = false;
};

// All metrics of all instances. Safe to use from all threads; takes a lock, so what is counted is
// looked up once and kept.
class ModuleMetrics {
 public:
  ModuleMetrics() = default;
  ModuleMetrics(const ModuleMetrics&) = delete;
  ModuleMetrics& operator=(const ModuleMetrics&) = delete;

  // The metric of that name of that instance, made where there is none. Null: the name is none
  // (letters, digits and "_", at most 100). `help`: a sentence; the first one given for a name is
  // published. Stays as long as somebody keeps it, and until it was published after that.
  [[nodiscard]] std::shared_ptr<ModuleMetric> get(std::string_view instance, std::string_view name,
                                                  std::string_view help);

  // In the text format of Prometheus, version 0.0.4: penstock_module_NAME{instance="..."} 3. A name
  // is a gauge if it is one in any instance. In the order of the names.
  [[nodiscard]] std::string text() const;
  // Calls `visitor` for each one there is; it must not use this.
  using Visitor =
      std::function<void(std::string_view name, std::string_view help, const ModuleMetric& metric)>;
  void visit(const Visitor& visitor) const;
  // The text, and forgets those that nobody keeps any more: their last numbers are in the text.
  [[nodiscard]] std::string publish();

 private:
  struct Family {
    std::string help;
    std::map<std::string, std::shared_ptr<ModuleMetric>, std::less<>> instances;
  };
  [[nodiscard]] std::string text_locked() const;

  mutable std::mutex mutex_;
  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace penstock

// The file in which metrics are published, for a collector that reads files.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/log.h"
#include "base/time.h"

namespace penstock {

// Writes all metrics at once, every `interval`, and at the end, on a thread of its own. The file is
// always whole: it is written beside its place, as PATH.new, and renamed. A failure is said in the
// log once, and so is its end.
class MetricsFile {
 public:
  // What there is to publish, as text; called on this's thread, and once more in the destructor.
  using Publish = std::function<std::string()>;
  // The log, and what `publish` uses, must outlive it.
  MetricsFile(Publish publish, std::string path, Duration interval, Log& log);
  // Writes it for the last time; when all instances have ended, with their last numbers.
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;

 private:
  void run();
  void write();

  Publish publish_;
  const std::string path_;
  const Duration interval_;
  Log& log_;
  bool failing_ = false;  // the thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace penstock

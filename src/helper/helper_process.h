// A helper process: starts it, starts it again when it dies, ends it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <sys/types.h>

#include "base/log.h"
#include "base/time.h"
#include "helper/child_process.h"
#include "helper/helper_link.h"
#include "helper/line_splitter.h"
#include "helper/restart_delay.h"
#include "net/fd.h"

namespace penstock {

struct HelperProcessSettings {
  std::string name;  // in the log
  // Of the program, which is this one; the first is its own name.
  std::vector<std::string> arguments;
  HelperShape shape;
  RestartSettings restart;
  Duration patience = std::chrono::seconds(10);
  // How long it may take to end when it is told to.
  Duration grace = std::chrono::seconds(5);
};

// A helper process and the thread that looks after it, shared by all workers. Owned by whoever owns
// the workers; outlives their ProcessChannels.
//
// Each start has a HelperLink of its own, so that nothing an old helper left behind reaches a new
// one. When the helper dies, the channels are told at once, and it is started again after a delay
// (RestartDelay). What it prints goes to the log line by line. It does not outlive this process.
class HelperProcess {
 public:
  // Told what becomes of it, by the thread that looks after it, with a lock held: post only.
  class Listener {
   public:
    // There is a new helper, or with null there is none any more.
    virtual void on_link(const std::shared_ptr<HelperLink>& link) = 0;

   protected:
    ~Listener() = default;
  };

  // `log` must outlive it. Nothing is started yet.
  HelperProcess(HelperProcessSettings settings, Log& log);
  // stop()s.
  ~HelperProcess();
  HelperProcess(const HelperProcess&) = delete;
  HelperProcess& operator=(const HelperProcess&) = delete;

  // Starts the helper and waits until it is ready. False: it has ended before that, which is in the
  // log; where this is left as it is, it is tried again like after a death. One that takes longer
  // than `patience` is not waited for. To be called once.
  bool start();
  // Tells the helper that no more requests come, waits until it has handled those that are there
  // and ends, and kills it after the grace time. Then there is none any more. Blocks for that long.
  void stop();

  // From any thread: the link to the present helper, null when there is none; changes are told to
  // the listener, in order, until it is taken away.
  std::shared_ptr<HelperLink> listen(Listener& listener);
  void forget(Listener& listener);
  // From any thread: kills the helper of that link, if it still runs; `reason` goes to the log. A
  // new one is started as after any death. For one that hangs, or says what cannot be.
  void kill(const HelperLink& link, std::string_view reason);
  // From any thread: tells the helper to open its log files anew.
  void tell_to_reopen();
  // The process id, 0 while there is none.
  [[nodiscard]] pid_t id() const;

 private:
  enum class Event : std::uint8_t { woken, ready, output, ended, timed_out };
  enum class Begun : std::uint8_t { not_yet, ready, failed };

  void run();
  bool start_child();
  void look_after_child();
  // Waits until one of these, at most until `deadline`.
  [[nodiscard]] Event wait(TimePoint deadline);
  // False when there is nothing to read at present, or not any more.
  bool read_output();
  void end_output();
  void print(std::string_view line);
  void end_child();
  void note_begun(Begun how);
  [[nodiscard]] bool stopping() const;
  void set_link(std::shared_ptr<HelperLink> link);
  void wake() const;

  HelperProcessSettings settings_;
  Log* log_;
  Fd wakeup_;
  RestartDelay delay_;
  std::thread thread_;

  // The thread's.
  std::atomic<bool> ready_ = false;  // the present helper; read by others
  Fd output_;
  LineSplitter lines_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<ChildProcess> child_;  // changed by the thread
  std::shared_ptr<HelperLink> link_;
  std::vector<Listener*> listeners_;
  Begun begun_ = Begun::not_yet;  // what has become of the first start
  bool stopping_ = false;
};

}  // namespace penstock

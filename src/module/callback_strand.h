// Calls of modules' own functions, one at a time, and none after the end.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "module/event.h"
#include "module/watchdog.h"

namespace penstock {

// What an instance has asked to be called later (timers, watches, ends of what it has begun) is
// called through one of these: in place, on the thread that has the news, or on threads of the
// instance's own. Always made by std::make_shared: who may have something to call keeps it.
class CallbackStrand : public std::enable_shared_from_this<CallbackStrand> {
 public:
  using Call = std::function<void()>;
  // Runs a function on another thread, soon, unless the strand has been ended before. Called with
  // the strand's lock: it must neither wait nor run the function itself.
  using Elsewhere = std::function<void(Call)>;

  // `watched`: how the watchdog knows the instance; null: nobody looks. Must live until end().
  explicit CallbackStrand(const WatchedInstance* watched, Elsewhere elsewhere = {})
      : watched_(watched), elsewhere_(std::move(elsewhere)) {}

  // Calls f, unless it has ended: before this returns where calls are in place, which happens from
  // one thread only, the loop's, and never from inside such a call. Elsewhere: after those that
  // were handed over before. `slot`: of the calling worker; null: nobody looks.
  void run(ModuleEvent event, const Call& f, WatchdogSlot* slot);
  // From any thread: calls nothing more. Waits for the call that is under way, unless this is
  // called by that itself.
  void end();
  // Calls are not in place.
  [[nodiscard]] bool elsewhere() const { return elsewhere_ != nullptr; }

 private:
  bool begin();
  void finish();
  void run_queue();

  const WatchedInstance* const watched_;
  const Elsewhere elsewhere_;
  std::mutex mutex_;
  std::condition_variable idle_;
  bool ended_ = false;
  std::thread::id running_;  // the thread that is in a call; none: no thread
  std::deque<Call> queue_;
  bool queue_runs_ = false;
};

}  // namespace penstock

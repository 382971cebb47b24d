// What all workers know of one ICAP service: what it says of itself, and whether it works (RFC 3507
// section 4.10). The little that threads share.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "icap/options.h"
#include "icap/quirks.h"
#include "icap/service_counters.h"
#include "icap/service_uri.h"
#include "icap/settings.h"
#include "net/network.h"
#include "upstream/hop_share.h"

namespace penstock::icap {

// Between the beginnings of two lookups of OPTIONS, all workers together; no TTL is shorter.
inline constexpr Duration kLookupGap = std::chrono::seconds(1);
// So long what a service said stays in use after its TTL, while it fails to say it anew.
inline constexpr Duration kOptionsGrace = std::chrono::seconds(30);
// A quirk is not told again before that.
inline constexpr Duration kQuirkTold = std::chrono::hours(1);

// What a call has changed. All workers together are told once, to say it in the log.
enum class ServiceEvent : std::uint8_t {
  nothing,
  went_down,  // it gets no messages until it has answered OPTIONS
  came_up,    // it works again
  tolerated,  // it does not answer OPTIONS with sense, and is used all the same
  kept        // OPTIONS failed, for the first time; what it said before stays in use
};

// What is assumed of a service that does not say: both methods, and nothing that it would have to
// offer.
[[nodiscard]] Options tolerated_options();

// A thread's part of a service. Called on the thread's own loop, outside any task.
class ServiceListener {
 public:
  // Something is not as it was: whether it works, what it says, when it is to be asked.
  virtual void on_change() = 0;

 protected:
  ~ServiceListener() = default;
};

// All members may be called from any thread. Time points are of the one monotonic clock.
//
// A lookup (of OPTIONS) is due at once, then at 80 to 90 per cent of the answer's TTL; soon after a
// sign that the answer holds no more; and, while the service is down, after pauses that grow. One
// worker at a time makes it: begin_lookup(), then one of those that end it.
class ServiceShare {
 public:
  // `settings` must outlive it; their URL has been checked. `seed`: of the spread of lookups.
  ServiceShare(const ServiceSettings& settings, std::uint64_t seed);
  ServiceShare(const ServiceShare&) = delete;
  ServiceShare& operator=(const ServiceShare&) = delete;

  [[nodiscard]] const ServiceSettings& settings() const { return *settings_; }
  [[nodiscard]] const ServiceUri& uri() const { return uri_; }

  // --- What each message asks: no locks.

  // Known not to work.
  [[nodiscard]] bool down() const { return down_.load(std::memory_order_acquire); }
  // Of options(): grows with each answer. 0: there is none.
  [[nodiscard]] std::uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }
  // Grows with each change of ISTag; 0: none was seen. What was adapted under another one is not
  // fresh any more (section 5).
  [[nodiscard]] std::uint64_t istag_version() const {
    return istag_version_.load(std::memory_order_acquire);
  }
  // The ISTag of an answer, empty where it has none. Another one than the last makes a lookup due
  // soon.
  void note_istag(std::string_view istag);
  // Those of the quirks that nobody was told of in the last hour; they count as told.
  [[nodiscard]] Quirks untold(Quirks quirks, TimePoint now);

  // What it said last; null as long as there is nothing.
  [[nodiscard]] std::shared_ptr<const Options> options() const;
  // As last seen, without quotes.
  [[nodiscard]] std::string istag() const;

  // What it has done so far.
  [[nodiscard]] ServiceCounters& counters() { return counters_; }
  [[nodiscard]] const ServiceCounters& counters() const { return counters_; }
  // Its servers, said by the first thread that has them; what they bear is known here then.
  void set_servers(std::vector<std::shared_ptr<const HopShare>> servers);
  // All together.
  [[nodiscard]] std::uint32_t connections() const;
  // Since when what it says of itself is known; nothing: it is not.
  [[nodiscard]] std::optional<TimePoint> options_since() const;

  // --- Lookups.

  // When one is due; kNever while one is under way.
  [[nodiscard]] TimePoint next_lookup() const;
  // False: none is due, or somebody else makes it.
  [[nodiscard]] bool begin_lookup(TimePoint now);
  // It is answered. The service is up.
  ServiceEvent end_lookup(Options options, TimePoint now);
  // There was an answer without sense. A service that has never answered with any is used with
  // tolerated_options(); else this is a failure.
  ServiceEvent end_lookup_without_sense(TimePoint now);
  // It failed. A service that has not answered before, or whose answer is too old, is down.
  ServiceEvent end_lookup_failed(TimePoint now);
  // It says nothing of the service: there was no connection to be had, or it was cancelled.
  void end_lookup_undecided(TimePoint now);
  // It may have changed: a lookup is due soon.
  void want_lookup();

  // --- The breaker.

  // A message failed by the service's fault. So many within the window take it down.
  ServiceEvent note_failure(TimePoint now);

  // From now on the listener is told, through its network, as long as both are there.
  void join(Network& network, const std::shared_ptr<ServiceListener>& listener);
  void leave(const Network& network);

 private:
  struct Thread {
    Network* network;
    std::weak_ptr<ServiceListener> listener;
  };
  // All of these under the lock.
  void tell();
  void set_options(Options options, TimePoint now);
  ServiceEvent come_up(TimePoint now, ServiceEvent otherwise);
  ServiceEvent go_down(TimePoint now);
  ServiceEvent fail_lookup(TimePoint now);
  bool count_failure(TimePoint now);
  bool change_istag(std::string_view istag);
  [[nodiscard]] Duration pause(std::uint32_t attempt);
  [[nodiscard]] TimePoint due() const;

  const ServiceSettings* settings_;
  const ServiceUri uri_;

  ServiceCounters counters_;
  std::atomic<bool> down_ = false;
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<std::uint64_t> istag_version_ = 0;
  std::atomic<std::uint64_t> istag_hash_ = 0;
  std::atomic<Quirks> told_;
  std::atomic<std::int64_t> told_until_ = 0;

  mutable std::mutex mutex_;
  std::vector<Thread> threads_;
  Random random_;
  std::shared_ptr<const Options> options_;
  std::string istag_;
  bool has_sense_ = false;  // it has answered OPTIONS with sense
  TimePoint expires_{};     // of the options
  TimePoint since_{};
  std::vector<std::shared_ptr<const HopShare>> servers_;
  // Of lookups.
  bool looking_ = false;
  bool wanted_ = false;
  TimePoint due_{};
  std::optional<TimePoint> last_begun_;
  std::uint32_t lookup_failures_ = 0;  // in a row
  // Of the breaker.
  std::deque<TimePoint> failures_;  // within the window
  std::uint32_t probes_ = 0;        // pauses since it last did well for long
  Duration last_pause_ = Duration::zero();
  std::optional<TimePoint> up_since_;  // it was down before
};

}  // namespace penstock::icap

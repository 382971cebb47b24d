// A world of its own for one test: virtual time, seeded chance, and everything that is on its way.
//
// One thread. The world drives an Executor as the event loop does, in turns: deliver what is due
// (bytes, connections, signs of closing), fire timers, run the ready tasks; when nothing is ready,
// time jumps to the next delivery or timer. The same seed gives the same history, event by event.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "async/executor.h"
#include "base/intrusive_list.h"
#include "base/random.h"
#include "net/address.h"
#include "net/network.h"
#include "sim/faults.h"

namespace penstock {

class SimConnection;
class SimListener;

struct SimLimits {
  Duration time = std::chrono::hours(24);  // virtual
  std::uint64_t steps = 50'000'000;        // deliveries and resumed tasks
};

// How a run ended. `step_limit` means that the tasks keep each other busy without getting anywhere.
enum class SimOutcome : std::uint8_t { idle, time_limit, step_limit };

// What a name resolves to in a world.
struct SimName {
  std::vector<std::string> ips;  // literals; empty: there is no such name
  Duration delay = {};
  bool answered = true;  // else resolving takes until its deadline
  Duration ttl = std::chrono::seconds(60);
};

// Where a service is to be had in a world.
struct SimService {
  std::vector<ServiceTarget> targets;  // empty: there is no such service
  Duration delay = {};
  bool answered = true;
  Duration ttl = std::chrono::seconds(60);
};

class SimWorld {
 public:
  explicit SimWorld(std::uint64_t seed, const Faults& faults = {});
  // All streams and listeners must be gone.
  ~SimWorld();
  SimWorld(const SimWorld&) = delete;
  SimWorld& operator=(const SimWorld&) = delete;

  [[nodiscard]] Executor& executor() { return executor_; }
  [[nodiscard]] TimePoint now() const { return executor_.now(); }
  [[nodiscard]] Random& random() { return random_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }

  // Runs until nothing is ready, on its way or timed.
  SimOutcome run_until_idle(const SimLimits& limits = {});
  // Runs for that long in virtual time; also when there is nothing to do for the whole of it.
  SimOutcome run_for(Duration time, std::uint64_t steps = SimLimits{}.steps);
  // Calls f in the delivery phase of the turn at `when`, after what was asked for before.
  void call_at(TimePoint when, std::function<void()> f);

  // The faults of connections made from now on, by networks that have none of their own.
  void set_faults(const Faults& faults) { faults_ = faults; }
  [[nodiscard]] const Faults& faults() const { return faults_; }
  // What becomes of the next connection to that address; called again, of the one after it.
  void script(const Address& to, const Fate& fate) { scripts_[to.to_string()].push_back(fate); }
  // Names in lower case.
  void set_name(std::string_view host, SimName name);
  void set_service(std::string_view name, SimService service);

  // What a test asserts at its end.
  [[nodiscard]] std::size_t open_streams() const { return open_streams_; }
  [[nodiscard]] std::size_t pending_ops() const { return pending_ops_; }
  // Sent and not read yet, on connections of which at least one end is open or something is
  // still on its way.
  [[nodiscard]] std::size_t bytes_in_flight() const;
  [[nodiscard]] std::size_t connections_made() const { return connections_made_; }

  // A number that stands for the whole history so far.
  [[nodiscard]] std::uint64_t trace_hash() const { return trace_hash_; }
  // Writes the history to a file as it happens; null stops that.
  void set_trace_file(std::FILE* file) { trace_file_ = file; }
  void trace(std::string_view what, std::uint64_t connection, std::uint64_t number);

 private:
  friend class SimConnection;
  friend class SimListener;
  friend class SimNetwork;
  friend class SimStream;

  struct Delivery {
    TimePoint when;
    std::uint64_t number;
    std::function<void()> f;
  };
  static bool later(const Delivery& a, const Delivery& b);
  std::uint64_t deliver_due();
  std::uint64_t run_turn();
  [[nodiscard]] TimePoint next_time() const;
  void set_time(TimePoint now);
  SimOutcome run(TimePoint end, std::uint64_t steps);
  // The listener that takes connections to that address: an exact one, else a wildcard one.
  [[nodiscard]] SimListener* find_listener(const Address& to) const;
  [[nodiscard]] Fate next_fate(const Address& to, const Faults& faults);
  [[nodiscard]] std::uint16_t next_port();

  const std::uint64_t seed_;
  const TimePoint start_;
  Executor executor_;
  Random random_;
  Faults faults_;
  std::vector<Delivery> deliveries_;  // a heap
  std::uint64_t deliveries_made_ = 0;
  IntrusiveList<SimConnection> connections_;
  std::map<std::string, SimListener*> listeners_;
  std::map<std::string, std::deque<Fate>> scripts_;
  std::map<std::string, SimName> names_;
  std::map<std::string, SimService> services_;
  std::size_t open_streams_ = 0;
  std::size_t pending_ops_ = 0;
  std::size_t connections_made_ = 0;
  std::uint16_t last_port_ = 32767;
  std::uint64_t trace_hash_ = 0;
  std::FILE* trace_file_ = nullptr;
};

}  // namespace penstock

// A channel to threads of this process.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "helper/channel.h"
#include "net/network.h"

namespace penstock {

class ThreadReturnPath;

struct HelperThreadsSettings {
  unsigned threads = 2;
  // What may wait to be handled, of all workers together; more is refused as overloaded.
  std::size_t max_waiting = 4096;
  std::size_t max_waiting_bytes = std::size_t{64} * 1024 * 1024;
};

// The threads, and what waits for them; shared by all workers, whose ThreadChannels it must
// outlive. Any free thread takes what has waited longest, but never two of one affinity at once.
class HelperThreads {
 public:
  // What a thread does: it asks its seat for requests until there are none.
  using Work = std::function<void(HelperSeat&)>;

  HelperThreads(const HelperThreadsSettings& settings, Work work);
  // close()s, and waits until all threads have ended. A callback that never returns can't be ended
  // from outside: then this does not return either.
  ~HelperThreads();
  HelperThreads(const HelperThreads&) = delete;
  HelperThreads& operator=(const HelperThreads&) = delete;

  // From any thread: nothing more is accepted (`unavailable`). What waits is still handled, then
  // the threads end.
  void close();

 private:
  friend class ThreadChannel;
  class Seat;

  // What must not be handled at the same time: an affinity of a worker, or one message alone.
  struct Key {
    const ThreadReturnPath* path = nullptr;
    std::uint64_t number = 0;
    bool alone = false;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const;
  };
  struct Strand {
    std::list<HelperRequest> waiting;
    bool queued = false;  // its key is in `ready_`
    bool busy = false;    // one of it is being handled
  };
  using Strands = std::unordered_map<Key, Strand, KeyHash>;

  Result<void> add(HelperRequest request, std::uint64_t affinity);
  void withdraw(const ThreadReturnPath& path, std::uint64_t id, std::uint64_t affinity);
  std::optional<HelperRequest> next(std::optional<Key>& done);
  // With the lock held.
  void finish(const Key& key);
  void queue(Strand& strand, const Key& key);
  std::optional<HelperRequest> take_ready(std::optional<Key>& taken);
  void run();

  HelperThreadsSettings settings_;
  Work work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Strands strands_;        // those that have something waiting or under way, or are queued
  std::deque<Key> ready_;  // in the order to be taken
  std::size_t waiting_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t last_alone_ = 0;
  bool closed_ = false;
  std::vector<std::thread> threads_;
};

// A worker's channel to them. A call that was cancelled before a thread took it is not handled.
class ThreadChannel final : public Channel {
 public:
  // Both must outlive it. `max_calls`: of this worker, under way at once.
  ThreadChannel(HelperThreads& threads, Network& network, std::size_t max_calls);
  ~ThreadChannel() override;
  [[nodiscard]] bool up() const override { return true; }

 private:
  friend class ThreadReturnPath;
  Result<void> submit(std::uint64_t id, std::uint64_t affinity, Payload& payload) override;
  void withdraw(std::uint64_t id, std::uint64_t affinity) override;

  HelperThreads* threads_;
  std::shared_ptr<ThreadReturnPath> path_;
};

}  // namespace penstock

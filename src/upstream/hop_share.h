// What all workers know of one server, and of the group it is in. The little that threads share.
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
#include <vector>

#include "base/time.h"
#include "net/network.h"
#include "tls/client_context.h"
#include "upstream/settings.h"

namespace penstock {

class GroupShare;

// One server: how many connections it has, and whether it works. All members may be called from any
// thread. Time points are of the one monotonic clock.
class HopShare {
 public:
  HopShare(GroupShare& group, std::string identity, std::uint32_t max_connections)
      : group_(&group), identity_(std::move(identity)), max_connections_(max_connections) {}

  // "10.0.0.1:80": as configured, or as the SRV record has it.
  [[nodiscard]] const std::string& identity() const { return identity_; }
  [[nodiscard]] GroupShare& group() const { return *group_; }

  // Takes a place for one more connection, of the server's and of the group's. False: at the bound.
  [[nodiscard]] bool open_connection();
  // The same, whatever the bounds: to be given back as any other.
  void open_beyond_bound();
  // Gives it back; somebody who waits for one is told.
  void connection_closed();
  [[nodiscard]] std::uint32_t connections() const {
    return connections_.load(std::memory_order_relaxed);
  }
  // The most connections that it may have; 0: any number.
  [[nodiscard]] std::uint32_t max_connections() const {
    return max_connections_.load(std::memory_order_relaxed);
  }
  // From now on. Connections beyond it that are there already are closed when they are no longer in
  // use; who waits is told where it has become larger.
  void set_max_connections(std::uint32_t most);
  [[nodiscard]] bool full() const {
    const std::uint32_t most = max_connections();
    return most != 0 && connections() >= most;
  }
  [[nodiscard]] bool beyond_bound() const {
    const std::uint32_t most = max_connections();
    return most != 0 && connections() > most;
  }

  // Requests under way, where the algorithm of the group asks for it.
  void request_begun() { requests_.fetch_add(1, std::memory_order_relaxed); }
  void request_ended() { requests_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t requests() const { return requests_.load(std::memory_order_relaxed); }

  // False while checks say that it is down, or while it is ejected.
  [[nodiscard]] bool available(TimePoint now) const {
    return checked_up_.load(std::memory_order_relaxed) && now >= ejected_until();
  }
  // When it last became available again; the clock's zero: it has been since the start.
  [[nodiscard]] TimePoint available_since() const;

  // What came of an active check: `rise` good ones in a row, or `fall` bad ones, change its state.
  // True when this one did.
  bool checked(bool good, const CheckSettings& settings, TimePoint now);
  [[nodiscard]] bool checked_up() const { return checked_up_.load(std::memory_order_relaxed); }

  // What came of a request. `failed`: its connection was refused, broke, or timed out. A failure
  // that is one too many in a row ejects the server, unless too many of its group are out. True
  // when this one did.
  bool noted(bool failed, bool bad_response, TimePoint now);
  [[nodiscard]] TimePoint ejected_until() const {
    return TimePoint(Duration(ejected_until_.load(std::memory_order_relaxed)));
  }

 private:
  friend class GroupShare;
  bool eject(TimePoint now);

  GroupShare* group_;
  const std::string identity_;
  std::atomic<std::uint32_t> max_connections_;
  std::atomic<std::uint32_t> connections_ = 0;
  std::atomic<std::uint32_t> requests_ = 0;
  std::atomic<bool> checked_up_ = true;
  std::atomic<std::int64_t> up_since_{0};
  std::atomic<std::int64_t> ejected_until_{0};
  std::atomic<std::uint32_t> failures_ = 0;       // in a row
  std::atomic<std::uint32_t> bad_responses_ = 0;  // in a row
  // Under the group's lock.
  std::uint32_t ejections_ = 0;
  // Of the one thread that checks.
  std::uint32_t checks_in_a_row_ = 0;
};

// A thread's part of a group. Called on the thread's own loop, outside any task.
class RoomListener {
 public:
  // There may be room for one more connection to that server (which is only to be compared), or to
  // any for null.
  virtual void on_room(const HopShare* server) = 0;
  // Somebody waits for room: an idle connection to a server at its bound is better closed.
  virtual void on_room_wanted() = 0;

 protected:
  ~RoomListener() = default;
};

// A group of servers. Settings must outlive it.
class GroupShare {
 public:
  // `tls`: how TLS is spoken to its servers; null: not at all. `proxies`: they are HTTP proxies.
  // `tls_http1`: the same without offering HTTP/2; null: that is `tls` itself.
  explicit GroupShare(const UpstreamGroupSettings& settings,
                      std::shared_ptr<const TlsClientContext> tls = nullptr, bool proxies = false,
                      std::shared_ptr<const TlsClientContext> tls_http1 = nullptr)
      : settings_(&settings),
        tls_(std::move(tls)),
        tls_http1_(std::move(tls_http1)),
        proxies_(proxies) {}
  GroupShare(const GroupShare&) = delete;
  GroupShare& operator=(const GroupShare&) = delete;

  [[nodiscard]] const UpstreamGroupSettings& settings() const { return *settings_; }
  [[nodiscard]] const std::shared_ptr<const TlsClientContext>& tls() const { return tls_; }
  [[nodiscard]] const std::shared_ptr<const TlsClientContext>& tls_http1() const {
    return tls_http1_;
  }
  // Which HTTP is spoken: what can't be negotiated is HTTP/1.1.
  [[nodiscard]] HttpChoice http() const {
    return settings_->http == HttpChoice::negotiate && !tls_ ? HttpChoice::http1 : settings_->http;
  }
  [[nodiscard]] bool proxies() const { return proxies_; }
  // The server of that identity, the same for all threads. `max_connections`: as the entry says.
  [[nodiscard]] std::shared_ptr<HopShare> server(const std::string& identity,
                                                 std::uint32_t max_connections);

  // A place in the queue, or for a retry. False: at the bound.
  [[nodiscard]] bool begin_waiting();
  void end_waiting() { waiting_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool begin_retry();
  void end_retry() { retries_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t connections() const {
    return connections_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool full() const;

  // From now on the listener is told, through its network, as long as both are there.
  void join(Network& network, const std::shared_ptr<RoomListener>& listener);
  void leave(const Network& network);
  // Tells all threads, if anybody waits.
  void tell_room(const HopShare* server);
  void tell_room_wanted();

 private:
  friend class HopShare;
  struct Thread {
    Network* network;
    std::weak_ptr<RoomListener> listener;
  };
  template <class F>
  void tell(F f);

  const UpstreamGroupSettings* settings_;
  std::shared_ptr<const TlsClientContext> tls_;
  std::shared_ptr<const TlsClientContext> tls_http1_;
  bool proxies_;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::uint32_t> connections_ = 0;
  std::atomic<std::uint32_t> retries_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<HopShare>> servers_;
  std::vector<Thread> threads_;
};

}  // namespace penstock

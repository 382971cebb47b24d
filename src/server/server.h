// The connections of one listener on one worker.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "async/scope.h"
#include "async/timer.h"
#include "net/network.h"
#include "server/connection.h"
#include "server/settings.h"

namespace penstock {

// What the workers share of a listener.
struct ListenerShare {
  const ListenerSettings* settings;
  std::atomic<std::size_t> connections = 0;
};

// Takes up accepted connections and serves them with a handler, as many as the listener allows; at
// the bound it stops accepting, so that new clients wait in the kernel's queue.
class Server final : public AcceptHandler, private Timer {
 public:
  // All must outlive it.
  Server(Executor& executor, const ServerSettings& settings, ListenerShare& share,
         Handler& handler);
  ~Server() override = default;

  // The listener that feeds it, to be paused at the bound.
  void set_listener(Listener* listener) { listener_ = listener; }
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override;

  // Stops taking up connections and ends those that wait between two requests; the others end after
  // the response under way.
  void drain();
  // Breaks off all that is left.
  void cancel() { scope_.cancel(); }
  // Suspends until the last connection has ended.
  [[nodiscard]] Scope::Join drained() { return scope_.join(); }
  [[nodiscard]] std::size_t connections() const { return scope_.running(); }

 private:
  static Task<void> run(Server& server, std::unique_ptr<ClientConnection> connection);
  void on_timer() override;

  Executor* executor_;
  const ServerSettings* settings_;
  ListenerShare* share_;
  Handler* handler_;
  Listener* listener_ = nullptr;
  bool only_local_;
  bool draining_ = false;
  bool paused_ = false;
  IntrusiveList<ClientConnection> connections_;
  Scope scope_;
};

}  // namespace penstock

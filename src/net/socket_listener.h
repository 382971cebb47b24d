// Listening sockets: opening them, and accepting on the event loop.
#pragma once

#include <cstdint>

#include "async/timer.h"
#include "base/error.h"
#include "net/event_loop.h"
#include "net/fd.h"
#include "net/network.h"

namespace penstock {

struct ListenOptions {
  Address address;
  int backlog = 4096;
  std::uint32_t unix_mode = 0660;
};

// A bound, listening, non-blocking socket. TCP sockets are opened with SO_REUSEPORT, so that each
// worker has one of its own; a unix socket is opened once and shared by duplicates. A stale file of
// a unix socket (nobody listens on it) is replaced. Errors carry the errno.
[[nodiscard]] Result<Fd> open_listening_socket(const ListenOptions& options);
// Another descriptor of the same socket.
[[nodiscard]] Result<Fd> duplicate(const Fd& fd);
[[nodiscard]] Address local_address_of(const Fd& socket);
// True when somebody listens on the address already: SO_REUSEPORT would let us share it unawares.
[[nodiscard]] bool is_taken(const Address& address);

// Accepts on a listening socket and gives the connections to a handler. When descriptors run out it
// pauses for a moment, leaving connections in the kernel's queue.
class SocketListener final : public Listener, private EventSource, private Timer {
 public:
  // The handler and the loop must outlive it.
  SocketListener(EventLoop& loop, Fd socket, AcceptHandler& handler);
  ~SocketListener() override;

  void pause() override;
  void resume() override;
  // Takes up all connections that wait in the kernel's queue: what is left there when the socket is
  // closed would be reset.
  void accept_waiting();
  [[nodiscard]] Address local_address() const override { return local_; }

 private:
  void on_events(std::uint32_t events) override;
  void on_timer() override;
  bool accept_one();
  void update_interest();

  EventLoop* loop_;
  Fd socket_;
  AcceptHandler* handler_;
  Address local_;
  bool paused_ = false;     // by our user
  bool exhausted_ = false;  // no descriptors or memory left, for a moment
};

}  // namespace penstock

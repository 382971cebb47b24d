// Listening sockets: opening them, and accepting on the event loop.
#pragma once

#include <cstdint>
#include <optional>

#include "async/timer.h"
#include "base/error.h"
#include "net/accept_spread.h"
#include "net/event_loop.h"
#include "net/fd.h"
#include "net/network.h"

namespace penstock {

struct ListenOptions {
  Address address;
  int backlog = 4096;
  std::uint32_t unix_mode = 0660;
  // For netfilter's TPROXY: it takes connections to addresses of others, and may be bound to one.
  bool transparent = false;
};

// A bound, listening, non-blocking socket. TCP sockets are opened with SO_REUSEPORT, so that each
// worker has one of its own; a unix socket is opened once and shared by duplicates. A stale file of
// a unix socket (nobody listens on it) is replaced. Errors carry the errno; EPERM comes only from
// `transparent`, which needs CAP_NET_ADMIN or CAP_NET_RAW.
[[nodiscard]] Result<Fd> open_listening_socket(const ListenOptions& options);
// Makes a listening socket that somebody else opened like one of ours: not blocking, closed on
// exec, accepted sockets send without delay. Fails with ENOTSOCK, EINVAL where it does not listen
// for streams, EAFNOSUPPORT, or as above.
[[nodiscard]] Result<void> adopt_listening_socket(const Fd& socket, bool transparent);
// Another descriptor of the same socket.
[[nodiscard]] Result<Fd> duplicate(const Fd& fd);
[[nodiscard]] Address local_address_of(const Fd& socket);
// Where a connection was on its way to when netfilter's REDIRECT or DNAT brought it here. Nothing
// when netfilter knows nothing of it: it came here by itself. One that came here by itself while
// netfilter watches gives our own address.
[[nodiscard]] std::optional<Address> original_destination(const Fd& socket);
// True when somebody listens on the address already: SO_REUSEPORT would let us share it unawares.
[[nodiscard]] bool is_taken(const Address& address);

// How connections are accepted.
struct AcceptOptions {
  // Which address a client connected to.
  enum class Local : std::uint8_t {
    listener,   // that of the listener, or of the accepted socket where that one is a wildcard
    socket,     // that of the accepted socket: TPROXY
    netfilter,  // what netfilter tells (original_destination), else that of the accepted socket
  };
  Local local = Local::listener;
  // The socket is one of several duplicates: the kernel wakes one worker for a connection, not all.
  bool shared = false;
  // Where connections are handed over to other workers; null: nowhere. Must outlive the listener.
  AcceptSeat* seat = nullptr;
};

// Accepts on a listening socket and gives the connections to a handler. When descriptors run out it
// pauses for a moment, leaving connections in the kernel's queue.
class SocketListener final : public Listener, private EventSource, private Timer {
 public:
  // The handler and the loop must outlive it.
  SocketListener(EventLoop& loop, Fd socket, AcceptHandler& handler, AcceptOptions options = {});
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
  void take_up(AcceptedSocket accepted);
  [[nodiscard]] Address local_of(const Fd& accepted) const;
  void send_off();
  void rest_a_moment();
  void update_interest();

  EventLoop* loop_;
  Fd socket_;
  AcceptHandler* handler_;
  AcceptOptions options_;
  Address local_;
  bool watched_ = false;    // a shared socket is on the loop
  bool paused_ = false;     // by our user
  bool exhausted_ = false;  // no descriptors or memory left, for a moment
};

}  // namespace penstock

// The floor: what a proxy cannot do without, and nothing else. One thread; each byte is read once
// and written once; heads are only searched for where the message ends; any request goes to the
// server connection used last; no timers, no log. The first line is looked at for CONNECT, which
// gets a server connection of its own and a blind relay. Pipelining is not supported.
//
//   relay LISTEN_PORT ORIGIN_PORT
#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "framer.h"
#include "net.h"

namespace penstock::bench {
namespace {

constexpr std::size_t kBufferSize = 64UZ * 1024;
constexpr std::string_view kTunnelOpen = "HTTP/1.1 200 OK\r\n\r\n";

struct Connection {
  enum class Side { kClient, kServer };

  explicit Connection(Side its_side, Fd its_fd) : side(its_side), fd(std::move(its_fd)) {}

  Side side;
  Fd fd;
  Connection* peer = nullptr;  // the other end of the exchange or tunnel under way
  Framer framer;               // of what is read here
  std::string unsent;          // what the socket did not take
  bool readable = false;       // there was more to read when the peer could not take it
  bool at_end = false;         // the end of the stream is in sight: read until it comes
  bool tunnel = false;
  bool close_when_done = false;
};

using Pieces = std::span<const iovec>;

// writev() does not change what it writes, though its type says so.
iovec piece(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

class Relay {
 public:
  Relay(std::uint16_t port, std::uint16_t origin) : origin_(origin), listener_(listen_on(port)) {
    // Level-triggered, so that one accept a wake-up suffices and none is made in vain.
    poller_.add(listener_.get(), nullptr, EPOLLIN);
  }

  [[noreturn]] void run() {
    while (true) {
      for (const epoll_event& event : poller_.wait(-1)) {
        auto* connection = static_cast<Connection*>(event.data.ptr);
        if (connection == nullptr) {
          accept_client();
        } else if (connection->fd) {
          on_event(*connection, event.events);
        }
      }
      // Not before: a later event of the same turn may still point to them.
      for (Connection* connection : closed_) delete connection;
      closed_.clear();
    }
  }

 private:
  void accept_client() {
    Fd fd = accept_from(listener_.get());
    if (fd) add(Connection::Side::kClient, std::move(fd));
  }

  Connection& add(Connection::Side side, Fd fd) {
    auto connection = std::make_unique<Connection>(side, std::move(fd));
    poller_.add(connection->fd.get(), connection.get(), kConnectionEvents);
    return *connection.release();  // Lives until it is in closed_.
  }

  void on_event(Connection& connection, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0 && !connection.unsent.empty()) flush(connection);
    if (!connection.fd) return;
    if ((events & kEndEvents) != 0) connection.at_end = true;
    if ((events & (EPOLLIN | kEndEvents)) != 0) read_from(connection);
  }

  void read_from(Connection& from) {
    while (from.fd) {
      from.readable = from.peer != nullptr && !from.peer->unsent.empty();
      if (from.readable) return;
      const ssize_t n = read(from.fd.get(), buffer_.data(), buffer_.size());
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return end_of_stream(from);
      const auto size = static_cast<std::size_t>(n);
      take(from, {buffer_.data(), size});
      // A short read has emptied the socket; what comes later is a new event.
      if (size < buffer_.size() && !from.at_end) return;
    }
  }

  void take(Connection& from, std::string_view data) {
    if (from.tunnel) return send(*from.peer, data);
    std::string_view head;
    if (from.framer.in_head()) {
      data.remove_prefix(from.framer.feed(data));
      if (from.framer.in_head()) return;
      head = from.framer.head();
      if (head.starts_with("CONNECT ")) return open_tunnel(from, data);
      if (from.side == Connection::Side::kClient) attach_server(from);
    }
    const bool pipelined = from.framer.feed(data) < data.size();
    if (pipelined || from.peer == nullptr) return close_both(from);
    send_message(from, head, data);
    if (from.fd && from.framer.done()) message_done(from);
  }

  // In one call, without the line that asks to close: it is meant for this hop only.
  void send_message(Connection& from, std::string_view head, std::string_view body) {
    const std::string_view line = from.framer.close_line();
    if (head.empty() || line.empty()) {
      std::array pieces{piece(head), piece(body)};
      return send(*from.peer, head.empty() ? Pieces(pieces).last(1) : pieces);
    }
    from.close_when_done = true;
    const auto before = static_cast<std::size_t>(line.data() - head.data());
    std::array pieces{piece(head.substr(0, before)), piece(head.substr(before + line.size())),
                      piece(body)};
    send(*from.peer, pieces);
  }

  void message_done(Connection& from) {
    if (from.side == Connection::Side::kClient) return;  // The answer comes next.
    Connection& client = *from.peer;
    client.peer = from.peer = nullptr;
    client.framer.next();
    from.framer.next();
    idle_.push_back(&from);
    if (client.close_when_done && client.unsent.empty()) close(client);
  }

  void attach_server(Connection& client) {
    if (idle_.empty()) {
      client.peer = &add(Connection::Side::kServer, connect_and_wait(origin_));
    } else {
      client.peer = idle_.back();
      idle_.pop_back();
    }
    client.peer->peer = &client;
  }

  void open_tunnel(Connection& client, std::string_view early_data) {
    client.peer = &add(Connection::Side::kServer, connect_and_wait(origin_));
    client.peer->peer = &client;
    client.tunnel = client.peer->tunnel = true;
    send(client, kTunnelOpen);
    if (!early_data.empty()) send(*client.peer, early_data);
  }

  void send(Connection& to, std::string_view data) {
    std::array pieces{piece(data)};
    send(to, pieces);
  }

  void send(Connection& to, Pieces pieces) {
    std::size_t sent = 0;
    if (to.unsent.empty()) {
      const ssize_t n = writev(to.fd.get(), pieces.data(), static_cast<int>(pieces.size()));
      if (n < 0 && errno != EAGAIN) return close_both(to);
      sent = n < 0 ? 0 : static_cast<std::size_t>(n);
    }
    for (const iovec& part : pieces) {
      const std::size_t skip = std::min(sent, part.iov_len);
      sent -= skip;
      to.unsent.append(static_cast<const char*>(part.iov_base) + skip, part.iov_len - skip);
    }
  }

  void flush(Connection& to) {
    const ssize_t n = write(to.fd.get(), to.unsent.data(), to.unsent.size());
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) return close_both(to);
    to.unsent.erase(0, static_cast<std::size_t>(n));
    if (!to.unsent.empty()) return;
    if (to.close_when_done && to.peer == nullptr) return close(to);
    if (to.peer != nullptr && to.peer->readable) read_from(*to.peer);
  }

  void end_of_stream(Connection& from) {
    if (from.peer != nullptr) {
      Connection& peer = *from.peer;
      peer.peer = from.peer = nullptr;
      peer.close_when_done = true;
      if (peer.unsent.empty()) close(peer);
    }
    close(from);
  }

  void close_both(Connection& connection) {
    if (connection.peer != nullptr) close(*connection.peer);
    close(connection);
  }

  void close(Connection& connection) {
    if (!connection.fd) return;
    connection.fd.reset();
    if (connection.side == Connection::Side::kServer) std::erase(idle_, &connection);
    closed_.push_back(&connection);
  }

  std::uint16_t origin_;
  Fd listener_;
  Poller poller_;
  std::vector<Connection*> idle_;  // server connections, the one used last at the end
  std::vector<Connection*> closed_;
  std::array<char, kBufferSize> buffer_{};
};

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: relay LISTEN_PORT ORIGIN_PORT\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  using penstock::bench::parse_port;
  penstock::bench::Relay(parse_port(argv[1]), parse_port(argv[2])).run();
}

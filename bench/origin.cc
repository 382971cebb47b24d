// The server behind the proxies: answers as cheaply as it can, so that the proxy is what is
// measured. It keeps connections alive and takes targets with or without "http://host:port".
//
//   origin PORT [THREADS]
//
//   GET /size/N       N bytes, with Content-Length
//   GET /chunked/N    N bytes, in chunks of 8 KiB
//   anything with a body is read to its end and answered with a few bytes
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include <sys/socket.h>
#include <unistd.h>

#include "framer.h"
#include "net.h"

namespace penstock::bench {
namespace {

constexpr std::size_t kBufferSize = 256UZ * 1024;
constexpr std::size_t kChunkSize = 8UZ * 1024;
constexpr std::size_t kMaxBody = 256UZ * 1024 * 1024;

std::size_t parse_number(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::min(number, kMaxBody);
}

std::string with_length(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) +
         "\r\nContent-Type: text/plain\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

std::string in_chunks(std::size_t size) {
  std::string response =
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::array<char, 16> digits{};
  while (size > 0) {
    const std::size_t chunk = std::min(size, kChunkSize);
    const auto end = std::to_chars(digits.begin(), digits.end(), chunk, 16).ptr;
    response.append(digits.begin(), end).append("\r\n");
    response.append(chunk, 'x').append("\r\n");
    size -= chunk;
  }
  return response + "0\r\n\r\n";
}

std::string make_response(std::string_view path) {
  constexpr std::string_view kSize = "/size/";
  constexpr std::string_view kChunked = "/chunked/";
  if (path.starts_with(kSize)) {
    return with_length("200 OK", std::string(parse_number(path.substr(kSize.size())), 'x'));
  }
  if (path.starts_with(kChunked)) return in_chunks(parse_number(path.substr(kChunked.size())));
  return with_length("404 Not Found", "no such thing\n");
}

// The path of a request target in either form.
std::string_view path_of(std::string_view head) {
  head.remove_prefix(std::min(head.find(' ') + 1, head.size()));
  std::string_view target = head.substr(0, head.find(' '));
  constexpr std::string_view kScheme = "http://";
  if (!target.starts_with(kScheme)) return target;
  const std::size_t slash = target.find('/', kScheme.size());
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

// Whole responses by path, each made once. A thread's own.
class Responses {
 public:
  const std::string& find(std::string_view path) {
    const auto known = by_path_.find(path);
    if (known != by_path_.end()) return known->second;
    return by_path_.emplace(path, make_response(path)).first->second;
  }
  [[nodiscard]] const std::string& uploaded() const { return uploaded_; }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> by_path_;
  std::string uploaded_ = with_length("200 OK", "received\n");
};

struct Connection {
  explicit Connection(Fd its_fd) : fd(std::move(its_fd)) {}

  Fd fd;
  Framer framer;
  const std::string* response = nullptr;  // chosen when the head is there
  std::size_t sent = 0;
  bool sending = false;
  bool close_when_sent = false;
  bool at_end = false;  // the end of the stream is in sight: read until it comes
};

class Origin {
 public:
  explicit Origin(std::uint16_t port) : listener_(listen_on(port, true)) {
    poller_.add(listener_.get(), nullptr, EPOLLIN);
  }

  [[noreturn]] void run() {
    while (true) {
      for (const epoll_event& event : poller_.wait(-1)) {
        auto* connection = static_cast<Connection*>(event.data.ptr);
        if (connection == nullptr) {
          accept_client();
        } else {
          // One event a connection and turn: nobody else points to it when it goes.
          if (!on_event(*connection, event.events)) delete connection;
        }
      }
    }
  }

 private:
  void accept_client() {
    Fd fd = accept_from(listener_.get());
    if (!fd) return;
    auto* connection = new Connection(std::move(fd));  // Deleted when on_event() says so.
    poller_.add(connection->fd.get(), connection, kConnectionEvents);
  }

  // False when the connection is finished; the same for all that follow.
  bool on_event(Connection& connection, std::uint32_t events) {
    if ((events & kEndEvents) != 0) connection.at_end = true;
    if (connection.sending) {
      if (!send(connection)) return false;
      if (connection.sending) return true;
    } else if ((events & (EPOLLIN | kEndEvents)) == 0) {
      return true;
    }
    return receive(connection);
  }

  bool receive(Connection& connection) {
    while (!connection.sending) {
      // The kernel drops the bytes of a long upload for us, without copying them.
      const std::size_t left = connection.framer.body_left();
      const bool drop = left >= kChunkSize;
      const std::size_t wanted = drop ? left : buffer_.size();
      const ssize_t n = recv(connection.fd.get(), buffer_.data(), wanted, drop ? MSG_TRUNC : 0);
      if (n < 0 && errno == EAGAIN) return true;
      if (n <= 0) return false;
      const auto size = static_cast<std::size_t>(n);
      if (drop) {
        connection.framer.skip(size);
        if (connection.framer.done() && !respond(connection)) return false;
      } else if (!take(connection, {buffer_.data(), size})) {
        return false;
      }
      if (size < wanted && !connection.at_end) return true;
    }
    return true;
  }

  bool take(Connection& connection, std::string_view data) {
    while (!data.empty()) {
      if (connection.sending) return false;  // Pipelined behind a response that does not fit.
      Framer& framer = connection.framer;
      const bool in_head = framer.in_head();
      data.remove_prefix(framer.feed(data));
      if (in_head && !framer.in_head()) choose_response(connection);
      if (framer.done() && !respond(connection)) return false;
    }
    return true;
  }

  void choose_response(Connection& connection) {
    const Framer& framer = connection.framer;
    const std::string_view head = framer.head();
    const bool upload = head.starts_with('P');  // POST, PUT, PATCH
    connection.response = upload ? &responses_.uploaded() : &responses_.find(path_of(head));
    connection.close_when_sent = !framer.close_line().empty();
  }

  bool respond(Connection& connection) {
    connection.sent = 0;
    connection.sending = true;
    connection.framer.next();
    return send(connection);
  }

  bool send(Connection& connection) {
    const std::string_view rest = std::string_view(*connection.response).substr(connection.sent);
    const ssize_t n = write(connection.fd.get(), rest.data(), rest.size());
    if (n < 0) return errno == EAGAIN;
    connection.sent += static_cast<std::size_t>(n);
    connection.sending = connection.sent < connection.response->size();
    return connection.sending || !connection.close_when_sent;
  }

  Fd listener_;
  Poller poller_;
  Responses responses_;
  std::array<char, kBufferSize> buffer_{};
};

void serve(std::uint16_t port) { std::make_unique<Origin>(port)->run(); }

}  // namespace
}  // namespace penstock::bench

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fputs("usage: origin PORT [THREADS]\n", stderr);
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const std::uint16_t port = penstock::bench::parse_port(argv[1]);
  const std::size_t threads = argc == 3 ? penstock::bench::parse_number(argv[2]) : 1;
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(penstock::bench::serve, port);
  penstock::bench::serve(port);
}

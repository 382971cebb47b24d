// No heap allocation per request in steady state: counted, over real sockets.
#include <atomic>
#include <future>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "base/log.h"
#include "module/local_services.h"
#include "net/event_loop.h"
#include "net/socket_listener.h"
#include "net/socket_network.h"
#include "proxy/proxy.h"
#include "server/server.h"
#include "tests/count_allocations.h"
#include "upstream/server_side.h"

#if PENSTOCK_COUNTS_ALLOCATIONS

namespace penstock {
namespace {

Fd listen_on_loopback() {
  auto socket = open_listening_socket({.address = *Address::parse("127.0.0.1:0")});
  return socket ? std::move(*socket) : Fd();
}

Fd connect_to(const Address& address) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) socket.reset();
  return socket;
}

// Reads until `end` is the end of what was read; false when the connection ends first.
bool read_until(int fd, std::string_view end, std::string& text) {
  text.clear();
  char buffer[4096];
  while (!text.ends_with(end)) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return true;
}

bool send_all(int fd, std::string_view text) {
  return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

// Answers each request, known by the end of its text, with a small response.
void serve_origin(Fd listening, std::string_view request_end) {
  const int flags_cleared = 0;
  ::fcntl(listening.get(), F_SETFL, flags_cleared);
  const Fd connection(::accept(listening.get(), nullptr, nullptr));
  std::string text;
  while (read_until(connection.get(), request_end, text)) {
    send_all(connection.get(),
             "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello!");
  }
}

// A proxy with one listener on the calling thread's loop.
class OneThreadProxy {
 public:
  OneThreadProxy(ListenerMode mode, const Address& origin) {
    listener_settings_.mode = mode;
    upstream_.groups.push_back({.name = "app", .servers = {{.address = origin.to_string()}}});
    proxy_settings_.routes.emplace_back().to = "app";
    upstream_share_.emplace(upstream_);
    servers_.emplace(network_, upstream_, *upstream_share_, 1);
    routes_.emplace(proxy_settings_.routes, *servers_);
    proxy_.emplace(
        ProxyParts{*servers_, *routes_, access_log_, proxy_settings_, own_addresses_, "test"});
    server_.emplace(loop_.executor(), server_settings_, share_, Handlers{.http = &*proxy_});
    listener_.emplace(loop_, listen_on_loopback(), *server_);
  }
  ~OneThreadProxy() {
    server_->drain();
    server_->cancel();
    while (server_->connections() > 0) loop_.run_once(std::chrono::milliseconds(10));
  }
  EventLoop& loop() { return loop_; }
  Address address() { return listener_->local_address(); }

 private:
  EventLoop loop_;
  SocketNetwork network_{loop_};
  UpstreamSettings upstream_;
  ProxySettings proxy_settings_;
  std::optional<UpstreamShare> upstream_share_;
  std::optional<ServerSide> servers_;
  std::optional<RouteTable> routes_;
  AccessLog access_log_{loop_.executor(), nullptr, AccessLogFormat::json};
  OwnAddresses own_addresses_;
  std::optional<Proxy> proxy_;
  ListenerSettings listener_settings_;
  ListenerShare share_{&listener_settings_};
  ServerSettings server_settings_;
  std::optional<Server> server_;
  std::optional<SocketListener> listener_;
};

// Allocations on the proxy's thread for `count` requests on one connection, after some to warm up.
std::size_t count_allocations(ListenerMode mode, const std::string& request_line,
                              const std::string& rest, int count) {
  Fd origin_socket = listen_on_loopback();
  const Address origin = local_address_of(origin_socket);
  const std::string body_end = rest.substr(rest.size() - 4);
  std::thread origin_thread(serve_origin, std::move(origin_socket), std::string_view(body_end));

  std::size_t counted = 0;
  {
    OneThreadProxy proxy(mode, origin);
    const std::string target =
        mode == ListenerMode::forward ? "http://" + origin.to_string() + "/x" : "/x";
    const std::string request =
        request_line + " " + target + " HTTP/1.1\r\nHost: " + origin.to_string() + "\r\n" + rest;
    std::atomic<int> done = 0;
    const Address address = proxy.address();
    std::thread client([&request, &done, address, count] {
      const Fd socket = connect_to(address);
      std::string response;
      for (int i = 0; i < 2 * count; ++i) {
        if (!send_all(socket.get(), request) || !read_until(socket.get(), "hello!", response))
          break;
        ++done;
      }
      done = 2 * count;
    });
    while (done < count) proxy.loop().run_once(std::chrono::milliseconds(10));
    const std::size_t before = allocations;
    EXPECT_GT(before, 0U) << "the counter does not count";
    while (done < 2 * count) proxy.loop().run_once(std::chrono::milliseconds(10));
    counted = allocations - before;
    client.join();
  }
  origin_thread.join();
  return counted;
}

constexpr int kRequests = 500;

TEST(Allocations, NonePerReverseGet) {
  EXPECT_EQ(count_allocations(ListenerMode::reverse, "GET", "Accept: */*\r\n\r\n", kRequests), 0U);
}

TEST(Allocations, NonePerForwardGet) {
  EXPECT_EQ(count_allocations(ListenerMode::forward, "GET", "Accept: */*\r\n\r\n", kRequests), 0U);
}

TEST(Allocations, NoneWhereAModuleCounts) {
  LogFile file("/dev/null");
  Log log(file, LogLevel::info);
  LocalShare share(log);
  LocalServices services(share, "module", nullptr);
  const std::uint64_t metric = services.metric("seen", "");
  const std::size_t before = allocations;
  for (int i = 0; i < kRequests; ++i) {
    services.add_to_metric(metric, 1);
    services.set_metric(metric, i);
  }
  EXPECT_EQ(allocations, before);
}

TEST(Allocations, NonePerSmallPost) {
  EXPECT_EQ(count_allocations(ListenerMode::reverse, "POST", "Content-Length: 10\r\n\r\n0123456789",
                              kRequests),
            0U);
}

}  // namespace
}  // namespace penstock

#endif

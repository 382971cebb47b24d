// Workers on threads of their own, with real sockets, that share the bounds of one server.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "message/text_body.h"
#include "net/event_loop.h"
#include "net/socket_listener.h"
#include "net/socket_network.h"
#include "upstream/server_side.h"

namespace penstock {
namespace {

using std::chrono::seconds;

constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::string_view kLast =
    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

// A server on a thread of its own that counts its connections. Each carries a few requests only.
class CountingServer {
 public:
  CountingServer() {
    auto socket = open_listening_socket({.address = Address::parse("127.0.0.1:0").value()});
    EXPECT_TRUE(socket);
    listening_ = std::move(*socket);
    address_ = local_address_of(listening_).to_string();
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }

  [[nodiscard]] const std::string& address() const { return address_; }
  // Read when nobody asks any more.
  [[nodiscard]] std::size_t most_connections() const { return most_; }
  [[nodiscard]] std::size_t connections_made() const { return made_; }
  void stop() {
    thread_.request_stop();
    thread_.join();
  }

 private:
  struct Connection {
    Fd fd;
    int requests = 0;
    bool ended = false;
  };

  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<pollfd> ready = {{.fd = listening_.get(), .events = POLLIN, .revents = 0}};
      for (const Connection& connection : connections_) {
        ready.push_back({.fd = connection.fd.get(), .events = POLLIN, .revents = 0});
      }
      ::poll(ready.data(), ready.size(), 10);
      // First those that have ended: their ends were sent before the others could begin.
      for (Connection& connection : connections_) answer(connection);
      if ((ready[0].revents & POLLIN) != 0) accept_one();
    }
  }

  void accept_one() {
    Fd fd(::accept4(listening_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd.get() < 0) return;
    for (Connection& connection : connections_) answer(connection);
    std::erase_if(connections_, [](const Connection& connection) { return connection.ended; });
    connections_.push_back({.fd = std::move(fd)});
    most_ = std::max(most_, connections_.size());
    ++made_;
  }

  // Requests are small and come one at a time.
  static void answer(Connection& connection) {
    std::array<char, 4096> bytes;
    const ssize_t got = ::recv(connection.fd.get(), bytes.data(), bytes.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) connection.ended = true;
    if (got <= 0) return;
    const std::string_view text = ++connection.requests % 7 == 0 ? kLast : kOk;
    static_cast<void>(::send(connection.fd.get(), text.data(), text.size(), MSG_NOSIGNAL));
  }

  Fd listening_;
  std::string address_;
  std::vector<Connection> connections_;
  std::size_t most_ = 0;
  std::size_t made_ = 0;
  std::jthread thread_;
};

class Unheard final : public InformationalSink {
  Task<Result<void>> on_informational(ResponseHead& /*head*/) override { co_return Result<void>{}; }
};

struct TestWorker {
  TestWorker(const UpstreamSettings& settings, UpstreamShare& share, std::uint64_t seed)
      : side(network, settings, share, seed) {}

  // Runs clients that each make so many requests, one after the other.
  void start(int clients, int requests) {
    thread = std::thread([this, clients, requests] {
      Scope scope(loop.executor());
      scope.spawn(work(*this, clients, requests));
      loop.run();
    });
  }
  static Task<void> work(TestWorker& self, int clients, int requests) {
    self.side.start(false);
    Scope scope(co_await this_context());
    for (int i = 0; i < clients; ++i) scope.spawn(ask(self, requests));
    co_await scope.join();
    co_await self.side.stop();
    self.loop.stop();
  }
  static Task<void> ask(TestWorker& self, int requests) {
    for (int i = 0; i < requests; ++i) {
      const bool answered = co_await ask_once(self, *self.side.group("g"));
      (answered ? self.answered : self.failed) += 1;
    }
  }
  static Task<bool> ask_once(TestWorker& self, ServerGroup& group) {
    RequestHead head;
    head.method_text = "GET";
    head.method = Method::get;
    head.target = *parse_target("GET", "/");
    head.fields.add(FieldId::host, "a");
    Choice choice;
    std::optional<Lease> lease = group.take_idle(choice);
    if (!lease) {
      auto got = co_await group.acquire(choice, false);
      if (!got) co_return false;
      lease.emplace(std::move(*got));
    }
    TextBody body("");
    Unheard unheard;
    const ServerRequest request{.head = &head, .body = &body, .framing = {}, .connection = {}};
    ResponseHead response;
    const auto answered = co_await lease->exchange(request, response, unheard);
    while (answered && !lease->response_body().at_end()) {
      const auto slice = co_await lease->response_body().next();
      if (!slice) break;
    }
    choice.hop->share->noted(!answered, false, self.loop.executor().now());
    co_await lease->settle(Settlement::reuse);
    co_return answered&& response.status == 200;
  }

  EventLoop loop;
  SocketNetwork network{loop};
  ServerSide side;
  int answered = 0;
  int failed = 0;
  std::thread thread;
};

constexpr int kClients = 8;
constexpr int kRequests = 200;

class WorkersTest : public testing::Test {
 protected:
  WorkersTest() {
    settings.groups.push_back({.name = "g", .servers = {{.address = server.address()}}});
    group().queue.timeout = seconds(60);
    group().balance.algorithm = Balance::least_connections;
  }
  UpstreamGroupSettings& group() { return settings.groups.front(); }

  void run(std::size_t most) {
    UpstreamShare share(settings);
    {
      std::vector<std::unique_ptr<TestWorker>> workers;
      for (std::uint64_t i = 1; i <= 2; ++i) {
        workers.push_back(std::make_unique<TestWorker>(settings, share, i));
      }
      for (const auto& worker : workers) worker->start(kClients, kRequests);
      for (const auto& worker : workers) worker->thread.join();
      for (const auto& worker : workers) {
        EXPECT_EQ(worker->answered, kClients * kRequests);
        EXPECT_EQ(worker->failed, 0);
      }
    }
    server.stop();
    EXPECT_LE(server.most_connections(), most);
    EXPECT_GE(server.connections_made(), 2U * kClients * kRequests / 7);
    const auto of_server = share.groups().front().server(server.address(), 0);
    EXPECT_EQ(of_server->connections(), 0U);
    EXPECT_EQ(of_server->requests(), 0U);
    EXPECT_EQ(share.groups().front().connections(), 0U);
    EXPECT_EQ(share.groups().front().waiting(), 0U);
  }

  CountingServer server;
  UpstreamSettings settings;
};

TEST_F(WorkersTest, ShareTheServersBound) {
  group().max_connections = 2;
  run(2);
}

TEST_F(WorkersTest, ShareTheGroupsBound) {
  group().breaker.connections = 3;
  run(3);
}

TEST_F(WorkersTest, ShareBothBoundsAndKeepSpareConnections) {
  group().max_connections = 4;
  group().breaker.connections = 3;
  group().pool.spare = 2;
  run(3);
}

TEST_F(WorkersTest, ShareASinglePlace) {
  group().max_connections = 1;
  run(1);
}

}  // namespace
}  // namespace penstock

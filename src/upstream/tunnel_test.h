// For tests: connections to a scripted proxy on the simulated network, and what comes through them.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/network.h"
#include "upstream/scripted_server_test.h"
#include "upstream/tunnel_target.h"

namespace penstock {

inline constexpr std::string_view kPeer = "10.0.0.1:1080";

// One attempt to get a tunnel. T is what the attempt gives.
template <class T>
class TunnelAttempt {
 public:
  // Asks for the tunnel on the connection, which is new.
  using Ask = std::function<Task<Result<T>>(ByteStream&, InputBuffer&, TimePoint deadline)>;

  explicit TunnelAttempt(Ask ask, Duration limit = std::chrono::seconds(5))
      : ask_(std::move(ask)), limit_(limit) {}

  // The peer says nothing unless asked, so what it says behind its answer came through the tunnel.
  static Task<void> run(TunnelAttempt& self, SimNetwork& network) {
    const Address peer = Address::parse(kPeer).value();
    auto stream = co_await network.connect(peer, kNever);
    if (!stream) co_return;
    self.begun_at = network.executor().now();
    self.result =
        co_await self.ask_(**stream, self.input, deadline_after(self.begun_at, self.limit_));
    self.ended_at = network.executor().now();
    self.tunnel = std::string(self.input.unread());
    if (self.result) co_await read_rest(self, **stream);
    self.done = true;
  }

  Result<T> result = fail(ErrorKind::io);
  InputBuffer input;
  std::string tunnel;  // what came behind the answer, up to the end of the stream
  TimePoint begun_at{};
  TimePoint ended_at{};
  bool done = false;

 private:
  static Task<void> read_rest(TunnelAttempt& self, ByteStream& stream) {
    static_cast<void>(co_await send_text(stream, "up the tunnel"));
    stream.shutdown_write();
    static_cast<void>(co_await receive_all(stream, self.tunnel));
  }

  Ask ask_;
  Duration limit_;
};

// A world with one peer.
class TunnelWorld {
 public:
  explicit TunnelWorld(ServerScript script, std::uint64_t seed = 1, const Faults& faults = {})
      : world(seed, faults), network(world), peer(network, kPeer, {std::move(script)}) {}
  ~TunnelWorld() { stop(); }
  // An attempt that may not have ended must outlive this call.
  void stop() {
    scope.cancel();
    world.run_for({});
  }

  template <class T>
  void run(TunnelAttempt<T>& attempt) {
    scope.spawn(TunnelAttempt<T>::run(attempt, network));
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    EXPECT_TRUE(attempt.done);
  }

  SimWorld world;
  SimNetwork network;
  ScriptedServer peer;
  Scope scope{world.executor()};
};

// That the error is one after which the request can go another way.
inline void expect_tunnel_error(const Error& error, ErrorKind kind) {
  EXPECT_EQ(to_string(error.kind), to_string(kind));
  EXPECT_EQ(error.side, Side::server);
  EXPECT_TRUE(error.retryable);
}

}  // namespace penstock

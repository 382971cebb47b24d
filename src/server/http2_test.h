// For tests: a client connection of HTTP/2 with its handler, and a peer that talks to it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "http2/raw_peer_test.h"
#include "server/http2_connection.h"
#include "server/server_test.h"

namespace penstock {

class Http2Test : public testing::Test {
 protected:
  using Peer = http2::RawPeer;
  using Lines = http2::Lines;

  ~Http2Test() override { stop(); }

  // Made at the first use, when settings and handler are as the test wants them.
  Peer& peer() {
    if (!peer_) start();
    return *peer_;
  }
  // A peer that has begun as it should.
  Peer& client(std::uint32_t window = 1 << 30) {
    if (!peer_) {
      start();
      peer_->begin(window);
    }
    return *peer_;
  }
  // The response to a request of those fields, on stream 1.
  http2::Received& ask(const Lines& fields, bool end = true) {
    client().send(Peer::headers(1, fields, end));
    return client()[1];
  }
  http2::Received& get(std::string_view path) { return ask(Peer::request("GET", path)); }

  void start() {
    StreamPair pair = make_stream_pair(world);
    server_stream_ = std::move(pair.accepting);
    info.listener = &listener;
    connection = std::make_unique<Http2Connection>(*server_stream_, input_, info, settings,
                                                   draining, used_handler());
    scope_.spawn(run(*this));
    peer_ = std::make_unique<Peer>(world, std::move(pair.connecting), http2::Role::client);
  }
  void stop() {
    if (!connection) return;
    peer_->close();
    world.run_for(std::chrono::seconds(5));
    scope_.cancel();
    world.run_for({});
    EXPECT_TRUE(ended);
    connection.reset();
    server_stream_.reset();
    peer_.reset();
  }
  virtual Handler& used_handler() { return handler; }
  void wait(Duration time) { world.run_for(time); }

  SimWorld world{1};
  ServerSettings settings;
  ListenerSettings listener{.addresses = {"192.0.2.1:8080"}, .mode = ListenerMode::reverse};
  ClientInfo info;
  TestHandler handler;
  bool draining = false;
  bool ended = false;
  std::unique_ptr<Http2Connection> connection;

 private:
  static Task<void> run(Http2Test& self) {
    co_await self.connection->run();
    self.ended = true;
    self.server_stream_.reset();
  }

  Scope scope_{world.executor()};
  InputBuffer input_;
  std::unique_ptr<ByteStream> server_stream_;
  std::unique_ptr<Peer> peer_;
};

}  // namespace penstock

// For tests: a client of HTTP/2 on the simulated network, with a whole proxy behind.
#pragma once

#include <memory>

#include "proxy/proxy_test.h"
#include "server/http2_test.h"

namespace penstock {

// A connection on which HTTP/2 has been agreed, and the peer at its other end. Made at the first
// use, when the test has set all else; before the proxy it must be ended.
class Http2Client {
 public:
  explicit Http2Client(SimWorld& world) : world_(&world), scope_(world.executor()) {}
  ~Http2Client() { close(); }
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  http2::RawPeer& peer(Handler& handler, const ListenerSettings& listener,
                       const ServerSettings& settings) {
    if (peer_) return *peer_;
    StreamPair pair = make_stream_pair(*world_);
    stream_ = std::move(pair.accepting);
    info_.listener = &listener;
    info_.peer = Address::parse("192.0.2.77:4000").value();
    info_.local = Address::parse("192.0.2.1:8080").value();
    connection_ =
        std::make_unique<Http2Connection>(*stream_, input_, info_, settings, draining_, handler);
    scope_.spawn(run(*connection_));
    peer_ =
        std::make_unique<http2::RawPeer>(*world_, std::move(pair.connecting), http2::Role::client);
    peer_->begin();
    return *peer_;
  }
  void close() {
    if (peer_) peer_->close();
    scope_.cancel();
    world_->run_for({});
    connection_.reset();
    stream_.reset();
    peer_.reset();
  }

 private:
  static Task<void> run(Http2Connection& connection) { co_await connection.run(); }

  SimWorld* world_;
  ClientInfo info_;
  bool draining_ = false;
  InputBuffer input_;
  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<Http2Connection> connection_;
  std::unique_ptr<http2::RawPeer> peer_;
  Scope scope_;
};

}  // namespace penstock

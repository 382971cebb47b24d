// A connection to a server, idle in the pool or at work for one exchange.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "async/input_buffer.h"
#include "async/scope.h"
#include "async/stream.h"
#include "http1/body_reader.h"
#include "http1/message_writer.h"
#include "message/framing.h"
#include "net/address.h"

namespace penstock {

// What one exchange on a server connection has going. Made by Lease::exchange().
struct ServerCall {
  ServerCall(ByteStream& stream, Duration stall, TimePoint now, TaskContext& parent)
      : outgoing{.stream = &stream, .side = Side::server, .stall = stall, .last_progress = now},
        reading(parent),
        upload(parent) {}

  http1::Outgoing outgoing;                 // the request on its way
  Result<void> upload_result{};             // how sending it ended
  std::optional<ErrorKind> server_failure;  // what the server did wrong, if so
  bool request_complete = false;
  bool response_started = false;  // a byte of a response has come
  bool persistent = false;        // the response lets the connection persist
  ChildContext
      reading;   // cancelled when the request's own body fails while its response is awaited
  Scope upload;  // the rest of the request's body
  TaskContext* taker = nullptr;  // see Lease::set_taker()
  Framing response_framing;
  std::optional<http1::BodyReader> response_body;
};

class Endpoint;
class HopShare;

// One of the connections that a configured server may have, of all threads together; given back
// when it is destroyed. An empty one stands for a server without bounds. Move-only.
class ConnectionPlace {
 public:
  ConnectionPlace() = default;
  explicit ConnectionPlace(std::shared_ptr<HopShare> of) : of_(std::move(of)) {}
  ConnectionPlace(ConnectionPlace&&) noexcept = default;
  ConnectionPlace& operator=(ConnectionPlace&&) = delete;
  ~ConnectionPlace();

 private:
  std::shared_ptr<HopShare> of_;
};

class ServerConnection final : private StreamObserver {
 public:
  // `input`: what has come already.
  ServerConnection(std::unique_ptr<ByteStream> stream, InputBuffer input, const Address& address,
                   std::shared_ptr<Endpoint> endpoint, ConnectionPlace place, TimePoint opened)
      : place_(std::move(place)),
        endpoint_(std::move(endpoint)),
        stream_(std::move(stream)),
        input_(std::move(input)),
        address_(address),
        opened_(opened) {}

  [[nodiscard]] ByteStream& stream() { return *stream_; }
  [[nodiscard]] InputBuffer& input() { return input_; }
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] Endpoint& endpoint() const { return *endpoint_; }
  [[nodiscard]] std::optional<ServerCall>& call() { return call_; }
  [[nodiscard]] TimePoint opened() const { return opened_; }
  // Requests it has carried.
  [[nodiscard]] std::uint64_t requests() const { return requests_; }
  void count_request() { ++requests_; }
  // What the server said of it in Keep-Alive: how long it keeps it while unused, zero if it did
  // not; and that it takes no further request.
  void limit_by_server(Duration idle, bool last_request) {
    server_idle_ = idle;
    worn_ = last_request;
  }
  [[nodiscard]] bool worn() const { return worn_; }

  // While idle, the stream is watched: whatever happens to it makes it unusable, since no server
  // has anything to say without being asked (RFC 9112 section 9.3). `on_dead` is called from the
  // loop, once.
  class Watcher {
   public:
    virtual void on_idle_connection_dead() = 0;

   protected:
    ~Watcher() = default;
  };
  // `limit`: how long it may be idle; the server's own limit counts too.
  void become_idle(TimePoint now, Duration limit, Watcher& watcher);
  void become_busy();
  // Until when it may be used again.
  [[nodiscard]] TimePoint keep_until() const { return keep_until_; }
  [[nodiscard]] bool dead() const { return dead_; }

 private:
  void on_stream_event(bool broken) override;

  // In this order: the place is given back when the stream is closed.
  ConnectionPlace place_;
  std::shared_ptr<Endpoint> endpoint_;
  std::unique_ptr<ByteStream> stream_;
  InputBuffer input_;
  Address address_;
  std::optional<ServerCall> call_;
  TimePoint opened_;
  TimePoint keep_until_{};
  Duration server_idle_ = Duration::zero();
  std::uint64_t requests_ = 0;
  Watcher* watcher_ = nullptr;
  bool worn_ = false;
  bool dead_ = false;
};

}  // namespace penstock

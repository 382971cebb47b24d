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
  Framing response_framing;
  std::optional<http1::BodyReader> response_body;
};

class ServerConnection final : private StreamObserver {
 public:
  ServerConnection(std::unique_ptr<ByteStream> stream, Address address)
      : stream_(std::move(stream)), address_(std::move(address)) {}

  [[nodiscard]] ByteStream& stream() { return *stream_; }
  [[nodiscard]] InputBuffer& input() { return input_; }
  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] std::optional<ServerCall>& call() { return call_; }
  // While idle, the stream is watched: whatever happens to it makes it unusable, since no server
  // has anything to say without being asked (RFC 9112 section 9.3). `on_dead` is called from the
  // loop, once.
  class Watcher {
   public:
    virtual void on_idle_connection_dead() = 0;

   protected:
    ~Watcher() = default;
  };
  void become_idle(TimePoint now, Watcher& watcher);
  void become_busy();
  [[nodiscard]] TimePoint idle_since() const { return idle_since_; }
  [[nodiscard]] bool dead() const { return dead_; }

 private:
  void on_stream_event(bool broken) override;

  std::unique_ptr<ByteStream> stream_;
  InputBuffer input_;
  Address address_;
  std::optional<ServerCall> call_;
  TimePoint idle_since_{};
  Watcher* watcher_ = nullptr;
  bool dead_ = false;
};

}  // namespace penstock

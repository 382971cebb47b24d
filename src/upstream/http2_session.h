// A connection to a server on which HTTP/2 is spoken, and the requests that share it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "async/event.h"
#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "http2/connection.h"
#include "net/address.h"
#include "upstream/server_connection.h"
#include "upstream/settings.h"

namespace penstock {

// Ends by itself when it has been unused for as long as the endpoint's settings say, when it may
// take no further request and the last one is over, and when the server ends it. Shared by its
// endpoint, if others may use it, by those who use it, and by its own task. Belongs to one thread.
class Http2Session final : private http2::ConnectionUser {
 public:
  // `settings` must outlive it.
  Http2Session(std::unique_ptr<ByteStream> stream, InputBuffer input, const Address& address,
               std::shared_ptr<Endpoint> endpoint, ConnectionPlace place, Executor& executor,
               const UpstreamSettings& settings);
  ~Http2Session();
  Http2Session(const Http2Session&) = delete;
  Http2Session& operator=(const Http2Session&) = delete;

  // The connection's work up to its end; once, in a scope of the pool.
  static Task<void> run(std::shared_ptr<Http2Session> self);

  [[nodiscard]] const Address& address() const { return address_; }
  [[nodiscard]] Endpoint& endpoint() const { return *endpoint_; }
  // While it is not over.
  [[nodiscard]] const ByteStream& stream() const { return *stream_; }
  // Null when it is over.
  [[nodiscard]] http2::Connection* connection() { return connection_ ? &*connection_ : nullptr; }

  // Whether it may take a request more, now and as far as the endpoint is concerned.
  [[nodiscard]] bool has_room(TimePoint now) const;
  [[nodiscard]] std::size_t room() const { return connection_ ? connection_->room() : 0; }
  // False when no request will ever begin here any more.
  [[nodiscard]] bool usable(TimePoint now) const;
  [[nodiscard]] bool unused() const { return users_ == 0; }

  // A request takes its place, then a stream, and leaves when it is over. No stream: the connection
  // takes none any more.
  void join();
  [[nodiscard]] std::unique_ptr<http2::Stream> open_stream();
  void leave(bool stream_opened);

  // A response has come on it: the server has taken requests here.
  void note_answer() { answered_ = true; }
  [[nodiscard]] bool answered() const { return answered_; }
  // True for the first who blames the connection's end on the server.
  [[nodiscard]] bool blame() { return !std::exchange(blamed_, true); }
  // The server wants to be spoken to by HTTP/1.1.
  [[nodiscard]] bool wants_http1() const;

  // Waits for the server's first SETTINGS: before these it is not known how many requests it takes
  // at a time, nor whether it speaks HTTP/2 at all. Errors are of side `server` and retryable.
  Task<Result<void>> ready(TimePoint deadline);
  // Whether the server takes WebSockets here (RFC 8441).
  [[nodiscard]] bool takes_websockets() const {
    return connection_ && connection_->peer_takes_extended_connect();
  }

  // Takes no further request, and ends with the last one: GOAWAY.
  void shut_down();

 private:
  void on_request(std::unique_ptr<http2::Stream> stream) override;
  void on_change() override;
  void end(const Result<void>& how);

  const UpstreamSettings* settings_;
  http2::ConnectionSettings connection_settings_;
  Executor* executor_;
  // In this order: the place is given back when the stream is closed.
  std::optional<ConnectionPlace> place_;
  std::shared_ptr<Endpoint> endpoint_;
  std::unique_ptr<ByteStream> stream_;
  InputBuffer input_;
  std::optional<http2::Connection> connection_;
  Address address_;
  TimePoint opened_;
  std::uint64_t requests_ = 0;  // it has carried
  std::size_t users_ = 0;       // requests it has at present
  std::size_t reserved_ = 0;    // of them, those that have no stream yet
  Event settings_known_;        // or over
  http2::ErrorCode last_error_ = http2::ErrorCode::no_error;
  Result<void> end_{};
  bool answered_ = false;
  bool blamed_ = false;
};

}  // namespace penstock

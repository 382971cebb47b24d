// One request of a client and its response, whatever the version of HTTP; what a Handler gets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "message/body.h"
#include "message/close_reason.h"
#include "message/framing.h"
#include "message/head.h"
#include "server/client_info.h"

namespace penstock {

// What a handler keeps with a client connection, from one exchange to the next.
class ConnectionState {
 public:
  virtual ~ConnectionState() = default;
};

// A client connection, as handlers may influence it. Outlives its exchanges.
class ClientControl {
 public:
  // Ends the connection if no request is under way or has arrived.
  virtual void end_if_idle() = 0;
  // The connection that a stream of HTTP/2 is part of; for all others the same.
  [[nodiscard]] virtual ClientControl& whole() { return *this; }
  // Null at first; destroyed with the connection.
  std::unique_ptr<ConnectionState> state;

 protected:
  ~ClientControl() = default;
};

// What went over the client connection for this exchange, for the log.
struct ClientTraffic {
  TimePoint started{};                // the first byte of the request was there
  TimePoint head_complete{};          // the head was
  TimePoint response_started{};       // the first byte of the final response was written
  std::uint64_t received = 0;         // content bytes of the request
  std::uint64_t sent = 0;             // bytes of responses, heads and framing included
  std::uint64_t content_sent = 0;     // content bytes of the final response
  std::uint64_t requests_before = 0;  // on the same connection
};

// Valid during Handler::handle().
class Exchange {
 public:
  virtual ~Exchange() = default;

  // The request. When problem() is set, only what could be understood of it.
  [[nodiscard]] RequestHead& request() { return request_; }
  // Its content. Reading it does not have to end before respond() is called.
  [[nodiscard]] virtual BodySource& body() = 0;
  [[nodiscard]] const Framing& body_framing() const { return body_framing_; }
  [[nodiscard]] const ClientInfo& client() const { return *client_; }
  [[nodiscard]] ClientControl& connection() { return *control_; }
  // Why the request can't be taken, if so: `protocol` with a Refusal, `timed_out`, `overloaded`.
  // The handler then gives the error response, and the connection is closed.
  [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }
  // As it stands now.
  [[nodiscard]] virtual const ClientTraffic& traffic() { return traffic_; }

  // Passes a 1xx response on. Not sent to HTTP/1.0 clients (RFC 9110 section 15.2). One that was
  // cut counts as the response: nothing can follow it.
  virtual Task<Result<void>> inform(ResponseHead& head) = 0;
  // Sends the final response and all of its body; called at most once. `head` has end-to-end fields
  // only; the framing for the client, Connection, and Date where it is missing, are added here
  // (RFC 9110 section 6.6.1). `framing` says what is known of the body beforehand. An error of side
  // `server` comes from the body: the response was cut, and the client is shown that.
  virtual Task<Result<void>> respond(ResponseHead& head, BodySource& body,
                                     const Framing& framing) = 0;
  [[nodiscard]] bool response_begun() const { return response_begun_; }
  // The client connection is not to go on after this response, for that reason. To be said before
  // respond().
  void close_after(CloseReason reason) { close_after_ = reason; }

  // Answers with 101, or 2xx to CONNECT: after that the connection is a tunnel of bytes.
  // `upgrade` is the value of the Upgrade field for 101.
  virtual Task<Result<void>> open_tunnel(ResponseHead& head, std::string_view upgrade) = 0;
  // The two ends of the tunnel's client side; bytes may wait in the buffer already.
  [[nodiscard]] virtual ByteStream& tunnel_stream() = 0;
  [[nodiscard]] virtual InputBuffer& tunnel_input() = 0;

  // How the client connection goes on; known when the response is complete.
  [[nodiscard]] CloseReason fate() const { return fate_; }

 protected:
  Exchange(const ClientInfo& client, ClientControl& control)
      : client_(&client), control_(&control) {}
  // The fate of a client connection on which a response was cut.
  [[nodiscard]] static CloseReason fate_after(const Error& error) {
    if (error.kind == ErrorKind::cancelled) return CloseReason::cancelled;
    return error.side == Side::client ? CloseReason::broken : CloseReason::other_side_failed;
  }

  RequestHead request_;
  Framing body_framing_;
  std::optional<Error> problem_;
  ClientTraffic traffic_;
  bool response_begun_ = false;
  CloseReason fate_ = CloseReason::cancelled;
  CloseReason close_after_ = CloseReason::kept;

 private:
  const ClientInfo* client_;
  ClientControl* control_;
};

// What makes responses of requests: the transaction, an admin page, a test.
class Handler {
 public:
  // Must call respond() or open_tunnel() on the exchange, unless its task is cancelled or the
  // client fails: then the connection is closed when the handler returns.
  virtual Task<void> handle(Exchange& exchange) = 0;
  // Whether on_connection() is to be called. May change from one connection to the next.
  [[nodiscard]] virtual bool wants_connections() const { return false; }
  // A connection is about to be served: its first request has begun to come. False: it is closed
  // without an answer. May suspend; `client` and `connection` live as long as the connection.
  virtual Task<bool> on_connection(const ClientInfo& /*client*/, ClientControl& /*connection*/) {
    co_return true;
  }

 protected:
  ~Handler() = default;
};

}  // namespace penstock

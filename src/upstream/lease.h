// The use of a server connection for one exchange: the face of the server side.
#pragma once

#include <cstdint>
#include <memory>

#include "async/task.h"
#include "base/error.h"
#include "http1/head_writer.h"
#include "message/body.h"
#include "message/close_reason.h"
#include "message/head.h"
#include "upstream/http2_call.h"
#include "upstream/server_connection.h"

namespace penstock {

class ServerPool;

// What may become of a connection after an exchange.
enum class Settlement : std::uint8_t { reuse, pin, close };

// A request ready to be sent: hop-by-hop fields already removed.
struct ServerRequest {
  RequestHead* head;
  BodySource* body;             // at its end when there is none
  Framing framing;              // how the body is sent: none, length or chunked
  std::string_view connection;  // value of the Connection field, empty for none
};

// Told of 1xx responses as they come (not of 101, which is final in HTTP/1).
class InformationalSink {
 public:
  virtual Task<Result<void>> on_informational(ResponseHead& head) = 0;

 protected:
  ~InformationalSink() = default;
};

// For who has no use for them.
class IgnoredInformational final : public InformationalSink {
 public:
  Task<Result<void>> on_informational(ResponseHead& /*head*/) override { co_return Result<void>{}; }
};

// Owns a server connection from acquire to settle(), or a place on one of HTTP/2 that others use as
// well. One that is dropped unsettled closes its connection, or leaves it; an exchange that was
// begun must be settled. Move-only.
class Lease {
 public:
  Lease(ServerPool& pool, std::unique_ptr<ServerConnection> connection, bool reused);
  Lease(ServerPool& pool, std::unique_ptr<Http2Call> call);
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  // True when the connection served other requests before.
  [[nodiscard]] bool reused() const { return reused_; }
  [[nodiscard]] bool http2() const { return call_ != nullptr; }
  [[nodiscard]] const Address& address() const {
    return call_ ? call_->session().address() : connection_->address();
  }
  // Requests on it are sent in absolute form: at the other end is a proxy.
  [[nodiscard]] bool leads_to_proxy() const;
  // The configured server it leads to, null for a target of a request.
  [[nodiscard]] HopShare* server() const;
  // Counts the request under way among the server's, up to settle().
  void count_load();

  // Sends the request and gives the head of its final response; body up and head down run
  // concurrently, and the rest of the body goes on being sent while the response's is read. What
  // `request` points to must stay until settle(). Called once. Errors of side `server` are
  // retryable when no byte of the request was sent; those of side `client` are its body's.
  Task<Result<void>> exchange(const ServerRequest& request, ResponseHead& response,
                              InformationalSink& informational);
  // The content of the response; of use after exchange() succeeded, until settle().
  [[nodiscard]] BodySource& response_body() {
    if (call_) return call_->stream();
    return *connection_->call()->response_body;
  }
  // How it is framed.
  [[nodiscard]] Framing response_framing() const {
    return call_ ? call_->response_framing() : connection_->call()->response_framing;
  }
  // Bytes of the request that the connection has taken.
  [[nodiscard]] std::uint64_t bytes_sent() const;
  // A byte of a response has come: the server has the request.
  [[nodiscard]] bool response_started() const;
  // A part of the request's body is still to be sent, though a response has come.
  [[nodiscard]] bool uploading() const;

  // True when the connection can serve another request once the response is read to its end.
  [[nodiscard]] bool persists() const;

  // After exchange() failed. The connection had worked and was at its end: nothing speaks against
  // trying the same server once more.
  [[nodiscard]] bool was_stale() const { return call_ ? call_->was_stale() : reused_; }
  // The server wants to be asked by HTTP/1.1 (HTTP_1_1_REQUIRED).
  [[nodiscard]] bool wants_http1() const { return call_ && call_->wants_http1(); }
  // The failure counts against the server: not that of an idle connection, which a server may close
  // whenever it likes. To be asked once.
  [[nodiscard]] bool blames_server() {
    return call_ ? call_->blames_server() : !reused_ || response_started();
  }
  // Of HTTP/2: how many requests more the connection takes now, this one included.
  [[nodiscard]] std::size_t room() const { return call_->session().room(); }
  // Of HTTP/2: whether an upgrade to a WebSocket can be sent (RFC 8441).
  [[nodiscard]] bool takes_websockets() const { return call_->session().takes_websockets(); }

  // While the response is taken the request's body may still be on its way. Where a filter breaks
  // that off (ErrorKind::adaptation), the context is cancelled: nothing may pass any more. Null
  // takes it away; it must live until then. How the body has fared so far.
  Result<void> set_taker(TaskContext* taker);

  // Ends the exchange: stops what is left of the upload, and closes the connection unless it is in
  // a state to be used again and may be. Then, for `reuse`, it goes back to the pool; for `pin` it
  // goes into `pinned`, to serve nobody but the client it is for. The reason it was closed, `kept`
  // or `pinned`.
  Task<CloseReason> settle(Settlement how, std::unique_ptr<ServerConnection>* pinned = nullptr);

  // Gives a connection that was not used to the pool. The lease is empty afterwards.
  void keep_unused();
  // The same after an exchange of a protocol that is not HTTP, which has left nothing behind.
  void keep_used() {
    connection_->count_request();
    keep_unused();
  }
  // A new connection of HTTP/2 is from now on for other requests as well; nothing otherwise.
  void share();

  // What its bytes go through, to be looked at only.
  [[nodiscard]] const ByteStream& transport() const {
    return call_ ? call_->session().stream() : connection_->stream();
  }
  // For tunnels, after a 101 or a 2xx to CONNECT, or right after acquire: the connection itself.
  [[nodiscard]] ByteStream& stream() {
    return call_ ? call_->stream().bytes() : connection_->stream();
  }
  [[nodiscard]] InputBuffer& input() {
    return call_ ? call_->tunnel_input() : connection_->input();
  }

 private:
  Task<Result<void>> exchange_http1(const ServerRequest& request, ResponseHead& response,
                                    InformationalSink& informational);
  [[nodiscard]] Endpoint& endpoint() const {
    return call_ ? call_->session().endpoint() : connection_->endpoint();
  }
  Task<Result<void>> send_request(const ServerRequest& request);
  static Task<void> upload(ServerCall& call, const ServerRequest& request, Slice head);
  Task<Result<void>> read_response(Method method, ResponseHead& response,
                                   InformationalSink& informational);
  Task<Result<void>> read_one_head(ResponseHead& response);
  Result<void> frame(Method method, const ResponseHead& response);
  void note_keep_alive(const ResponseHead& response);
  [[nodiscard]] CloseReason why_close(bool reusable) const;
  void end_load();

  ServerPool* pool_;
  std::unique_ptr<ServerConnection> connection_;  // this one,
  std::unique_ptr<Http2Call> call_;               // or that one
  HopShare* load_ = nullptr;                      // where the request is counted
  bool reused_;
};

}  // namespace penstock

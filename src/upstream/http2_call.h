// One request to a server of HTTP/2: what a Lease has in place of a connection of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "async/input_buffer.h"
#include "async/scope.h"
#include "async/task.h"
#include "base/error.h"
#include "base/frame_pool.h"
#include "http2/stream.h"
#include "message/close_reason.h"
#include "message/framing.h"
#include "message/head.h"
#include "upstream/http2_session.h"

namespace penstock {

struct ServerRequest;
class InformationalSink;

// Has a place on the session from its making to its end. Its members mean what those of Lease do.
class Http2Call {
 public:
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }
  Http2Call(std::shared_ptr<Http2Session> session, const UpstreamSettings& settings);
  // The exchange, if it was begun, must have been settled.
  ~Http2Call();
  Http2Call(const Http2Call&) = delete;
  Http2Call& operator=(const Http2Call&) = delete;

  [[nodiscard]] Http2Session& session() { return *session_; }
  [[nodiscard]] const std::shared_ptr<Http2Session>& shared_session() const { return session_; }
  [[nodiscard]] bool reused() const { return reused_; }

  // An upgrade to a WebSocket is made an extended CONNECT, and its success a 101 (RFC 8441).
  Task<Result<void>> exchange(const ServerRequest& request, ResponseHead& response,
                              InformationalSink& informational);
  [[nodiscard]] http2::Stream& stream() { return *stream_; }
  [[nodiscard]] InputBuffer& tunnel_input() { return tunnel_input_; }
  [[nodiscard]] Framing response_framing() const { return stream_->framing(); }
  [[nodiscard]] std::uint64_t bytes_sent() const { return stream_ ? stream_->sent() : 0; }
  [[nodiscard]] bool response_started() const { return response_started_; }
  [[nodiscard]] bool uploading() const { return work_ && work_->upload.running() > 0; }
  [[nodiscard]] bool persists() const;

  [[nodiscard]] bool was_stale() const;
  [[nodiscard]] bool wants_http1() const;
  [[nodiscard]] bool blames_server();

  Result<void> set_taker(TaskContext* taker);
  // Resets the stream if it is not over. Why the connection is to end, or that it is kept.
  Task<CloseReason> settle();

 private:
  // What goes on beside the reading of the response.
  struct Work {
    explicit Work(TaskContext& parent) : reading(parent), upload(parent) {}
    ChildContext reading;  // cancelled when the request's own body fails meanwhile
    Scope upload;
    Result<void> upload_result{};
    TaskContext* taker = nullptr;
  };

  Result<void> send_request(const ServerRequest& request);
  static Task<void> upload(Http2Call& call, const ServerRequest& request);
  Task<Result<void>> read_response(const RequestHead& request, ResponseHead& response,
                                   InformationalSink& informational);
  Task<Result<void>> read_one_head(ResponseHead& response);
  void end_stream();
  static void show_as_upgrade(const RequestHead& request, ResponseHead& response);

  std::shared_ptr<Http2Session> session_;
  const UpstreamSettings* settings_;
  std::optional<Work> work_;
  std::unique_ptr<http2::Stream> stream_;
  InputBuffer tunnel_input_;      // stays empty: a stream keeps what has come
  std::optional<Error> failure_;  // of the server's side
  bool opened_ = false;           // it has asked for its stream
  bool reused_;
  bool websocket_ = false;
  bool response_started_ = false;
};

// True where the request asks for a WebSocket by HTTP/1.1's Upgrade (RFC 6455).
[[nodiscard]] bool asks_for_websocket(const RequestHead& request);

}  // namespace penstock

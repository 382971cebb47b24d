#include "upstream/http2_call.h"

#include <string_view>
#include <utility>

#include "message/status.h"
#include "message/websocket.h"
#include "upstream/endpoint.h"
#include "upstream/lease.h"

namespace penstock {
namespace {

// As many as a server may send before its final response by HTTP/1.
constexpr int kMaxInformational = 64;

std::string_view websocket_key(const FieldSection& fields) {
  for (const Field& field : fields) {
    if (equals_ignoring_case(field.name, kWebSocketKeyField)) return field.value;
  }
  return {};
}

}  // namespace

bool asks_for_websocket(const RequestHead& request) {
  return request.method == Method::get &&
         equals_ignoring_case(request.fields.value(FieldId::upgrade), "websocket");
}

Http2Call::Http2Call(std::shared_ptr<Http2Session> session, const UpstreamSettings& settings)
    : session_(std::move(session)), settings_(&settings), reused_(session_->answered()) {
  session_->join();
}

Http2Call::~Http2Call() {
  // Its end may be what makes room.
  end_stream();
  session_->leave(opened_);
}

Task<Result<void>> Http2Call::exchange(const ServerRequest& request, ResponseHead& response,
                                       InformationalSink& informational) {
  Work& work = work_.emplace(co_await this_context());
  const auto begun = send_request(request);
  if (!begun) co_return begun;
  if (request.framing.has_body()) work.upload.spawn(upload(*this, request));
  const auto received =
      co_await read_response(*request.head, response, informational).in(work.reading);
  if (received) {
    session_->note_answer();
    co_return received;
  }
  Error error = received.error();
  // What made reading fail is told by what failed first.
  const Result<void>& upload_result = work.upload_result;
  if (!upload_result && (upload_result.error().side == Side::client ||
                         upload_result.error().kind == ErrorKind::timed_out)) {
    error = upload_result.error();
  }
  // So that all bytes the connection took are counted.
  work.upload.cancel();
  co_await work.upload.join();
  error.retryable = error.side == Side::server && (error.retryable || stream_->sent() == 0);
  if (error.side == Side::server) failure_ = error;
  // Then it has not looked at the request. A GOAWAY with that code says no more than others do.
  if (failure_ && stream_->reset_code() == http2::ErrorCode::http_1_1_required) {
    error.retryable = failure_->retryable = true;
  }
  co_return fail(error);
}

Result<void> Http2Call::send_request(const ServerRequest& request) {
  opened_ = true;
  stream_ = session_->open_stream();
  if (!stream_) {
    failure_ = Error{.kind = ErrorKind::closed, .side = Side::server, .retryable = true};
    return fail(*failure_);
  }
  websocket_ = asks_for_websocket(*request.head);
  const bool secure = session_->endpoint().passage().tls != nullptr;
  const http2::RequestPseudo pseudo{.scheme = secure ? "https" : "http",
                                    .authority = {},
                                    .protocol = websocket_ ? "websocket" : ""};
  // For servers that want to know beforehand; the end is the stream's.
  if (request.framing.kind == BodyKind::length) {
    set_content_length(request.head->fields, request.framing.length);
  }
  const bool end = !request.framing.has_body() && !websocket_;
  const auto sent = stream_->send_request(*request.head, pseudo, end);
  if (sent) return {};
  Error error = sent.error();
  if (error.side != Side::client) {
    error.side = Side::server;
    error.retryable = true;  // nothing of it was written
    failure_ = error;
  }
  return fail(error);
}

Task<void> Http2Call::upload(Http2Call& call, const ServerRequest& request) {
  Work& work = *call.work_;
  work.upload_result = co_await call.stream_->send_body(*request.body, request.framing);
  // Without a whole request there will be no response to wait for; but a server that takes no more
  // of it may have said why.
  if (!work.upload_result && work.upload_result.error().side == Side::client) {
    work.reading.cancel();
    const bool by_filter = work.upload_result.error().kind == ErrorKind::adaptation;
    if (by_filter && work.taker != nullptr) work.taker->cancel();
  }
}

Result<void> Http2Call::set_taker(TaskContext* taker) {
  work_->taker = taker;
  return work_->upload_result;
}

Task<Result<void>> Http2Call::read_response(const RequestHead& request, ResponseHead& response,
                                            InformationalSink& informational) {
  for (int passed_on = 0; passed_on <= kMaxInformational; ++passed_on) {
    const auto got = co_await read_one_head(response);
    if (!got) co_return got;
    if (!is_informational(response.status)) {
      const bool success = response.status >= 200 && response.status < 300;
      if (websocket_ && success) show_as_upgrade(request, response);
      co_return Result<void>{};
    }
    if (passed_on == kMaxInformational) break;
    const auto passed = co_await informational.on_informational(response);
    if (!passed) co_return passed;
    response = ResponseHead{};
  }
  co_return fail({.kind = ErrorKind::limit, .side = Side::server});
}

Task<Result<void>> Http2Call::read_one_head(ResponseHead& response) {
  Executor& executor = (co_await this_context()).executor();
  TimePoint deadline = deadline_after(executor.now(), settings_->stall);
  while (true) {
    const auto got = co_await stream_->receive_response(response, deadline);
    response_started_ = response_started_ || got.has_value();
    if (got) co_return got;
    const Error error = got.error().at(Side::server);
    // A server that sends what can't be understood has the request.
    if (error.kind == ErrorKind::protocol) response_started_ = true;
    // What timed out may be the connection.
    if (error.kind != ErrorKind::timed_out || stream_->failure()) co_return fail(error);
    // As long as the request is still moving, the server isn't silent but listening.
    deadline = deadline_after(stream_->last_progress(), settings_->stall);
    if (deadline <= executor.now()) co_return fail(error);
  }
}

// For whoever asked by HTTP/1.1. What the stream carries from now on is the WebSocket.
void Http2Call::show_as_upgrade(const RequestHead& request, ResponseHead& response) {
  response.status = 101;
  response.reason = reason_phrase(101);
  response.fields.remove(FieldId::content_length);
  response.fields.add(FieldId::upgrade, "websocket");
  const std::string_view key = websocket_key(request.fields);
  if (key.empty()) return;
  const WebSocketAccept accept = websocket_accept(key);
  response.fields.add(FieldId::other, kWebSocketAcceptField,
                      response.fields.keep({accept.data(), accept.size()}));
}

bool Http2Call::persists() const {
  http2::Connection* const connection = session_->connection();
  return connection != nullptr && !connection->ending_soon();
}

// Nothing of the request was looked at: the connection, which had worked, was at its end.
bool Http2Call::was_stale() const {
  if (wants_http1()) return true;
  if (!failure_ || !failure_->retryable) return false;
  // Of GOAWAY; without the end of the connection only the request was refused, and others may be.
  const bool refused = stream_ && stream_->reset_code() == http2::ErrorCode::refused_stream;
  return refused ? !persists() : reused_;
}

bool Http2Call::wants_http1() const {
  if (!failure_) return false;
  if (stream_ && stream_->reset_code() == http2::ErrorCode::http_1_1_required) return true;
  return session_->wants_http1();
}

// The end of a connection is one failure, however many requests it had.
bool Http2Call::blames_server() {
  if (failure_ && failure_->retryable) return false;
  return persists() || session_->blame();
}

void Http2Call::end_stream() {
  if (stream_) stream_->reset(http2::ErrorCode::cancel);
  stream_.reset();
}

Task<CloseReason> Http2Call::settle() {
  if (work_) {
    work_->upload.cancel();
    co_await work_->upload.join();
  }
  if (stream_ && stream_->failure() && !failure_) failure_ = stream_->failure();
  end_stream();
  if (persists()) co_return CloseReason::kept;
  co_return failure_ ? close_reason_of(failure_->kind) : CloseReason::said_close;
}

}  // namespace penstock

#include "server/http2_connection.h"

#include <utility>

#include "server/http2_exchange.h"

namespace penstock {
namespace {

http2::ConnectionSettings make_settings(const ServerSettings& settings) {
  return {.role = http2::Role::server,
          .http2 = settings.http2,
          .head = {.bytes = settings.request_head.head,
                   .fields = settings.request_head.fields,
                   .path = settings.request_head.start_line},
          .idle = settings.client_idle,
          .head_time = settings.client_head,
          .stall = settings.stall,
          .settings_ack = settings.client_handshake};
}

// A client that is gone needs no response.
class CancelWhenBroken final : public http2::StreamWatcher {
 public:
  CancelWhenBroken(http2::Stream& stream, TaskContext& context)
      : stream_(&stream), context_(&context) {
    stream.watch(this);
    if (stream.failure()) context.cancel();
  }
  ~CancelWhenBroken() { stream_->watch(nullptr); }
  CancelWhenBroken(const CancelWhenBroken&) = delete;
  CancelWhenBroken& operator=(const CancelWhenBroken&) = delete;
  void on_broken(const Error& /*why*/) override { context_->cancel(); }

 private:
  http2::Stream* stream_;
  TaskContext* context_;
};

}  // namespace

bool begins_like_http2(std::string_view bytes) {
  return bytes.starts_with(http2::kPreface.substr(0, bytes.size()));
}

Http2Connection::Http2Connection(ByteStream& stream, InputBuffer& input, const ClientInfo& client,
                                 const ServerSettings& settings, const bool& draining,
                                 Handler& handler)
    : stream_(&stream),
      input_(&input),
      client_(&client),
      settings_(&settings),
      draining_(&draining),
      handler_(&handler) {}

Task<void> Http2Connection::run() {
  TaskContext& context = co_await this_context();
  if (handler_->wants_connections() && !co_await handler_->on_connection(*client_, control_)) {
    co_return;
  }
  const http2::ConnectionSettings settings = make_settings(*settings_);
  http2::Connection connection(*stream_, *input_, settings, context.executor(), *this);
  Scope requests(context);
  connection_ = &connection;
  requests_scope_ = &requests;
  if (drained_ || *draining_) connection.shut_down();
  static_cast<void>(co_await connection.run());
  requests.cancel();
  co_await requests.join();
  requests_scope_ = nullptr;
  connection_ = nullptr;
  ending_ = connection.ending();
}

void Http2Connection::drain() {
  drained_ = true;
  if (connection_ != nullptr) connection_->shut_down();
}

void Http2Connection::on_request(std::unique_ptr<http2::Stream> stream) {
  if (*draining_) drain();
  requests_scope_->spawn(serve(*this, std::move(stream)));
}

Task<void> Http2Connection::serve(Http2Connection& self, std::unique_ptr<http2::Stream> stream) {
  TaskContext& outer = co_await this_context();
  StreamControl control(self.control_);
  Http2Exchange exchange(*self.client_, control, *stream, *self.settings_, *self.draining_,
                         self.requests_++, outer.executor());
  ChildContext context(outer);
  const CancelWhenBroken watch(*stream, context);
  co_await self.handler_->handle(exchange).in(context);
  co_await exchange.finish().in(context);
}

}  // namespace penstock

// For tests: a server of HTTP/2 on the simulated network that does what the path of a request says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/event.h"
#include "async/scope.h"
#include "http2/connection.h"
#include "message/text_body.h"
#include "sim/network.h"

namespace penstock {

// What the paths mean:
// - /: 200 with the content "ok"; /echo: with the request's content, read to its end before
// - /wait: the same as "/", when go() was called
// - /early: 200 at once, and the request's content is never read
// - /hints: 103, then as "/"; /trailers: as "/" with a trailer field
// - /only-hints: 103, when go() was called, and nothing more
// - /silent: nothing; /half: a head that announces ten bytes, five of them, and a reset
// - /refuse, /http1, /fail: reset with REFUSED_STREAM, HTTP_1_1_REQUIRED, INTERNAL_ERROR
// - /refuse-once: the first time
// An extended CONNECT for a WebSocket is agreed to, and what comes is sent back.
class Http2TestServer final : private AcceptHandler {
 public:
  struct Request {
    std::size_t connection = 0;
    std::string method;
    std::string path;
    std::string authority;
    std::string scheme;
    std::string content;
  };

  Http2TestServer(SimNetwork& network, std::string_view address,
                  http2::ConnectionSettings settings = {})
      : executor_(network.executor()),
        settings_(settings),
        scope_(executor_),
        listener_(network.listen(Address::parse(address).value(), *this)) {}
  ~Http2TestServer() {
    listener_.reset();
    scope_.cancel();
    while (executor_.has_ready()) executor_.run_ready();
  }
  Http2TestServer(const Http2TestServer&) = delete;
  Http2TestServer& operator=(const Http2TestServer&) = delete;

  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] std::size_t open_connections() const {
    std::size_t open = 0;
    for (const auto& connection : connections_) open += connection->stream ? 1 : 0;
    return open;
  }
  [[nodiscard]] const std::vector<Request>& requests() const { return requests_; }
  // How the client ended connection i: the code of its GOAWAY.
  [[nodiscard]] const http2::Ending& ending(std::size_t i) const {
    return connections_.at(i)->ending;
  }
  // Streams that the client has reset, with their codes.
  [[nodiscard]] const std::vector<http2::ErrorCode>& resets() const { return resets_; }

  void go() { go_.set(); }
  // GOAWAY; what is under way goes on.
  void shut_down(std::size_t i) { connections_.at(i)->http2->shut_down(); }
  // The connection breaks.
  void break_off(std::size_t i) {
    connections_.at(i)->stream->set_abortive();
    connections_.at(i)->context->cancel();
  }

 private:
  struct Connection final : http2::ConnectionUser {
    void on_request(std::unique_ptr<http2::Stream> request) override {
      server->scope_.spawn(answer(*server, *this, std::move(request)));
    }
    Http2TestServer* server = nullptr;
    std::size_t number = 0;
    std::unique_ptr<ByteStream> stream;
    InputBuffer input;
    std::unique_ptr<http2::Connection> http2;
    std::unique_ptr<ChildContext> context;
    http2::Ending ending;
  };

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    auto& connection = connections_.emplace_back(std::make_unique<Connection>());
    connection->server = this;
    connection->number = connections_.size() - 1;
    connection->stream = std::move(stream);
    connection->http2 = std::make_unique<http2::Connection>(*connection->stream, connection->input,
                                                            settings_, executor_, *connection);
    connection->context = std::make_unique<ChildContext>(scope_.context());
    scope_.spawn(serve(*connection));
  }

  static Task<void> serve(Connection& connection) {
    static_cast<void>(co_await connection.http2->run().in(*connection.context));
    connection.ending = connection.http2->ending();
    connection.http2.reset();
    connection.stream.reset();
  }

  static Task<bool> read(http2::Stream& stream, std::string& content) {
    while (!stream.at_end()) {
      const auto slice = co_await stream.next();
      if (!slice) co_return false;
      content += slice->view();
    }
    co_return true;
  }

  static Task<void> respond(http2::Stream& stream, std::string_view content,
                            FieldSection* trailers = nullptr) {
    class Body final : public BodySource {
     public:
      Body(std::string_view text, FieldSection* fields) : text_(text), fields_(fields) {}
      Slice take_ready() override { return text_.take_ready(); }
      Task<Result<Slice>> next() override { return text_.next(); }
      [[nodiscard]] bool at_end() const override { return text_.at_end(); }
      [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return {}; }
      [[nodiscard]] FieldSection* trailers() override { return fields_; }

     private:
      TextBody text_;
      FieldSection* fields_;
    } body(content, trailers);
    ResponseHead head;
    head.status = 200;
    if (!stream.send_response(head, false)) co_return;
    static_cast<void>(co_await stream.send_body(body, {.kind = BodyKind::chunked}));
  }

  static Task<void> answer(Http2TestServer& server, Connection& connection,
                           std::unique_ptr<http2::Stream> stream) {
    const std::size_t number = server.requests_.size();
    Request& entry = server.requests_.emplace_back();
    entry.connection = connection.number;
    entry.method = stream->head().method();
    entry.path = stream->head().path();
    entry.authority = stream->head().authority();
    entry.scheme = stream->head().scheme();
    const std::string path = entry.path;
    const bool websocket = stream->head().protocol() == "websocket";
    RequestHead head;
    static_cast<void>(http2::make_request(stream->head(), false, head));
    if (websocket) {
      co_await echo(*stream);
      co_return;
    }
    stream->expect({.kind = BodyKind::chunked});
    co_await answer_to(server, *stream, path, number);
    const auto code = stream->reset_code();
    if (code) server.resets_.push_back(*code);
  }

  static Task<void> answer_to(Http2TestServer& server, http2::Stream& stream,
                              const std::string& path, std::size_t number) {
    using http2::ErrorCode;
    if (path == "/refuse") co_return stream.reset(ErrorCode::refused_stream);
    if (path == "/refuse-once" && !std::exchange(server.refused_, true)) {
      co_return stream.reset(ErrorCode::refused_stream);
    }
    if (path == "/http1") co_return stream.reset(ErrorCode::http_1_1_required);
    if (path == "/fail") co_return stream.reset(ErrorCode::internal_error);
    if (path == "/silent") {
      std::string unheard;
      static_cast<void>(co_await read(stream, unheard));
      co_return co_await wait_for_ever();
    }
    if (path == "/wait" || path == "/only-hints") static_cast<void>(co_await server.go_.wait());
    if (path == "/early") co_return co_await respond(stream, "early");
    if (path == "/half") co_return co_await send_half(stream);
    if (path == "/hints" || path == "/only-hints") {
      ResponseHead hints;
      hints.status = 103;
      static_cast<void>(stream.send_response(hints, false));
    }
    if (path == "/only-hints") co_return co_await wait_for_ever();
    std::string content;
    const bool whole = co_await read(stream, content);
    server.requests_[number].content = content;
    if (!whole) co_return;
    FieldSection trailers;
    trailers.add(FieldId::other, "x-end", "done");
    co_await respond(stream, path == "/echo" ? std::string_view(content) : "ok",
                     path == "/trailers" ? &trailers : nullptr);
  }

  static Task<void> wait_for_ever() {
    Event never;
    static_cast<void>(co_await never.wait());
  }

  static Task<void> send_half(http2::Stream& stream) {
    ResponseHead head;
    head.status = 200;
    head.fields.add(FieldId::content_length, "10");
    static_cast<void>(stream.send_response(head, false));
    TextBody body("12345");
    stream.keep_open();
    static_cast<void>(co_await stream.send_body(body, {.kind = BodyKind::chunked}));
    static_cast<void>(co_await stream.flush());
    stream.reset(http2::ErrorCode::internal_error);
  }

  static Task<void> echo(http2::Stream& stream) {
    ResponseHead head;
    head.status = 200;
    static_cast<void>(stream.send_response(head, false));
    ByteStream& bytes = stream.bytes();
    Relayed relayed;
    static_cast<void>(co_await bytes.relay(bytes, UINT64_MAX, std::chrono::seconds(60), relayed));
    bytes.shutdown_write();
    static_cast<void>(co_await stream.flush());
  }

  Executor& executor_;
  http2::ConnectionSettings settings_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Request> requests_;
  std::vector<http2::ErrorCode> resets_;
  Event go_;
  bool refused_ = false;
  Scope scope_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace penstock

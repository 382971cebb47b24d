// Any bytes as what a client of HTTP/2 sends: what comes back are well-formed frames in an order
// that RFC 9113 allows, requests that are handed over are clean, and in the end all is given back.
//
// The first byte chooses how the rest is cut into reads, and whether a preface goes before it.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "async/executor.h"
#include "async/scope.h"
#include "async/sleep.h"
#include "fuzz/head_checks.h"
#include "message/text_body.h"
#include "message/websocket.h"
#include "server/http2_connection.h"

namespace {

using namespace penstock;

constexpr std::uint8_t kData = 0;
constexpr std::uint8_t kHeaders = 1;
constexpr std::uint8_t kReset = 3;
constexpr std::uint8_t kContinuation = 9;
constexpr std::uint8_t kEndStream = 1;
constexpr std::uint8_t kEndHeaders = 4;
constexpr std::size_t kFrameHead = 9;

std::uint32_t number(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// Looks at what the connection says.
class FrameChecker {
 public:
  void take(std::string_view bytes) {
    bytes_ += bytes;
    while (bytes_.size() >= kFrameHead) {
      const std::size_t size = number(std::string_view(bytes_).substr(0, 3));
      PENSTOCK_CHECK(size <= 16384);
      if (bytes_.size() < kFrameHead + size) return;
      check(static_cast<std::uint8_t>(bytes_[3]), static_cast<std::uint8_t>(bytes_[4]),
            number(std::string_view(bytes_).substr(5, 4)));
      bytes_.erase(0, kFrameHead + size);
    }
  }
  // Nothing is cut in the middle.
  void finish() const { PENSTOCK_CHECK(bytes_.empty()); }

 private:
  struct StreamState {
    bool headed = false;
    bool ended = false;
    bool reset = false;
  };
  void check(std::uint8_t type, std::uint8_t flags, std::uint32_t id) {
    PENSTOCK_CHECK(type <= kContinuation);
    PENSTOCK_CHECK(continued_ == 0 || (type == kContinuation && continued_ == id));
    StreamState& stream = streams_[id];
    if (type == kHeaders || type == kContinuation) {
      PENSTOCK_CHECK(id % 2 == 1 && !stream.reset && (!stream.ended || type == kContinuation));
      stream.headed = true;
      continued_ = (flags & kEndHeaders) != 0 ? 0 : id;
    }
    if (type == kData) PENSTOCK_CHECK(stream.headed && !stream.ended && !stream.reset);
    if ((type == kData || type == kHeaders) && (flags & kEndStream) != 0) stream.ended = true;
    if (type == kReset) stream.reset = true;
  }
  std::string bytes_;
  std::map<std::uint32_t, StreamState> streams_;
  std::uint32_t continued_ = 0;
};

// Gives the input in pieces, and takes all that is written.
class FuzzStream final : public ByteStream {
 public:
  FuzzStream(std::string input, std::size_t piece) : input_(std::move(input)), piece_(piece) {}

  bool start(ReadOp& op) override {
    if (at_ == input_.size() && !ended_) {
      read_ = &op;
      return false;
    }
    const std::span<char> room = op.into().writable();
    const std::size_t n = std::min({room.size(), piece_, input_.size() - at_});
    std::copy_n(input_.data() + at_, n, room.data());
    op.into().commit(n);
    at_ += n;
    op.set_result(n);
    return true;
  }
  bool start(WriteOp& op) override {
    std::size_t size = 0;
    for (const iovec& part : op.remaining()) {
      checker.take({static_cast<const char*>(part.iov_base), part.iov_len});
      size += part.iov_len;
    }
    PENSTOCK_CHECK(op.advance(size, {}));
    op.set_result(size);
    return true;
  }
  void forget(ReadOp& op) override {
    PENSTOCK_CHECK(read_ == &op);
    read_ = nullptr;
  }
  void forget(WriteOp& /*op*/) override {}
  void shutdown_write() override {}
  void set_abortive() override {}
  void observe(StreamObserver* /*observer*/) override {}
  [[nodiscard]] bool has_pending_input() override { return at_ < input_.size(); }

  void end() {
    ended_ = true;
    if (read_ != nullptr) std::exchange(read_, nullptr)->complete(0);
  }
  FrameChecker checker;

 private:
  std::string input_;
  std::size_t piece_;
  std::size_t at_ = 0;
  bool ended_ = false;
  ReadOp* read_ = nullptr;
};

// Reads all of a request, and sends it back; tunnels end when the client's side does.
class EchoHandler final : public Handler {
 public:
  Task<void> handle(Exchange& exchange) override {
    RequestHead& head = exchange.request();
    fuzz::check_fields(head.fields);
    if (!exchange.problem()) check(head);
    if (!exchange.problem() && (head.method == Method::connect || upgrade(head))) {
      co_return co_await tunnel(exchange);
    }
    std::string content;
    while (!exchange.problem() && !exchange.body().at_end()) {
      const auto slice = co_await exchange.body().next();
      if (!slice) co_return;
      content += slice->view();
    }
    const Framing& framing = exchange.body_framing();
    if (framing.kind == BodyKind::length && !exchange.problem()) {
      PENSTOCK_CHECK(content.size() == framing.length);
    }
    ResponseHead response;
    response.status = exchange.problem() ? 400 : 200;
    TextBody body(content);
    static_cast<void>(co_await exchange.respond(
        response, body, {.kind = BodyKind::length, .length = content.size()}));
  }

 private:
  static bool upgrade(const RequestHead& head) { return head.fields.has(FieldId::upgrade); }
  static void check(const RequestHead& head) {
    PENSTOCK_CHECK(is_token(head.method_text));
    PENSTOCK_CHECK(all_of_class(head.target_text, characters::kUri) && !head.target_text.empty());
    PENSTOCK_CHECK(head.fields.count(FieldId::host) == 1);
    PENSTOCK_CHECK(parse_authority(head.fields.value(FieldId::host)).has_value());
    PENSTOCK_CHECK(head.fields.count(FieldId::cookie) <= 1);
    PENSTOCK_CHECK(!head.fields.has(FieldId::transfer_encoding));
    if (head.target.form == TargetForm::absolute || head.target.form == TargetForm::authority) {
      PENSTOCK_CHECK(head.target.authority == head.fields.value(FieldId::host));
    }
  }
  static Task<void> tunnel(Exchange& exchange) {
    const bool websocket = upgrade(exchange.request());
    ResponseHead head;
    head.status = websocket ? 101 : 200;
    if (websocket) {
      const WebSocketAccept accept =
          websocket_accept(exchange.request().fields.find(kWebSocketKeyField)->value);
      head.fields.add(FieldId::other, kWebSocketAcceptField,
                      head.fields.keep({accept.data(), accept.size()}));
    }
    const auto opened = co_await exchange.open_tunnel(head, websocket ? "websocket" : "");
    if (!opened) co_return;
    Relayed relayed;
    static_cast<void>(co_await exchange.tunnel_stream().relay(
        exchange.tunnel_stream(), std::numeric_limits<std::uint64_t>::max(),
        std::chrono::seconds(10), relayed));
    exchange.tunnel_stream().shutdown_write();
  }
};

void run_all(Executor& executor) {
  while (executor.has_ready()) executor.run_ready();
}

void pass_time(Executor& executor, Duration time) {
  const TimePoint end = executor.now() + time;
  while (executor.now() < end) {
    executor.set_time(std::min(end, executor.timers().next()), {});
    executor.timers().advance(executor.now());
    run_all(executor);
  }
}

Task<void> serve(Http2Connection& connection, bool& ended) {
  co_await connection.run();
  ended = true;
}

void session(std::uint8_t choice, std::string input) {
  constexpr std::array<std::size_t, 4> kPieces = {1, 7, 100, 100'000};
  Executor executor;
  FuzzStream stream(std::move(input), kPieces[choice % 4]);
  InputBuffer buffer;
  ListenerSettings listener;
  listener.mode = (choice & 4) != 0 ? ListenerMode::forward : ListenerMode::reverse;
  ClientInfo client;
  client.listener = &listener;
  ServerSettings settings;
  settings.request_head = {.head = 2000, .start_line = 200, .fields = 10};
  settings.http2 = {.max_streams = 5, .stream_window = 1000, .connection_window = 2000};
  const bool draining = false;
  EchoHandler handler;
  bool ended = false;
  Scope scope(executor);
  Http2Connection connection(stream, buffer, client, settings, draining, handler);
  scope.spawn(serve(connection, ended));
  run_all(executor);
  if ((choice & 16) != 0) connection.drain();
  pass_time(executor, std::chrono::seconds((choice & 32) != 0 ? 200 : 1));
  stream.end();
  pass_time(executor, std::chrono::seconds(2));
  PENSTOCK_CHECK(ended && scope.running() == 0);
  stream.checker.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t choice = data[0];
  std::string input(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((choice & 8) == 0) {
    input.insert(0, std::string(http2::kPreface) + std::string("\0\0\0\4\0\0\0\0\0", 9) +
                        std::string("\0\0\0\4\1\0\0\0\0", 9));
  }
  const std::size_t held = SlabPool::bytes_in_use();
  session(choice, std::move(input));
  PENSTOCK_CHECK(SlabPool::bytes_in_use() == held);
  return 0;
}

// What a request over HTTP/2 costs in steady state: no heap allocation, and one write for all
// responses of a turn.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "async/executor.h"
#include "async/scope.h"
#include "message/text_body.h"
#include "server/http2_connection.h"
#include "tests/count_allocations.h"

#if PENSTOCK_COUNTS_ALLOCATIONS

namespace penstock {
namespace {

// Reads what it is fed, counts what is written.
class FedStream final : public ByteStream {
 public:
  void feed(std::string_view input) {
    input_ = input;
    if (read_ == nullptr) return;
    ReadOp& op = *std::exchange(read_, nullptr);
    EXPECT_TRUE(start(op));
    op.complete(op.await_resume());
  }
  bool start(ReadOp& op) override {
    if (input_.empty()) {
      read_ = &op;
      return false;
    }
    const std::span<char> room = op.into().writable();
    const std::size_t n = std::min(room.size(), input_.size());
    std::copy_n(input_.data(), n, room.data());
    op.into().commit(n);
    input_.remove_prefix(n);
    op.set_result(n);
    return true;
  }
  bool start(WriteOp& op) override {
    std::size_t size = 0;
    for (const iovec& part : op.remaining()) size += part.iov_len;
    ++writes;
    bytes += size;
    op.advance(size, {});
    op.set_result(size);
    return true;
  }
  void forget(ReadOp& /*op*/) override { read_ = nullptr; }
  void forget(WriteOp& /*op*/) override {}
  void shutdown_write() override {}
  void set_abortive() override {}
  void observe(StreamObserver* /*observer*/) override {}
  [[nodiscard]] bool has_pending_input() override { return !input_.empty(); }

  std::size_t writes = 0;
  std::size_t bytes = 0;

 private:
  std::string_view input_;
  ReadOp* read_ = nullptr;
};

class SmallAnswer final : public Handler {
 public:
  std::size_t answered = 0;
  Task<void> handle(Exchange& exchange) override {
    while (!exchange.body().at_end()) {
      const auto slice = co_await exchange.body().next();
      if (!slice) co_return;
    }
    TextBody body(content_);
    ResponseHead head;
    head.status = 200;
    head.fields.add(FieldId::content_type, "text/plain");
    head.fields.add(FieldId::other, "X-Own", "value");
    const auto sent = co_await exchange.respond(
        head, body, {.kind = BodyKind::length, .length = content_.size()});
    if (sent) ++answered;
  }

 private:
  std::string content_ = std::string(1000, 'x');
};

std::string frame(char type, char flags, std::uint32_t id, std::string_view payload) {
  std::string text;
  for (const int shift : {16, 8, 0}) text += static_cast<char>(payload.size() >> shift);
  text += type;
  text += flags;
  for (const int shift : {24, 16, 8, 0}) text += static_cast<char>(id >> shift);
  return text.append(payload);
}

Task<void> serve(Http2Connection& connection) { co_await connection.run(); }

TEST(Http2Cost, OfRequests) {
  constexpr std::uint32_t kBatch = 20;
  Executor executor;
  FedStream stream;
  InputBuffer input;
  ListenerSettings listener{.mode = ListenerMode::reverse};
  ClientInfo client{.listener = &listener};
  const ServerSettings settings;
  const bool draining = false;
  SmallAnswer handler;
  Scope scope(executor);
  Http2Connection connection(stream, input, client, settings, draining, handler);
  const auto feed = [&](const std::string& bytes) {
    stream.feed(bytes);
    while (executor.has_ready()) executor.run_ready();
  };
  scope.spawn(serve(connection));
  feed(std::string(http2::kPreface) + frame(4, 0, 0, {}) + frame(4, 1, 0, {}));
  std::uint32_t id = 1;
  const auto make_batch = [&id] {
    std::string batch;
    for (std::uint32_t i = 0; i < kBatch; ++i, id += 2) {
      // GET, and POST with content, of https://a.b/
      const bool post = i % 2 == 1;
      const std::string head = (post ? "\x83" : "\x82") + std::string("\x87\x84\x41\x03") + "a.b";
      batch += frame(1, post ? 4 : 5, id, head);
      if (post) batch += frame(0, 1, id, "content");
    }
    return batch + frame(8, 0, 0, std::string("\0\0\x4e\x20", 4));  // as much as was sent
  };
  for (int i = 0; i < 20; ++i) feed(make_batch());
  EXPECT_EQ(handler.answered, 20U * kBatch);
  for (int i = 0; i < 50; ++i) {
    const std::string batch = make_batch();
    const std::size_t allocated = allocations;
    const std::size_t writes = stream.writes;
    const std::size_t bytes = stream.bytes;
    feed(batch);
    EXPECT_EQ(allocations - allocated, 0U);
    EXPECT_EQ(stream.writes - writes, 1U);
    EXPECT_LT(stream.bytes - bytes, kBatch * 1040U);
  }
  EXPECT_EQ(handler.answered, 70U * kBatch);
  scope.cancel();
  while (executor.has_ready()) executor.run_ready();
}

}  // namespace
}  // namespace penstock

#endif

// A client connection: reads a request, hands it over, sees the response off, and again.
#pragma once

#include <cstdint>
#include <memory>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "server/exchange.h"
#include "server/http1_exchange.h"
#include "server/settings.h"

namespace penstock {

// A client connection as its server sees it.
class ServedConnection : public ListNode {
 public:
  virtual ~ServedConnection() = default;
  // It is to end: at once if it is idle, else after what is under way.
  virtual void drain() = 0;
};

// Why ClientConnection::run() ended.
enum class ConnectionEnd : std::uint8_t {
  closed,         // there is nothing more to do
  becomes_http2,  // the client begins with the preface of HTTP/2, which waits in the buffer
};

// An HTTP/1 client connection. While it waits for a request it holds no buffer and little else.
class ClientConnection final : public ServedConnection,
                               public ClientControl,
                               private StreamObserver {
 public:
  // Recycled, like coroutine frames: connections come and go.
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }

  // `input`: bytes that have come already.
  ClientConnection(std::unique_ptr<ByteStream> stream, InputBuffer input, ClientInfo client,
                   const ServerSettings& settings, const bool& draining, Handler& handler);

  // Its whole life, up to the close. Suspends nearly all the time. Fails where TLS broke between
  // two requests, of which no request can tell.
  Task<Result<ConnectionEnd>> run();
  // One that is not idle ends after its present request.
  void end_if_idle() override;
  void drain() override { end_if_idle(); }

  [[nodiscard]] const ClientInfo& client() const { return client_; }
  // After becomes_http2: what the connection consists of.
  [[nodiscard]] std::unique_ptr<ByteStream> take_stream() { return std::move(stream_); }
  [[nodiscard]] InputBuffer take_input() { return std::move(input_); }
  [[nodiscard]] ClientInfo take_client() { return std::move(client_); }

 private:
  // One request and its response. True when the connection can take another one. Not inlined, or
  // the compiler would make its frame part of run()'s, and an idle connection four times as large.
  [[gnu::noinline]] Task<bool> serve_one();
  [[gnu::noinline]] Task<void> close_lingering();
  [[gnu::noinline]] Task<bool> finds_http2();
  [[nodiscard]] bool may_begin_http2() const;
  void on_stream_event(bool broken) override;

  std::unique_ptr<ByteStream> stream_;
  InputBuffer input_;
  ClientInfo client_;
  const ServerSettings* settings_;
  const bool* draining_;
  Handler* handler_;
  std::uint64_t requests_ = 0;
  ReadOp* idle_read_ = nullptr;      // while waiting for a request
  TaskContext* exchange_ = nullptr;  // while serving one
};

}  // namespace penstock

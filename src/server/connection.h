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

// An HTTP/1 client connection. While it waits for a request it holds no buffer and little else.
class ClientConnection final : public ListNode, public ClientControl, private StreamObserver {
 public:
  // Recycled, like coroutine frames: connections come and go.
  static void* operator new(std::size_t size) { return pool_allocate(size); }
  static void operator delete(void* block, std::size_t size) noexcept { pool_free(block, size); }

  ClientConnection(std::unique_ptr<ByteStream> stream, ClientInfo client,
                   const ServerSettings& settings, const bool& draining, Handler& handler);

  // Its whole life, up to the close. Suspends nearly all the time.
  Task<void> run();
  // For drain: a connection that is not idle ends after its present request.
  void end_if_idle() override;

 private:
  // One request and its response. True when the connection can take another one. Not inlined, or
  // the compiler would make its frame part of run()'s, and an idle connection four times as large.
  [[gnu::noinline]] Task<bool> serve_one();
  [[gnu::noinline]] Task<void> close_lingering();
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

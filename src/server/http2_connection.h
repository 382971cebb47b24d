// A client connection that speaks HTTP/2: each request is served in a task of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "async/input_buffer.h"
#include "async/scope.h"
#include "async/stream.h"
#include "async/task.h"
#include "http2/connection.h"
#include "server/exchange.h"
#include "server/http2_exchange.h"
#include "server/settings.h"

namespace penstock {

// True while the bytes are, or may become, what a client of HTTP/2 begins with (RFC 9113 section
// 3.4): with fewer than http2::kPreface.size() of them more may show that they are not. For
// listeners where HTTP/2 is spoken with prior knowledge.
[[nodiscard]] bool begins_like_http2(std::string_view bytes);

// A client that resets a stream cancels only the task of that one; when the connection ends all are
// cancelled. Admission, limits of heads and times are those of HTTP/1; see http2/connection.h for
// the rest.
class Http2Connection final : private http2::ConnectionUser {
 public:
  // All must outlive it. What was read of the connection already waits in `input`. `draining` is
  // looked at when a request begins: the connection then ends after those under way.
  Http2Connection(ByteStream& stream, InputBuffer& input, const ClientInfo& client,
                  const ServerSettings& settings, const bool& draining, Handler& handler);

  // Its whole life; the stream is to be closed then. Suspends nearly all the time.
  Task<void> run();
  // Takes no more requests (GOAWAY), and ends after those under way; at once when there are none.
  void drain();
  // How it ended, for the log: a reason is there when the client broke the rules, flooded us or was
  // idle.
  [[nodiscard]] const http2::Ending& ending() const { return ending_; }

 private:
  void on_request(std::unique_ptr<http2::Stream> stream) override;
  static Task<void> serve(Http2Connection& self, std::unique_ptr<http2::Stream> stream);

  ByteStream* stream_;
  InputBuffer* input_;
  const ClientInfo* client_;
  const ServerSettings* settings_;
  const bool* draining_;
  Handler* handler_;
  Http2Control control_;
  std::uint64_t requests_ = 0;
  bool drained_ = false;
  http2::Connection* connection_ = nullptr;  // while run() is under way
  Scope* requests_scope_ = nullptr;
  http2::Ending ending_;
};

}  // namespace penstock

// The Exchange of one HTTP/2 stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "http2/stream.h"
#include "message/text_body.h"
#include "server/exchange.h"
#include "server/settings.h"

namespace penstock {

// A connection of HTTP/2. It ends by its own rules.
class Http2Control final : public ClientControl {
 public:
  void end_if_idle() override {}
};

// A stream as a client connection of its own. Logins that are bound to a connection (NTLM,
// Negotiate) do not work over HTTP/2, whose streams may carry several users' requests: what a
// handler keeps with a stream's connection is gone with the stream, and never another stream's.
class StreamControl final : public ClientControl {
 public:
  explicit StreamControl(ClientControl& whole) : whole_(&whole) {}
  void end_if_idle() override {}
  [[nodiscard]] ClientControl& whole() override { return *whole_; }

 private:
  ClientControl* whole_;
};

// A request that is malformed is answered like one of HTTP/1 (400, with the reason), and its stream
// is then reset with PROTOCOL_ERROR, as RFC 9113 section 8.1.1 wants it. One that is only too large
// (431, 414), or for a protocol that is not passed on (501), gets its answer and nothing more.
class Http2Exchange final : public Exchange {
 public:
  Http2Exchange(const ClientInfo& client, ClientControl& control, http2::Stream& stream,
                const ServerSettings& settings, const bool& draining, std::uint64_t requests_before,
                Executor& executor);

  // After the handler: lets the end of a tunnel out, and says how the stream ends.
  Task<void> finish();

  BodySource& body() override;
  const ClientTraffic& traffic() override;
  // 101 is never sent (RFC 9113 section 8.6).
  Task<Result<void>> inform(ResponseHead& head) override;
  Task<Result<void>> respond(ResponseHead& head, BodySource& body, const Framing& framing) override;
  // An extended CONNECT (RFC 8441) is answered with 200, once the server's Sec-WebSocket-Accept has
  // been compared with the key that we made for it; if that is wrong, the error is of the server
  // (`protocol`) and no response has begun.
  Task<Result<void>> open_tunnel(ResponseHead& head, std::string_view upgrade) override;
  ByteStream& tunnel_stream() override { return stream_->bytes(); }
  InputBuffer& tunnel_input() override { return tunnel_input_; }

 private:
  void take_head();
  void refuse(Error error);
  void frame_for_client(ResponseHead& head, Framing& framing) const;
  [[nodiscard]] bool is_accepted(const ResponseHead& head) const;

  http2::Stream* stream_;
  const ServerSettings* settings_;
  const bool* draining_;
  Executor* executor_;
  TextBody no_body_;
  InputBuffer tunnel_input_;
  bool has_body_ = false;
  bool malformed_ = false;
  bool tunnel_ = false;
  bool response_complete_ = false;
};

}  // namespace penstock

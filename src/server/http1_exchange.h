// The Exchange of an HTTP/1 client connection.
#pragma once

#include <optional>

#include "http1/body_reader.h"
#include "http1/message_writer.h"
#include "server/exchange.h"
#include "server/settings.h"

namespace penstock {

// What an exchange needs of its connection. Lives as long as the connection.
struct ConnectionSide {
  ByteStream* stream;
  InputBuffer* input;
  const ServerSettings* settings;
  const bool* draining;
};

// Made when the first bytes of a request are there; lives until its response is complete.
class Http1Exchange final : public Exchange {
 public:
  Http1Exchange(const ClientInfo& client, ClientControl& control, const ConnectionSide& connection,
                std::uint64_t requests_before, Executor& executor);

  // Takes the head from the connection: afterwards either request(), body() and body_framing() are
  // set, or problem(). False when there is nothing to answer: the client went without a request.
  Task<bool> take_head();
  // After the handler: leaves the connection at the start of the next request, or says why it has
  // to be closed.
  Task<CloseReason> finish();
  // The response is complete, but the client may still be sending: its body, or a next request.
  [[nodiscard]] bool wants_lingering_close() const;

  BodySource& body() override { return *body_; }
  const ClientTraffic& traffic() override;
  Task<Result<void>> inform(ResponseHead& head) override;
  Task<Result<void>> respond(ResponseHead& head, BodySource& body, const Framing& framing) override;
  Task<Result<void>> open_tunnel(ResponseHead& head, std::string_view upgrade) override;
  ByteStream& tunnel_stream() override { return *connection_.stream; }
  InputBuffer& tunnel_input() override { return *connection_.input; }

 private:
  void parse_head(const http1::HeadScanner& scanner);
  [[nodiscard]] bool client_wants_persistence() const;
  void refuse(Error error);
  [[nodiscard]] Framing frame_for_client(const ResponseHead& head, const Framing& framing) const;
  [[nodiscard]] CloseReason decide_fate(const Framing& framing) const;
  [[nodiscard]] std::string_view connection_field(const ResponseHead& head) const;
  Task<Result<void>> send_only_head(ResponseHead& head, std::string_view connection);

  ConnectionSide connection_;
  Executor* executor_;
  std::optional<http1::BodyReader> body_;
  bool client_persists_ = false;
  bool continue_expected_ = false;  // the client may be waiting for a 100 before it sends its body
  bool response_complete_ = false;
  bool ends_with_connection_ = false;  // the response
};

}  // namespace penstock

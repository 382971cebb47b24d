// One TLS connection without I/O: records go in and out through two buffers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "async/input_buffer.h"
#include "base/error.h"
#include "tls/openssl.h"
#include "tls/settings.h"

namespace penstock {

// What a peer can make wait to be sent at most, besides what was asked to be written.
inline constexpr std::size_t kTlsMaxOutgoing = 160 * 1024;
// Bytes in one record, at most (RFC 8446 section 5.1).
inline constexpr std::size_t kTlsRecord = 16 * 1024;

// For both sides: which one it is, and how, was set in the SSL. A failure (a fatal alert either
// way, or a broken rule) is for good; the alert that tells the peer is in outgoing() then. A client
// that asks to renegotiate has broken a rule.
class TlsEngine {
 public:
  // `incoming` may have come before.
  explicit TlsEngine(SslPtr ssl, InputBuffer incoming = {});
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  // Records that came. Each operation takes as much from here as it needs; one that gives nothing
  // has taken all and wants more.
  [[nodiscard]] InputBuffer& incoming() { return incoming_; }
  // Records to be sent; any operation may add some. Adding may move those that are there.
  [[nodiscard]] InputBuffer& outgoing() { return outgoing_; }

  // Success when the handshake is complete; nothing while more input is needed.
  [[nodiscard]] std::optional<Result<void>> handshake();
  // Appends application data to `into`: the number of bytes, 0 when the peer has ended its
  // direction (close_notify); nothing when more input is needed.
  [[nodiscard]] std::optional<Result<std::size_t>> read(InputBuffer& into);
  // The same without taking any: a number above 0 when there is some.
  [[nodiscard]] std::optional<Result<std::size_t>> peek();
  // Makes one record of up to kTlsRecord bytes, not none.
  [[nodiscard]] Result<void> write(std::string_view bytes);
  // Ends our direction (close_notify). Only after the handshake, without a failure().
  void close();

  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }

 private:
  friend struct EngineBio;
  // What an SSL call that gave `result` came to.
  std::optional<Result<std::size_t>> outcome(int result);
  std::optional<Result<std::size_t>> read_some(std::span<char> room, bool only_peek);
  [[nodiscard]] bool has_input() const;
  static void on_info(const SSL* ssl, int where, int value);

  InputBuffer incoming_;
  InputBuffer outgoing_;
  std::optional<Error> failure_;
  bool asked_again_ = false;  // by a client, for another handshake (renegotiation)
  SslPtr ssl_;
};

}  // namespace penstock

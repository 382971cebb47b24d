// Tunnels through a SOCKS5 proxy: the client's side of RFC 1928 (CONNECT only), with the login of
// RFC 1929.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "upstream/peer_failure.h"
#include "upstream/tunnel_target.h"

namespace penstock {

// Views into the caller's text. RFC 1929 can carry a user of 1 to 255 bytes and a password of up to
// 255 (it asks for one, but an empty password is sent as it is).
struct ProxyLogin {
  std::string_view user;
  std::string_view password;
};

// The dialogue with the proxy up to the tunnel, without I/O. Its turns alternate: message() is to
// be sent while turn() is `send`; then receive() takes what comes, until turn() is another. The
// result does not depend on how the bytes were split.
//
// A host that is an address literal goes as an address, any other as a name that the proxy
// resolves. With a login, the proxy is offered to go without one, too.
class Socks5Handshake {
 public:
  enum class Turn : std::uint8_t { send, receive, done, failed };

  // What target and login view must outlive it. A target or a login that cannot be sent makes it
  // fail at once.
  explicit Socks5Handshake(const TunnelTarget& target, const ProxyLogin* login = nullptr);

  [[nodiscard]] Turn turn() const { return turn_; }
  // What to send; valid until the next receive(). Contains the password.
  [[nodiscard]] std::string_view message() const { return {message_.data(), size_}; }
  void sent() { turn_ = Turn::receive; }
  // `bytes` is everything that has come and was not consumed. Gives how much of it is consumed: an
  // answer as a whole, or nothing as long as it is not all there. What follows the last answer
  // belongs to the tunnel.
  std::size_t receive(std::string_view bytes);
  // Why it failed.
  [[nodiscard]] PeerFailure failure() const { return failure_; }

 private:
  enum class Awaited : std::uint8_t { method, login, reply };

  std::size_t receive_method(std::string_view bytes);
  std::size_t receive_login(std::string_view bytes);
  std::size_t receive_reply(std::string_view bytes);
  void say_hello();
  void say_login();
  void ask_for_target();
  void put(unsigned number);
  void put(std::string_view text);
  void send(Awaited awaited);
  std::size_t fail_with(PeerFailure failure);

  TunnelTarget target_;
  std::optional<ProxyLogin> login_;
  Turn turn_ = Turn::send;
  Awaited awaited_ = Awaited::method;
  PeerFailure failure_ = PeerFailure::none;
  std::array<char, 3 + 255 + 255> message_{};  // the longest message is a login
  std::size_t size_ = 0;
};

// Has the SOCKS5 proxy at the other end of `stream` (fresh; `input` is its buffer) connect to the
// target. After success the stream is the tunnel, and `input` has what of it came already. After an
// error the connection is of no more use. `login` may be null. What is given must stay until the
// task is done; it is done by `deadline`, or soon after being cancelled.
//
// Errors are of side `server` and retryable: those of the connection, timed_out at the deadline,
// closed when the proxy hangs up, and its own answers (peer_failure_of() tells them from the
// others) as denied (its rules, our login), unreachable, refused, timed_out or protocol.
Task<Result<void>> socks5_connect(ByteStream& stream, InputBuffer& input,
                                  const TunnelTarget& target, const ProxyLogin* login,
                                  TimePoint deadline);

}  // namespace penstock

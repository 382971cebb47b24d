#include "upstream/socks5.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "async/sleep.h"
#include "base/check.h"
#include "net/address.h"

namespace penstock {
namespace {

constexpr unsigned kVersion = 5;
constexpr unsigned kLoginVersion = 1;
constexpr unsigned kNoLogin = 0;
constexpr unsigned kUserPassword = 2;
constexpr unsigned kNoneAcceptable = 0xff;
constexpr unsigned kConnect = 1;
constexpr unsigned kReserved = 0;
constexpr unsigned kSucceeded = 0;
constexpr std::size_t kMaxText = 255;

// RFC 1928 section 5.
enum AddressType : std::uint8_t { kIpv4 = 1, kDomainName = 3, kIpv6 = 4 };
constexpr std::size_t kIpv4Size = 4;
constexpr std::size_t kIpv6Size = 16;
constexpr std::size_t kPortSize = 2;
// Version, code, reserved, type of the address.
constexpr std::size_t kReplyStart = 4;

unsigned byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

// RFC 1928 section 6.
PeerFailure failure_of_reply(unsigned code) {
  switch (code) {
    case 1:
      return PeerFailure::general_failure;
    case 2:
      return PeerFailure::not_allowed;
    case 3:
      return PeerFailure::network_unreachable;
    case 4:
      return PeerFailure::host_unreachable;
    case 5:
      return PeerFailure::connection_refused;
    case 6:
      return PeerFailure::ttl_expired;
    case 7:
      return PeerFailure::command_unsupported;
    case 8:
      return PeerFailure::address_type_unsupported;
    default:
      return PeerFailure::unknown_code;
  }
}

bool can_be_sent(const ProxyLogin& login) {
  return !login.user.empty() && login.user.size() <= kMaxText && login.password.size() <= kMaxText;
}

Task<Result<void>> shake_hands(ByteStream& stream, InputBuffer& input, Socks5Handshake& handshake) {
  using Turn = Socks5Handshake::Turn;
  const Executor& executor = (co_await this_context()).executor();
  while (handshake.turn() == Turn::send) {
    iovec part = to_iovec(handshake.message());
    const auto written = co_await write_all(stream, {&part, 1}, executor.now(), {});
    if (!written) co_return fail(written.error());
    handshake.sent();
    while (true) {
      input.consume(handshake.receive(input.unread()));
      if (handshake.turn() != Turn::receive) break;
      const auto got = co_await read_some(stream, input, kNever);
      if (!got) co_return fail(got.error());
      if (*got == 0) co_return fail(ErrorKind::closed);
    }
  }
  if (handshake.turn() == Turn::failed) co_return fail(peer_error(handshake.failure()));
  co_return Result<void>{};
}

}  // namespace

Socks5Handshake::Socks5Handshake(const TunnelTarget& target, const ProxyLogin* login)
    : target_(target) {
  if (login != nullptr) login_ = *login;
  if (login_ && !can_be_sent(*login_)) {
    fail_with(PeerFailure::login_unusable);
  } else if (!authority_of(target_)) {
    fail_with(PeerFailure::target_unusable);
  } else {
    say_hello();
  }
}

std::size_t Socks5Handshake::receive(std::string_view bytes) {
  if (turn_ != Turn::receive) return 0;
  switch (awaited_) {
    case Awaited::method:
      return receive_method(bytes);
    case Awaited::login:
      return receive_login(bytes);
    case Awaited::reply:
      return receive_reply(bytes);
  }
  return 0;
}

// RFC 1928 section 3.
void Socks5Handshake::say_hello() {
  size_ = 0;
  put(kVersion);
  put(login_ ? 2 : 1);
  put(kNoLogin);
  if (login_) put(kUserPassword);
  send(Awaited::method);
}

std::size_t Socks5Handshake::receive_method(std::string_view bytes) {
  if (!bytes.empty() && byte_at(bytes, 0) != kVersion) {
    return fail_with(PeerFailure::malformed_answer);
  }
  if (bytes.size() < 2) return 0;
  const unsigned method = byte_at(bytes, 1);
  if (method == kNoneAcceptable) return fail_with(PeerFailure::no_common_login);
  if (method == kNoLogin) {
    ask_for_target();
  } else if (method == kUserPassword && login_) {
    say_login();
  } else {
    return fail_with(PeerFailure::malformed_answer);
  }
  return 2;
}

// RFC 1929 section 2.
void Socks5Handshake::say_login() {
  size_ = 0;
  put(kLoginVersion);
  put(static_cast<unsigned>(login_->user.size()));
  put(login_->user);
  put(static_cast<unsigned>(login_->password.size()));
  put(login_->password);
  send(Awaited::login);
}

std::size_t Socks5Handshake::receive_login(std::string_view bytes) {
  if (!bytes.empty() && byte_at(bytes, 0) != kLoginVersion) {
    return fail_with(PeerFailure::malformed_answer);
  }
  if (bytes.size() < 2) return 0;
  if (byte_at(bytes, 1) != kSucceeded) return fail_with(PeerFailure::login_refused);
  ask_for_target();
  return 2;
}

// RFC 1928 section 4.
void Socks5Handshake::ask_for_target() {
  size_ = 0;
  put(kVersion);
  put(kConnect);
  put(kReserved);
  sockaddr_storage storage{};
  if (const auto literal = Address::from_ip(target_.host, target_.port)) {
    literal->to_sockaddr(storage);
  }
  if (storage.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
    put(kIpv4);
    put({reinterpret_cast<const char*>(&v4.sin_addr), kIpv4Size});
  } else if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    put(kIpv6);
    put({reinterpret_cast<const char*>(&v6.sin6_addr), kIpv6Size});
  } else {
    put(kDomainName);
    put(static_cast<unsigned>(target_.host.size()));
    put(target_.host);
  }
  put(target_.port >> 8U);
  put(target_.port & 0xffU);
  send(Awaited::reply);
}

// RFC 1928 section 6. The address it connected from is of no use to anyone.
std::size_t Socks5Handshake::receive_reply(std::string_view bytes) {
  if (!bytes.empty() && byte_at(bytes, 0) != kVersion) {
    return fail_with(PeerFailure::malformed_answer);
  }
  // Some proxies hang up without the rest of a reply that is a refusal.
  if (bytes.size() >= 2 && byte_at(bytes, 1) != kSucceeded) {
    return fail_with(failure_of_reply(byte_at(bytes, 1)));
  }
  if (bytes.size() < kReplyStart) return 0;
  std::size_t size = kReplyStart + kPortSize;
  switch (byte_at(bytes, 3)) {
    case kIpv4:
      size += kIpv4Size;
      break;
    case kIpv6:
      size += kIpv6Size;
      break;
    case kDomainName:
      if (bytes.size() == kReplyStart) return 0;
      size += 1 + byte_at(bytes, kReplyStart);
      break;
    default:
      return fail_with(PeerFailure::malformed_answer);
  }
  if (bytes.size() < size) return 0;
  turn_ = Turn::done;
  return size;
}

void Socks5Handshake::put(unsigned number) {
  PENSTOCK_CHECK(size_ < message_.size());
  message_[size_++] = static_cast<char>(number);
}

void Socks5Handshake::put(std::string_view text) {
  PENSTOCK_CHECK(text.size() <= message_.size() - size_);
  text.copy(message_.data() + size_, text.size());
  size_ += text.size();
}

void Socks5Handshake::send(Awaited awaited) {
  awaited_ = awaited;
  turn_ = Turn::send;
}

std::size_t Socks5Handshake::fail_with(PeerFailure failure) {
  failure_ = failure;
  turn_ = Turn::failed;
  return 0;
}

Task<Result<void>> socks5_connect(ByteStream& stream, InputBuffer& input,
                                  const TunnelTarget& target, const ProxyLogin* login,
                                  TimePoint deadline) {
  TaskContext& context = co_await this_context();
  ChildContext limited(context);
  const CancelAt limit(limited, deadline);
  Socks5Handshake handshake(target, login);
  const auto done = co_await shake_hands(stream, input, handshake).in(limited);
  if (!done) co_return fail(tunnel_error(done.error(), limit.fired()));
  co_return done;
}

}  // namespace penstock

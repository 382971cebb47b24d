// What a peer (a proxy on the way to the target) had against a tunnel: the causes of errors that
// are its answer, and not what the network did.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace penstock {

enum class PeerFailure : std::uint8_t {
  none,
  // Of the peer, whatever the target.
  malformed_answer,    // not an answer of its protocol
  unexpected_upgrade,  // HTTP: a 101 that nobody asked for
  no_common_login,     // SOCKS: takes none of the ways to log in that we offered
  login_refused,       // the user or the password is wrong, or a login is missing (HTTP: 407)
  login_unusable,      // ours: no user, or longer than the protocol can carry; nothing was sent
  // Of the target.
  target_unusable,  // ours: the host is no name or address, or is too long; nothing was sent
  general_failure,
  not_allowed,  // the peer's rules forbid it
  network_unreachable,
  host_unreachable,
  connection_refused,
  ttl_expired,
  command_unsupported,
  address_type_unsupported,
  unknown_code,
};

// As Error::cause: beyond any errno, and read as a Refusal it is Refusal::none.
[[nodiscard]] constexpr int cause_of(PeerFailure failure) {
  return static_cast<int>(failure) << 16;
}
// `none` for an error that is not a peer's answer.
[[nodiscard]] PeerFailure peer_failure_of(const Error& error);

// The error for it: of side `server`, and retryable, as nothing of a request has been sent.
[[nodiscard]] Error peer_error(PeerFailure failure);

// A short lower-case name such as "login_refused", for logs.
[[nodiscard]] std::string_view to_string(PeerFailure failure);

}  // namespace penstock

// Where a tunnel through another proxy is to lead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace penstock {

// A name, which the other proxy resolves, or an address literal (IPv6 without brackets).
struct TunnelTarget {
  std::string_view host;
  std::uint16_t port = 0;
};

// No DNS name is longer, and SOCKS can carry no more (RFC 1928 section 5).
inline constexpr std::size_t kMaxTargetHost = 255;

// "host:port" or "[::1]:443", as CONNECT has it. Fails with PeerFailure::target_unusable when the
// host is empty, longer than kMaxTargetHost, has characters that no host has (RFC 3986 section
// 3.2.2), or the port is 0.
[[nodiscard]] Result<std::string> authority_of(const TunnelTarget& target);

// What an error on the way to a tunnel means for the caller: of side `server`, and retryable, as
// nothing of a request has been sent. `out_of_time`: the deadline had the work cancelled.
[[nodiscard]] Error tunnel_error(const Error& error, bool out_of_time);

}  // namespace penstock

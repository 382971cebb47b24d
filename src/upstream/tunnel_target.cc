#include "upstream/tunnel_target.h"

#include "message/target.h"
#include "upstream/peer_failure.h"

namespace penstock {

Result<std::string> authority_of(const TunnelTarget& target) {
  const auto unusable = fail(peer_error(PeerFailure::target_unusable));
  if (target.host.size() > kMaxTargetHost) return unusable;
  const bool ipv6 = target.host.contains(':');
  std::string text;
  if (ipv6) text += '[';
  text += target.host;
  if (ipv6) text += ']';
  text += ':' + std::to_string(target.port);
  // The whole host must be one: "a:1" would give another port.
  const auto parsed = parse_authority(text);
  if (!parsed || parsed->host != target.host || parsed->port != target.port) return unusable;
  return text;
}

Error tunnel_error(const Error& error, bool out_of_time) {
  const bool by_deadline = out_of_time && error.kind == ErrorKind::cancelled;
  return {by_deadline ? ErrorKind::timed_out : error.kind, Side::server, true, error.cause};
}

}  // namespace penstock

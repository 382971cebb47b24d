#include "upstream/peer_failure.h"

#include <array>
#include <cstddef>

namespace penstock {
namespace {

struct Row {
  PeerFailure failure;
  ErrorKind kind;
  std::string_view name;
};

constexpr std::array kRows = {
    Row{PeerFailure::none, ErrorKind::protocol, "none"},
    Row{PeerFailure::malformed_answer, ErrorKind::protocol, "malformed_answer"},
    Row{PeerFailure::unexpected_upgrade, ErrorKind::protocol, "unexpected_upgrade"},
    Row{PeerFailure::no_common_login, ErrorKind::denied, "no_common_login"},
    Row{PeerFailure::login_refused, ErrorKind::denied, "login_refused"},
    Row{PeerFailure::login_unusable, ErrorKind::denied, "login_unusable"},
    Row{PeerFailure::target_unusable, ErrorKind::unreachable, "target_unusable"},
    Row{PeerFailure::general_failure, ErrorKind::unreachable, "general_failure"},
    Row{PeerFailure::not_allowed, ErrorKind::denied, "not_allowed"},
    Row{PeerFailure::network_unreachable, ErrorKind::unreachable, "network_unreachable"},
    Row{PeerFailure::host_unreachable, ErrorKind::unreachable, "host_unreachable"},
    Row{PeerFailure::connection_refused, ErrorKind::refused, "connection_refused"},
    Row{PeerFailure::ttl_expired, ErrorKind::timed_out, "ttl_expired"},
    Row{PeerFailure::command_unsupported, ErrorKind::protocol, "command_unsupported"},
    Row{PeerFailure::address_type_unsupported, ErrorKind::protocol, "address_type_unsupported"},
    Row{PeerFailure::unknown_code, ErrorKind::protocol, "unknown_code"},
};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].failure) != i) return false;
  }
  return kRows.back().failure == PeerFailure::unknown_code;
}
static_assert(in_order());

const Row& row(PeerFailure failure) { return kRows[static_cast<std::size_t>(failure)]; }

}  // namespace

PeerFailure peer_failure_of(const Error& error) {
  for (const Row& each : kRows) {
    if (error.cause == cause_of(each.failure)) return each.failure;
  }
  return PeerFailure::none;
}

Error peer_error(PeerFailure failure) {
  return {row(failure).kind, Side::server, true, cause_of(failure)};
}

std::string_view to_string(PeerFailure failure) { return row(failure).name; }

}  // namespace penstock

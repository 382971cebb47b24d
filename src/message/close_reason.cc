#include "message/close_reason.h"

namespace penstock {

std::string_view to_string(CloseReason reason) {
  switch (reason) {
    case CloseReason::kept:
      return "kept";
    case CloseReason::not_opened:
      return "not_opened";
    case CloseReason::said_close:
      return "said_close";
    case CloseReason::peer_closed:
      return "peer_closed";
    case CloseReason::framed_by_close:
      return "framed_by_close";
    case CloseReason::body_unread:
      return "body_unread";
    case CloseReason::body_unsent:
      return "body_unsent";
    case CloseReason::stray_bytes:
      return "stray_bytes";
    case CloseReason::refused_message:
      return "refused_message";
    case CloseReason::timed_out:
      return "timed_out";
    case CloseReason::idle:
      return "idle";
    case CloseReason::broken:
      return "broken";
    case CloseReason::tunnel_ended:
      return "tunnel_ended";
    case CloseReason::tunnel_refused:
      return "tunnel_refused";
    case CloseReason::pinned:
      return "pinned";
    case CloseReason::pin_ended:
      return "pin_ended";
    case CloseReason::draining:
      return "draining";
    case CloseReason::pool_full:
      return "pool_full";
    case CloseReason::other_side_failed:
      return "other_side_failed";
    case CloseReason::cancelled:
      return "cancelled";
  }
  return "unknown";
}

CloseReason close_reason_of(ErrorKind failure) {
  switch (failure) {
    case ErrorKind::closed:
      return CloseReason::peer_closed;
    case ErrorKind::timed_out:
      return CloseReason::timed_out;
    case ErrorKind::cancelled:
      return CloseReason::cancelled;
    case ErrorKind::protocol:
    case ErrorKind::limit:
      return CloseReason::refused_message;
    default:
      return CloseReason::broken;
  }
}

}  // namespace penstock

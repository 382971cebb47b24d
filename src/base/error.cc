#include "base/error.h"

#include <cerrno>

namespace penstock {

Error error_from_errno(int errno_value) {
  const auto of = [errno_value](ErrorKind kind) {
    return Error{.kind = kind, .cause = errno_value};
  };
  switch (errno_value) {
    case ECONNREFUSED:
    case ENOENT:  // a unix socket that is not there
      return of(ErrorKind::refused);
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
    case ENOTCONN:
      return of(ErrorKind::reset);
    case ETIMEDOUT:
      return of(ErrorKind::timed_out);
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case ENETDOWN:
    case EHOSTDOWN:
      return of(ErrorKind::unreachable);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return of(ErrorKind::overloaded);
    case EACCES:
    case EPERM:
      return of(ErrorKind::denied);
    case ECANCELED:
      return of(ErrorKind::cancelled);
    default:
      return of(ErrorKind::io);
  }
}

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::closed:
      return "closed";
    case ErrorKind::reset:
      return "reset";
    case ErrorKind::timed_out:
      return "timed_out";
    case ErrorKind::cancelled:
      return "cancelled";
    case ErrorKind::refused:
      return "refused";
    case ErrorKind::unreachable:
      return "unreachable";
    case ErrorKind::resolve_failed:
      return "resolve_failed";
    case ErrorKind::protocol:
      return "protocol";
    case ErrorKind::limit:
      return "limit";
    case ErrorKind::denied:
      return "denied";
    case ErrorKind::tls_protocol:
      return "tls_protocol";
    case ErrorKind::tls_certificate:
      return "tls_certificate";
    case ErrorKind::tls_alert:
      return "tls_alert";
    case ErrorKind::overloaded:
      return "overloaded";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::adaptation:
      return "adaptation";
    case ErrorKind::io:
      return "io";
  }
  return "unknown";
}

std::string_view to_string(Side side) {
  switch (side) {
    case Side::none:
      return "none";
    case Side::client:
      return "client";
    case Side::server:
      return "server";
  }
  return "unknown";
}

}  // namespace penstock

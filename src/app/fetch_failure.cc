#include "app/fetch_failure.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "message/refusal.h"
#include "net/network.h"
#include "tls/error.h"
#include "upstream/peer_failure.h"
#include "upstream/unavailable.h"

namespace penstock {
namespace {

std::string peer_text(PeerFailure failure) {
  switch (failure) {
    case PeerFailure::login_refused:
      return "it wants a login, or refuses ours";
    case PeerFailure::no_common_login:
      return "it takes none of the ways to log in";
    case PeerFailure::login_unusable:
      return "our login can't be sent to it";
    case PeerFailure::target_unusable:
      return "the host can't be told to it";
    case PeerFailure::not_allowed:
      return "it does not allow this";
    case PeerFailure::connection_refused:
      return "the server refused its connection";
    case PeerFailure::network_unreachable:
    case PeerFailure::host_unreachable:
      return "it found no way to the server";
    case PeerFailure::ttl_expired:
      return "the server did not answer it in time";
    case PeerFailure::malformed_answer:
      return "its answer is not of its protocol";
    default:
      break;
  }
  std::string words(to_string(failure));
  std::ranges::replace(words, '_', ' ');
  return words;
}

std::string resolve_text(const Error& error) {
  if (error.kind == ErrorKind::timed_out) return "the name servers did not answer in time";
  if (error.kind != ErrorKind::resolve_failed) return std::string(to_string(error.kind));
  const bool failed = static_cast<ResolveCause>(error.cause) == ResolveCause::servers_failed;
  return failed ? "the name servers failed to answer" : "the host has no address";
}

std::string protocol_text(const Error& error) {
  const auto refusal = static_cast<Refusal>(error.cause);
  const bool known = refusal != Refusal::none && refusal < Refusal::count_;
  if (!known) return "the message is not as long as it says";
  return fmt::format("{} ({})", info(refusal).text, info(refusal).section);
}

std::string connection_text(const Error& error, std::string_view when) {
  switch (error.kind) {
    case ErrorKind::refused:
      return "the connection was refused";
    case ErrorKind::unreachable:
      return "there is no way to it";
    case ErrorKind::timed_out:
      return "it took too long";
    case ErrorKind::closed:
      return fmt::format("the connection was closed {}", when);
    case ErrorKind::reset:
      return fmt::format("the connection broke {}", when);
    case ErrorKind::protocol:
      return protocol_text(error);
    case ErrorKind::limit:
      return "there is too much of it";
    case ErrorKind::unavailable:
      return std::string(to_string(static_cast<Unavailable>(error.cause)));
    case ErrorKind::io:
      return std::strerror(error.cause);
    default:
      return std::string(to_string(error.kind));
  }
}

std::string tls_text(const Error& error) {
  const std::string_view cause = tls_cause_text(error);
  const std::string_view who = error.kind == ErrorKind::tls_alert ? "the server says: " : "";
  return fmt::format("{}{}", who, cause.empty() ? to_string(error.kind) : cause);
}

bool is_of_tls(ErrorKind kind) {
  return kind == ErrorKind::tls_protocol || kind == ErrorKind::tls_certificate ||
         kind == ErrorKind::tls_alert;
}

std::string body_text(const Error& error, std::string_view body) {
  if (error.kind == ErrorKind::closed) return fmt::format("{} became shorter meanwhile", body);
  return fmt::format("can't read {}: {}", body, connection_text(error, "early"));
}

}  // namespace

std::string failure_text(const Error& error, DeliveryStep step, std::string_view body) {
  if (const PeerFailure peer = peer_failure_of(error); peer != PeerFailure::none) {
    return "the peer failed: " + peer_text(peer);
  }
  if (is_of_tls(error.kind)) return "TLS failed: " + tls_text(error);
  if (step == DeliveryStep::resolve) return "resolving failed: " + resolve_text(error);
  if (step == DeliveryStep::acquire) {
    if (error.kind == ErrorKind::resolve_failed) return "resolving failed: " + resolve_text(error);
    return "connecting failed: " + connection_text(error, "at once");
  }
  if (error.side == Side::client) return "the request failed: " + body_text(error, body);
  return "the exchange failed: " + connection_text(error, "before a response");
}

std::string cut_text(const Error& error, std::uint64_t received) {
  return fmt::format("the response was cut after {} bytes of content: {}", received,
                     is_of_tls(error.kind) ? tls_text(error) : connection_text(error, "early"));
}

}  // namespace penstock

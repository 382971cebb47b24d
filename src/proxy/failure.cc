#include "proxy/failure.h"

#include "net/network.h"
#include "upstream/peer_failure.h"
#include "upstream/tls_failure.h"
#include "upstream/unavailable.h"

namespace penstock {
namespace {

Failure client_failure(const Error& error) {
  switch (error.kind) {
    case ErrorKind::protocol: {
      if (error.cause == 0) {
        return {400, "http_request_error", "The request can't be understood with certainty.", "",
                "malformed"};
      }
      const RefusalInfo& why = info(static_cast<Refusal>(error.cause));
      return {why.status, "http_request_error", why.text, why.section, why.token};
    }
    case ErrorKind::timed_out:
      return {408, "http_request_error", "The request took too long to arrive.", "", "timed_out"};
    case ErrorKind::limit:
      return kBodyTooLarge;
    default:
      return {400, "http_request_error", "The request was cut short.", "RFC 9112 8", "incomplete"};
  }
}

Failure protocol_failure(const Error& error) {
  const auto refusal = static_cast<Refusal>(error.cause);
  if (refusal == Refusal::none) {
    return {502, "http_protocol_error", "The server's response is not as long as it says.", "", ""};
  }
  const RefusalInfo& why = info(refusal);
  if (refusal == Refusal::head_too_large || refusal == Refusal::too_many_fields) {
    return {502, "http_response_header_section_size", "The server's response head is too large.",
            why.section, why.token};
  }
  return {502, "http_protocol_error", "The server's response can't be understood with certainty.",
          why.section, why.token};
}

Failure timeout_failure(Step step) {
  switch (step) {
    case Step::resolve:
      return {504, "dns_timeout", "The name servers did not answer in time.", "", ""};
    case Step::connect:
      return {504, "connection_timeout", "The server did not take the connection in time.", "", ""};
    default:
      return {504, "http_response_timeout", "The server did not answer in time.", "", ""};
  }
}

Failure resolve_failure(const Error& error) {
  if (static_cast<ResolveCause>(error.cause) == ResolveCause::servers_failed) {
    return {502, "dns_error", "The name servers failed to answer.", "", ""};
  }
  return {502, "dns_error", "The host name has no address.", "", ""};
}

Failure unavailable_failure(Unavailable why) {
  switch (why) {
    case Unavailable::no_server:
      return {503, "destination_unavailable", "No server is in service.", "", to_string(why)};
    case Unavailable::queue_full:
      return {503, "connection_limit_reached",
              "The servers are at their limits, and too many requests wait already.", "",
              to_string(why)};
    case Unavailable::queue_timeout:
      return {503, "connection_limit_reached",
              "The servers were at their limits for as long as a request may wait.", "",
              to_string(why)};
    case Unavailable::needs_http1:
      return {502, "http_upgrade_failed",
              "The server is spoken to by HTTP/2, which can't do what the request asks for.",
              "RFC 9113 8.6", to_string(why)};
    case Unavailable::login_lost:
      break;
  }
  return {502, "connection_terminated",
          "The server ended the connection you were logged in on. Please log in again.",
          "RFC 4559 6", to_string(why)};
}

// What a parent proxy had against a tunnel, or our login there.
Failure peer_failure(PeerFailure why) {
  const std::string_view token = to_string(why);
  switch (why) {
    case PeerFailure::no_common_login:
    case PeerFailure::login_refused:
    case PeerFailure::login_unusable:
      return {502, "proxy_configuration_error", "The parent proxy refused this proxy's login.", "",
              token};
    case PeerFailure::not_allowed:
      return {403, "http_request_denied", "The parent proxy does not allow this.", "", token};
    case PeerFailure::target_unusable:
      return {400, "http_request_error", "The target's name can't be told to the parent proxy.", "",
              token};
    case PeerFailure::network_unreachable:
    case PeerFailure::host_unreachable:
      return {502, "destination_ip_unroutable", "The parent proxy found no way to the server.", "",
              token};
    case PeerFailure::connection_refused:
      return {502, "connection_refused", "The server refused the parent proxy's connection.", "",
              token};
    case PeerFailure::ttl_expired:
      return {504, "connection_timeout", "The server did not answer the parent proxy in time.", "",
              token};
    default:
      return {502, "http_protocol_error", "The parent proxy can't make a connection.", "", token};
  }
}

}  // namespace

Failure failure_of(const Error& error, Step step) {
  if (const PeerFailure peer = peer_failure_of(error); peer != PeerFailure::none) {
    return peer_failure(peer);
  }
  if (error.kind == ErrorKind::adaptation) return kFilterFailed;
  if (error.side == Side::client || step == Step::head) {
    if (error.kind != ErrorKind::overloaded) return client_failure(error);
  }
  switch (error.kind) {
    case ErrorKind::timed_out:
      return timeout_failure(step);
    case ErrorKind::resolve_failed:
      return resolve_failure(error);
    case ErrorKind::refused:
      return {502, "connection_refused", "The server refused the connection.", "", ""};
    case ErrorKind::unreachable:
      return {502, "destination_ip_unroutable", "There is no way to the server.", "", ""};
    case ErrorKind::protocol:
      return protocol_failure(error);
    case ErrorKind::limit:
      return {502, "http_protocol_error", "The server sent more than a response.", "", ""};
    case ErrorKind::denied:
      return {502, "destination_ip_prohibited", "The system forbids to reach the server.", "", ""};
    case ErrorKind::tls_protocol:
      return {502, "tls_protocol_error",
              "No TLS connection to the server could be made, or it broke the rules of TLS.", "",
              tls_failure_text(error)};
    case ErrorKind::tls_certificate:
      return {502, "tls_certificate_error", "The server's certificate is not accepted.", "",
              tls_failure_text(error)};
    case ErrorKind::tls_alert:
      return {502, "tls_alert_received", "The server ended the TLS connection with an alert.", "",
              tls_failure_text(error)};
    case ErrorKind::overloaded:
      return {503, "connection_limit_reached", "The proxy is at its limits; try again later.", "",
              ""};
    case ErrorKind::unavailable:
      return unavailable_failure(static_cast<Unavailable>(error.cause));
    case ErrorKind::closed:
    case ErrorKind::reset:
      return {502, "connection_terminated", "The server ended the connection without a response.",
              "", ""};
    case ErrorKind::cancelled:
    case ErrorKind::adaptation:
    case ErrorKind::io:
      break;
  }
  return {502, "proxy_internal_error", "The connection to the server failed.", "", ""};
}

}  // namespace penstock

#include "app/fetch_failure.h"

#include <cerrno>

#include <gtest/gtest.h>

#include "message/refusal.h"
#include "upstream/peer_failure.h"

namespace penstock {
namespace {

TEST(FetchFailure, SaysWhichStepFailed) {
  using enum ErrorKind;
  const auto server = [](ErrorKind kind, int cause = 0) {
    return Error{.kind = kind, .side = Side::server, .cause = cause};
  };
  const auto client = [](ErrorKind kind, int cause = 0) {
    return Error{.kind = kind, .side = Side::client, .cause = cause};
  };
  struct Case {
    Error error;
    DeliveryStep step;
    const char* text;
  };
  const Case cases[] = {
      {server(resolve_failed), DeliveryStep::resolve, "resolving failed: the host has no address"},
      {server(resolve_failed, 1), DeliveryStep::resolve,
       "resolving failed: the name servers failed to answer"},
      {server(timed_out), DeliveryStep::resolve,
       "resolving failed: the name servers did not answer in time"},
      {server(timed_out), DeliveryStep::acquire, "connecting failed: it took too long"},
      {server(unreachable), DeliveryStep::acquire, "connecting failed: there is no way to it"},
      {server(io, EMFILE), DeliveryStep::acquire, "connecting failed: Too many open files"},
      {server(tls_certificate, 10), DeliveryStep::acquire, "TLS failed: certificate has expired"},
      {server(tls_alert, 40), DeliveryStep::acquire,
       "TLS failed: the server says: handshake failure"},
      {server(tls_alert, 116), DeliveryStep::exchange,
       "TLS failed: the server says: certificate required"},
      {peer_error(PeerFailure::ttl_expired), DeliveryStep::acquire,
       "the peer failed: the server did not answer it in time"},
      {peer_error(PeerFailure::address_type_unsupported), DeliveryStep::acquire,
       "the peer failed: address type unsupported"},
      {server(protocol, static_cast<int>(Refusal::obs_fold)), DeliveryStep::exchange,
       "the exchange failed: A field value is continued on another line. (RFC 9112 5.2)"},
      {server(closed), DeliveryStep::exchange,
       "the exchange failed: the connection was closed before a response"},
      {client(closed), DeliveryStep::exchange, "the request failed: x became shorter meanwhile"},
      {client(io, EISDIR), DeliveryStep::exchange,
       "the request failed: can't read x: Is a directory"},
  };
  for (const Case& one : cases) EXPECT_EQ(failure_text(one.error, one.step, "x"), one.text);
  EXPECT_EQ(cut_text(server(reset), 7),
            "the response was cut after 7 bytes of content: the connection broke early");
}

}  // namespace
}  // namespace penstock

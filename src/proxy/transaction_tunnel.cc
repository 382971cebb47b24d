// Where a transaction becomes a tunnel: CONNECT, and upgrades.
#include "proxy/transaction.h"
#include "upstream/peer_failure.h"

namespace penstock {
namespace {

// True when each protocol the server switched to is one the client had asked for; versions apart.
bool offered(std::string_view asked, std::string_view switched) {
  bool all = !switched.empty();
  for_each_element(switched, [&all, asked](std::string_view protocol) {
    bool found = false;
    for_each_element(asked, [&found, protocol](std::string_view wanted) {
      found = found || equals_ignoring_case(wanted.substr(0, wanted.find('/')),
                                            protocol.substr(0, protocol.find('/')));
    });
    all = all && found;
  });
  return all;
}

}  // namespace

// RFC 9110 section 9.3.6: the client hears of success when the connection to the target is there.
Task<void> Transaction::connect_tunnel() {
  if (adaptation_ && !co_await choose_server()) co_return;
  const auto connected = co_await delivery_.connect(destination_);
  const bool challenged =
      !connected && peer_failure_of(connected.error()) == PeerFailure::login_refused;
  if (challenged && delivery_.response().status == 407) co_return co_await hand_on_challenge();
  if (!connected) co_return co_await give_up(connected.error());
  ResponseHead head;
  head.status = 200;
  head.reason = "Connection established";
  co_await tunnel(head, {});
}

// The peer on the way wants the client to log in there.
Task<void> Transaction::hand_on_challenge() {
  co_await settle(false);
  ResponseHead& response = delivery_.response();
  prepare_response(response, {}, parts_.pseudonym);
  record_.status = response.status;
  TextBody body("");
  const Framing framing{.kind = BodyKind::length, .length = 0};
  const auto sent = co_await exchange_.respond(response, body, framing);
  if (!sent) note_client_gone();
}

// RFC 9110 section 7.8: the server agreed to one of the protocols the client offered.
Task<void> Transaction::upgrade_tunnel() {
  ResponseHead& response = delivery_.response();
  const std::string_view protocol = response.fields.value(FieldId::upgrade);
  if (!offered(hop_.upgrade, protocol)) {
    co_await settle(false);
    co_return co_await fail_with(kUnexpectedUpgrade);
  }
  prepare_response(response, {}, parts_.pseudonym);
  co_await tunnel(response, protocol);
}

// Answers with the head, then moves bytes until both directions have ended.
Task<void> Transaction::tunnel(ResponseHead& head, std::string_view upgrade) {
  record_.status = head.status;
  Lease& lease = delivery_.lease();
  const auto opened = co_await exchange_.open_tunnel(head, upgrade);
  if (opened) {
    TunnelTraffic traffic;
    const auto done = co_await run_tunnel({&exchange_.tunnel_stream(), &exchange_.tunnel_input()},
                                          {&lease.stream(), &lease.input()},
                                          parts_.settings.tunnel_idle, traffic);
    record_.tunnel_up = traffic.up;
    record_.tunnel_down = traffic.down;
    if (!done) record_.detail = to_string(done.error().kind);
  } else if (opened.error().side == Side::server) {
    // What the server agreed to is not what the client asked for.
    co_await settle(false);
    co_return co_await fail_with(kUnexpectedUpgrade);
  } else {
    note_client_gone();
  }
  co_await settle(false);
  record_.server_fate = CloseReason::tunnel_ended;
}

}  // namespace penstock

#include "upstream/connect_tunnel.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "message/framing.h"
#include "upstream/peer_failure.h"
#include "upstream/tunnel_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

constexpr TunnelTarget kExample{"example.test", 443};
const std::string kHeadEnd = "\r\n\r\n";
const std::string kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";
const std::string kAskExample =
    "CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n";

struct ConnectAttempt : TunnelAttempt<int> {
  explicit ConnectAttempt(const TunnelTarget& target = kExample,
                          std::string_view authorization = {}, Duration limit = seconds(5))
      : TunnelAttempt(
            [this, &target, authorization](ByteStream& stream, InputBuffer& in,
                                           TimePoint deadline) {
              return http_connect(stream, in, target, authorization, limits, deadline, response);
            },
            limit) {}

  http1::HeadLimits limits;
  ResponseHead response;
};

ServerScript answering(std::string answer) {
  return {{.until = kHeadEnd, .answer = std::move(answer)}};
}

TEST(HttpConnect, TunnelsUnderRoughConditions) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    TunnelWorld world({{.until = kHeadEnd, .answer = kEstablished + "hello, "},
                       {.until = "up the tunnel", .answer = "world"}},
                      seed, Faults::rough());
    ConnectAttempt attempt(kExample, "Basic YTpi");
    world.run(attempt);
    ASSERT_TRUE(attempt.result);
    EXPECT_EQ(*attempt.result, 200);
    EXPECT_EQ(attempt.tunnel, "hello, world");
    EXPECT_EQ(world.peer.received(0),
              "CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n"
              "Proxy-Authorization: Basic YTpi\r\n\r\nup the tunnel");
  }
}

TEST(HttpConnect, WithoutLogin) {
  TunnelWorld world(answering(kEstablished));
  ConnectAttempt attempt;
  world.run(attempt);
  EXPECT_EQ(attempt.result, 200);
  EXPECT_EQ(attempt.response.reason, "Connection established");
  EXPECT_TRUE(world.peer.received(0).starts_with(kAskExample));
}

TEST(HttpConnect, Ipv6TargetsAreInBrackets) {
  const TunnelTarget target{"2001:db8::1", 8443};
  TunnelWorld world(answering(kEstablished));
  ConnectAttempt attempt(target);
  world.run(attempt);
  EXPECT_EQ(attempt.result, 200);
  EXPECT_TRUE(world.peer.received(0).starts_with(
      "CONNECT [2001:db8::1]:8443 HTTP/1.1\r\nHost: [2001:db8::1]:8443\r\n\r\n"));
}

// RFC 9110 section 9.3.6.
TEST(HttpConnect, SuccessHasNoContentWhateverItSays) {
  for (const std::string field : {"Content-Length: 5", "Transfer-Encoding: chunked",
                                  "Content-Length: x", "Transfer-Encoding: gzip"}) {
    for (const std::string status : {"200", "204", "299"}) {
      std::string head = "HTTP/1.1 " + status + " Fine\r\n";
      head.append(field).append(kHeadEnd).append("hello tunnel");
      TunnelWorld world(answering(head));
      ConnectAttempt attempt;
      world.run(attempt);
      ASSERT_TRUE(attempt.result) << field;
      EXPECT_EQ(attempt.input.unread(), "hello tunnel");
    }
  }
}

TEST(HttpConnect, InformationalResponsesAreSkippedAndBounded) {
  for (const int count : {1, 64, 65}) {
    std::string answer;
    for (int i = 0; i < count; ++i) answer += "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    TunnelWorld world(answering(answer + kEstablished + "x"));
    ConnectAttempt attempt;
    world.run(attempt);
    if (count <= 64) {
      EXPECT_EQ(attempt.result, 200);
      EXPECT_FALSE(attempt.response.fields.has(FieldId::other));
      EXPECT_EQ(attempt.tunnel, "x");
    } else {
      ASSERT_FALSE(attempt.result);
      expect_tunnel_error(attempt.result.error(), ErrorKind::limit);
    }
  }
}

TEST(HttpConnect, ARefusalIsTheCallersToRead) {
  TunnelWorld world(answering(
      "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"
      "Content-Length: 5\r\n\r\nnope!"));
  ConnectAttempt attempt;
  world.run(attempt);
  EXPECT_EQ(attempt.result, 407);
  EXPECT_EQ(attempt.response.fields.value(FieldId::proxy_authenticate), "Basic realm=\"x\"");
  const auto framing = response_framing(Method::connect, attempt.response);
  ASSERT_TRUE(framing);
  EXPECT_EQ(*framing, (Framing{.kind = BodyKind::length, .length = 5}));
  EXPECT_EQ(attempt.input.unread(), "nope!");
}

TEST(HttpConnect, SwitchingProtocolsIsNoAnswer) {
  TunnelWorld world(answering("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
  ConnectAttempt attempt;
  world.run(attempt);
  ASSERT_FALSE(attempt.result);
  expect_tunnel_error(attempt.result.error(), ErrorKind::protocol);
  EXPECT_EQ(peer_failure_of(attempt.result.error()), PeerFailure::unexpected_upgrade);
}

TEST(HttpConnect, WhatIsNoResponse) {
  struct Case {
    std::string answer;
    Refusal refusal;
  };
  for (const Case& each :
       {Case{"SSH-2.0-x\r\n", Refusal::version_malformed},
        Case{"HTTP/1.1 999 ?\r\n\r\n", Refusal::status_code_invalid},
        Case{"HTTP/1.1 200 OK\r\n" + std::string(70000, 'a'), Refusal::head_too_large}}) {
    TunnelWorld world(answering(each.answer));
    ConnectAttempt attempt;
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    expect_tunnel_error(attempt.result.error(), ErrorKind::protocol);
    EXPECT_EQ(attempt.result.error().cause, static_cast<int>(each.refusal));
  }
}

TEST(HttpConnect, WhatCannotBeSent) {
  const std::string long_host(256, 'a');
  const std::string long_login(600 * 1024, 'a');
  struct Case {
    TunnelTarget target;
    std::string_view authorization;
    ErrorKind kind;
    PeerFailure failure;
  };
  for (const Case& each :
       {Case{{"a b", 80}, "", ErrorKind::unreachable, PeerFailure::target_unusable},
        Case{{"a\r\nX: y", 80}, "", ErrorKind::unreachable, PeerFailure::target_unusable},
        Case{{long_host, 80}, "", ErrorKind::unreachable, PeerFailure::target_unusable},
        Case{{"a", 80}, "Basic x\r\nX: y", ErrorKind::denied, PeerFailure::login_unusable},
        Case{{"a", 80}, long_login, ErrorKind::denied, PeerFailure::login_unusable}}) {
    TunnelWorld world(answering(kEstablished));
    ConnectAttempt attempt(each.target, each.authorization);
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    expect_tunnel_error(attempt.result.error(), each.kind);
    EXPECT_EQ(peer_failure_of(attempt.result.error()), each.failure);
    EXPECT_EQ(world.peer.received(0), "");
    EXPECT_EQ(attempt.ended_at, attempt.begun_at);
  }
}

TEST(HttpConnect, AProxyThatHangsUp) {
  for (const std::string answer : {"", "HTTP/1.1 200 Conn"}) {
    TunnelWorld world({{.until = kHeadEnd, .answer = answer, .then = ServerStep::Then::close}});
    ConnectAttempt attempt;
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    expect_tunnel_error(attempt.result.error(), ErrorKind::closed);
  }
}

TEST(HttpConnect, TheDeadlineIsOneForAll) {
  for (const std::string answer : {"", "HTTP/1.1 103 Early Hints\r\n\r\n", "HTTP/1.1 200 Conn"}) {
    TunnelWorld world({{.until = kHeadEnd, .answer = answer}, {.until = "never", .answer = {}}});
    ConnectAttempt attempt;
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    expect_tunnel_error(attempt.result.error(), ErrorKind::timed_out);
    EXPECT_GE(attempt.ended_at - attempt.begun_at, seconds(5));
    EXPECT_LT(attempt.ended_at - attempt.begun_at, seconds(6));
  }
}

// A proxy that never takes all of the request, but a few bytes now and then.
TEST(HttpConnect, TheDeadlineHoldsForWritingToo) {
  Faults faults;
  faults.min_buffer = faults.max_buffer = 64;
  faults.latency = {seconds(2), seconds(2)};
  const std::string authorization(4000, 'a');
  TunnelWorld world(answering(kEstablished), 1, faults);
  ConnectAttempt attempt(kExample, authorization);
  world.run(attempt);
  ASSERT_FALSE(attempt.result);
  expect_tunnel_error(attempt.result.error(), ErrorKind::timed_out);
  EXPECT_LT(attempt.ended_at - attempt.begun_at, seconds(6));
}

TEST(HttpConnect, StatusesAsErrors) {
  const auto check = [](int status, ErrorKind kind, PeerFailure failure) {
    SCOPED_TRACE(status);
    expect_tunnel_error(connect_refusal(status), kind);
    EXPECT_EQ(peer_failure_of(connect_refusal(status)), failure);
  };
  check(407, ErrorKind::denied, PeerFailure::login_refused);
  check(403, ErrorKind::denied, PeerFailure::not_allowed);
  check(405, ErrorKind::denied, PeerFailure::not_allowed);
  check(502, ErrorKind::unreachable, PeerFailure::host_unreachable);
  check(503, ErrorKind::unreachable, PeerFailure::host_unreachable);
  check(504, ErrorKind::timed_out, PeerFailure::ttl_expired);
  check(400, ErrorKind::unreachable, PeerFailure::general_failure);
  check(302, ErrorKind::unreachable, PeerFailure::general_failure);
}

}  // namespace
}  // namespace penstock

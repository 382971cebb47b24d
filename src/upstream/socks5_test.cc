#include "upstream/socks5.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/tunnel_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;
using Turn = Socks5Handshake::Turn;
using namespace std::string_literals;

const std::string kReplyV4 = "\5\0\0\1\x7f\0\0\1\x04\x38"s;
const std::string kReplyV6 = "\5\0\0\4"s + std::string(16, '\xfe') + "\x04\x38"s;
const std::string kReplyName = "\5\0\0\3\4host\x04\x38"s;
const std::string kAskExample = "\5\1\0\3\x0c"s + "example.test\x01\xbb"s;
constexpr TunnelTarget kExample{"example.test", 443};
constexpr ProxyLogin kAlice{"alice", "secret"};

// What the handshake says and how it ends, when what comes is cut every `piece` bytes, or (0) once,
// at `cut`.
struct Outcome {
  Turn turn = Turn::failed;
  PeerFailure failure = PeerFailure::none;
  std::vector<std::string> said;
  std::string rest;  // what came and was not consumed
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome shake(const std::string& answers, const TunnelTarget& target = kExample,
              const ProxyLogin* login = nullptr, std::size_t cut = 0) {
  Socks5Handshake handshake(target, login);
  Outcome outcome;
  std::size_t from = 0;
  std::size_t to = cut == 0 ? answers.size() : cut;
  while (true) {
    if (handshake.turn() == Turn::send) {
      outcome.said.emplace_back(handshake.message());
      handshake.sent();
    }
    if (handshake.turn() != Turn::receive) break;
    const std::size_t consumed =
        handshake.receive(std::string_view(answers).substr(from, to - from));
    from += consumed;
    if (consumed > 0 || handshake.turn() != Turn::receive) continue;
    if (to == answers.size()) break;
    to = answers.size();
  }
  outcome.turn = handshake.turn();
  outcome.failure = handshake.failure();
  if (outcome.turn == Turn::done) outcome.rest = answers.substr(from);
  return outcome;
}

PeerFailure failure_of(const std::string& answers, const ProxyLogin* login = nullptr) {
  const Outcome outcome = shake(answers, kExample, login);
  EXPECT_EQ(outcome.turn, Turn::failed);
  return outcome.failure;
}

TEST(Socks5Handshake, WithoutLogin) {
  const Outcome outcome = shake("\5\0"s + kReplyV4 + "tunnel");
  EXPECT_EQ(outcome.turn, Turn::done);
  EXPECT_EQ(outcome.rest, "tunnel");
  EXPECT_EQ(outcome.said, (std::vector<std::string>{"\5\1\0"s, kAskExample}));
}

TEST(Socks5Handshake, WithLogin) {
  const Outcome outcome = shake("\5\2\1\0"s + kReplyV4, kExample, &kAlice);
  EXPECT_EQ(outcome.turn, Turn::done);
  EXPECT_EQ(outcome.said,
            (std::vector<std::string>{"\5\2\0\2"s, "\1\5alice\6secret", kAskExample}));
}

TEST(Socks5Handshake, ALoginThatIsNotAskedFor) {
  const Outcome outcome = shake("\5\0"s + kReplyV4, kExample, &kAlice);
  EXPECT_EQ(outcome.turn, Turn::done);
  EXPECT_EQ(outcome.said, (std::vector<std::string>{"\5\2\0\2"s, kAskExample}));
}

TEST(Socks5Handshake, AddressesGoAsAddresses) {
  EXPECT_EQ(shake("\5\0"s, {"192.0.2.7", 80}).said.at(1), "\5\1\0\1\xc0\0\2\7\0\x50"s);
  EXPECT_EQ(shake("\5\0"s, {"2001:db8::1", 8080}).said.at(1),
            "\5\1\0\4\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x1f\x90"s);
  // Only what is an address to everyone.
  EXPECT_EQ(shake("\5\0"s, {"127.1", 80}).said.at(1),
            "\5\1\0\3\5"
            "127.1\0\x50"s);
}

TEST(Socks5Handshake, LongestTexts) {
  const std::string user(255, 'u');
  const std::string password(255, 'p');
  const std::string host(255, 'h');
  const ProxyLogin login{user, password};
  const Outcome outcome = shake("\5\2\1\0"s + kReplyV4, {host, 65535}, &login);
  EXPECT_EQ(outcome.turn, Turn::done);
  EXPECT_EQ(outcome.said.at(1), "\1\xff" + user + "\xff" + password);
  EXPECT_EQ(outcome.said.at(2), "\5\1\0\3\xff"s + host + "\xff\xff");
}

TEST(Socks5Handshake, WhatCannotBeSent) {
  const std::string long_text(256, 'a');
  for (const std::string& host : {""s, long_text, "a b"s, "a\0b"s, "a:1"s, "a\r\nb"s, "::1%lo"s}) {
    SCOPED_TRACE(host);
    const Outcome outcome = shake({}, {host, 80});
    EXPECT_EQ(outcome.failure, PeerFailure::target_unusable);
    EXPECT_TRUE(outcome.said.empty());
  }
  EXPECT_EQ(shake({}, {"a", 0}).failure, PeerFailure::target_unusable);
  for (const ProxyLogin& login :
       {ProxyLogin{long_text, ""}, ProxyLogin{"u", long_text}, ProxyLogin{"", "p"}}) {
    EXPECT_EQ(shake({}, kExample, &login).failure, PeerFailure::login_unusable);
  }
}

TEST(Socks5Handshake, RefusalsOfTheLogin) {
  EXPECT_EQ(failure_of("\5\xff"), PeerFailure::no_common_login);
  EXPECT_EQ(failure_of("\5\xff", &kAlice), PeerFailure::no_common_login);
  EXPECT_EQ(failure_of("\5\2\1\1", &kAlice), PeerFailure::login_refused);
  EXPECT_EQ(failure_of("\5\2\1\xff", &kAlice), PeerFailure::login_refused);
}

TEST(Socks5Handshake, RefusalsOfTheTarget) {
  constexpr std::pair<char, PeerFailure> kCodes[] = {
      {'\1', PeerFailure::general_failure},     {'\2', PeerFailure::not_allowed},
      {'\3', PeerFailure::network_unreachable}, {'\4', PeerFailure::host_unreachable},
      {'\5', PeerFailure::connection_refused},  {'\6', PeerFailure::ttl_expired},
      {'\7', PeerFailure::command_unsupported}, {'\10', PeerFailure::address_type_unsupported},
      {'\11', PeerFailure::unknown_code},       {'\xff', PeerFailure::unknown_code},
  };
  for (const auto& [code, failure] : kCodes) {
    EXPECT_EQ(failure_of("\5\0\5"s + code + "\0\1\0\0\0\0\0\0"s), failure);
    EXPECT_EQ(failure_of("\5\0\5"s + code), failure);  // the rest never comes
  }
}

TEST(Socks5Handshake, WhatIsNoAnswer) {
  EXPECT_EQ(failure_of("\4"), PeerFailure::malformed_answer);
  EXPECT_EQ(failure_of("HTTP/1.1 400 Bad Request\r\n\r\n"), PeerFailure::malformed_answer);
  EXPECT_EQ(failure_of("\5\1"), PeerFailure::malformed_answer);  // GSSAPI
  EXPECT_EQ(failure_of("\5\2"), PeerFailure::malformed_answer);  // was not offered
  EXPECT_EQ(failure_of("\5\2\5", &kAlice), PeerFailure::malformed_answer);
  EXPECT_EQ(failure_of("\5\0\4"s), PeerFailure::malformed_answer);
  EXPECT_EQ(failure_of("\5\0\5\0\0\2"s), PeerFailure::malformed_answer);  // no type of address
}

TEST(Socks5Handshake, AnySplitIsTheSame) {
  const std::string login = "\5\2\1\0"s;
  for (const std::string& answers :
       {login + kReplyV4 + "x", login + kReplyV6 + "x", login + kReplyName + "x",
        login + "\5\0\0\3\0\0\0"s, login + "\5\5\0\1"s, "\5\2\1\1"s, login + "\5\0\0\7"s}) {
    const Outcome whole = shake(answers, kExample, &kAlice);
    EXPECT_NE(whole.turn, Turn::receive);
    for (std::size_t cut = 1; cut < answers.size(); ++cut) {
      EXPECT_EQ(shake(answers, kExample, &kAlice, cut), whole) << "cut at " << cut;
    }
  }
}

TEST(Socks5Handshake, WaitsForAllOfAnAnswer) {
  for (const std::string& reply : {kReplyV4, kReplyV6, kReplyName}) {
    const std::string answers = "\5\0"s + reply;
    for (std::size_t size = 0; size < answers.size(); ++size) {
      EXPECT_EQ(shake(answers.substr(0, size)).turn, Turn::receive) << size;
    }
    EXPECT_EQ(shake(answers).turn, Turn::done);
  }
}

// The whole of it, against a scripted proxy.
struct Socks5Attempt : TunnelAttempt<void> {
  explicit Socks5Attempt(const TunnelTarget& target = kExample, const ProxyLogin* login = nullptr,
                         Duration limit = seconds(5))
      : TunnelAttempt(
            [&target, login](ByteStream& stream, InputBuffer& input, TimePoint deadline) {
              return socks5_connect(stream, input, target, login, deadline);
            },
            limit) {}
};

const ServerScript kWithLogin = {{.until = "\5\2\0\2"s, .answer = "\5\2"},
                                 {.until = "\1\5alice\6secret", .answer = "\1\0"s},
                                 {.until = kAskExample, .answer = kReplyName + "hello, "},
                                 {.until = "up the tunnel", .answer = "world"}};

TEST(Socks5Connect, TunnelsUnderRoughConditions) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    TunnelWorld world(kWithLogin, seed, Faults::rough());
    Socks5Attempt attempt(kExample, &kAlice);
    world.run(attempt);
    EXPECT_TRUE(attempt.result);
    EXPECT_EQ(attempt.tunnel, "hello, world");
  }
}

TEST(Socks5Connect, BytesBehindTheReplyStayInTheBuffer) {
  TunnelWorld world({{.until = "\5\1\0"s, .answer = "\5\0"s},
                     {.until = kAskExample, .answer = kReplyV4 + "hello"}});
  Socks5Attempt attempt;
  world.run(attempt);
  EXPECT_TRUE(attempt.result);
  EXPECT_EQ(attempt.input.unread(), "hello");
}

TEST(Socks5Connect, Refusals) {
  struct Case {
    std::string reply;
    ErrorKind kind;
    PeerFailure failure;
  };
  const Case cases[] = {
      {"\5\1", ErrorKind::unreachable, PeerFailure::general_failure},
      {"\5\2", ErrorKind::denied, PeerFailure::not_allowed},
      {"\5\3", ErrorKind::unreachable, PeerFailure::network_unreachable},
      {"\5\4", ErrorKind::unreachable, PeerFailure::host_unreachable},
      {"\5\5", ErrorKind::refused, PeerFailure::connection_refused},
      {"\5\6", ErrorKind::timed_out, PeerFailure::ttl_expired},
      {"\5\7", ErrorKind::protocol, PeerFailure::command_unsupported},
      {"\5\10", ErrorKind::protocol, PeerFailure::address_type_unsupported},
      {"\5\x55", ErrorKind::protocol, PeerFailure::unknown_code},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(to_string(each.failure));
    TunnelWorld world(
        {{.until = "\5\1\0"s, .answer = "\5\0"s},
         {.until = kAskExample, .answer = each.reply, .then = ServerStep::Then::close}});
    Socks5Attempt attempt;
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    expect_tunnel_error(attempt.result.error(), each.kind);
    EXPECT_EQ(peer_failure_of(attempt.result.error()), each.failure);
  }
}

TEST(Socks5Connect, ALoginThatIsRefused) {
  TunnelWorld world(
      {{.until = "\5\2\0\2"s, .answer = "\5\2"}, {.until = "\1\5alice\6secret", .answer = "\1\1"}});
  Socks5Attempt attempt(kExample, &kAlice);
  world.run(attempt);
  ASSERT_FALSE(attempt.result);
  expect_tunnel_error(attempt.result.error(), ErrorKind::denied);
  EXPECT_EQ(peer_failure_of(attempt.result.error()), PeerFailure::login_refused);
}

TEST(Socks5Connect, NothingIsSentForATargetThatCannotBe) {
  TunnelWorld world(kWithLogin);
  const std::string host(256, 'a');
  const TunnelTarget target{host, 80};
  Socks5Attempt attempt(target);
  world.run(attempt);
  ASSERT_FALSE(attempt.result);
  expect_tunnel_error(attempt.result.error(), ErrorKind::unreachable);
  EXPECT_EQ(world.peer.received(0), "");
}

TEST(Socks5Connect, AProxyThatHangsUp) {
  for (const ServerStep::Then then : {ServerStep::Then::close, ServerStep::Then::reset}) {
    TunnelWorld world({{.until = "\5\1\0"s, .answer = "\5", .then = then}});
    Socks5Attempt attempt;
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    const bool reset = then == ServerStep::Then::reset;
    expect_tunnel_error(attempt.result.error(), reset ? ErrorKind::reset : ErrorKind::closed);
    EXPECT_EQ(peer_failure_of(attempt.result.error()), PeerFailure::none);
  }
}

TEST(Socks5Connect, TheDeadlineIsOneForAll) {
  // Half of the answers: it waits for more.
  for (std::size_t steps = 0; steps < 3; ++steps) {
    ServerScript script(kWithLogin.begin(), kWithLogin.begin() + static_cast<long>(steps));
    script.push_back({.until = "never", .answer = {}});
    TunnelWorld world(script);
    Socks5Attempt attempt(kExample, &kAlice, seconds(5));
    world.run(attempt);
    ASSERT_FALSE(attempt.result);
    expect_tunnel_error(attempt.result.error(), ErrorKind::timed_out);
    EXPECT_EQ(peer_failure_of(attempt.result.error()), PeerFailure::none);
    EXPECT_GE(attempt.ended_at - attempt.begun_at, seconds(5));
    EXPECT_LT(attempt.ended_at - attempt.begun_at, seconds(6));
  }
}

TEST(Socks5Connect, CanBeCancelled) {
  TunnelWorld world({{.until = "never", .answer = {}}});
  Socks5Attempt attempt(kExample, nullptr, seconds(500));
  world.scope.spawn(Socks5Attempt::run(attempt, world.network));
  world.world.run_for(seconds(1));
  world.scope.cancel();
  world.world.run_for(seconds(1));
  ASSERT_TRUE(attempt.done);
  ASSERT_FALSE(attempt.result);
  EXPECT_EQ(attempt.result.error().kind, ErrorKind::cancelled);
}

TEST(Socks5Connect, EndsWhateverTheNetworkDoes) {
  Faults faults = Faults::hostile();
  faults.refuse = 0;
  faults.vanish = 0;
  faults.reset = 0.3;
  faults.stall = 0.2;
  faults.break_within = 40;
  int tunnels = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    TunnelWorld world(kWithLogin, seed, faults);
    Socks5Attempt attempt(kExample, &kAlice);
    world.scope.spawn(Socks5Attempt::run(attempt, world.network));
    world.world.run_for(seconds(20));
    world.stop();
    if (attempt.result) {
      ++tunnels;
      EXPECT_TRUE("hello, world"s.starts_with(attempt.tunnel)) << attempt.tunnel;
    } else {
      EXPECT_TRUE(attempt.done);
      EXPECT_TRUE(attempt.result.error().retryable);
    }
  }
  EXPECT_GT(tunnels, 30);
  EXPECT_LT(tunnels, 270);
}

TEST(PeerFailure, IsToldFromOtherCauses) {
  for (auto i = 0; i <= static_cast<int>(PeerFailure::unknown_code); ++i) {
    const auto failure = static_cast<PeerFailure>(i);
    EXPECT_EQ(peer_failure_of(peer_error(failure)), failure);
    EXPECT_FALSE(to_string(failure).empty());
    // As a Refusal it is none.
    EXPECT_EQ(static_cast<std::uint8_t>(cause_of(failure)), 0);
  }
  EXPECT_EQ(peer_failure_of({.kind = ErrorKind::refused, .cause = 111}), PeerFailure::none);
}

}  // namespace
}  // namespace penstock

#include "sim/network.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/peer.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Connected = Result<std::unique_ptr<ByteStream>>;

Address address(std::string_view text) { return Address::parse(text).value(); }

class Accepted final : public AcceptHandler {
 public:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override {
    streams.push_back(std::move(stream));
    peers.push_back(peer.host_text());
    locals.push_back(local.to_string());
  }
  std::vector<std::unique_ptr<ByteStream>> streams;
  std::vector<std::string> peers;
  std::vector<std::string> locals;
};

Task<void> connect_to(Network& network, Address to, TimePoint deadline, Connected& result) {
  result = co_await network.connect(to, deadline);
}

Task<void> resolve_name(Network& network, std::string name, TimePoint deadline,
                        Result<Resolution>& result) {
  result = co_await network.resolve(name, 80, deadline);
}

Task<void> resolve_srv(Network& network, std::string name, TimePoint deadline,
                       Result<ServiceResolution>& result) {
  result = co_await network.resolve_service(name, deadline);
}

class SimNetworkTest : public testing::Test {
 protected:
  Connected connect(std::string_view to, Duration limit = seconds(5)) {
    Connected result = fail(ErrorKind::io);
    scope.spawn(connect_to(network, address(to), world.now() + limit, result));
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    return result;
  }
  Result<Resolution> resolve(std::string name) {
    Result<Resolution> result = fail(ErrorKind::io);
    scope.spawn(resolve_name(network, std::move(name), world.now() + seconds(5), result));
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    return result;
  }
  Result<ServiceResolution> resolve_service(std::string name) {
    Result<ServiceResolution> result = fail(ErrorKind::io);
    scope.spawn(resolve_srv(network, std::move(name), world.now() + seconds(5), result));
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    return result;
  }

  SimWorld world{1};
  SimNetwork network{world, "192.0.2.7"};
  Scope scope{world.executor()};
  Accepted accepted;
};

TEST_F(SimNetworkTest, ConnectsToAListener) {
  const auto listener = network.listen(address("192.0.2.1:80"), accepted);
  const TimePoint start = world.now();
  const Connected client = connect("192.0.2.1:80");
  ASSERT_TRUE(client);
  EXPECT_EQ(world.now(), start + milliseconds(2));  // there and back
  ASSERT_EQ(accepted.streams.size(), 1U);
  EXPECT_EQ(accepted.peers[0], "192.0.2.7");
  EXPECT_EQ(accepted.locals[0], "192.0.2.1:80");
  EXPECT_EQ(world.open_streams(), 2U);
}

TEST_F(SimNetworkTest, WildcardListenerAndChosenPort) {
  const auto wildcard = network.listen(address("*:80"), accepted);
  const auto chosen = network.listen(address("192.0.2.1:0"), accepted);
  EXPECT_NE(chosen->local_address().port(), 0);
  EXPECT_TRUE(connect("198.51.100.9:80"));
  EXPECT_TRUE(connect("[2001:db8::1]:80"));
  EXPECT_TRUE(connect(chosen->local_address().to_string()));
  ASSERT_EQ(accepted.locals.size(), 3U);
  EXPECT_EQ(accepted.locals[0], "198.51.100.9:80");
}

TEST_F(SimNetworkTest, UnixSocket) {
  const auto listener = network.listen(address("unix:/run/x.sock"), accepted);
  EXPECT_TRUE(connect("unix:/run/x.sock"));
  EXPECT_EQ(connect("unix:/run/y.sock").error().kind, ErrorKind::refused);
}

TEST_F(SimNetworkTest, RefusedWhereNobodyListens) {
  const Connected client = connect("192.0.2.1:80");
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().kind, ErrorKind::refused);
  EXPECT_EQ(client.error().side, Side::server);
  EXPECT_TRUE(client.error().retryable);
}

TEST_F(SimNetworkTest, ScriptedFatesOfConnects) {
  const auto listener = network.listen(address("192.0.2.1:80"), accepted);
  world.script(address("192.0.2.1:80"), {.connect = Fate::Connect::refuse});
  world.script(address("192.0.2.1:80"), {.connect = Fate::Connect::vanish});
  EXPECT_EQ(connect("192.0.2.1:80").error().kind, ErrorKind::refused);
  const TimePoint start = world.now();
  EXPECT_EQ(connect("192.0.2.1:80", milliseconds(500)).error().kind, ErrorKind::timed_out);
  EXPECT_EQ(world.now() - start, milliseconds(500));
  EXPECT_TRUE(connect("192.0.2.1:80"));
}

TEST_F(SimNetworkTest, TheNetworksOwnFaultsComeFirst) {
  const auto listener = network.listen(address("192.0.2.1:80"), accepted);
  network.set_faults({.refuse = 1});
  EXPECT_EQ(connect("192.0.2.1:80").error().kind, ErrorKind::refused);
}

TEST_F(SimNetworkTest, CancelledConnectLeavesNothing) {
  const auto listener = network.listen(address("192.0.2.1:80"), accepted);
  for (const Duration when : {Duration{}, Duration(milliseconds(1)), Duration(milliseconds(2))}) {
    Connected result = fail(ErrorKind::io);
    Scope inner(world.executor());
    inner.spawn(connect_to(network, address("192.0.2.1:80"), kNever, result));
    world.call_at(world.now() + when, [&inner] { inner.cancel(); });
    EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
    EXPECT_EQ(inner.running(), 0U);
    // At the very moment of the answer, either may win.
    if (!result) {
      EXPECT_EQ(result.error().kind, ErrorKind::cancelled);
    }
  }
  accepted.streams.clear();
  world.run_until_idle();
  EXPECT_EQ(world.open_streams(), 0U);
  EXPECT_EQ(world.bytes_in_flight(), 0U);
}

TEST_F(SimNetworkTest, PausedListenerLeavesConnectionsWaiting) {
  const auto listener = network.listen(address("192.0.2.1:80"), accepted);
  listener->pause();
  const Connected client = connect("192.0.2.1:80");
  EXPECT_TRUE(client);
  EXPECT_EQ(accepted.streams.size(), 0U);
  listener->resume();
  world.run_until_idle();
  EXPECT_EQ(accepted.streams.size(), 1U);
}

Task<void> read_kind(ByteStream& stream, Result<std::size_t>& result) {
  std::string text;
  result = co_await receive_all(stream, text);
}

TEST_F(SimNetworkTest, ClosingAListenerResetsWhatWaits) {
  auto listener = network.listen(address("192.0.2.1:80"), accepted);
  listener->pause();
  const Connected client = connect("192.0.2.1:80");
  ASSERT_TRUE(client);
  listener.reset();
  Result<std::size_t> read = 0;
  scope.spawn(read_kind(**client, read));
  world.run_until_idle();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::reset);
  EXPECT_EQ(connect("192.0.2.1:80").error().kind, ErrorKind::refused);
}

TEST_F(SimNetworkTest, ResolvesNames) {
  world.set_name("a.example", {.ips = {"192.0.2.1", "192.0.2.2", "2001:db8::1"},
                               .delay = milliseconds(7),
                               .ttl = seconds(9)});
  world.set_name("gone.example", {});
  world.set_name("silent.example", {.ips = {}, .answered = false});
  const TimePoint start = world.now();
  const Result<Resolution> found = resolve("A.example");
  ASSERT_TRUE(found);
  EXPECT_EQ(world.now() - start, milliseconds(7));
  EXPECT_EQ(found->expires, world.now() + seconds(9));
  std::string order;
  for (const Address& each : found->addresses) order += each.to_string() + " ";
  EXPECT_EQ(order, "[2001:db8::1]:80 192.0.2.1:80 192.0.2.2:80 ");
  const Result<Resolution> literal = resolve("192.0.2.9");
  EXPECT_EQ(literal.value().addresses.at(0).to_string(), "192.0.2.9:80");
  EXPECT_EQ(literal->expires, kNever);
  EXPECT_EQ(resolve("gone.example").error().kind, ErrorKind::resolve_failed);
  EXPECT_EQ(resolve("unknown.example").error().kind, ErrorKind::resolve_failed);
  EXPECT_EQ(resolve("silent.example").error().kind, ErrorKind::timed_out);
}

TEST_F(SimNetworkTest, ResolvesServices) {
  const ServiceTarget second{.host = "b.example", .port = 81, .priority = 2, .weight = 5};
  const ServiceTarget first{.host = "a.example", .port = 80, .priority = 1, .weight = 0};
  world.set_service(
      "_http._tcp.example",
      {.targets = {second, first}, .delay = milliseconds(7), .answered = true, .ttl = seconds(9)});
  world.set_service("_no._tcp.example", {.targets = {{.host = "."}}});
  world.set_service("_silent._tcp.example", {.targets = {first}, .answered = false});
  const TimePoint start = world.now();
  const Result<ServiceResolution> found = resolve_service("_HTTP._tcp.example");
  ASSERT_TRUE(found);
  EXPECT_EQ(world.now() - start, milliseconds(7));
  EXPECT_EQ(found->expires, world.now() + seconds(9));
  EXPECT_EQ(found->targets, (std::vector<ServiceTarget>{first, second}));
  EXPECT_EQ(resolve_service("_no._tcp.example").error().kind, ErrorKind::resolve_failed);
  EXPECT_EQ(resolve_service("_unknown._tcp.example").error().kind, ErrorKind::resolve_failed);
  EXPECT_EQ(resolve_service("_silent._tcp.example").error().kind, ErrorKind::timed_out);
}

TEST_F(SimNetworkTest, CallsAreMadeWhenItRuns) {
  bool called = false;
  network.call([&called] { called = true; });
  EXPECT_FALSE(called);
  const TimePoint start = world.now();
  world.run_until_idle();
  EXPECT_TRUE(called);
  EXPECT_EQ(world.now(), start);
}

}  // namespace
}  // namespace penstock

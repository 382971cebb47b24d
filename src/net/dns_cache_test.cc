#include "net/dns_cache.h"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Wait = std::optional<TimePoint>;

constexpr Error kTimedOut{.kind = ErrorKind::timed_out};
constexpr Error kNoAddress{.kind = ErrorKind::resolve_failed};
constexpr Error kServersFailed{.kind = ErrorKind::resolve_failed,
                               .cause = static_cast<int>(ResolveCause::servers_failed)};

DnsAnswer found(const std::vector<std::string_view>& ips, std::optional<Duration> ttl) {
  DnsAnswer answer;
  answer.outcome = DnsOutcome::found;
  for (const std::string_view ip : ips) answer.addresses.push_back(*Address::from_ip(ip, 0));
  answer.reachable = answer.addresses.size();
  answer.ttl = ttl;
  return answer;
}

DnsAnswer nothing(DnsOutcome outcome, std::optional<Duration> ttl = {}) {
  DnsAnswer answer;
  answer.outcome = outcome;
  answer.ttl = ttl;
  return answer;
}

// One name and a clock. Whoever comes, comes at the present time unless he says otherwise.
class DnsCacheTest : public testing::Test {
 protected:
  void ask(DnsType type) { cache.begin(*name, type, now); }
  void ask_both() {
    ask(DnsType::aaaa);
    ask(DnsType::a);
  }
  void answer(DnsType type, DnsAnswer answer) { cache.finish(*name, type, std::move(answer), now); }
  // Both families, at once.
  void know(Duration v6_ttl, Duration v4_ttl) {
    ask_both();
    answer(DnsType::aaaa, found({"2001:db8::1"}, v6_ttl));
    answer(DnsType::a, found({"192.0.2.1"}, v4_ttl));
  }
  bool due(DnsType type) { return cache.is_due(name->record(type), now); }
  Wait wait(TimePoint since) { return cache.wait_for_addresses(*name, since, now); }
  Wait wait() { return wait(now); }
  Result<Resolution> resolve(TimePoint since) { return cache.addresses(*name, 80, since, now); }
  Result<Resolution> resolve() { return resolve(now); }
  std::string ips(TimePoint since) {
    std::string text;
    const auto resolution = resolve(since);
    if (!resolution) return std::string(to_string(resolution.error().kind));
    for (const Address& address : resolution->addresses) text += address.to_string() + " ";
    return text;
  }
  std::string ips() { return ips(now); }

  DnsSettings settings{.stale = 0s, .max_names = 3};
  DnsCache cache{settings};
  std::shared_ptr<DnsName> name = cache.use("a.example");
  TimePoint now{1h};
};

TEST_F(DnsCacheTest, WhatIsNotKnownIsDueAndWaitedFor) {
  EXPECT_TRUE(due(DnsType::a));
  ask_both();
  EXPECT_FALSE(due(DnsType::a));
  EXPECT_EQ(wait(), kNever);
  answer(DnsType::aaaa, found({"2001:db8::1", "2001:db8::2"}, 60s));
  answer(DnsType::a, found({"192.0.2.1"}, 30s));
  EXPECT_EQ(wait(), std::nullopt);
  EXPECT_EQ(ips(), "[2001:db8::1]:80 192.0.2.1:80 [2001:db8::2]:80 ");
  EXPECT_EQ(resolve()->expires, now + 30s);
}

TEST_F(DnsCacheTest, EachFamilyLivesForItsOwnTime) {
  know(100s, 10s);
  now += 10s;
  EXPECT_FALSE(due(DnsType::aaaa));
  EXPECT_TRUE(due(DnsType::a));
  EXPECT_EQ(ips(), "[2001:db8::1]:80 ");
}

TEST_F(DnsCacheTest, AnAnswerIsRenewedShortlyBeforeItExpires) {
  know(100s, 1000s);
  now += 89s;
  EXPECT_FALSE(due(DnsType::aaaa));
  now += 1s;
  EXPECT_TRUE(due(DnsType::aaaa));
  ask(DnsType::aaaa);
  EXPECT_EQ(wait(), std::nullopt);  // nobody waits for that
  answer(DnsType::aaaa, nothing(DnsOutcome::timed_out));
  EXPECT_EQ(ips(), "[2001:db8::1]:80 192.0.2.1:80 ");
  EXPECT_FALSE(due(DnsType::aaaa));
  now += 5s;
  EXPECT_TRUE(due(DnsType::aaaa));
}

TEST_F(DnsCacheTest, TheTimeToLiveHasBounds) {
  know(0s, 100h);
  EXPECT_EQ(name->record(DnsType::aaaa).expires, now + 1s);
  EXPECT_EQ(name->record(DnsType::a).expires, now + 1h);
  ask_both();
  answer(DnsType::aaaa, nothing(DnsOutcome::none));
  answer(DnsType::a, nothing(DnsOutcome::none, 300s));
  EXPECT_EQ(name->record(DnsType::aaaa).expires, now + 5s);
  EXPECT_EQ(name->record(DnsType::a).expires, now + 300s);
}

TEST_F(DnsCacheTest, OneFamilyWaitsFiftyMillisecondsForTheOther) {
  const TimePoint since = now;
  ask_both();
  now += 20ms;
  answer(DnsType::a, found({"192.0.2.1"}, 60s));
  EXPECT_EQ(wait(since), now + 50ms);
  const TimePoint late = now + 49ms;
  EXPECT_EQ(cache.wait_for_addresses(*name, late, late), now + 50ms);  // not anew for each
  now += 50ms;
  EXPECT_EQ(wait(since), std::nullopt);
  EXPECT_EQ(ips(since), "192.0.2.1:80 ");
  EXPECT_EQ(resolve()->expires, now + 1s);  // soon there is more
  answer(DnsType::aaaa, found({"2001:db8::1"}, 60s));
  EXPECT_EQ(ips(), "[2001:db8::1]:80 192.0.2.1:80 ");
}

TEST_F(DnsCacheTest, AFamilyThatIsRememberedWaitsNoLongerEither) {
  know(10s, 100s);
  now += 20s;
  ask(DnsType::aaaa);
  EXPECT_EQ(wait(), now + 50ms);
  now += 50ms;
  EXPECT_EQ(wait(), std::nullopt);
}

TEST_F(DnsCacheTest, NothingInOneFamilyIsNoReasonToHurryTheOther) {
  ask_both();
  answer(DnsType::aaaa, nothing(DnsOutcome::none));
  EXPECT_EQ(wait(), kNever);
  answer(DnsType::a, nothing(DnsOutcome::none));
  EXPECT_EQ(wait(), std::nullopt);
  EXPECT_EQ(resolve().error(), kNoAddress);
}

TEST_F(DnsCacheTest, FailuresAreToldApart) {
  ask_both();
  answer(DnsType::aaaa, nothing(DnsOutcome::none));
  EXPECT_EQ(resolve().error(), kTimedOut);  // still asking: the deadline came
  answer(DnsType::a, nothing(DnsOutcome::timed_out));
  EXPECT_EQ(resolve().error(), kTimedOut);
  ask(DnsType::a);
  answer(DnsType::a, nothing(DnsOutcome::failed));
  EXPECT_EQ(resolve().error(), kServersFailed);
  ask(DnsType::aaaa);
  answer(DnsType::aaaa, found({"2001:db8::1"}, 60s));
  EXPECT_EQ(ips(), "[2001:db8::1]:80 ");
}

TEST_F(DnsCacheTest, WhatCouldNotBeAskedIsOverload) {
  EXPECT_EQ(resolve().error(), Error{.kind = ErrorKind::overloaded});
}

TEST_F(DnsCacheTest, AFailureIsRememberedForAWhile) {
  ask_both();
  answer(DnsType::a, nothing(DnsOutcome::failed));
  EXPECT_FALSE(due(DnsType::a));
  now += 5s;
  EXPECT_TRUE(due(DnsType::a));
}

TEST_F(DnsCacheTest, WhoWaitedMayUseAnAnswerThatExpiredMeanwhile) {
  const TimePoint since = now;
  know(1s, 100s);
  now += 2s;
  EXPECT_EQ(ips(since), "[2001:db8::1]:80 192.0.2.1:80 ");
  EXPECT_EQ(ips(), "192.0.2.1:80 ");
}

TEST_F(DnsCacheTest, WithoutStaleAnExpiredAnswerIsGone) {
  know(10s, 10s);
  now += 10s;
  ask_both();
  EXPECT_EQ(wait(), kNever);
  answer(DnsType::aaaa, nothing(DnsOutcome::failed));
  answer(DnsType::a, nothing(DnsOutcome::failed));
  EXPECT_EQ(resolve().error(), kServersFailed);
}

TEST_F(DnsCacheTest, TheNameUnusedForLongestMakesRoom) {
  cache.use("b.example");
  cache.use("c.example");
  const std::shared_ptr<DnsName> again = cache.use("a.example");
  EXPECT_EQ(again, name);
  cache.use("d.example");  // in place of b
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.use("a.example"), name);
  const std::weak_ptr<DnsName> c = cache.use("c.example");
  cache.use("e.example");
  cache.use("f.example");
  cache.use("g.example");
  EXPECT_TRUE(c.expired());
  EXPECT_EQ(cache.size(), 3U);
}

TEST_F(DnsCacheTest, ANameThatIsAskedForIsNotForgotten) {
  ask(DnsType::a);
  for (const char* const other : {"b", "c", "d", "e"}) EXPECT_TRUE(cache.use(other));
  EXPECT_EQ(cache.use("a.example"), name);
  for (const char* const other : {"b", "c"}) {
    const auto asked = cache.use(other);
    cache.begin(*asked, DnsType::a, now);
  }
  EXPECT_EQ(cache.use("d"), nullptr);
  EXPECT_EQ(cache.use("a.example"), name);
}

TEST_F(DnsCacheTest, ServicesAreKeptAsAddressesAre) {
  ask(DnsType::srv);
  EXPECT_EQ(cache.wait_for_service(*name, now, now), kNever);
  DnsAnswer answer = nothing(DnsOutcome::found, 30s);
  answer.targets = {{.host = "b.example", .port = 80}};
  cache.finish(*name, DnsType::srv, answer, now);
  EXPECT_EQ(cache.wait_for_service(*name, now, now), std::nullopt);
  const auto service = cache.service(*name, now, now);
  EXPECT_EQ(service->targets, answer.targets);
  EXPECT_EQ(service->expires, now + 30s);
  now += 30s;
  EXPECT_TRUE(due(DnsType::srv));
  ask(DnsType::srv);
  cache.finish(*name, DnsType::srv, nothing(DnsOutcome::none), now);
  EXPECT_EQ(cache.service(*name, now, now).error(), kNoAddress);
}

// ---- Old answers.

class DnsStaleTest : public testing::Test {
 protected:
  void ask_both() {
    cache.begin(*name, DnsType::aaaa, now);
    cache.begin(*name, DnsType::a, now);
  }
  void answer(DnsType type, DnsAnswer answer) { cache.finish(*name, type, std::move(answer), now); }
  // Known for ten seconds, and expired.
  void expire() {
    ask_both();
    answer(DnsType::aaaa, nothing(DnsOutcome::none, 10s));
    answer(DnsType::a, found({"192.0.2.1"}, 10s));
    now += 10s;
  }
  Wait wait() { return cache.wait_for_addresses(*name, now, now); }
  Result<Resolution> resolve() { return cache.addresses(*name, 80, now, now); }

  DnsCache cache{DnsSettings{.stale = 30min}};
  std::shared_ptr<DnsName> name = cache.use("a.example");
  TimePoint now{1h};
};

TEST_F(DnsStaleTest, AnOldAnswerServesWhenTheServersFail) {
  expire();
  ask_both();
  answer(DnsType::aaaa, nothing(DnsOutcome::failed));
  answer(DnsType::a, nothing(DnsOutcome::failed));
  EXPECT_EQ(wait(), std::nullopt);
  EXPECT_EQ(resolve()->addresses.size(), 1U);
  EXPECT_EQ(resolve()->expires, now + 5s);  // then they are asked again
  now += 30min - 1ms;
  EXPECT_TRUE(resolve());
  now += 1ms;
  EXPECT_EQ(resolve().error(), kServersFailed);
}

TEST_F(DnsStaleTest, TheServersHaveAMomentToConfirmIt) {
  expire();
  ask_both();
  EXPECT_EQ(wait(), now + 1800ms);
  now += 1800ms;
  EXPECT_EQ(wait(), std::nullopt);  // for those who come now, too
  EXPECT_TRUE(resolve());
}

TEST_F(DnsStaleTest, ServersThatAreDownDelayANameOnce) {
  expire();
  ask_both();
  answer(DnsType::aaaa, nothing(DnsOutcome::timed_out));
  answer(DnsType::a, nothing(DnsOutcome::timed_out));
  now += 5s;
  ask_both();
  EXPECT_EQ(wait(), std::nullopt);
  EXPECT_TRUE(resolve());
}

TEST_F(DnsStaleTest, ANewAnswerReplacesTheOldOne) {
  expire();
  ask_both();
  answer(DnsType::aaaa, nothing(DnsOutcome::none, 10s));
  answer(DnsType::a, nothing(DnsOutcome::none, 10s));
  EXPECT_EQ(resolve().error(), kNoAddress);
}

TEST_F(DnsStaleTest, OldAddressesDoNotJoinNewOnesTooEarly) {
  expire();
  ask_both();
  answer(DnsType::aaaa, found({"2001:db8::1"}, 10s));
  EXPECT_EQ(wait(), now + 50ms);
  now += 50ms;
  EXPECT_EQ(resolve()->addresses.size(), 1U);
  answer(DnsType::a, nothing(DnsOutcome::timed_out));
  EXPECT_EQ(resolve()->addresses.size(), 2U);
}

}  // namespace
}  // namespace penstock

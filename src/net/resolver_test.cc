#include "net/resolver.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "net/dns_server_test.h"
#include "net/loop_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using dns::Reply;
using Answer = std::optional<Result<Resolution>>;
using Service = std::optional<Result<ServiceResolution>>;

constexpr Error kTimedOut{.kind = ErrorKind::timed_out};
constexpr Error kNoAddress{.kind = ErrorKind::resolve_failed};
constexpr Error kServersFailed{.kind = ErrorKind::resolve_failed,
                               .cause = static_cast<int>(ResolveCause::servers_failed)};

// A resolver whose only name server is the test's.
class ResolverTest : public LoopTest {
 protected:
  ResolverTest() {
    std::string pattern = testing::TempDir() + "penstock-dns-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    files_ = {
        .hosts = folder_ + "/hosts", .resolv_conf = folder_ + "/resolv.conf", .look_every = {}};
    write_resolv_conf("");
    settings_.servers = {server_.address()};
    // Nothing is lost on the way: only a test that wants it waits for that time.
    settings_.timeout = 20s;
  }
  ~ResolverTest() override {
    scope.cancel();
    run();
    std::remove(files_.hosts.c_str());
    std::remove(files_.resolv_conf.c_str());
    std::remove(folder_.c_str());
  }
  void write_resolv_conf(std::string_view text) {
    std::ofstream(files_.resolv_conf) << "search .\n" << text;
  }
  void write_hosts(std::string_view text) { std::ofstream(files_.hosts) << text; }

  static Task<void> ask(Resolver& resolver, std::string host, TimePoint deadline, Answer& answer) {
    answer = co_await resolver.resolve(host, 8080, deadline);
  }
  static Task<void> ask_service(Resolver& resolver, std::string name, TimePoint deadline,
                                Service& service) {
    service = co_await resolver.resolve_service(name, deadline);
  }
  Resolver& resolver() {
    if (!resolver_) resolver_ = std::make_unique<Resolver>(loop, settings_, files_);
    return *resolver_;
  }
  void start(std::string host, Answer& answer, TimePoint deadline) {
    spawn(ask(resolver(), std::move(host), deadline, answer));
  }
  void start(std::string host, Answer& answer) { start(std::move(host), answer, now() + kLimit); }
  // Where it has not been found before, what the test has to wait for.
  Answer resolve(std::string host) {
    Answer answer;
    start(std::move(host), answer);
    run_until([&answer] { return answer.has_value(); });
    return answer;
  }
  std::string ips(std::string host) {
    const Answer answer = resolve(std::move(host));
    if (!answer) return "no answer";
    if (!*answer) return std::string(to_string(answer->error().kind));
    std::string text;
    for (const Address& address : (*answer)->addresses) text += address.host_text() + " ";
    return text;
  }
  Result<ServiceResolution> resolve_service(std::string name) {
    Service service;
    spawn(ask_service(resolver(), std::move(name), now() + kLimit, service));
    run_until([&service] { return service.has_value(); });
    return service.value_or(fail(ErrorKind::io));
  }
  int asked(std::string_view name) {
    return server_.asked(name, DnsType::aaaa) + server_.asked(name, DnsType::a);
  }

  dns::Server server_{loop};
  std::string folder_;
  ResolverFiles files_;
  DnsSettings settings_;
  std::unique_ptr<Resolver> resolver_;
};

TEST_F(ResolverTest, LiteralsAreTheirOwnAnswerAtOnce) {
  for (const std::string_view ip : {"192.0.2.1", "2001:db8::1"}) {
    Answer answer;
    start(std::string(ip), answer, kNever);
    ASSERT_TRUE(answer && *answer) << ip;
    ASSERT_EQ((*answer)->addresses.size(), 1U);
    EXPECT_EQ((*answer)->addresses.front(), *Address::from_ip(ip, 8080));
    EXPECT_EQ((*answer)->expires, kNever);
  }
}

TEST_F(ResolverTest, BothFamiliesAreAskedAndKept) {
  server_.set("a.example", DnsType::aaaa, {.records = {dns::aaaa("::1", 300)}});
  server_.set("a.example", DnsType::a,
              {.records = {dns::a("127.0.0.2", 40), dns::a("127.0.0.1", 90)}});
  const Answer answer = resolve("A.Example");
  ASSERT_TRUE(answer && *answer);
  const AddressList& addresses = (*answer)->addresses;
  ASSERT_EQ(addresses.size(), 3U);
  for (const Address& address : addresses) EXPECT_EQ(address.port(), 8080);
  EXPECT_LE((*answer)->expires, now() + 40s);
  EXPECT_GT((*answer)->expires, now() + 20s);
  EXPECT_EQ(asked("a.example"), 2);
  Answer again;
  start("a.example", again);
  ASSERT_TRUE(again && *again) << "known now";
  EXPECT_EQ((*again)->addresses, addresses);
  EXPECT_EQ(asked("a.example"), 2);
}

TEST_F(ResolverTest, QuestionsForOneNameAreAskedOnce) {
  server_.set("a.example", DnsType::aaaa, {.held = true});
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}, .held = true});
  Answer answers[5];
  for (Answer& answer : answers) start("a.example", answer);
  run_until([this] { return server_.held() == 2; });
  server_.release();
  run();
  for (const Answer& answer : answers) EXPECT_TRUE(answer && *answer);
  EXPECT_EQ(asked("a.example"), 2);
}

TEST_F(ResolverTest, AnswersExpire) {
  settings_.min_ttl = 1ms;
  settings_.negative_ttl = 100s;
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1", 0)}});
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.2", 0)}});
  const TimePoint expired = now() + 1ms;
  run_until([&] {
    loop.call([] {});  // a turn at once
    return now() >= expired;
  });
  EXPECT_EQ(ips("a.example"), "127.0.0.2 ");
  EXPECT_EQ(server_.asked("a.example", DnsType::a), 2);
  EXPECT_EQ(server_.asked("a.example", DnsType::aaaa), 1);
}

TEST_F(ResolverTest, NamesWithoutAddressAreRemembered) {
  server_.set("empty.example", DnsType::a, {.authority = {dns::soa(500, 700)}});
  server_.set("empty.example", DnsType::aaaa, {.authority = {dns::soa(500, 700)}});
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(resolve("empty.example")->error(), kNoAddress);
    EXPECT_EQ(resolve("unknown.example")->error(), kNoAddress);
  }
  EXPECT_EQ(asked("empty.example"), 2);
  EXPECT_EQ(asked("unknown.example"), 2);
}

TEST_F(ResolverTest, NamesThatAreNoneAreNotAskedFor) {
  for (const std::string& name :
       {std::string("penstock.onion"), std::string(300, 'x'), std::string(64, 'x') + ".example",
        std::string("a..b"), std::string(), std::string("."), std::string("a b"),
        std::string("a\0b", 3), std::string("a\\046b"), std::string("\xc3\xa4.example")}) {
    const Answer answer = resolve(name);
    ASSERT_TRUE(answer && !*answer) << name;
    EXPECT_EQ(answer->error(), kNoAddress) << name;
  }
  EXPECT_LE(server_.asked(), 2);  // "." may be asked for
}

TEST_F(ResolverTest, OneFamilyDoesNotWaitLongForTheOther) {
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}});
  server_.set("a.example", DnsType::aaaa, {.records = {dns::aaaa("::1")}, .held = true});
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  // Whoever comes later does not wait at all; what came late is there for those after.
  Answer second;
  start("a.example", second);
  EXPECT_TRUE(second);
  server_.release();
  run_until([this] {
    Answer answer;
    start("a.example", answer);
    return answer && *answer && (*answer)->addresses.size() == 2;
  });
  EXPECT_EQ(asked("a.example"), 2);
}

TEST_F(ResolverTest, LostQuestionsAreRepeated) {
  settings_.timeout = 10ms;
  server_.set("a.example", DnsType::aaaa, {});
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}, .lost = 2});
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  EXPECT_GE(server_.asked("a.example", DnsType::a), 3);
}

TEST_F(ResolverTest, SilentServersTimeOut) {
  settings_.timeout = 5ms;
  settings_.tries = 2;
  server_.set("a.example", DnsType::aaaa, {.silent = true});
  server_.set("a.example", DnsType::a, {.silent = true});
  EXPECT_EQ(resolve("a.example")->error(), kTimedOut);
  run_until([this] { return asked("a.example") == 4; });
  Answer again;
  start("a.example", again);
  ASSERT_TRUE(again && !*again) << "remembered";
  EXPECT_EQ(again->error(), kTimedOut);
}

TEST_F(ResolverTest, FailingServersFail) {
  server_.set("servfail.example", DnsType::aaaa, {.rcode = 2});
  server_.set("servfail.example", DnsType::a, {.rcode = 2});
  server_.set("refused.example", DnsType::a, {.rcode = 5});
  server_.set("garbage.example", DnsType::a, {.records = {dns::a("127.0.0.1")}, .garbage = true});
  server_.set("garbage.example", DnsType::aaaa, {});
  for (const char* const name : {"servfail.example", "refused.example", "garbage.example"}) {
    EXPECT_EQ(resolve(name)->error(), kServersFailed) << name;
  }
}

TEST_F(ResolverTest, TheNextServerIsAsked) {
  dns::Server broken(loop);
  broken.set("a.example", DnsType::a, {.rcode = 2});
  broken.set("a.example", DnsType::aaaa, {.rcode = 2});
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}});
  settings_.servers = {broken.address(), server_.address()};
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  EXPECT_EQ(broken.asked(), 2);
}

TEST_F(ResolverTest, AnOldAnswerServesWhenTheServersFail) {
  settings_.max_ttl = settings_.min_ttl = 1ms;
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}});
  server_.set("a.example", DnsType::aaaa, {});
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  server_.set("a.example", DnsType::a, {.rcode = 2});
  server_.set("a.example", DnsType::aaaa, {.rcode = 2});
  const int before = asked("a.example");
  const TimePoint expired = now() + 1ms;
  run_until([&] {
    loop.call([] {});
    return now() >= expired;
  });
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  EXPECT_GT(asked("a.example"), before);
}

TEST_F(ResolverTest, ConfiguredNamesAndTheHostsFileGoBeforeTheServers) {
  settings_.hosts = {{"static.example", {"192.0.2.1"}}, {"none.example", {}}};
  write_hosts("192.0.2.2 file.example static.example\n");
  server_.set("file.example", DnsType::aaaa, {.records = {dns::aaaa("::1")}});
  EXPECT_EQ(ips("static.example"), "192.0.2.1 ");
  EXPECT_EQ(ips("FILE.example."), "192.0.2.2 ");
  EXPECT_EQ(ips("none.example"), "resolve_failed");
  EXPECT_EQ(ips("localhost"), "::1 127.0.0.1 ");
  EXPECT_EQ(server_.asked(), 0);
}

TEST_F(ResolverTest, TheHostsFileNeedNotBeRead) {
  settings_.hosts_file = false;
  write_hosts("192.0.2.2 file.example\n");
  server_.set("file.example", DnsType::a, {.records = {dns::a("127.0.0.1")}});
  EXPECT_EQ(ips("file.example"), "127.0.0.1 ");
}

TEST_F(ResolverTest, TheSearchListIsWalked) {
  write_resolv_conf("search one.example two.example\noptions ndots:2\n");
  const auto both = [this](std::string_view name, const Reply& v6, const Reply& v4) {
    server_.set(name, DnsType::aaaa, v6);
    server_.set(name, DnsType::a, v4);
  };
  both("a.two.example", {}, {.records = {dns::a("127.0.0.1")}});
  both("a.b", {}, {.records = {dns::a("127.0.0.2")}});
  // There is such a name, though only with one of the families: the other is not looked for
  // elsewhere.
  both("c.one.example", {.records = {}}, {.records = {dns::a("127.0.0.3")}});
  both("c.two.example", {.records = {dns::aaaa("::1")}}, {});
  EXPECT_EQ(ips("a"), "127.0.0.1 ");
  EXPECT_EQ(server_.asked("a.one.example", DnsType::a), 1);
  EXPECT_EQ(server_.asked("a", DnsType::a), 0);
  EXPECT_EQ(ips("a.b"), "127.0.0.2 ");
  EXPECT_EQ(server_.asked("a.b.one.example", DnsType::a), 1);
  EXPECT_EQ(ips("c"), "127.0.0.3 ");
  EXPECT_EQ(ips("a."), "resolve_failed");
  EXPECT_EQ(server_.asked("a", DnsType::a), 1);
}

TEST_F(ResolverTest, AChangedResolvConfIsTakenUp) {
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}});
  server_.set("slow.example", DnsType::a, {.records = {dns::a("127.0.0.3")}, .held = true});
  server_.set("b.new.example", DnsType::a, {.records = {dns::a("127.0.0.2")}});
  Answer slow;
  start("slow.example", slow);
  EXPECT_EQ(ips("a.example"), "127.0.0.1 ");
  run_until([this] { return server_.held() == 1; });
  write_resolv_conf("search new.example\n");
  EXPECT_EQ(ips("b"), "127.0.0.2 ");
  EXPECT_FALSE(slow);
  server_.release();
  run();
  ASSERT_TRUE(slow && *slow) << "of the server it was put to";
}

TEST_F(ResolverTest, ServicesByPriority) {
  const ServiceTarget second{.host = "b.example", .port = 81, .priority = 2, .weight = 5};
  const ServiceTarget first{.host = "a.example", .port = 80, .priority = 1, .weight = 0};
  server_.set("_http._tcp.example", DnsType::srv,
              {.records = {dns::srv(second, 30), dns::srv(first, 60)}});
  for (int i = 0; i < 2; ++i) {
    const auto service = resolve_service("_http._TCP.example");
    ASSERT_TRUE(service);
    EXPECT_EQ(service->targets, (std::vector<ServiceTarget>{first, second}));
  }
  EXPECT_EQ(server_.asked(), 1);
}

TEST_F(ResolverTest, ServicesThatAreNotThere) {
  server_.set("_no._tcp.example", DnsType::srv, {.records = {dns::srv({.host = "."})}});
  server_.set("_bad._tcp.example", DnsType::srv, {.rcode = 2});
  EXPECT_EQ(resolve_service("_no._tcp.example").error(), kNoAddress);
  EXPECT_EQ(resolve_service("_unknown._tcp.example").error(), kNoAddress);
  EXPECT_EQ(resolve_service("_bad._tcp.example").error(), kServersFailed);
  EXPECT_EQ(resolve_service("a b").error(), kNoAddress);
}

TEST_F(ResolverTest, AnAskerGivesUpAtItsDeadlineAlone) {
  server_.set("a.example", DnsType::aaaa, {.held = true});
  server_.set("a.example", DnsType::a, {.records = {dns::a("127.0.0.1")}, .held = true});
  Answer early;
  Answer late;
  const TimePoint deadline = now() + 1ms;
  start("a.example", early, deadline);
  start("a.example", late);
  run_until([&early] { return early.has_value(); });
  EXPECT_EQ(early->error(), kTimedOut);
  EXPECT_GE(now(), deadline);
  EXPECT_FALSE(late);
  run_until([this] { return server_.held() == 2; });
  server_.release();
  run();
  EXPECT_TRUE(late && *late);
}

TEST_F(ResolverTest, CancelledAskersLeave) {
  server_.set("a.example", DnsType::a, {.silent = true});
  Answer answer;
  start("a.example", answer, kNever);
  scope.cancel();
  run();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().kind, ErrorKind::cancelled);
}

TEST_F(ResolverTest, MayGoWhileQuestionsAreUnderWay) {
  server_.set("a.example", DnsType::a, {.silent = true});
  server_.set("_a.example", DnsType::srv, {.silent = true});
  Answer answer;
  Service service;
  start("a.example", answer, kNever);
  spawn(ask_service(resolver(), "_a.example", kNever, service));
  run_until([this] { return server_.asked() == 3; });
  resolver_.reset();
  run();
  ASSERT_TRUE(answer && service);
  EXPECT_EQ(answer->error(), kServersFailed);
  EXPECT_EQ(service->error(), kServersFailed);
}

TEST_F(ResolverTest, NoMoreQuestionsAtATimeThanTheBound) {
  settings_.max_questions = 2;
  server_.set("a.example", DnsType::aaaa, {.held = true});
  server_.set("a.example", DnsType::a, {.held = true});
  server_.set("b.example", DnsType::a, {.records = {dns::a("127.0.0.1")}});
  Answer first;
  Answer second;
  start("a.example", first);
  start("b.example", second);
  ASSERT_TRUE(second && !*second);
  EXPECT_EQ(second->error().kind, ErrorKind::overloaded);
  run_until([this] { return server_.held() == 2; });
  server_.release();
  run();
  EXPECT_EQ(ips("b.example"), "127.0.0.1 ");
}

// More names than are kept: those asked for in one turn have their answers all the same.
TEST_F(ResolverTest, ForgettingNamesLosesNoAnswer) {
  settings_.max_names = 10;
  std::vector<Answer> answers(30);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const std::string name = "n" + std::to_string(i) + ".example";
    server_.set(name, DnsType::a, {.records = {dns::a("127.0.0.1")}});
    start(name, answers[i]);
    if (i % 10 == 9) run();
  }
  for (const Answer& answer : answers) EXPECT_TRUE(answer && *answer);
}

}  // namespace
}  // namespace penstock

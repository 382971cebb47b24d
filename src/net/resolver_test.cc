#include "net/resolver.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "net/loop_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Answer = std::optional<Result<Resolution>>;

// Asks what needs no name server: the hosts file, literals, and names that must not be asked for
// (RFC 7686). Whether there is a name server, and what it says, is not a matter of these tests.
class ResolverTest : public LoopTest {
 protected:
  ~ResolverTest() override {
    scope.cancel();
    run();
  }
  static Task<void> ask(Resolver& resolver, std::string host, std::uint16_t port,
                        TimePoint deadline, Answer& answer) {
    answer = co_await resolver.resolve(host, port, deadline);
  }
  void start(std::string host, Answer& answer, TimePoint deadline) {
    spawn(ask(*resolver_, std::move(host), 8080, deadline, answer));
  }
  Answer resolve(std::string host) {
    Answer answer;
    start(std::move(host), answer, now() + kLimit);
    run();
    return answer;
  }

  std::unique_ptr<Resolver> resolver_ = std::make_unique<Resolver>(loop);
};

TEST_F(ResolverTest, LiteralsAreTheirOwnAnswerAtOnce) {
  for (const std::string_view ip : {"192.0.2.1", "2001:db8::1"}) {
    Answer answer;
    start(std::string(ip), answer, kNever);
    ASSERT_TRUE(answer && *answer) << ip;
    ASSERT_EQ((*answer)->addresses.size(), 1U);
    EXPECT_EQ((*answer)->addresses.front(), *Address::from_ip(ip, 8080));
  }
}

TEST_F(ResolverTest, LocalhostIsLoopback) {
  for (const char* const name : {"localhost", "LocalHost", "localhost"}) {
    const Answer answer = resolve(name);
    ASSERT_TRUE(answer && *answer) << name;
    EXPECT_FALSE((*answer)->addresses.empty());
    for (const Address& address : (*answer)->addresses) {
      EXPECT_TRUE(address.is_loopback()) << address.to_string();
      EXPECT_EQ(address.port(), 8080);
    }
  }
}

TEST_F(ResolverTest, NamesWithoutAddressFail) {
  for (const std::string& name : {std::string("penstock.onion"), std::string("penstock.onion"),
                                  std::string(300, 'x'), std::string("a..b")}) {
    const Answer answer = resolve(name);
    ASSERT_TRUE(answer) << name;
    ASSERT_FALSE(*answer) << name;
    EXPECT_EQ(answer->error().kind, ErrorKind::resolve_failed) << name;
  }
}

TEST_F(ResolverTest, AnAskerGivesUpAtItsDeadlineAlone) {
  Answer early;
  Answer late;
  const TimePoint start_time = now();
  start("penstock-test.invalid", early, now() + 1ms);
  start("penstock-test.invalid", late, now() + 60ms);
  run();
  ASSERT_TRUE(early && late);
  EXPECT_FALSE(*early);
  EXPECT_FALSE(*late);
  // Unless a name server was quick to say that there is none.
  if (late->error().kind == ErrorKind::timed_out) {
    EXPECT_EQ(early->error().kind, ErrorKind::timed_out);
    EXPECT_GE(now() - start_time, 60ms);
  }
}

TEST_F(ResolverTest, CancelledAskersLeave) {
  Answer answer;
  start("penstock-test.invalid", answer, kNever);
  scope.cancel();
  run();
  ASSERT_TRUE(answer && !*answer);
  EXPECT_TRUE(answer->error().kind == ErrorKind::cancelled ||
              answer->error().kind == ErrorKind::resolve_failed);
}

TEST_F(ResolverTest, MayGoWhileAQuestionIsUnderWay) {
  Answer answers[3];
  for (int i = 0; i < 3; ++i) {
    start("penstock-test-" + std::to_string(i) + ".invalid", answers[i], now() + 1ms);
  }
  run();
  resolver_.reset();
  settle();
  for (const Answer& answer : answers) EXPECT_TRUE(answer && !*answer);
}

// More names than are kept: those asked for in one turn have their answers all the same.
TEST_F(ResolverTest, ForgettingNamesLosesNoAnswer) {
  constexpr int kNames = 10'100;
  int failed_otherwise = 0;
  Answer answer;
  Answer localhost;
  for (int i = 0; i < kNames; ++i) {
    answer.reset();
    start("penstock-" + std::to_string(i) + ".onion", answer, now() + kLimit);
    if (i % 1000 == 0) start("localhost", localhost, now() + kLimit);
    if (!answer || *answer || answer->error().kind != ErrorKind::resolve_failed) ++failed_otherwise;
  }
  run();
  EXPECT_EQ(failed_otherwise, 0);
  EXPECT_TRUE(localhost && *localhost);
}

}  // namespace
}  // namespace penstock

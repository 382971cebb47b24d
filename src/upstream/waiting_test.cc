// Requests that wait for a place for a connection, and who gets it.
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "upstream/scripted_server_test.h"
#include "upstream/server_side.h"
#include "upstream/sticky.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class WaitingTest : public testing::Test {
 protected:
  // A request for a connection.
  struct Asking {
    Asking(WaitingTest& test, std::string cookie, bool fresh)
        : world(&test.world), id(std::move(cookie)), scope(test.world.executor()) {
      choice.cookie = id;
      scope.spawn(run(*this, *test.side().group("a"), fresh));
      world->run_for(milliseconds(10));
    }
    ~Asking() {
      scope.cancel();
      world->run_for({});
    }
    static Task<void> run(Asking& self, ServerGroup& group, bool fresh) {
      self.got = co_await group.acquire(self.choice, fresh);
      self.done = true;
    }
    [[nodiscard]] std::string server() const {
      return done && got ? got->address().to_string() : std::string();
    }

    SimWorld* world;
    std::string id;
    Choice choice;
    Result<Lease> got = fail(ErrorKind::io);
    bool done = false;
    Scope scope;
  };
  using Asked = std::unique_ptr<Asking>;

  WaitingTest() {
    settings.groups.push_back({.name = "a",
                               .servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}},
                               .sticky_cookie = "at"});
  }
  ~WaitingTest() override {
    Scope stopping(world.executor());
    stopping.spawn(side().stop());
    world.run_for(milliseconds(10));
  }
  UpstreamGroupSettings& group() { return settings.groups[0]; }
  // Made at the first use, when the settings are as the test wants them.
  ServerSide& side() {
    if (!share_) share_ = std::make_unique<UpstreamShare>(settings);
    if (!side_) side_ = std::make_unique<ServerSide>(network, settings, *share_, 1);
    return *side_;
  }
  Asked ask(const std::string& cookie = {}, bool fresh = false) {
    return std::make_unique<Asking>(*this, cookie, fresh);
  }
  // The cookie that binds to a server.
  std::string bound_to(std::size_t index) {
    return std::string(text_of(side().group("a")->hops()[index]->sticky_id));
  }
  void wait(Duration time) { world.run_for(time); }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings settings;
  ScriptedServer one{network, "10.0.0.1:80", {{}}};
  ScriptedServer two{network, "10.0.0.2:80", {{}}};

 private:
  std::unique_ptr<UpstreamShare> share_;
  std::unique_ptr<ServerSide> side_;
};

TEST_F(WaitingTest, AGroupsPlaceIsForThoseWhoWaitForAnyOfItsServers) {
  group().breaker.connections = 1;
  Asked first = ask(bound_to(0));
  ASSERT_EQ(first->server(), "10.0.0.1:80");
  const Asked second = ask(bound_to(1));
  ASSERT_FALSE(second->done);
  first.reset();
  wait(milliseconds(100));
  EXPECT_EQ(second->server(), "10.0.0.2:80");
}

TEST_F(WaitingTest, WhoWaitsForAServerThatIsEjectedTakesAnother) {
  group().max_connections = 1;
  group().ejection.failures = 1;
  Asked first = ask(bound_to(0));
  Asked second = ask(bound_to(1));
  const Asked third = ask(bound_to(0));
  ASSERT_FALSE(third->done);
  EXPECT_TRUE(side().group("a")->hops()[0]->share->noted(true, false, world.now()));
  // Its place becomes free, and is of no use now. Then comes the other one's.
  first.reset();
  wait(milliseconds(100));
  ASSERT_FALSE(third->done);
  second.reset();
  wait(milliseconds(100));
  EXPECT_EQ(third->server(), "10.0.0.2:80");
}

TEST_F(WaitingTest, AWakeUpThatNobodyUsesIsPassedOn) {
  group().servers.resize(1);
  group().max_connections = 1;
  const Asked first = ask();
  const Asked second = ask();
  const Asked third = ask();
  ASSERT_FALSE(second->done);
  ASSERT_FALSE(third->done);
  // Who is first in the line goes away in the moment in which the place becomes free.
  world.call_at(world.now(), [&] {
    second->scope.cancel();
    first->got = fail(ErrorKind::io);
  });
  wait(milliseconds(100));
  EXPECT_EQ(second->server(), "");
  EXPECT_EQ(third->server(), "10.0.0.1:80");
}

TEST_F(WaitingTest, WhoNeedsANewConnectionIsNotLeftWaitingBesideAnIdleOne) {
  group().servers.resize(1);
  group().max_connections = 1;
  const Asked first = ask();
  const Asked second = ask({}, true);
  ASSERT_FALSE(second->done);
  first->got->keep_unused();
  wait(milliseconds(100));
  EXPECT_EQ(second->server(), "10.0.0.1:80");
  EXPECT_EQ(one.connections(), 1U);  // what has just been in use is as good as a new one
}

}  // namespace
}  // namespace penstock

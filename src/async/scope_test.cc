#include "async/scope.h"

#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/event.h"
#include "async/sleep.h"
#include "async/virtual_time_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Log = std::vector<std::string>;

Task<void> wait_and_note(Event& event, Log& log, std::string name) {
  const bool set = co_await event.wait();
  log.push_back(name + (set ? " set" : " cancelled"));
}

TEST(Scope, RunsAtOnceUpToTheFirstWait) {
  VirtualTime time;
  Event event;
  Log log;
  time.scope.spawn(wait_and_note(event, log, "a"));
  EXPECT_EQ(time.scope.running(), 1U);
  event.set();
  time.scope.spawn(wait_and_note(event, log, "b"));  // has nothing to wait for
  EXPECT_EQ(log, (Log{"b set"}));
  time.run();
  EXPECT_EQ(log, (Log{"b set", "a set"}));
  EXPECT_EQ(time.scope.running(), 0U);
}

TEST(Scope, CancelEndsPresentAndFutureWaits) {
  VirtualTime time;
  Event event;
  Log log;
  time.spawn(wait_and_note(event, log, "a"));
  time.spawn(wait_and_note(event, log, "b"));
  time.scope.cancel();
  EXPECT_TRUE(log.empty());  // posted, not resumed in place
  time.run();
  EXPECT_EQ(log, (Log{"a cancelled", "b cancelled"}));
  time.scope.cancel();
  time.spawn(wait_and_note(event, log, "late"));
  EXPECT_EQ(log.back(), "late cancelled");
  event.set();
  time.spawn(wait_and_note(event, log, "ready"));  // need not suspend
  EXPECT_EQ(log.back(), "ready set");
}

TEST(Scope, WhatIsCompleteIsNotCancelled) {
  VirtualTime time;
  Event event;
  Log log;
  time.spawn(wait_and_note(event, log, "a"));
  event.wake_one();
  time.scope.cancel();  // between completion and resumption
  time.run();
  EXPECT_EQ(log, (Log{"a set"}));
}

// A task with a scope of its own below it, and one below that.
Task<void> nested(Event& event, Log& log, int levels) {
  {
    Scope scope(co_await this_context());
    scope.spawn(wait_and_note(event, log, "level " + std::to_string(levels)));
    if (levels > 0) scope.spawn(nested(event, log, levels - 1));
    co_await scope.join();
  }
  log.push_back("joined " + std::to_string(levels));
}

TEST(Scope, JoinGoesOnWhenAllHaveEnded) {
  VirtualTime time;
  Event event;
  Log log;
  time.spawn(nested(event, log, 1));
  event.wake_one();
  time.run();
  EXPECT_EQ(log, (Log{"level 1 set"}));
  event.wake_one();
  time.run();
  EXPECT_EQ(log, (Log{"level 1 set", "level 0 set", "joined 0", "joined 1"}));
}

TEST(Scope, CancelReachesNestedScopes) {
  VirtualTime time;
  Event event;
  Log log;
  time.spawn(nested(event, log, 2));
  time.scope.cancel();
  time.run();
  EXPECT_EQ(log, (Log{"level 2 cancelled", "level 1 cancelled", "level 0 cancelled", "joined 0",
                      "joined 1", "joined 2"}));
  log.clear();
  time.spawn(nested(event, log, 1));  // born cancelled
  EXPECT_EQ(log.size(), 4U);
  EXPECT_EQ(time.scope.running(), 0U);
}

Task<void> cancel_inner_only(Event& event, Log& log) {
  TaskContext& context = co_await this_context();
  {
    Scope inner(context);
    inner.spawn(wait_and_note(event, log, "inner"));
    inner.cancel();
    co_await inner.join();
  }
  log.emplace_back(context.cancelled() ? "outer cancelled" : "outer goes on");
  co_await wait_and_note(event, log, "outer");
}

TEST(Scope, CancelDoesNotReachOuterOnes) {
  VirtualTime time;
  Event event;
  Log log;
  time.spawn(cancel_inner_only(event, log));
  EXPECT_EQ(log, (Log{"inner cancelled", "outer goes on"}));
  time.scope.cancel();  // the inner scope's hook is gone
  time.run();
  EXPECT_EQ(log.back(), "outer cancelled");
}

Task<void> in_child_context(ChildContext& child, Event& event, Log& log) {
  co_await wait_and_note(event, log, "in child").in(child);
}

TEST(ChildContext, IsCancelledAloneAndWithItsParent) {
  VirtualTime time;
  Event event;
  Log log;
  {
    ChildContext child(time.scope.context());
    time.spawn(in_child_context(child, event, log));
    child.cancel();
    time.run();
    EXPECT_EQ(log, (Log{"in child cancelled"}));
    EXPECT_FALSE(time.scope.cancelled());
  }
  ChildContext child(time.scope.context());
  time.spawn(in_child_context(child, event, log));
  time.scope.cancel();
  time.run();
  EXPECT_EQ(log, (Log{"in child cancelled", "in child cancelled"}));
  EXPECT_TRUE(ChildContext(time.scope.context()).cancelled());
}

TEST(ScopeDeathTest, TasksMustHaveEnded) {
  EXPECT_DEATH(
      {
        VirtualTime time;
        Event event;
        Log log;
        Scope scope(time.executor);
        scope.spawn(wait_and_note(event, log, "a"));
      },
      "broken invariant");
}

Task<void> many_children(int& ended) {
  Executor& executor = (co_await this_context()).executor();
  struct Child {
    static Task<void> run(TimePoint until, int& count) {
      co_await sleep_until(until);
      ++count;
    }
  };
  Scope scope(co_await this_context());
  for (int i = 0; i < 10'000; ++i) {
    scope.spawn(Child::run(executor.now() + std::chrono::milliseconds(i % 100), ended));
  }
  co_await scope.join();
}

TEST(Scope, HoldsThousandsOfTasks) {
  VirtualTime time;
  int ended = 0;
  time.spawn(many_children(ended));
  time.advance(50ms);
  EXPECT_GT(time.scope.running(), 0U);
  time.advance(50ms);
  EXPECT_EQ(ended, 10'000);
  EXPECT_EQ(time.scope.running(), 0U);
}

}  // namespace
}  // namespace penstock

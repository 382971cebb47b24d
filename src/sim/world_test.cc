#include "sim/world.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "async/event.h"
#include "async/scope.h"
#include "async/sleep.h"

namespace penstock {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

Task<void> sleep_and_note(TimePoint when, std::string& log, std::string name) {
  if (co_await sleep_until(when)) log += name;
}

Task<void> spin(std::uint64_t rounds) {
  const TaskContext& context = co_await this_context();
  struct Yield {
    Executor* executor;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> self) const { executor->post(self); }
    void await_resume() const {}
  };
  for (std::uint64_t i = 0; i < rounds; ++i) co_await Yield{&context.executor()};
}

TEST(SimWorld, DeliversInOrderOfTimeThenOfAsking) {
  SimWorld world(1);
  std::string log;
  const TimePoint start = world.now();
  world.call_at(start + milliseconds(2), [&log] { log += 'c'; });
  world.call_at(start + milliseconds(1), [&log] { log += 'a'; });
  world.call_at(start + milliseconds(1), [&log, &world] {
    log += 'b';
    world.call_at(TimePoint{}, [&log] { log += '!'; });  // the past is now
  });
  EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
  EXPECT_EQ(log, "ab!c");
  EXPECT_EQ(world.now(), start + milliseconds(2));
}

TEST(SimWorld, TimersAndDeliveriesShareTheirTime) {
  SimWorld world(1);
  Scope scope(world.executor());
  std::string log;
  const TimePoint start = world.now();
  const auto wall = world.executor().wall_now();
  scope.spawn(sleep_and_note(start + hours(20), log, "day"));
  scope.spawn(sleep_and_note(start + milliseconds(3), log, "3"));
  world.call_at(start + milliseconds(2), [&log] { log += "2"; });
  world.call_at(start + milliseconds(4), [&log] { log += "4"; });
  EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
  EXPECT_EQ(log, "234day");
  EXPECT_EQ(world.now(), start + hours(20));
  EXPECT_EQ(world.executor().wall_now() - wall, hours(20));
}

TEST(SimWorld, RunForStopsAtItsTime) {
  SimWorld world(1);
  std::string log;
  const TimePoint start = world.now();
  world.call_at(start + milliseconds(10), [&log] { log += 'x'; });
  EXPECT_EQ(world.run_for(milliseconds(9)), SimOutcome::time_limit);
  EXPECT_EQ(world.now(), start + milliseconds(9));
  EXPECT_EQ(log, "");
  EXPECT_EQ(world.run_for(milliseconds(9)), SimOutcome::idle);
  EXPECT_EQ(world.now(), start + milliseconds(18));
  EXPECT_EQ(log, "x");
}

TEST(SimWorld, TellsIdleFromSlowAndFromBusy) {
  SimWorld world(1);
  Scope scope(world.executor());
  std::string log;
  scope.spawn(sleep_and_note(world.now() + hours(2), log, "late"));
  EXPECT_EQ(world.run_until_idle({.time = hours(1)}), SimOutcome::time_limit);
  EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
  EXPECT_EQ(log, "late");

  scope.spawn(spin(100'000));
  EXPECT_EQ(world.run_until_idle({.steps = 1'000}), SimOutcome::step_limit);
  EXPECT_EQ(world.run_until_idle(), SimOutcome::idle);
  EXPECT_EQ(scope.running(), 0U);
}

TEST(SimWorld, TraceHashStandsForTheHistory) {
  const auto hash_of = [](std::uint64_t first, Duration wait, std::uint64_t second) {
    SimWorld world(1);
    world.trace("one", 1, first);
    world.run_for(wait);
    world.trace("two", 1, second);
    return world.trace_hash();
  };
  EXPECT_EQ(hash_of(1, milliseconds(1), 2), hash_of(1, milliseconds(1), 2));
  EXPECT_NE(hash_of(1, milliseconds(1), 2), hash_of(2, milliseconds(1), 1));
  EXPECT_NE(hash_of(1, milliseconds(1), 2), hash_of(1, milliseconds(2), 2));
}

}  // namespace
}  // namespace penstock

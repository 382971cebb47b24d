#include "async/task.h"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/event.h"
#include "async/virtual_time_test.h"

namespace penstock {
namespace {

Task<int> answer() { co_return 42; }
Task<std::unique_ptr<int>> move_only(int value) { co_return std::make_unique<int>(value); }
Task<std::string> slow_text(Event& event) {
  co_await event.wait();
  co_return "text";
}

Task<void> collect_values(Event& event, std::vector<std::string>& got) {
  got.push_back(std::to_string(co_await answer()));
  const std::unique_ptr<int> owned = co_await move_only(7);
  got.push_back(std::to_string(*owned));
  Task<std::string> later = slow_text(event);  // runs when awaited
  got.emplace_back("before");
  got.push_back(co_await std::move(later));
}

TEST(Task, GivesItsValueNowOrLater) {
  VirtualTime time;
  Event event;
  std::vector<std::string> got;
  time.spawn(collect_values(event, got));
  EXPECT_EQ(got, (std::vector<std::string>{"42", "7", "before"}));
  event.set();
  EXPECT_EQ(got.size(), 3U);  // nothing is resumed in place
  time.run();
  EXPECT_EQ(got.back(), "text");
  EXPECT_EQ(time.scope.running(), 0U);
}

Task<std::uint64_t> identity(std::uint64_t n) { co_return n; }
Task<void> long_loop(std::uint64_t& sum) {
  for (std::uint64_t i = 0; i < 200'000; ++i) sum += co_await identity(i);
}
Task<int> deep(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await deep(depth - 1);
}
Task<void> deep_call(int& result) { result = co_await deep(100'000); }

TEST(Task, NeitherLoopsNorDepthGrowTheStack) {
  VirtualTime time;
  std::uint64_t sum = 0;
  time.spawn(long_loop(sum));
  EXPECT_EQ(sum, 199'999ULL * 100'000);
  int depth = 0;
  time.spawn(deep_call(depth));
  EXPECT_EQ(depth, 100'000);
}

// Notes when it is destroyed.
struct Trace {
  Trace(std::vector<std::string>& to, std::string text) : log(&to), name(std::move(text)) {}
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  ~Trace() { log->push_back(name); }
  std::vector<std::string>* log;
  std::string name;
};

Task<void> inner(Event& event, std::vector<std::string>& log) {
  const Trace first(log, "inner first");
  const Trace second(log, "inner second");
  co_await event.wait();
}
Task<void> outer(Event& event, std::vector<std::string>& log) {
  const Trace local(log, "outer");
  co_await inner(event, log);
  log.emplace_back("after inner");
}

TEST(Task, DestroysLocalsInOrder) {
  VirtualTime time;
  Event event;
  std::vector<std::string> log;
  time.spawn(outer(event, log));
  EXPECT_TRUE(log.empty());
  event.set();
  time.run();
  EXPECT_EQ(log, (std::vector<std::string>{"inner second", "inner first", "after inner", "outer"}));
}

TEST(Task, OneNeverAwaitedIsDropped) {
  std::vector<std::string> log;
  Event event;
  {
    const Task<void> task = outer(event, log);
  }
  EXPECT_TRUE(log.empty());  // its body never began
}

Task<void> note_context(TaskContext*& seen) { seen = &co_await this_context(); }
Task<void> pass_context_on(std::array<TaskContext*, 4>& seen) {
  seen[0] = &co_await this_context();
  co_await note_context(seen[1]);
  ChildContext child(*seen[0]);
  co_await note_context(seen[2]).in(child);
  if (seen[2] == &child) seen[2] = nullptr;  // as the child is gone when the test looks
  co_await note_context(seen[3]);
}

TEST(Task, ContextIsPassedDown) {
  VirtualTime time;
  std::array<TaskContext*, 4> seen{};
  time.spawn(pass_context_on(seen));
  TaskContext* const of_scope = &time.scope.context();
  EXPECT_EQ(seen, (std::array<TaskContext*, 4>{of_scope, of_scope, nullptr, of_scope}));
}

Task<void> note_turns(Event& event, std::vector<int>& log, int number) {
  co_await event.wait();
  log.push_back(number);
  event.wake_one();
}

TEST(Executor, RunsInTheOrderOfPostingOneRoundAtATime) {
  VirtualTime time;
  Event event;
  std::vector<int> log;
  for (int i = 0; i < 3; ++i) time.spawn(note_turns(event, log, i));
  EXPECT_FALSE(time.executor.has_ready());
  event.wake_one();
  EXPECT_EQ(time.executor.run_ready(), 1U);
  EXPECT_EQ(log, (std::vector{0}));  // what that made ready is left for the next round
  EXPECT_EQ(time.executor.run_ready(), 1U);
  EXPECT_EQ(time.executor.run_ready(), 1U);
  EXPECT_EQ(time.executor.run_ready(), 0U);
  EXPECT_EQ(log, (std::vector{0, 1, 2}));
}

}  // namespace
}  // namespace penstock

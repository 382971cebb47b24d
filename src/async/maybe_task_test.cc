#include "async/maybe_task.h"

#include <gtest/gtest.h>

#include "async/event.h"
#include "async/scope.h"

namespace penstock {
namespace {

Task<int> late(Event& event) {
  co_await event.wait();
  co_return 2;
}

MaybeTask<int> maybe(bool now, Event& event) {
  if (now) return 1;
  return late(event);
}

Task<void> add(bool now, Event& event, int& sum) { sum += co_await maybe(now, event); }

TEST(MaybeTask, IsThereAtOnceOrComesLater) {
  Executor executor;
  Scope scope(executor);
  Event event;
  int sum = 0;
  EXPECT_TRUE(maybe(true, event).ready());
  EXPECT_EQ(maybe(true, event).value(), 1);
  EXPECT_FALSE(maybe(false, event).ready());
  scope.spawn(add(true, event, sum));
  EXPECT_EQ(sum, 1);
  scope.spawn(add(false, event, sum));
  EXPECT_EQ(sum, 1);
  event.set();
  while (executor.has_ready()) executor.run_ready();
  EXPECT_EQ(sum, 3);
}

}  // namespace
}  // namespace penstock

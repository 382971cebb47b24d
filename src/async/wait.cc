#include "async/wait.h"

#include "async/scope.h"
#include "async/sleep.h"

namespace penstock {
namespace {

Task<void> wait_for(Event& event, bool& happened) { happened = co_await event.wait(); }

}  // namespace

Task<Result<void>> wait_until(Event& event, TimePoint deadline) {
  Scope scope(co_await this_context());
  const CancelAt limit(scope.context(), deadline);
  bool happened = false;
  scope.spawn(wait_for(event, happened));
  co_await scope.join();
  if (!happened) co_return fail(limit.fired() ? ErrorKind::timed_out : ErrorKind::cancelled);
  co_return Result<void>{};
}

}  // namespace penstock

// Waiting for an Event no longer than until some time.
#pragma once

#include "async/event.h"
#include "async/task.h"
#include "base/error.h"
#include "base/time.h"

namespace penstock {

// Success when the event was set, else timed_out or cancelled.
Task<Result<void>> wait_until(Event& event, TimePoint deadline);

}  // namespace penstock

// For tests: calls on a channel, and what comes of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "async/sleep.h"
#include "async/task.h"
#include "base/error.h"
#include "helper/channel.h"

namespace penstock {

// What a call came to: nothing as long as it is under way.
using CallOutcome = std::optional<Result<std::string>>;

// The same as text: the reply, or the kind of the error in parentheses, or "" while it is under
// way.
inline std::string said(const CallOutcome& outcome) {
  if (!outcome) return "";
  return *outcome ? **outcome : "(" + std::string(to_string(outcome->error().kind)) + ")";
}

inline Task<void> call_into(Channel& channel, std::string request, std::uint64_t affinity,
                            CallOutcome& outcome) {
  const std::string_view parts[] = {request};
  outcome = co_await channel.call(Payload(parts), affinity);
}

// The same with a time limit; timed_out is what it is then.
inline Task<void> call_until(Channel& channel, std::string request, std::uint64_t affinity,
                             TimePoint deadline, CallOutcome& outcome) {
  ChildContext context(co_await this_context());
  const CancelAt limit(context, deadline);
  co_await call_into(channel, std::move(request), affinity, outcome).in(context);
  if (limit.fired()) outcome = fail(ErrorKind::timed_out);
}

// Keeps what it is told.
class RecordingSink final : public ChannelSink {
 public:
  void on_message(std::string_view bytes) override { messages.emplace_back(bytes); }
  void on_up() override { ++ups; }
  void on_down() override { ++downs; }

  std::vector<std::string> messages;
  int ups = 0;
  int downs = 0;
};

}  // namespace penstock

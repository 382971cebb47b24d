// The way from stream to stream that works for all: through a buffer.
#include <algorithm>

#include "async/stream.h"

namespace penstock {

Task<Result<void>> ByteStream::relay(ByteStream& to, std::uint64_t limit, Duration stall,
                                     Relayed& relayed) {
  Executor& executor = (co_await this_context()).executor();
  InputBuffer buffer;
  while (limit > 0) {
    buffer.expect(limit);
    const auto got = co_await read_some(*this, buffer, deadline_after(executor.now(), stall));
    if (!got) {
      relayed.source_failed = true;
      co_return fail(got.error());
    }
    if (*got == 0) {
      relayed.source_ended = true;
      break;
    }
    // More than the limit may have come; callers that set one read to its end.
    const Slice bytes = buffer.take(std::min<std::uint64_t>(buffer.size(), limit));
    iovec part = to_iovec(bytes.view());
    const auto put = co_await write_all(to, {&part, 1}, executor.now(), stall);
    if (!put) co_return fail(put.error());
    limit -= *put;
    relayed.bytes += *put;
    if (relayed.counter != nullptr) *relayed.counter += *put;
  }
  co_return Result<void>{};
}

}  // namespace penstock

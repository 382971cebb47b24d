// The way from stream to stream that works for all: through a buffer.
#include <limits>

#include "async/stream.h"
#include "base/check.h"

namespace penstock {

Task<Result<void>> ByteStream::relay(ByteStream& to, std::uint64_t limit, Duration stall,
                                     Relayed& relayed) {
  // A read takes what there is: with a limit it could take what belongs to the next message.
  PENSTOCK_CHECK(limit == std::numeric_limits<std::uint64_t>::max());
  while (!relayed.source_ended) {
    const auto done = co_await relay_piece(to, 0, stall, relayed);
    if (!done) co_return done;
  }
  co_return Result<void>{};
}

Task<Result<void>> ByteStream::relay_piece(ByteStream& to, std::uint64_t expected, Duration stall,
                                           Relayed& relayed) {
  Executor& executor = (co_await this_context()).executor();
  InputBuffer buffer;
  buffer.expect(expected);
  const auto got = co_await read_some(*this, buffer, deadline_after(executor.now(), stall));
  relayed.source_failed = !got;
  if (!got) co_return fail(got.error());
  relayed.source_ended = *got == 0;
  if (*got == 0) co_return Result<void>{};
  const Slice bytes = buffer.take(buffer.size());
  iovec part = to_iovec(bytes.view());
  WriteOp write = write_all(to, {&part, 1}, executor.now(), stall);
  const auto put = co_await write;
  relayed.add(write.written());
  if (!put) co_return fail(put.error());
  co_return Result<void>{};
}

}  // namespace penstock

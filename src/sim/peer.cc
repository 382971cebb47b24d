#include "sim/peer.h"

#include <array>
#include <utility>

#include "async/context.h"

namespace penstock {
namespace {

Task<TimePoint> deadline_in(Duration limit) {
  const TaskContext& context = co_await this_context();
  co_return deadline_after(context.executor().now(), limit);
}

// One read, appended; 0 at the end of the stream.
Task<Result<std::size_t>> receive_some(ByteStream& stream, std::string& into, TimePoint deadline) {
  InputBuffer buffer;
  const Result<std::size_t> got = co_await read_some(stream, buffer, deadline);
  if (got) {
    into += buffer.unread();
    buffer.consume(buffer.size());
  }
  co_return got;
}

}  // namespace

Task<Result<std::size_t>> send_text(ByteStream& stream, std::string text, Duration limit) {
  const TaskContext& context = co_await this_context();
  std::array<iovec, 1> parts = {to_iovec(text)};
  co_return co_await write_all(stream, parts, context.executor().now(), limit);
}

Task<Result<std::size_t>> receive_all(ByteStream& stream, std::string& into, Duration limit) {
  const TimePoint deadline = co_await deadline_in(limit);
  const std::size_t before = into.size();
  while (true) {
    const Result<std::size_t> got = co_await receive_some(stream, into, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return into.size() - before;
  }
}

Task<Result<std::size_t>> receive_size(ByteStream& stream, std::string& into, std::size_t size,
                                       Duration limit) {
  const TimePoint deadline = co_await deadline_in(limit);
  const std::size_t before = into.size();
  while (into.size() < size) {
    const Result<std::size_t> got = co_await receive_some(stream, into, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
  }
  co_return into.size() - before;
}

Task<Result<std::size_t>> receive_until(ByteStream& stream, std::string& into, std::string mark,
                                        Duration limit) {
  const TimePoint deadline = co_await deadline_in(limit);
  const std::size_t before = into.size();
  while (into.find(mark) == std::string::npos) {
    const Result<std::size_t> got = co_await receive_some(stream, into, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
  }
  co_return into.size() - before;
}

}  // namespace penstock

// Writes that have to wait, and what happens to them.
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "async/sleep.h"
#include "tls/stream_fixture_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Connections of which a direction takes only a few bytes at a time.
class TightTlsStream : public TlsStreamTest {
 protected:
  TightTlsStream() {
    world.set_faults({.min_buffer = 100, .max_buffer = 100});
    SSL_CTX_set_num_tickets(server_context.get(), 0);  // they would not fit
  }
};

Task<Count> write_counted(ByteStream& stream, std::string_view text, Duration stall, TimePoint now,
                          std::uint64_t& counter) {
  iovec part = to_iovec(text);
  WriteOp op = write_all(stream, {&part, 1}, now, stall);
  op.count_into(counter);
  co_return co_await op;
}

TEST_F(TightTlsStream, AWriteStallsAndItsRecordsGoOutAllTheSame) {
  const std::string text(50, 'a');
  std::uint64_t counter = 0;
  // A record of 72 bytes fits, the second does not.
  EXPECT_EQ(run(write_counted(*near, text, seconds(2), world.now(), counter)), Count(50));
  const TimePoint start = world.now();
  EXPECT_EQ(run(write_counted(*near, text, seconds(2), world.now(), counter)),
            Count(fail(ErrorKind::timed_out)));
  EXPECT_EQ(world.now() - start, seconds(2));
  EXPECT_EQ(counter, 100U);
  EXPECT_FALSE(near->has_pending_input());

  std::string heard;
  EXPECT_TRUE(run(far->read_up_to(heard, 100)));
  std::optional<Count> next;
  scope.spawn(keep(write_counted(*near, "next", seconds(2), world.now(), counter), next));
  settle();
  EXPECT_EQ(next, Count(4));
  EXPECT_EQ(counter, 104U);
  EXPECT_EQ(run(far->read(heard)), Count(4));
  EXPECT_EQ(heard, text + text + "next");
}

Task<void> read_slowly(ByteStream& stream, std::string& into, std::size_t size,
                       Executor& executor) {
  while (into.size() < size) {
    co_await sleep_until(executor.now() + seconds(1));
    const auto got = co_await receive_size(stream, into, into.size() + 1);
    if (!got) co_return;
  }
}

TEST_F(TightTlsStream, AWriteThatMovesDoesNotStall) {
  const std::string text(16000, 'a');
  std::uint64_t counter = 0;
  std::string heard;
  const TimePoint start = world.now();
  scope.spawn(read_slowly(*far_below, heard, 16022, world.executor()));
  EXPECT_EQ(run(write_counted(*near, text, seconds(2), world.now(), counter)), Count(16000));
  EXPECT_GT(world.now() - start, seconds(100));
}

TEST_F(TightTlsStream, ACancelledWriteCountsWhatItHadEncrypted) {
  std::uint64_t counter = 0;
  std::optional<Count> result;
  Scope writer(world.executor());
  const std::string text(100'000, 'a');
  writer.spawn(keep(write_counted(*near, text, Duration::zero(), world.now(), counter), result));
  settle();
  EXPECT_FALSE(result);
  writer.cancel();
  settle();
  EXPECT_EQ(result, Count(fail(ErrorKind::cancelled)));
  EXPECT_EQ(counter, 4 * kTlsRecord);
  std::string heard;
  EXPECT_TRUE(run(far->read_up_to(heard, 4 * kTlsRecord)));
  EXPECT_EQ(heard, text.substr(0, 4 * kTlsRecord));
}

// What the server has got only a part of can't have taken effect.
TEST_F(TightTlsStream, AWriteThatBreaksCountsWholeRecordsOnly) {
  std::uint64_t counter = 0;
  std::optional<Count> result;
  const std::string text(1000, 'a');
  scope.spawn(keep(write_counted(*near, text, Duration::zero(), world.now(), counter), result));
  settle();
  EXPECT_EQ(counter, 0U);
  far_below.reset();
  settle();
  EXPECT_EQ(result, Count(fail(error_from_errno(ECONNRESET))));
  EXPECT_EQ(counter, 0U);
}

TEST_F(TightTlsStream, DestroyedWithOperationsBelowPending) {
  std::uint64_t counter = 0;
  EXPECT_EQ(run(write_counted(*near, std::string(70, 'a'), seconds(2), world.now(), counter)),
            Count(70));
  near->observe(&watcher);
  near->shutdown_write();  // there is no room for all of it
  EXPECT_EQ(world.pending_ops(), 2U);
  near.reset();
  EXPECT_EQ(world.pending_ops(), 0U);
  EXPECT_EQ(watcher.events + watcher.breaks, 0);
}

TEST_F(TightTlsStream, AWriteUnderWayFailsAtShutdown) {
  std::uint64_t counter = 0;
  std::optional<Count> written;
  const std::string text(1000, 'a');
  scope.spawn(keep(write_counted(*near, text, Duration::zero(), world.now(), counter), written));
  settle();
  near->shutdown_write();
  settle();
  EXPECT_EQ(written, Count(fail(error_from_errno(EPIPE))));
}

// An alert has to be added to the records of a write that is suspended, whether there is room
// behind them or they have to move.
TEST_F(TightTlsStream, AFailureUnderAWrite) {
  for (const std::size_t size : {std::size_t{3950}, std::size_t{100'000}}) {
    ASSERT_TRUE(connect());
    std::uint64_t counter = 0;
    std::optional<Count> written;
    const std::string text(size, 'a');
    scope.spawn(keep(write_counted(*near, text, Duration::zero(), world.now(), counter), written));
    settle();
    std::string bytes = record("hello");
    bytes.back() ^= 1;
    send_raw(bytes);
    const Count count = read_now();
    ASSERT_FALSE(count);
    EXPECT_FALSE(written);
    std::string heard;
    EXPECT_FALSE(run(far->read_up_to(heard, size + 1)));
    EXPECT_EQ(far->reason, SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
    EXPECT_EQ(heard, text.substr(0, 4 * kTlsRecord));  // what had been encrypted
    EXPECT_EQ(written, size > heard.size() ? count : Count(size));
    EXPECT_EQ(counter, heard.size());
  }
}

TEST_F(TightTlsStream, KeysAreUpdatedUnderAWrite) {
  const std::string text(100000, 'a');
  std::uint64_t counter = 0;
  std::optional<Count> written;
  scope.spawn(keep(write_counted(*near, text, seconds(2), world.now(), counter), written));
  ASSERT_EQ(world.run_for(milliseconds(10)), SimOutcome::time_limit);
  SSL_key_update(far->ssl(), SSL_KEY_UPDATE_REQUESTED);
  SSL_do_handshake(far->ssl());
  std::optional<Count> received;
  scope.spawn(keep(receive_size(*near, got, 5), received));
  std::optional<Result<void>> said;
  scope.spawn(keep(far->write("hello"), said));
  std::string heard;
  EXPECT_TRUE(run(far->read_up_to(heard, text.size())));
  EXPECT_EQ(heard, text);
  EXPECT_EQ(written, Count(text.size()));
  EXPECT_EQ(counter, text.size());
  EXPECT_EQ(got, "hello");
}

TEST_F(TightTlsStream, CloseNotifyWaitsForItsTurn) {
  std::uint64_t counter = 0;
  EXPECT_EQ(run(write_counted(*near, std::string(70, 'a'), seconds(2), world.now(), counter)),
            Count(70));
  near->shutdown_write();  // there is no room for all of it
  settle();
  std::string heard;
  EXPECT_EQ(run(far->read(heard)), Count(70));
  EXPECT_EQ(run(far->read(heard)), Count(0));
  EXPECT_EQ(run(receive_all(*far_below, heard)), Count(0));
}

}  // namespace
}  // namespace penstock

#include "tls/stream.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "async/sleep.h"
#include "tls/tls_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Error kReset{.kind = ErrorKind::reset};

class TlsStreamTest : public TlsTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(connect());
    // Past the session tickets.
    ASSERT_EQ(hear("x"), Count(1));
    got.clear();
  }
  // The server says it and we read it.
  Count hear(const std::string& text) {
    EXPECT_TRUE(run(far->write(text)));
    return run(receive_size(*near, got, text.size()));
  }
  // Bytes of a record from the server, not sent.
  std::string record(std::string_view text) {
    SSL_write(far->ssl(), text.data(), static_cast<int>(text.size()));
    return take_records();
  }
  std::string take_records() {
    BIO* const out = SSL_get_wbio(far->ssl());
    std::string bytes(BIO_ctrl_pending(out), '\0');
    BIO_read(out, bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void send_raw(const std::string& bytes) { ASSERT_TRUE(run(send_text(*far_below, bytes))); }
  Count read_now(Duration limit = seconds(1)) {
    InputBuffer buffer;
    const Count count = run(read_into(buffer, limit));
    got += buffer.unread();
    buffer.consume(buffer.size());
    return count;
  }
  Task<Count> read_into(InputBuffer& buffer, Duration limit) {
    co_return co_await read_some(*near, buffer, deadline_after(world.now(), limit));
  }
  std::string got;
  Watcher watcher;
};

TEST_F(TlsStreamTest, BothWays) {
  EXPECT_EQ(hear("hello"), Count(5));
  EXPECT_EQ(got, "hello");
  EXPECT_EQ(run(send_text(*near, "answer")), Count(6));
  std::string heard;
  EXPECT_EQ(run(far->read(heard)), Count(6));
  EXPECT_EQ(heard, "answer");
}

Task<Count> write_parts(ByteStream& stream, std::span<iovec> parts, std::uint64_t& counter) {
  WriteOp op(stream, parts, kNever, Duration::zero());
  op.count_into(counter);
  co_return co_await op;
}

TEST_F(TlsStreamTest, SmallPartsShareARecord) {
  const std::string large(40000, 'l');
  std::array parts = {to_iovec(""),    to_iovec("one"), to_iovec(""),
                      to_iovec("two"), to_iovec(large), to_iovec("end")};
  const std::string all = "onetwo" + large + "end";
  std::uint64_t counter = 0;
  EXPECT_EQ(run(write_parts(*near, parts, counter)), Count(all.size()));
  EXPECT_EQ(counter, all.size());
  std::string heard;
  int records = 0;
  for (; heard.size() < all.size(); ++records) ASSERT_TRUE(run(far->read(heard)));
  EXPECT_EQ(heard, all);
  EXPECT_EQ(records, 3);
}

TEST_F(TlsStreamTest, NothingToWriteIsDoneWhenThereIsRoom) {
  std::uint64_t counter = 0;
  EXPECT_EQ(run(write_parts(*near, {}, counter)), Count(0));
  std::array parts = {to_iovec("")};
  EXPECT_EQ(run(write_parts(*near, parts, counter)), Count(0));
}

// ---- The end.

TEST_F(TlsStreamTest, TheEndIsReadWhereThePeerSaidSo) {
  SSL_write(far->ssl(), "last", 4);
  SSL_shutdown(far->ssl());
  ASSERT_TRUE(run(far->flush()));
  EXPECT_EQ(run(receive_all(*near, got)), Count(4));
  EXPECT_EQ(got, "last");
  EXPECT_EQ(read_now(), Count(0));
  EXPECT_TRUE(near->has_pending_input());
  // Our direction goes on.
  EXPECT_EQ(run(send_text(*near, "more")), Count(4));
  std::string heard;
  EXPECT_EQ(run(far->read(heard)), Count(4));
}

TEST_F(TlsStreamTest, AnEndWithoutCloseNotifyIsACut) {
  ASSERT_TRUE(run(far->write("las")));
  far_below->shutdown_write();
  EXPECT_EQ(run(receive_all(*near, got)), Count(fail(kReset)));
  EXPECT_EQ(got, "las");
  EXPECT_EQ(read_now(), Count(fail(kReset)));
}

TEST_F(TlsStreamTest, AnEndWithinARecordIsACut) {
  const std::string bytes = record("hello");
  send_raw(bytes.substr(0, bytes.size() - 1));
  far_below->shutdown_write();
  EXPECT_EQ(read_now(), Count(fail(kReset)));
  EXPECT_EQ(got, "");
}

TEST_F(TlsStreamTest, ABreakBelowIsPassedOn) {
  far_below->set_abortive();
  far.reset();
  far_below.reset();
  const Count count = read_now();
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error(), error_from_errno(ECONNRESET));
  EXPECT_FALSE(run(send_text(*near, "x")));
}

TEST_F(TlsStreamTest, ShutdownSaysCloseNotify) {
  near->shutdown_write();
  std::string heard;
  EXPECT_EQ(run(far->read(heard)), Count(0));
  EXPECT_EQ(run(receive_all(*far_below, heard)), Count(0));  // the direction below ended too
  EXPECT_EQ(heard, "");
  EXPECT_EQ(run(send_text(*near, "x")), Count(fail(error_from_errno(EPIPE))));
  EXPECT_EQ(hear("still"), Count(5));
  near->shutdown_write();
}

// Counts the writes that are begun.
class CountedStream final : public ByteStream {
 public:
  CountedStream(std::unique_ptr<ByteStream> inner, int& writes)
      : inner_(std::move(inner)), writes_(&writes) {}
  bool start(ReadOp& op) override { return inner_->start(op); }
  bool start(WriteOp& op) override {
    ++*writes_;
    return inner_->start(op);
  }
  void forget(ReadOp& op) override { inner_->forget(op); }
  void forget(WriteOp& op) override { inner_->forget(op); }
  void shutdown_write() override { inner_->shutdown_write(); }
  void set_abortive() override { inner_->set_abortive(); }
  void observe(StreamObserver* observer) override { inner_->observe(observer); }
  [[nodiscard]] bool has_pending_input() override { return inner_->has_pending_input(); }

 private:
  std::unique_ptr<ByteStream> inner_;
  int* writes_;
};

// What is said when a stream is destroyed.
class TlsStreamEnds : public TlsStreamTest {
 protected:
  void SetUp() override {
    StreamPair pair = make_stream_pair(world);
    far_below = std::move(pair.accepting);
    far.emplace(server_context.get(), *far_below);
    auto counted = std::make_unique<CountedStream>(std::move(pair.connecting), writes);
    scope.spawn(
        keep(connect_tls(std::move(counted), *client(), {kHost, address}, kNever), connected));
    scope.spawn(keep(far->handshake(), accepted));
    settle();
    ASSERT_TRUE(connected && *connected);
    near = std::move(**connected);
    EXPECT_FALSE(near->has_pending_input());  // takes the tickets: unread, they would mean a reset
    writes = 0;
  }
  int writes = 0;
};

TEST_F(TlsStreamEnds, WithCloseNotify) {
  near.reset();
  EXPECT_EQ(writes, 1);
  std::string heard;
  EXPECT_EQ(run(far->read(heard)), Count(0));
}

TEST_F(TlsStreamEnds, NotWhenAbortive) {
  near->set_abortive();
  near.reset();
  EXPECT_EQ(writes, 0);
  std::string heard;
  EXPECT_EQ(run(far->read(heard)), Count(fail(error_from_errno(ECONNRESET))));
}

TEST_F(TlsStreamEnds, NotAfterABreakOrAFailure) {
  ASSERT_TRUE(run(send_text(*far_below, "garbage")));
  EXPECT_FALSE(read_now());
  EXPECT_EQ(writes, 1);  // the alert
  near.reset();
  EXPECT_EQ(writes, 1);

  SetUp();
  far_below->set_abortive();
  far_below.reset();
  EXPECT_FALSE(read_now());
  near.reset();
  EXPECT_EQ(writes, 0);
}

Task<Count> write_for_ever(ByteStream& stream, std::string_view text) {
  while (true) {
    iovec part = to_iovec(text);
    const Count written = co_await write_all(stream, {&part, 1}, TimePoint{}, Duration::zero());
    if (!written) co_return written;
  }
}

TEST_F(TlsStreamEnds, NotAfterACutWrite) {
  Scope writer(world.executor());
  std::optional<Count> result;
  const std::string text(1000, 'a');
  writer.spawn(keep(write_for_ever(*near, text), result));
  settle();
  EXPECT_FALSE(result);
  writer.cancel();
  settle();
  EXPECT_TRUE(result);
  const int before = writes;
  near.reset();
  EXPECT_EQ(writes, before);
}

// ---- Failures.

TEST_F(TlsStreamTest, AFailureIsForGoodAndBothWays) {
  std::string bytes = record("hello");
  bytes.back() ^= 1;
  ASSERT_TRUE(run(far->write("before")));  // not decrypted: the record before it is missing
  send_raw(bytes);
  const Count count = read_now();
  ASSERT_FALSE(count);
  EXPECT_EQ(count.error().kind, ErrorKind::tls_protocol);
  EXPECT_EQ(read_now(), count);
  EXPECT_EQ(run(send_text(*near, "x")), count);
  EXPECT_TRUE(near->has_pending_input());
  std::string heard;
  EXPECT_FALSE(run(far->read(heard)));
  EXPECT_EQ(far->reason, SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);  // it was told
  near->shutdown_write();
}

TEST_F(TlsStreamTest, WhatCameBeforeAFailureIsRead) {
  std::string bytes = record("good") + record("bad");
  bytes.back() ^= 1;
  send_raw(bytes);
  EXPECT_EQ(read_now(), Count(4));
  EXPECT_EQ(got, "good");
  EXPECT_FALSE(read_now());
}

Task<Result<void>> update_keys_for_ever(TlsServerEnd& server) {
  while (true) {
    for (int i = 0; i < 100; ++i) {
      SSL_key_update(server.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
      SSL_do_handshake(server.ssl());
    }
    const auto sent = co_await server.flush();
    if (!sent) co_return sent;
  }
}

TEST_F(TlsStreamTest, EndlessRecordsWithoutDataAreCutOff) {
  std::optional<Result<void>> sent;
  scope.spawn(keep(update_keys_for_ever(*far), sent));
  EXPECT_EQ(run(receive_size(*near, got, 1)), Count(fail(ErrorKind::tls_protocol)));
  hang_up();
}

// ---- Limits of time, and operations that are given up.

TEST_F(TlsStreamTest, AReadTimesOutAndLosesNothing) {
  const std::string bytes = record("hello");
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    send_raw(bytes.substr(cut, 1));
    if (cut + 1 == bytes.size()) break;
    const TimePoint start = world.now();
    EXPECT_EQ(read_now(seconds(3)), Count(fail(ErrorKind::timed_out)));
    EXPECT_EQ(world.now() - start, seconds(3));
  }
  EXPECT_EQ(read_now(), Count(5));
  EXPECT_EQ(got, "hello");
}

TEST_F(TlsStreamTest, ACancelledReadLosesNothing) {
  const std::string bytes = record("hello");
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    send_raw(cut < bytes.size() ? bytes.substr(cut, 1) : "");
    std::optional<Count> result;
    Scope reader(world.executor());
    reader.spawn(keep(receive_size(*near, got, 1), result));
    settle();
    if (result) break;
    reader.cancel();
    settle();
    EXPECT_EQ(result, Count(fail(ErrorKind::cancelled)));
    EXPECT_EQ(world.pending_ops(), 0U);
  }
  EXPECT_EQ(got, "hello");
}

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

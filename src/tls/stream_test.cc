#include "tls/stream.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tls/stream_fixture_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

const Error kReset{.kind = ErrorKind::reset};

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

}  // namespace
}  // namespace penstock

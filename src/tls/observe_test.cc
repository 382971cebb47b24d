// What a TlsStream tells of itself while nobody reads from it, as in the pool.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "base/slab.h"
#include "tls/tls_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

class TlsObserved : public TlsTest {
 protected:
  void SetUp() override { ASSERT_TRUE(connect()); }
  // As the pool does.
  void make_idle() {
    near->observe(&watcher);
    EXPECT_FALSE(near->has_pending_input());
  }
  void update_keys(int kind) {
    SSL_key_update(far->ssl(), kind);
    SSL_do_handshake(far->ssl());
    ASSERT_TRUE(run(far->flush()));
  }
  void expect_quiet() {
    EXPECT_EQ(watcher.events + watcher.breaks, 0);
    EXPECT_FALSE(near->has_pending_input());
    EXPECT_FALSE(near->ask_pending_input());
  }
  std::string got;
  Watcher watcher;
};

TEST_F(TlsObserved, TicketsAreNotReported) {
  // The first ones have come already.
  EXPECT_EQ(client()->sessions(), 0U);
  make_idle();
  EXPECT_EQ(client()->sessions(), 2U);
  // A later one comes meanwhile.
  SSL_new_session_ticket(far->ssl());
  SSL_do_handshake(far->ssl());
  ASSERT_TRUE(run(far->flush()));
  EXPECT_EQ(client()->sessions(), 3U);
  expect_quiet();
}

TEST_F(TlsObserved, TicketsUnderWayAreNotReported) {
  near.reset();
  begin();
  while (!connected)
    ASSERT_EQ(world.run_for(std::chrono::microseconds(100)), SimOutcome::time_limit);
  near = std::move(**connected);
  make_idle();
  EXPECT_EQ(client()->sessions(), 0U);
  settle();
  EXPECT_EQ(client()->sessions(), 2U);
  expect_quiet();
}

TEST_F(TlsObserved, KeyUpdatesAreNotReported) {
  make_idle();
  update_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
  update_keys(SSL_KEY_UPDATE_REQUESTED);
  expect_quiet();
  near->observe(nullptr);
  EXPECT_TRUE(run(send_text(*near, "answered with new keys")));
  EXPECT_TRUE(run(far->write("hello")));
  EXPECT_TRUE(run(far->read_up_to(got, 22)));
  EXPECT_EQ(run(receive_size(*near, got, 27)), Count(5));
}

TEST_F(TlsObserved, ApplicationDataIsReportedOnceAndKept) {
  make_idle();
  const std::string bytes(30000, 'a');
  ASSERT_TRUE(run(far->write(bytes)));
  EXPECT_EQ(watcher.events, 1);
  EXPECT_EQ(watcher.breaks, 0);
  EXPECT_TRUE(near->has_pending_input());
  EXPECT_TRUE(near->ask_pending_input());
  EXPECT_EQ(run(receive_size(*near, got, bytes.size())), Count(bytes.size()));
  EXPECT_EQ(got, bytes);
  EXPECT_EQ(watcher.events, 1);
  ASSERT_TRUE(run(far->write("again")));  // nobody reads
  EXPECT_EQ(watcher.events, 2);
}

TEST_F(TlsObserved, APartOfARecordIsNoEvent) {
  make_idle();
  SSL_write(far->ssl(), "hello", 5);
  std::string bytes(27, '\0');
  BIO_read(SSL_get_wbio(far->ssl()), bytes.data(), 27);
  ASSERT_TRUE(run(send_text(*far_below, bytes.substr(0, 26))));
  expect_quiet();
  ASSERT_TRUE(run(send_text(*far_below, bytes.substr(26))));
  EXPECT_EQ(watcher.events, 1);
}

TEST_F(TlsObserved, TheEndIsReported) {
  make_idle();
  SSL_shutdown(far->ssl());
  ASSERT_TRUE(run(far->flush()));
  EXPECT_EQ(watcher.events, 1);
  EXPECT_EQ(watcher.breaks, 0);
  EXPECT_TRUE(near->has_pending_input());
}

TEST_F(TlsObserved, TheEndBelowIsReported) {
  make_idle();
  far_below->shutdown_write();
  settle();
  EXPECT_EQ(watcher.events, 1);
  EXPECT_EQ(watcher.breaks, 0);
  EXPECT_TRUE(near->has_pending_input());
}

TEST_F(TlsObserved, ABreakIsReportedAsOne) {
  make_idle();
  far_below->set_abortive();
  far_below.reset();
  settle();
  EXPECT_EQ(watcher.events, 0);
  EXPECT_EQ(watcher.breaks, 1);
  EXPECT_TRUE(near->has_pending_input());
}

TEST_F(TlsObserved, ABreakBehindUnreadDataIsReportedToo) {
  make_idle();
  ASSERT_TRUE(run(far->write("hello")));
  EXPECT_EQ(watcher.events, 1);
  far_below->set_abortive();
  far_below.reset();
  settle();
  EXPECT_EQ(watcher.breaks, 1);
}

TEST_F(TlsObserved, AFailureIsReportedAsABreak) {
  make_idle();
  ASSERT_TRUE(run(send_text(*far_below, std::string(100, 'x'))));
  EXPECT_EQ(watcher.breaks, 1);
  EXPECT_TRUE(near->has_pending_input());
}

TEST_F(TlsObserved, NothingIsHeldWhileIdle) {
  make_idle();
  ASSERT_TRUE(run(far->write("hello")));
  EXPECT_EQ(run(receive_size(*near, got, 5)), Count(5));
  ASSERT_TRUE(run(send_text(*near, "bye")));
  EXPECT_TRUE(run(far->read_up_to(got, 8)));
  EXPECT_EQ(SlabPool::bytes_in_use(), 0U);
}

TEST_F(TlsObserved, ReadsGoOnUnderAnObserver) {
  near->observe(&watcher);
  std::optional<Count> read;
  scope.spawn(keep(receive_size(*near, got, 5), read));
  settle();
  ASSERT_TRUE(run(far->write("hel")));
  ASSERT_TRUE(run(far->write("lo")));
  EXPECT_EQ(read, Count(5));
  EXPECT_EQ(watcher.events + watcher.breaks, 0);
  // A read that is given up leaves the watching as it was.
  EXPECT_EQ(run(receive_size(*near, got, 6, seconds(1))), Count(fail(ErrorKind::timed_out)));
  expect_quiet();
  ASSERT_TRUE(run(far->write("!")));
  EXPECT_EQ(watcher.events, 1);
  EXPECT_EQ(run(receive_size(*near, got, 6)), Count(1));
  Scope reader(world.executor());
  std::optional<Count> cancelled;
  reader.spawn(keep(receive_size(*near, got, 7), cancelled));
  reader.cancel();
  settle();
  ASSERT_TRUE(run(far->write("!")));
  EXPECT_EQ(watcher.events, 2);
}

TEST_F(TlsObserved, NobodyIsToldWhoDoesNotWatch) {
  make_idle();
  EXPECT_EQ(world.pending_ops(), 1U);
  near->observe(nullptr);
  EXPECT_EQ(world.pending_ops(), 0U);
  ASSERT_TRUE(run(far->write("hello")));
  EXPECT_EQ(watcher.events, 0);
  EXPECT_EQ(SlabPool::bytes_in_use(), 0U);  // not even read below
  EXPECT_TRUE(near->has_pending_input());
}

Task<Count> wait_readable(ByteStream& stream, TimePoint deadline) {
  co_return co_await ReadOp(stream, deadline);
}

TEST_F(TlsObserved, WaitingForInput) {
  EXPECT_EQ(run(wait_readable(*near, world.now() + seconds(1))),
            Count(fail(ErrorKind::timed_out)));  // tickets are no input
  std::optional<Count> ready;
  scope.spawn(keep(wait_readable(*near, kNever), ready));
  settle();
  EXPECT_FALSE(ready);
  ASSERT_TRUE(run(far->write("hello")));
  EXPECT_EQ(ready, Count(0));
  EXPECT_EQ(run(wait_readable(*near, kNever)), Count(0));
  EXPECT_EQ(run(receive_size(*near, got, 5)), Count(5));
  far_below->shutdown_write();
  EXPECT_EQ(run(wait_readable(*near, kNever)), Count(0));
}

// As a socket between two looks of the loop: what has come is told when the gate opens, or when it
// is asked for.
class GatedStream final : public ByteStream {
 public:
  explicit GatedStream(std::unique_ptr<ByteStream> inner) : inner_(std::move(inner)) {}
  bool start(ReadOp& op) override {
    if (open && inner_->has_pending_input()) return inner_->start(op);
    kept_ = &op;
    return false;
  }
  bool start(WriteOp& op) override { return inner_->start(op); }
  void forget(ReadOp& op) override {
    EXPECT_EQ(kept_, &op);
    kept_ = nullptr;
  }
  void forget(WriteOp& op) override { inner_->forget(op); }
  void shutdown_write() override { inner_->shutdown_write(); }
  void set_abortive() override { inner_->set_abortive(); }
  void observe(StreamObserver* /*observer*/) override {}
  [[nodiscard]] bool has_pending_input() override { return open && inner_->has_pending_input(); }
  [[nodiscard]] bool ask_pending_input() override {
    open = inner_->has_pending_input();
    return open;
  }
  // The loop has its turn.
  void tell() {
    open = true;
    if (kept_ == nullptr || !inner_->has_pending_input()) return;
    ReadOp& op = *std::exchange(kept_, nullptr);
    ASSERT_TRUE(inner_->start(op));
    op.complete(op.await_resume());
  }
  bool open = true;

 private:
  std::unique_ptr<ByteStream> inner_;
  ReadOp* kept_ = nullptr;
};

class TlsAsked : public TlsObserved {
 protected:
  void SetUp() override {
    StreamPair pair = make_stream_pair(world);
    far_below = std::move(pair.accepting);
    far.emplace(server_context.get(), *far_below);
    auto gated = std::make_unique<GatedStream>(std::move(pair.connecting));
    gate = gated.get();
    scope.spawn(
        keep(connect_tls(std::move(gated), *client(), {kHost, address}, kNever), connected));
    scope.spawn(keep(far->handshake(), accepted));
    while (!connected) {
      settle();
      gate->tell();
      settle();
    }
    ASSERT_TRUE(*connected);
    near = std::move(**connected);
    gate->tell();
    EXPECT_FALSE(near->has_pending_input());
    gate->open = false;
  }
  GatedStream* gate = nullptr;
};

TEST_F(TlsAsked, KnowsWhatTheLoopHasNotToldYet) {
  near->observe(&watcher);
  update_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
  EXPECT_FALSE(near->ask_pending_input());
  gate->open = false;
  ASSERT_TRUE(run(far->write("hello")));
  EXPECT_FALSE(near->has_pending_input());
  EXPECT_TRUE(near->ask_pending_input());
  EXPECT_TRUE(near->has_pending_input());
  EXPECT_EQ(run(receive_size(*near, got, 5)), Count(5));
}

TEST_F(TlsAsked, WhileAReadWaits) {
  std::optional<Count> read;
  scope.spawn(keep(receive_size(*near, got, 5), read));
  settle();
  EXPECT_FALSE(near->ask_pending_input());
  update_keys(SSL_KEY_UPDATE_NOT_REQUESTED);
  EXPECT_FALSE(near->ask_pending_input());
  gate->open = false;
  ASSERT_TRUE(run(far->write("hello")));
  EXPECT_FALSE(read);
  EXPECT_TRUE(near->ask_pending_input());
  settle();
  EXPECT_EQ(read, Count(5));
}

}  // namespace
}  // namespace penstock

#include "net/socket_stream.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include "net/loop_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using OpResult = std::optional<Result<std::size_t>>;

Task<void> read_once(ByteStream& stream, InputBuffer& into, TimePoint deadline, OpResult& result) {
  result = co_await read_some(stream, into, deadline);
}

struct Transcript {
  std::string bytes;
  std::optional<Error> error;
  bool ended = false;
};

// Reads until the end or an error.
Task<void> read_all(ByteStream& stream, Duration limit, Transcript& transcript) {
  Executor& executor = (co_await this_context()).executor();
  InputBuffer buffer;
  while (true) {
    const auto n = co_await read_some(stream, buffer, deadline_after(executor.now(), limit));
    if (!n) {
      transcript.error = n.error();
      co_return;
    }
    if (*n == 0) break;
    EXPECT_EQ(buffer.size(), *n);
    transcript.bytes += buffer.take(*n).view();
  }
  transcript.ended = true;
}

Task<void> write_parts(ByteStream& stream, std::vector<std::string_view> parts, Duration stall,
                       OpResult& result) {
  std::vector<iovec> vectors;
  std::ranges::transform(parts, std::back_inserter(vectors), to_iovec);
  Executor& executor = (co_await this_context()).executor();
  result = co_await write_all(stream, vectors, executor.now(), stall);
}

class CountingObserver final : public StreamObserver {
 public:
  void on_stream_event(bool was_broken) override {
    ++calls;
    broken = broken || was_broken;
  }
  int calls = 0;
  bool broken = false;
};

std::string random_text(std::size_t size, unsigned seed) {
  std::minstd_rand random(seed);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('a' + random() % 26);
  return text;
}

enum class Kind { tcp, unix_socket };

class SocketStreamTest : public LoopTest, public testing::WithParamInterface<Kind> {
 protected:
  SocketStreamTest() {
    RawConnection connection =
        GetParam() == Kind::tcp ? make_tcp_connection() : make_unix_connection();
    stream_ = SocketStream::create(loop, std::move(connection.ours), false);
    peer_ = std::move(connection.peer);
  }
  ~SocketStreamTest() override {
    scope.cancel();
    run();
  }
  void start_read(TimePoint deadline = kNever) {
    result_.reset();
    spawn(read_once(*stream_, buffer_, deadline, result_));
  }
  void finish_read() {
    run_until([this] { return result_.has_value(); });
  }

  std::unique_ptr<SocketStream> stream_;
  Peer peer_;
  InputBuffer buffer_;
  OpResult result_;
  OpResult written_;
};

INSTANTIATE_TEST_SUITE_P(Sockets, SocketStreamTest, testing::Values(Kind::tcp, Kind::unix_socket),
                         [](const auto& info) { return info.param == Kind::tcp ? "Tcp" : "Unix"; });

TEST_P(SocketStreamTest, ReadsWhatComesAndTheEnd) {
  start_read();
  settle();
  EXPECT_FALSE(result_);
  peer_.send("abc");
  finish_read();
  EXPECT_EQ(result_, Result<std::size_t>(3));
  peer_.send("def");
  start_read();
  finish_read();
  EXPECT_EQ(buffer_.unread(), "abcdef");
  peer_.shut_down();
  for (int i = 0; i < 2; ++i) {  // the end stays the end
    start_read();
    finish_read();
    EXPECT_EQ(result_, Result<std::size_t>(0));
  }
}

// Bytes and the end that came together need only one event.
TEST_P(SocketStreamTest, BytesThenEndInOneGo) {
  peer_.send("last words");
  peer_.shut_down();
  settle();
  EXPECT_TRUE(stream_->has_pending_input());
  Transcript transcript;
  spawn(read_all(*stream_, kLimit, transcript));
  EXPECT_EQ(transcript.bytes, "last words");  // without another turn
  EXPECT_TRUE(transcript.ended);
}

TEST_P(SocketStreamTest, BytesWhileNobodyReads) {
  peer_.send("one");
  settle();
  peer_.send("two");
  settle();
  start_read();
  EXPECT_EQ(result_, Result<std::size_t>(6));
  start_read();
  settle();
  EXPECT_FALSE(result_);
  EXPECT_FALSE(stream_->has_pending_input());
  peer_.send("three");
  finish_read();
  EXPECT_EQ(buffer_.unread(), "onetwothree");
}

TEST_P(SocketStreamTest, WritesGathered) {
  spawn(write_parts(*stream_, {"head ", "", "body"}, kLimit, written_));
  EXPECT_EQ(written_, Result<std::size_t>(9));  // at once
  EXPECT_EQ(peer_.receive(), "head body");
}

TEST_P(SocketStreamTest, NothingToWriteNeedsNoWait) {
  spawn(write_parts(*stream_, {}, kLimit, written_));
  EXPECT_EQ(written_, Result<std::size_t>(0));
}

TEST_P(SocketStreamTest, LargeGatheredWriteToASlowReader) {
  const std::string text = random_text(6'000'000, 1);
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at < text.size(); at += 10'007) {
    parts.push_back(std::string_view(text).substr(at, 10'007));  // far more than one call takes
  }
  spawn(write_parts(*stream_, parts, kLimit, written_));
  settle();
  EXPECT_FALSE(written_);
  std::string received;
  std::thread reader([&] {
    while (received.size() < text.size()) {
      const std::string part = peer_.receive();
      if (part.empty()) break;
      received += part;
    }
  });
  run();
  EXPECT_EQ(written_, Result<std::size_t>(text.size()));
  stream_->shutdown_write();
  reader.join();
  EXPECT_TRUE(received == text);
}

TEST_P(SocketStreamTest, HalfCloseLeavesTheOtherDirection) {
  stream_->shutdown_write();
  EXPECT_EQ(peer_.receive(), "");
  peer_.send("still here");
  start_read();
  finish_read();
  EXPECT_EQ(buffer_.unread(), "still here");
  spawn(write_parts(*stream_, {"too late"}, kLimit, written_));
  EXPECT_EQ(written_->error().kind, ErrorKind::reset);
  EXPECT_EQ(written_->error().cause, EPIPE);
}

TEST_P(SocketStreamTest, PeerEndedMayStillBeWrittenTo) {
  peer_.shut_down();
  settle();
  const std::string text = random_text(3'000'000, 2);
  spawn(write_parts(*stream_, {text}, kLimit, written_));
  std::string received;
  std::thread reader([&] { received = peer_.receive_all(); });
  run();
  stream_->shutdown_write();
  reader.join();
  EXPECT_TRUE(received == text);
}

TEST_P(SocketStreamTest, ReadTimesOut) {
  const TimePoint deadline = now() + 30ms;
  start_read(deadline);
  finish_read();
  EXPECT_EQ(result_->error().kind, ErrorKind::timed_out);
  EXPECT_GE(now(), deadline);
  peer_.send("abc");  // the stream can be read all the same
  start_read(now() + kLimit);
  finish_read();
  EXPECT_EQ(result_, Result<std::size_t>(3));
}

TEST_P(SocketStreamTest, ADeadlineShorterThanAnEarlierOne) {
  start_read(now() + 1h);
  peer_.send("abc");
  finish_read();
  start_read(now() + 20ms);
  finish_read();
  EXPECT_EQ(result_->error().kind, ErrorKind::timed_out);
}

TEST_P(SocketStreamTest, ADeadlineLongerThanAnEarlierOne) {
  start_read(now() + 20ms);
  peer_.send("abc");
  finish_read();
  const TimePoint deadline = now() + 100ms;
  start_read(deadline);
  finish_read();
  EXPECT_EQ(result_->error().kind, ErrorKind::timed_out);
  EXPECT_GE(now(), deadline);
}

TEST_P(SocketStreamTest, ReadAndWriteHaveDeadlinesOfTheirOwn) {
  const std::string text(20'000'000, 'x');
  const TimePoint start = now();
  spawn(write_parts(*stream_, {text}, 500ms, written_));
  start_read(now() + 20ms);
  finish_read();
  EXPECT_EQ(result_->error().kind, ErrorKind::timed_out);
  EXPECT_FALSE(written_);
  start_read();  // without one
  run_until([this] { return written_.has_value(); });
  EXPECT_EQ(written_->error().kind, ErrorKind::timed_out);
  EXPECT_GE(now() - start, 500ms);
  EXPECT_FALSE(result_);
}

// The limit of a write is on standing still, not on the whole.
TEST_P(SocketStreamTest, AWriteThatGetsOnDoesNotTimeOut) {
  const std::string text(60'000'000, 'x');
  constexpr Duration kStall = 100ms;
  const TimePoint start = now();
  spawn(write_parts(*stream_, {text}, kStall, written_));
  while (!written_ && now() < start + 2 * kStall) {
    for (int i = 0; i < 32; ++i) peer_.receive(MSG_DONTWAIT);
    const TimePoint next = now() + 20ms;
    run_until([&] { return now() >= next; });
  }
  EXPECT_FALSE(written_);
  run_until([this] { return written_.has_value(); });
  EXPECT_EQ(written_, Result<std::size_t>(fail(ErrorKind::timed_out)));
}

TEST_P(SocketStreamTest, CancelledOperationsLeaveTheStreamUsable) {
  const std::string text(20'000'000, 'x');
  {
    Scope inner(scope.context());
    inner.spawn(read_once(*stream_, buffer_, now() + 1h, result_));
    inner.spawn(write_parts(*stream_, {text}, 1h, written_));
    settle();
    inner.cancel();
    run_until([&] { return inner.running() == 0; });
  }
  EXPECT_EQ(result_->error().kind, ErrorKind::cancelled);
  EXPECT_EQ(written_->error().kind, ErrorKind::cancelled);
  peer_.send("abc");
  start_read();
  finish_read();
  EXPECT_EQ(buffer_.unread(), "abc");
}

// Completed by an event, but cancelled before it goes on: the bytes were taken, and are kept.
TEST_P(SocketStreamTest, CancelledBetweenCompletionAndResumption) {
  loop.call([this] { scope.cancel(); });  // runs after the events of the turn
  start_read();
  peer_.send("abc");
  run();
  if (*result_) {
    EXPECT_EQ(buffer_.unread(), "abc");
  } else {  // the call came first
    EXPECT_EQ(result_->error().kind, ErrorKind::cancelled);
    EXPECT_TRUE(buffer_.empty());
  }
}

TEST_P(SocketStreamTest, ObserverHearsWhatNoReadTakes) {
  CountingObserver observer;
  settle();
  stream_->observe(&observer);
  peer_.send("abc");
  run_until([&] { return observer.calls > 0; });
  EXPECT_FALSE(observer.broken);
  EXPECT_TRUE(stream_->has_pending_input());
  start_read();
  EXPECT_EQ(result_, Result<std::size_t>(3));
  EXPECT_FALSE(stream_->has_pending_input());

  observer.calls = 0;
  start_read();
  peer_.send("def");
  finish_read();
  settle();
  EXPECT_EQ(observer.calls, 0);  // the read took it

  peer_.shut_down();
  run_until([&] { return observer.calls > 0; });
  EXPECT_FALSE(observer.broken);
  stream_->observe(nullptr);
  observer.calls = 0;
  peer_.close();
  settle();
  EXPECT_EQ(observer.calls, 0);
}

// A read that filled its buffer cannot tell whether there is more.
TEST_P(SocketStreamTest, NothingIsPendingAfterAReadThatTookAllThereWas) {
  const std::size_t room = buffer_.writable().size();
  buffer_.commit(0);
  peer_.send(std::string(room, 'x'));
  settle();
  start_read();
  EXPECT_EQ(result_, Result<std::size_t>(room));
  EXPECT_FALSE(stream_->has_pending_input());
  start_read();
  settle();
  peer_.send("more");
  finish_read();
  EXPECT_EQ(buffer_.size(), room + 4);
}

TEST_P(SocketStreamTest, NoMemoryIsHeldWhileWaiting) {
  const std::size_t before = SlabPool::bytes_in_use();
  start_read();
  settle();
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

// Threads send and receive pieces of random sizes with pauses now and then: were an edge lost, the
// stream would stand still.
TEST_P(SocketStreamTest, NoWakeUpIsLost) {
  const std::string upward = random_text(4'000'000, 3);
  const std::string downward = random_text(4'000'000, 4);
  std::string received;
  std::thread sender([&] {
    std::minstd_rand random(5);
    for (std::size_t at = 0; at < upward.size();) {
      const std::size_t n = 1 + random() % (random() % 16 == 0 ? 200'000 : 5'000);
      peer_.send(std::string_view(upward).substr(at, n));
      at += n;
      if (random() % 4 == 0) std::this_thread::yield();
    }
    peer_.shut_down();
  });
  std::thread receiver([&] { received = peer_.receive_all(); });
  Transcript transcript;
  spawn(read_all(*stream_, kLimit, transcript));
  struct Writer {
    static Task<void> run(SocketStream& stream, std::string_view text) {
      std::minstd_rand random(6);
      while (!text.empty()) {
        const std::string_view piece = text.substr(0, 1 + random() % 100'000);
        text.remove_prefix(piece.size());
        OpResult result;
        co_await write_parts(stream, {piece}, kLimit, result);
        EXPECT_EQ(result, Result<std::size_t>(piece.size()));
      }
      stream.shutdown_write();
    }
  };
  spawn(Writer::run(*stream_, downward));
  run();
  stream_->shutdown_write();
  sender.join();
  receiver.join();
  EXPECT_TRUE(transcript.ended);
  EXPECT_TRUE(transcript.bytes == upward);
  EXPECT_TRUE(received == downward);
}

class TcpStreamTest : public SocketStreamTest {};
INSTANTIATE_TEST_SUITE_P(Sockets, TcpStreamTest, testing::Values(Kind::tcp));

TEST_P(TcpStreamTest, ResetFailsBothOperations) {
  const std::string text(20'000'000, 'x');
  start_read();
  spawn(write_parts(*stream_, {text}, kLimit, written_));
  settle();
  peer_.abort();
  run();
  EXPECT_EQ(result_->error().kind, ErrorKind::reset);
  EXPECT_EQ(written_->error().kind, ErrorKind::reset);
}

TEST_P(TcpStreamTest, ObserverHearsOfAReset) {
  CountingObserver observer;
  stream_->observe(&observer);
  settle();
  peer_.abort();
  run_until([&] { return observer.broken; });
  start_read();
  EXPECT_EQ(result_->error().kind, ErrorKind::reset);
}

// The error of a broken connection is told once by the system; when a write has heard of it, a read
// must not take what follows for the end of the stream.
TEST_P(TcpStreamTest, AResetIsNoEndAlsoWhenAWriteHeardOfItFirst) {
  peer_.send("part of a body");
  settle();
  peer_.abort();
  settle();
  spawn(write_parts(*stream_, {"more"}, kLimit, written_));
  EXPECT_EQ(written_->error().kind, ErrorKind::reset);
  Transcript transcript;
  spawn(read_all(*stream_, kLimit, transcript));
  run();
  EXPECT_FALSE(transcript.ended);
  ASSERT_TRUE(transcript.error);
  EXPECT_EQ(transcript.error->kind, ErrorKind::reset);
}

TEST_P(TcpStreamTest, AResetIsNoEndAlsoWhenOneHasLookedFirst) {
  peer_.abort();
  settle();
  EXPECT_TRUE(stream_->has_pending_input());
  EXPECT_TRUE(stream_->has_pending_input());
  start_read();
  EXPECT_EQ(result_->error().kind, ErrorKind::reset);
}

// The peer sent all and closed, and answers what we go on sending with a reset.
TEST_P(TcpStreamTest, AnEndBeforeTheResetIsAnEnd) {
  peer_.send("all of it");
  peer_.close();
  settle();
  spawn(write_parts(*stream_, {"answered with a reset"}, kLimit, written_));
  settle();
  spawn(write_parts(*stream_, {"more"}, kLimit, written_));
  EXPECT_EQ(written_->error().kind, ErrorKind::reset);
  Transcript transcript;
  spawn(read_all(*stream_, kLimit, transcript));
  run();
  EXPECT_TRUE(transcript.ended);
  EXPECT_EQ(transcript.bytes, "all of it");
}

TEST_P(TcpStreamTest, AbortiveCloseIsSeenAsAReset) {
  stream_->set_abortive();
  stream_.reset();
  char byte = 0;
  EXPECT_EQ(::recv(peer_.fd(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_P(TcpStreamTest, OrdinaryCloseIsAnEnd) {
  stream_.reset();
  char byte = 0;
  EXPECT_EQ(::recv(peer_.fd(), &byte, 1, 0), 0);
}

// A read ends early before urgent data though more has come.
TEST_P(TcpStreamTest, UrgentDataDoesNotStopTheStream) {
  peer_.send("before");
  peer_.send("!", MSG_OOB);
  peer_.send("after");
  settle();
  std::string all;
  while (all != "beforeafter") {
    start_read(now() + 2s);
    finish_read();
    ASSERT_TRUE(*result_);
    all += buffer_.take(buffer_.size()).view();
  }
}

}  // namespace
}  // namespace penstock

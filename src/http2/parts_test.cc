// The small parts of the room.
#include <chrono>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include "async/scope.h"
#include "async/virtual_time_test.h"
#include "base/free_list.h"
#include "http2/error_code.h"
#include "http2/flood_guard.h"
#include "http2/output.h"
#include "http2/priority.h"
#include "http2/receive_queue.h"
#include "http2/session_memory.h"
#include "http2/signal.h"
#include "http2/stream_numbers.h"

namespace penstock::http2 {
namespace {

using std::chrono::seconds;

Task<void> wait_for(Signal& signal, TimePoint deadline, std::optional<Result<void>>& result) {
  result = co_await signal.wait(deadline);
}

TEST(Http2Signal, WakesOrTimesOutOrIsCancelled) {
  VirtualTime time;
  Signal signal;
  std::optional<Result<void>> result;
  signal.wake();  // forgotten
  time.spawn(wait_for(signal, time.executor.now() + seconds(5), result));
  EXPECT_TRUE(signal.waited_for());
  time.advance(seconds(4));
  EXPECT_FALSE(result);
  signal.wake();
  EXPECT_FALSE(signal.waited_for());
  time.run();
  ASSERT_TRUE(result);
  EXPECT_TRUE(*result);

  result.reset();
  time.spawn(wait_for(signal, time.executor.now() + seconds(5), result));
  time.advance(seconds(6));
  EXPECT_EQ(result->error().kind, ErrorKind::timed_out);

  result.reset();
  time.spawn(wait_for(signal, kNever, result));
  time.scope.cancel();
  time.run();
  EXPECT_EQ(result->error().kind, ErrorKind::cancelled);
  result.reset();
  time.spawn(wait_for(signal, kNever, result));
  EXPECT_EQ(result->error().kind, ErrorKind::cancelled);
}

Slice slice_of(SlabSize size, std::string_view text) {
  SlabRef slab = SlabPool::take(size);
  std::memcpy(slab->data(), text.data(), text.size());
  const std::string_view bytes(slab->data(), text.size());
  return {std::move(slab), bytes};
}

std::string all_of(ReceiveQueue& queue, std::size_t limit) {
  std::string text;
  while (!queue.empty()) text += queue.pop(limit).view();
  return text;
}

TEST(Http2ReceiveQueue, KeepsOrder) {
  for (const std::size_t limit : {1U, 3U, 1000U}) {
    ReceiveQueue queue;
    EXPECT_TRUE(queue.pop(limit).empty());
    queue.push(slice_of(SlabSize::small, "abc"));
    queue.push(Slice());
    queue.push_compact(slice_of(SlabSize::large, "def"));
    queue.push_compact(slice_of(SlabSize::large, "ghi"));
    queue.push(slice_of(SlabSize::small, "jkl"));
    EXPECT_EQ(queue.size(), 12U);
    EXPECT_EQ(all_of(queue, limit), "abcdefghijkl");
  }
}

TEST(Http2ReceiveQueue, SmallPiecesShareASlab) {
  const std::size_t held = SlabPool::bytes_in_use();
  ReceiveQueue queue;
  for (int i = 0; i < 300; ++i) queue.push_compact(slice_of(SlabSize::large, "0123456789"));
  EXPECT_LE(SlabPool::bytes_in_use() - held, kSmallSlab);
  EXPECT_EQ(queue.pop(100'000).size(), 3000U);
  EXPECT_EQ(SlabPool::bytes_in_use(), held);
  // A large one stays where it is.
  Slice large = slice_of(SlabSize::medium, std::string(3000, 'x'));
  const char* const at = large.data();
  queue.push_compact(std::move(large));
  EXPECT_EQ(queue.pop(100'000).data(), at);
}

std::string written(Output& output) {
  std::string text;
  for (const iovec& part : output.parts()) {
    text.append(static_cast<const char*>(part.iov_base), part.iov_len);
  }
  return text;
}

TEST(Http2Output, CopiesWhatIsSmall) {
  Output output;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    output.put(std::string_view("head"));
    output.put(slice_of(SlabSize::small, "content"));
    expected += "headcontent";
  }
  EXPECT_EQ(written(output), expected);
  EXPECT_LE(output.parts().size(), 2U);
  const std::string large(5000, 'x');
  output.put(slice_of(SlabSize::medium, large));
  output.put(std::string_view("more"));
  EXPECT_EQ(written(output), expected + large + "more");
  EXPECT_LE(output.parts().size(), 4U);
  // What nobody keeps alive is copied, whatever its size.
  std::string gone(50'000, 'y');
  output.clear();
  output.put(Slice(gone));
  gone.assign(gone.size(), 'z');
  EXPECT_EQ(written(output), std::string(50'000, 'y'));
  output.clear();
  EXPECT_TRUE(output.empty());
  EXPECT_EQ(written(output), "");
}

TEST(Http2Priority, Values) {
  EXPECT_EQ(parse_priority("").urgency, 3U);
  EXPECT_FALSE(parse_priority("").incremental);
  EXPECT_EQ(parse_priority("u=5, i").urgency, 5U);
  EXPECT_TRUE(parse_priority("u=5, i").incremental);
  EXPECT_TRUE(parse_priority("i=?1;x, u=0").incremental);
  EXPECT_EQ(parse_priority("i=?1;x, u=0").urgency, 0U);
  EXPECT_FALSE(parse_priority("i=?0").incremental);
  for (const std::string_view wrong : {"u=8", "u=-1", "u", "u=12", "x", "u=\"1\""}) {
    EXPECT_EQ(parse_priority(wrong).urgency, 3U) << wrong;
  }
}

TEST(Http2StreamNumbers, OnlyRise) {
  StreamNumbers numbers;
  EXPECT_TRUE(numbers.on_headers(1));
  EXPECT_TRUE(numbers.on_headers(9));
  EXPECT_TRUE(numbers.on_headers(1));  // its trailers
  EXPECT_TRUE(numbers.on_headers(9));
  for (const std::uint32_t passed_over : {3U, 5U, 7U}) {
    EXPECT_FALSE(numbers.on_headers(passed_over));
  }
  EXPECT_TRUE(numbers.on_headers(11));
}

TEST(Http2StreamNumbers, TheLatestGapsAreKept) {
  StreamNumbers numbers;
  for (std::uint32_t id = 1; id <= 4 * StreamNumbers::kGaps + 5; id += 4) {
    EXPECT_TRUE(numbers.on_headers(id));
  }
  EXPECT_TRUE(numbers.on_headers(3));  // forgotten
  EXPECT_FALSE(numbers.on_headers(7));
  EXPECT_FALSE(numbers.on_headers(4 * StreamNumbers::kGaps + 3));
}

TEST(Http2FloodGuard, FillsUpWithTime) {
  TimePoint now{};
  FloodGuard guard(now);
  for (std::uint32_t i = 0; i < FloodGuard::kResets; ++i) EXPECT_TRUE(guard.on_reset(now));
  EXPECT_FALSE(guard.on_reset(now));
  now += seconds(1);
  for (std::uint32_t i = 0; i < FloodGuard::kResetsASecond; ++i) EXPECT_TRUE(guard.on_reset(now));
  EXPECT_FALSE(guard.on_reset(now));
  now += std::chrono::hours(1000);
  for (std::uint32_t i = 0; i < FloodGuard::kResets; ++i) EXPECT_TRUE(guard.on_reset(now));
  EXPECT_FALSE(guard.on_reset(now));
  for (std::uint32_t i = 0; i < FloodGuard::kFrames; ++i) EXPECT_TRUE(guard.on_idle_frame(now));
  EXPECT_FALSE(guard.on_idle_frame(now));
  guard.on_useful_frame();
  for (std::uint32_t i = 0; i < FloodGuard::kFramesForUseful; ++i) {
    EXPECT_TRUE(guard.on_idle_frame(now));
  }
  EXPECT_FALSE(guard.on_idle_frame(now));
}

// As long as the session is being made, and afterwards.
TEST(Http2SessionMemory, BlocksKeepTheirBytes) {
  SessionMemory owner;
  nghttp2_mem memory = owner.functions();
  const auto zeroed = [&memory](std::size_t size) {
    return static_cast<char*>(memory.calloc(size / 10, 10, memory.mem_user_data));
  };
  const auto resize = [&memory](char* block, std::size_t size) {
    return static_cast<char*>(memory.realloc(block, size, memory.mem_user_data));
  };
  char* const lasting = zeroed(4000);
  char* const buffer = zeroed(16'400);
  std::memset(buffer, 'b', 16'400);
  for (int i = 0; i < 3; ++i) {
    char* block = zeroed(100);
    EXPECT_EQ(std::string(block, 100), std::string(100, '\0'));
    std::memset(block, 'x', 100);
    char* const another = zeroed(16'400);
    std::memset(another, 'y', 16'400);
    if (i == 1) owner.close_slot();
    block = resize(block, 50'000);
    EXPECT_EQ(std::string(block, 100), std::string(100, 'x'));
    block = resize(block, 50);
    EXPECT_EQ(std::string(block, 50), std::string(50, 'x'));
    memory.free(block, memory.mem_user_data);
    memory.free(another, memory.mem_user_data);
  }
  EXPECT_EQ(std::string(lasting, 4000), std::string(4000, '\0'));
  EXPECT_EQ(std::string(buffer, 16'400), std::string(16'400, 'b'));
  memory.free(lasting, memory.mem_user_data);
  memory.free(buffer, memory.mem_user_data);
  memory.free(nullptr, memory.mem_user_data);
  EXPECT_EQ(memory.calloc(static_cast<std::size_t>(-1), 16, memory.mem_user_data), nullptr);
}

std::size_t resident_pages() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident;
}

TEST(Http2SessionMemory, AnIdleSessionTakesFewPages) {
  if (!kKeepFreedBlocks) GTEST_SKIP() << "has no slots under a sanitizer";
  constexpr std::size_t kSessions = 1000;
  nghttp2_session_callbacks* callbacks = nullptr;
  ASSERT_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
  std::vector<nghttp2_session*> sessions;
  {
    std::vector<std::unique_ptr<SessionMemory>> memory;
    sessions.reserve(kSessions);
    memory.reserve(kSessions);
    const std::size_t before = resident_pages();
    for (std::size_t i = 0; i < kSessions; ++i) {
      memory.push_back(std::make_unique<SessionMemory>());
      nghttp2_mem functions = memory.back()->functions();
      nghttp2_session* session = nullptr;
      ASSERT_EQ(nghttp2_session_server_new3(&session, callbacks, nullptr, nullptr, &functions), 0);
      memory.back()->close_slot();
      sessions.push_back(session);
      nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
      const std::uint8_t* bytes = nullptr;
      while (nghttp2_session_mem_send(session, &bytes) > 0) continue;
    }
    EXPECT_LE(resident_pages() - before, kSessions * 7 / 2);
    for (nghttp2_session* const session : sessions) nghttp2_session_del(session);
    memory.clear();
    EXPECT_LE(resident_pages() - before, kSessions / 4) << "given back";
  }
  nghttp2_session_callbacks_del(callbacks);
}

TEST(Http2ErrorCode, Names) {
  EXPECT_EQ(to_string(ErrorCode::no_error), "NO_ERROR");
  EXPECT_EQ(to_string(ErrorCode::http_1_1_required), "HTTP_1_1_REQUIRED");
  EXPECT_EQ(to_string(static_cast<ErrorCode>(14)), "unknown");
}

}  // namespace
}  // namespace penstock::http2

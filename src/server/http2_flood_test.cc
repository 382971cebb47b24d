// Clients that keep an HTTP/2 connection busy without getting anywhere.
#include <algorithm>
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "http2/flood_guard.h"
#include "server/http2_test.h"

namespace penstock {
namespace {

using http2::FloodGuard;
using http2::frame;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Http2FloodTest : public Http2Test {
 protected:
  // So many frames, each made by f(i); true when the connection ended with ENHANCE_YOUR_CALM.
  template <class F>
  bool ends_after(unsigned count, F f) {
    // In runs of fewer than there may be streams.
    for (unsigned i = 0; i < count;) {
      std::string bytes;
      for (const unsigned end = std::min(count, i + 90); i < end; ++i) bytes += f(i);
      client().send(bytes, milliseconds(3));
    }
    wait(seconds(2));
    return ended && !peer().goaways.empty() && peer().goaways.back() == NGHTTP2_ENHANCE_YOUR_CALM;
  }
};

std::string request(unsigned i, bool end = true) {
  return http2::RawPeer::headers(static_cast<std::int32_t>(1 + 2 * i),
                                 http2::RawPeer::request("GET", "/"), end);
}

// CVE-2023-44487.
TEST_F(Http2FloodTest, RapidReset) {
  handler.reply.after = seconds(5);
  EXPECT_TRUE(ends_after(FloodGuard::kResets + 1, [](unsigned i) {
    return request(i) + Peer::reset_frame(static_cast<std::int32_t>(1 + 2 * i), NGHTTP2_CANCEL);
  }));
  EXPECT_EQ(connection->ending().reason, "too many streams reset");
  EXPECT_LE(handler.seen.size(), FloodGuard::kResets + 1);
}

TEST_F(Http2FloodTest, ResetsNowAndThenAreFine) {
  handler.reply.after = seconds(5);
  for (unsigned i = 0; i < 2 * FloodGuard::kResets; ++i) {
    client().send(
        request(i) + Peer::reset_frame(static_cast<std::int32_t>(1 + 2 * i), NGHTTP2_CANCEL),
        milliseconds(100));
  }
  EXPECT_FALSE(ended);
}

// CVE-2025-8671: the client makes us reset the streams.
TEST_F(Http2FloodTest, MadeYouReset) {
  handler.reply.after = seconds(5);
  EXPECT_TRUE(ends_after(FloodGuard::kResets + 1, [](unsigned i) {
    // A window that grows beyond its limit is an error of the stream.
    return request(i) + Peer::window_update(static_cast<std::int32_t>(1 + 2 * i), 0x7fffffff);
  }));
  EXPECT_EQ(connection->ending().reason, "too many streams reset");
}

TEST_F(Http2FloodTest, MalformedRequestsWithoutEnd) {
  EXPECT_TRUE(ends_after(FloodGuard::kResets + 1, [](unsigned i) {
    return Peer::headers(static_cast<std::int32_t>(1 + 2 * i),
                         Peer::request("GET", "/", {{"connection", "x"}}), true);
  }));
}

TEST_F(Http2FloodTest, Pings) {
  EXPECT_TRUE(ends_after(FloodGuard::kFrames + 1,
                         [](unsigned) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }));
  EXPECT_EQ(connection->ending().reason, "too many frames without content");
}

TEST_F(Http2FloodTest, Settings) {
  EXPECT_TRUE(ends_after(FloodGuard::kFrames + 1,
                         [](unsigned) { return frame(NGHTTP2_SETTINGS, 0, 0, {}); }));
}

TEST_F(Http2FloodTest, Priorities) {
  EXPECT_TRUE(ends_after(FloodGuard::kFrames + 1, [](unsigned i) {
    return frame(NGHTTP2_PRIORITY, 0, static_cast<std::int32_t>(1 + 2 * i),
                 http2::big_endian(0, 4) + "x");
  }));
}

TEST_F(Http2FloodTest, PriorityUpdates) {
  client().send(request(0));
  EXPECT_TRUE(ends_after(FloodGuard::kFrames + 10, [](unsigned i) {
    return frame(NGHTTP2_PRIORITY_UPDATE, 0, 0,
                 http2::big_endian(1, 4) + "u=" + std::to_string(i % 8));
  }));
}

TEST_F(Http2FloodTest, WindowUpdates) {
  EXPECT_TRUE(
      ends_after(FloodGuard::kFrames + 1, [](unsigned) { return Peer::window_update(0, 1); }));
}

TEST_F(Http2FloodTest, EmptyData) {
  client().send(Peer::headers(1, Peer::request("POST", "/"), false));
  EXPECT_TRUE(
      ends_after(FloodGuard::kFrames + 10, [](unsigned) { return Peer::data(1, "", false); }));
}

TEST_F(Http2FloodTest, PaddingAlone) {
  client().send(Peer::headers(1, Peer::request("POST", "/"), false));
  EXPECT_TRUE(ends_after(FloodGuard::kFrames + 10, [](unsigned) {
    return frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\3\0\0\0", 4));
  }));
}

TEST_F(Http2FloodTest, WindowUpdatesOfAFastDownloadAreFine) {
  handler.reply.content = std::string(4'000'000, 'x');
  client(65535).send(request(0));
  for (int i = 0; i < 4000 && !peer()[1].ended; ++i) {
    client().send(Peer::window_update(0, 1000) + Peer::window_update(1, 1000), milliseconds(1));
  }
  wait(seconds(1));
  EXPECT_TRUE(peer()[1].ended);
  EXPECT_FALSE(ended);
}

// Frames that have to be answered, by a client that takes no answer: it is not listened to any more
// before too many of them wait, and is left when it has taken nothing for too long.
TEST_F(Http2FloodTest, AnswersThatAreNotTaken) {
  handler.reply.content = std::string(2'000'000, 'x');
  client().reading = false;
  peer().send(request(0));
  std::string pings;
  for (unsigned i = 0; i < 900; ++i) pings += frame(NGHTTP2_PING, 0, 0, "12345678");
  for (int i = 0; i < 3; ++i) peer().send(pings, seconds(10));
  EXPECT_FALSE(ended);
  wait(seconds(40));
  EXPECT_TRUE(ended);
  EXPECT_EQ(connection->ending().reason, "");
}

TEST_F(Http2FloodTest, Continuations) {
  std::string bytes = frame(NGHTTP2_HEADERS, 0, 1, http2::hpack(Peer::request("GET", "/")));
  for (int i = 0; i < 100; ++i) bytes += frame(NGHTTP2_CONTINUATION, 0, 1, "");
  client().send(bytes);
  wait(seconds(2));
  EXPECT_TRUE(ended);
  ASSERT_FALSE(peer().goaways.empty());
  EXPECT_EQ(peer().goaways.back(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(connection->ending().reason, "too many CONTINUATION frames");
  EXPECT_TRUE(handler.seen.empty());
}

// Where large heads are allowed they may take as many frames as they need.
TEST_F(Http2FloodTest, AsManyContinuationsAsALargeHeadNeeds) {
  settings.request_head = {.head = 256 * 1024, .start_line = 1024, .fields = 200};
  Lines lines = Peer::request("GET", "/");
  for (int i = 0; i < 4; ++i) lines.emplace_back("x-large", std::string(60'000, 'x'));
  const std::string block = http2::hpack(lines);
  std::string bytes = frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, block.substr(0, 16384));
  for (std::size_t at = 16384; at < block.size(); at += 16384) {
    const bool last = at + 16384 >= block.size();
    bytes += frame(NGHTTP2_CONTINUATION, last ? NGHTTP2_FLAG_END_HEADERS : 0, 1,
                   block.substr(at, 16384));
  }
  client().send(bytes);
  EXPECT_EQ(peer()[1].status(), "200");
}

// A large field in the dynamic table, named again and again by one byte.
TEST_F(Http2FloodTest, HpackBomb) {
  std::string block = http2::hpack(Peer::request("GET", "/"));
  block += '\x40' + http2::hpack_text("x") + http2::hpack_text(std::string(4000, 'x'));
  block += std::string(10'000, '\xbe');
  client().send(
      frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, block));
  wait(seconds(2));
  EXPECT_TRUE(ended);
  ASSERT_FALSE(peer().goaways.empty());
  EXPECT_EQ(peer().goaways.back(), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(connection->ending().reason, "a field section is far too large");
  EXPECT_TRUE(handler.seen.empty());
}

// Each no larger than it may be, and small on the wire.
TEST_F(Http2FloodTest, ManyLargeHeadsCountLikeBuffers) {
  settings.buffer_bytes = 1024 * 1024;
  handler.reply.after = seconds(3);
  const std::string few = http2::hpack(Peer::request("GET", "/"));
  std::string block =
      few + '\x40' + http2::hpack_text("x") + http2::hpack_text(std::string(4000, 'x'));
  constexpr auto kFlags = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;
  for (std::int32_t id = 1; id < 51; id += 2) {
    client().send(frame(NGHTTP2_HEADERS, kFlags, id, block), milliseconds(1));
    block = few + std::string(14, '\xbe');
  }
  ASSERT_EQ(handler.seen.size(), 25U);
  EXPECT_FALSE(handler.seen[15].problem);
  ASSERT_TRUE(handler.seen[20].problem);
  EXPECT_EQ(handler.seen[20].problem->kind, ErrorKind::overloaded);
  handler.reply = {};
  wait(seconds(4));
  client().send(Peer::headers(201, Peer::request("GET", "/"), true));
  EXPECT_EQ(peer()[201].content, "/");
  EXPECT_FALSE(handler.seen.back().problem);
}

TEST_F(Http2FloodTest, AndSoDoTrailers) {
  settings.buffer_bytes = 1024 * 1024;
  handler.reply.after = seconds(3);
  std::string large = '\x40' + http2::hpack_text("x") + http2::hpack_text(std::string(4000, 'x'));
  constexpr auto kEnd = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;
  for (std::int32_t id = 1; id < 51; id += 2) {
    large += std::string(14, '\xbe');
    client().send(Peer::headers(id, Peer::request("POST", "/"), false) +
                      frame(NGHTTP2_HEADERS, kEnd, id, std::exchange(large, {})),
                  milliseconds(1));
  }
  ASSERT_EQ(handler.seen.size(), 25U);
  EXPECT_FALSE(handler.seen[10].problem);
  ASSERT_TRUE(handler.seen[24].problem);
  EXPECT_EQ(handler.seen[24].problem->kind, ErrorKind::overloaded);
  wait(seconds(4));
  EXPECT_EQ(http2::HeldSections::total(), 0U);
}

TEST_F(Http2FloodTest, MoreStreamsThanAllowed) {
  settings.http2.max_streams = 5;
  handler.reply.after = seconds(1);
  std::string bytes;
  for (unsigned i = 0; i < 6; ++i) bytes += request(i);
  client().send(bytes);
  wait(seconds(2));
  EXPECT_EQ(handler.seen.size(), 5U);
  ASSERT_FALSE(peer().goaways.empty());
  EXPECT_EQ(peer().goaways.back(), NGHTTP2_PROTOCOL_ERROR);
}

// Who has not seen our SETTINGS yet may not know better.
TEST_F(Http2FloodTest, MoreStreamsThanAllowedBeforeItIsKnown) {
  settings.http2.max_streams = 5;
  peer().answer_settings = false;
  handler.reply.after = seconds(1);
  std::string bytes;
  for (unsigned i = 0; i < 6; ++i) bytes += request(i);
  peer().begin();
  peer().send(bytes);
  EXPECT_EQ(handler.seen.size(), 5U);
  ASSERT_TRUE(peer()[11].reset);
  EXPECT_EQ(*peer()[11].reset, NGHTTP2_REFUSED_STREAM);
  wait(seconds(2));
  EXPECT_EQ(peer()[9].status(), "200");
  EXPECT_FALSE(ended);
}

TEST_F(Http2FloodTest, SmallPiecesThatWaitHoldLittleMemory) {
  handler.reply.read_body = false;
  handler.reply.after = seconds(50);
  client().send(Peer::headers(1, Peer::request("POST", "/"), false));
  const std::size_t before = SlabPool::bytes_in_use();
  for (int i = 0; i < 1000; ++i) {
    client().send(Peer::data(1, "0123456789", false), milliseconds(2));
  }
  EXPECT_LT(SlabPool::bytes_in_use() - before, 100'000U);
}

}  // namespace
}  // namespace penstock

#include "adapt/decompress_body.h"

#include <string>
#include <vector>

#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "adapt/compress_body.h"
#include "adapt/pull_body_test.h"
#include "message/refusal.h"
#include "message/text_body.h"

namespace penstock {
namespace {

using enum ContentCoding;
using namespace std::chrono_literals;
using namespace std::string_literals;

constexpr DecompressLimits kNoLimits{.output = 0, .ratio = 0, .ratio_from = 0};
constexpr Error kBroken{.kind = ErrorKind::protocol,
                        .side = Side::server,
                        .cause = static_cast<int>(Refusal::content_coding_broken)};
constexpr Error kTooLarge{.kind = ErrorKind::limit, .side = Side::server};

std::string coded(std::string_view text, ContentCoding coding) {
  TextBody source(text);
  CompressBody body(source, coding, level_range(coding).usual, FlushPolicy::at_end);
  return pull_all(body).text;
}

// The bare format (RFC 1951).
std::string bare_deflate(std::string_view text, int level = 6) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string result(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(::deflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string zstd_with_window(std::string_view text, int bits) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, bits);
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  std::string result(ZSTD_compressBound(text.size()) + 100, '\0');
  ZSTD_inBuffer in{text.data(), text.size(), 0};
  ZSTD_outBuffer out{result.data(), result.size(), 0};
  // In two steps, so that the frame does not shrink to the content.
  ZSTD_compressStream2(context, &out, &in, ZSTD_e_flush);
  EXPECT_EQ(ZSTD_compressStream2(context, &out, &in, ZSTD_e_end), 0U);
  ZSTD_freeCCtx(context);
  result.resize(out.pos);
  return result;
}

PulledBody decode(std::string_view text, ContentCoding coding,
                  const DecompressLimits& limits = kNoLimits) {
  TextBody source(text);
  DecompressBody body(source, coding, limits, Side::server);
  return pull_all(body);
}

// The same result in one piece, in single bytes, and in two pieces cut at each place.
void expect_decoded(std::string_view text, ContentCoding coding, std::string_view content,
                    std::optional<Error> error = {}) {
  std::vector<std::vector<BodyPiece>> ways = {in_pieces(text, text.size()), in_pieces(text, 1)};
  for (std::size_t at = 1; at < text.size(); at += 1 + text.size() / 200) {
    ways.push_back({{.text = std::string(text.substr(0, at))},
                    {.text = std::string(text.substr(at)), .after = 1s}});
  }
  for (auto& way : ways) {
    TimedBody source(std::move(way));
    DecompressBody body(source, coding, kNoLimits, Side::server);
    const PulledBody pulled = pull_all(body);
    ASSERT_EQ(pulled.text, content);
    ASSERT_EQ(pulled.error, error);
    ASSERT_EQ(pulled.ended, !error);
    ASSERT_EQ(body.at_end(), !error);
  }
}

class DecompressBodyTest : public testing::TestWithParam<ContentCoding> {};
INSTANTIATE_TEST_SUITE_P(All, DecompressBodyTest, testing::Values(gzip, deflate, br, zstd));

TEST_P(DecompressBodyTest, DecodedHoweverItComes) {
  for (const std::size_t size : {0U, 1U, 100U, 5000U}) {
    const std::string text = sample_text(size);
    expect_decoded(coded(text, GetParam()), GetParam(), text);
  }
  const std::string text = sample_text(300000) + noise(300000);
  const std::string whole = coded(text, GetParam());
  std::mt19937 random(3);
  for (const std::size_t most : {1000U, 100000U}) {
    TimedBody source(in_random_pieces(whole, most, random));
    DecompressBody body(source, GetParam(), kNoLimits, Side::server);
    const PulledBody pulled = pull_all(body);
    EXPECT_TRUE(pulled.ended);
    EXPECT_TRUE(pulled.text == text);
  }
}

TEST_P(DecompressBodyTest, NothingAtAllIsAnEmptyBody) {
  TextBody source;
  DecompressBody body(source, GetParam(), kNoLimits, Side::server);
  EXPECT_TRUE(body.at_end());
  TimedBody late({{.text = "", .after = 1s}});
  DecompressBody late_body(late, GetParam(), kNoLimits, Side::server);
  EXPECT_FALSE(late_body.at_end());
  const PulledBody pulled = pull_all(late_body);
  EXPECT_TRUE(pulled.ended);
  EXPECT_EQ(pulled.text, "");
}

// Whatever is missing at the end, there is no early end.
TEST_P(DecompressBodyTest, CutShortAnywhereIsAnError) {
  const std::string text = sample_text(3000);
  const std::string whole = coded(text, GetParam());
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const PulledBody pulled = decode(std::string_view(whole).substr(0, size), GetParam());
    ASSERT_EQ(pulled.error, kBroken) << size;
    ASSERT_TRUE(text.starts_with(pulled.text));
  }
}

TEST_P(DecompressBodyTest, BytesBehindTheEndAreAnError) {
  const std::string text = sample_text(500);
  const std::string whole = coded(text, GetParam());
  for (const char c : {'\0', 'x', '\n'}) {
    expect_decoded(whole + c, GetParam(), text, kBroken);
  }
}

TEST_P(DecompressBodyTest, AnythingElseIsAnError) {
  EXPECT_EQ(decode("\xff<html>plain text</html>", GetParam()).error, kBroken);
  EXPECT_EQ(decode(noise(100), GetParam()).error, kBroken);
}

TEST_P(DecompressBodyTest, WhatWasRightComesBeforeTheError) {
  const std::string text = sample_text(600000);
  std::string whole = coded(text, GetParam());
  whole.resize(whole.size() - whole.size() / 4);
  const PulledBody pulled = decode(whole, GetParam());
  EXPECT_EQ(pulled.error, kBroken);
  EXPECT_GT(pulled.text.size(), text.size() / 4);
  EXPECT_TRUE(text.starts_with(pulled.text));
}

TEST_P(DecompressBodyTest, ErrorsOfTheSourcePassAsTheyAre) {
  const Error error{.kind = ErrorKind::closed, .side = Side::client};
  TimedBody source(
      {{.text = coded(sample_text(3000), GetParam()).substr(0, 500)}, {.error = error}});
  DecompressBody body(source, GetParam(), kNoLimits, Side::server);
  EXPECT_EQ(pull_all(body).error, error);
  EXPECT_FALSE(body.at_end());
}

TEST_P(DecompressBodyTest, WhatStreamsIsNotHeldUp) {
  TimedBody plain({{.text = "data: one\n\n"}, {.text = "data: two\n\n", .after = 10s}});
  CompressBody compressed(plain, GetParam(), level_range(GetParam()).usual, FlushPolicy::when_idle);
  DecompressBody body(compressed, GetParam(), kNoLimits, Side::server);
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  EXPECT_EQ(pulled.text, "data: one\n\n");
  time.advance(10s);
  EXPECT_EQ(pulled.text, "data: one\n\ndata: two\n\n");
  EXPECT_TRUE(pulled.ended);
}

TEST_P(DecompressBodyTest, LimitOfBytes) {
  const std::string text = sample_text(100000);
  const std::string whole = coded(text, GetParam());
  DecompressLimits limits{.output = text.size(), .ratio = 0};
  EXPECT_TRUE(decode(whole, GetParam(), limits).text == text);
  --limits.output;
  const PulledBody pulled = decode(whole, GetParam(), limits);
  EXPECT_EQ(pulled.error, kTooLarge);
  EXPECT_LE(pulled.text.size(), limits.output);
  EXPECT_TRUE(text.starts_with(pulled.text));
}

TEST_P(DecompressBodyTest, LimitOfTheRatio) {
  const std::string zeros(20000000, '\0');
  const std::string bomb = coded(zeros, GetParam());
  const PulledBody pulled = decode(bomb, GetParam(), DecompressLimits{});
  EXPECT_EQ(pulled.error, kTooLarge);
  EXPECT_LE(pulled.text.size(), 1024U * 1024U);
  EXPECT_TRUE(decode(bomb, GetParam(), {.ratio_from = zeros.size()}).text == zeros);
  // What is small may be as dense as it likes; what is usual is far from the limit.
  const std::string_view small = std::string_view(zeros).substr(0, 1000000);
  EXPECT_TRUE(decode(coded(small, GetParam()), GetParam(), DecompressLimits{}).ended);
  const std::string text = sample_text(4000000);
  EXPECT_TRUE(decode(coded(text, GetParam()), GetParam(), DecompressLimits{}).ended);
}

TEST_P(DecompressBodyTest, LargeOutputLeavesTurnsToOthers) {
  const std::string bomb = coded(std::string(5000000, 'a'), GetParam());
  TextBody source(bomb);
  DecompressBody body(source, GetParam(), kNoLimits, Side::server);
  std::size_t bytes = 0;
  for (Slice slice = body.take_ready(); !slice.empty(); slice = body.take_ready()) {
    bytes += slice.size();
  }
  EXPECT_GT(bytes, 100000U);
  EXPECT_LT(bytes, 300000U);
  EXPECT_FALSE(body.at_end());
  VirtualTime time;
  PulledBody pulled;
  time.scope.spawn(pull_body(body, pulled));
  unsigned turns = 0;
  for (; time.executor.has_ready(); ++turns) time.executor.run_ready();
  EXPECT_GT(turns, 10U);
  EXPECT_TRUE(pulled.ended);
  EXPECT_EQ(bytes + pulled.text.size(), 5000000U);
}

TEST_P(DecompressBodyTest, SaysOfItselfWhatItCan) {
  TimedBody source({{.text = coded("text", GetParam())}});
  source.trailer_fields.add(FieldId::other, "a", "b");
  const std::size_t before = SlabPool::bytes_in_use();
  {
    DecompressBody body(source, GetParam(), kNoLimits, Side::server);
    EXPECT_EQ(body.remaining(), std::nullopt);
    EXPECT_EQ(body.trailers(), &source.trailer_fields);
    EXPECT_EQ(body.run(0).stream, nullptr);
    EXPECT_FALSE(body.at_end());
    EXPECT_EQ(body.take_ready().view(), "text");
    EXPECT_TRUE(body.at_end());
  }
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST(DecompressBody, SeveralMembersOfGzip) {
  const std::string text = sample_text(500);
  const std::string members = coded(text, gzip) + coded("", gzip) + coded("end", gzip);
  expect_decoded(members, gzip, text + "end");
  // Not whole, or not one more.
  expect_decoded(coded(text, gzip) + "\x1f"s, gzip, text, kBroken);
  expect_decoded(coded(text, gzip) + "\x1f\x8c"s, gzip, text, kBroken);
}

TEST(DecompressBody, GzipOfWrongSumOrLength) {
  const std::string text = sample_text(500);
  for (const std::size_t from_end : {1U, 5U}) {
    std::string whole = coded(text, gzip);
    whole[whole.size() - from_end] ^= 1;
    expect_decoded(whole, gzip, text, kBroken);
  }
}

TEST(DecompressBody, DeflateBothWays) {
  for (const std::size_t size : {0U, 1U, 100U, 5000U}) {
    for (const int level : {0, 1, 9}) {
      const std::string text = sample_text(size);
      expect_decoded(bare_deflate(text, level), deflate, text);
    }
  }
  // One stream only, and the sum counts in the zlib format.
  expect_decoded(bare_deflate("text") + bare_deflate("more"), deflate, "text", kBroken);
  expect_decoded(coded("text", deflate) + coded("more", deflate), deflate, "text", kBroken);
  std::string whole = coded("text", deflate);
  whole.back() ^= 1;
  expect_decoded(whole, deflate, "text", kBroken);
  // A preset dictionary: nobody could have agreed on it.
  expect_decoded("\x78\xbb\x01\x02\x03\x04"s, deflate, "", kBroken);
}

TEST(DecompressBody, SeveralFramesOfZstd) {
  const std::string text = sample_text(500);
  const std::string skipped = "\x5a\x2a\x4d\x18\x05\x00\x00\x00 any "s;
  expect_decoded(skipped + coded(text, zstd) + skipped + coded("", zstd) + coded("end", zstd), zstd,
                 text + "end");
  expect_decoded(skipped, zstd, "");
  expect_decoded(coded(text, zstd) + skipped.substr(0, 10), zstd, text, kBroken);
  expect_decoded(coded(text, zstd) + "\x28\xb5"s, zstd, text, kBroken);
}

TEST(DecompressBody, WindowsOfZstdToEightMebibytes) {
  const std::string text = sample_text(1000);
  EXPECT_EQ(decode(zstd_with_window(text, 23), zstd).text, text);
  EXPECT_EQ(decode(zstd_with_window(text, 24), zstd).error, kBroken);
  EXPECT_EQ(decode(zstd_with_window(text, 27), zstd).error, kBroken);
}

TEST(DecompressBody, OldFormatsOfZstdAreNone) {
  for (const char version : {'\x1e', '\x22', '\x23', '\x24', '\x25', '\x26', '\x27'}) {
    EXPECT_EQ(decode(version + "\xb5\x2f\xfd\x00\x00\x00\x00\x00"s, zstd).error, kBroken);
  }
}

TEST(DecompressBody, BrotliOfLargeWindowsIsNone) {
  // A window of 30 bits, outside RFC 7932.
  EXPECT_EQ(decode("\x11\x1e\x03"s, br).error, kBroken);
}

TEST(DecompressBody, OneOverAnother) {
  const std::string text = sample_text(50000);
  TimedBody source(in_pieces(coded(coded(coded(text, br), gzip), zstd), 100));
  DecompressBody third(source, zstd, kNoLimits, Side::server);
  DecompressBody second(third, gzip, kNoLimits, Side::server);
  DecompressBody first(second, br, kNoLimits, Side::server);
  const PulledBody pulled = pull_all(first);
  EXPECT_TRUE(pulled.ended);
  EXPECT_TRUE(pulled.text == text);
  // What is wrong below comes up.
  const std::string cut = coded(coded(text, br).substr(0, 1000), gzip);
  TextBody cut_source(cut);
  DecompressBody cut_second(cut_source, gzip, kNoLimits, Side::client);
  DecompressBody cut_first(cut_second, br, kNoLimits, Side::server);
  EXPECT_EQ(pull_all(cut_first).error, kBroken);
}

}  // namespace
}  // namespace penstock

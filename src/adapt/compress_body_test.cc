#include "adapt/compress_body.h"

#include <string>
#include <tuple>

#include <gtest/gtest.h>
#include <zlib.h>

#include "adapt/decompress_body.h"
#include "adapt/pull_body_test.h"
#include "message/text_body.h"

namespace penstock {
namespace {

using enum ContentCoding;
using namespace std::chrono_literals;

constexpr DecompressLimits kNoLimits{.output = 0, .ratio = 0, .ratio_from = 0};

std::string decoded(std::string_view coded, ContentCoding coding) {
  TextBody source(coded);
  DecompressBody body(source, coding, kNoLimits, Side::server);
  const PulledBody pulled = pull_all(body);
  EXPECT_TRUE(pulled.ended);
  return pulled.text;
}

// What a receiver has of a stream that has not ended.
std::string decoded_so_far(std::string_view coded, ContentCoding coding) {
  TextBody source(coded);
  DecompressBody body(source, coding, kNoLimits, Side::server);
  const PulledBody pulled = pull_all(body);
  EXPECT_FALSE(pulled.ended);
  return pulled.text;
}

std::string name_of(const testing::TestParamInfo<ContentCoding>& coding) {
  return std::string(coding.param == gzip      ? "gzip"
                     : coding.param == deflate ? "deflate"
                     : coding.param == br      ? "br"
                                               : "zstd");
}

class CompressBodyTest : public testing::TestWithParam<ContentCoding> {
 protected:
  [[nodiscard]] static int usual() { return level_range(GetParam()).usual; }
};
INSTANTIATE_TEST_SUITE_P(All, CompressBodyTest, testing::Values(gzip, deflate, br, zstd), name_of);

TEST_P(CompressBodyTest, EveryLevelAndSizeIsDecodedToTheSame) {
  const LevelRange range = level_range(GetParam());
  for (int level = range.least - 1; level <= range.most + 1; ++level) {
    for (const std::size_t size : {0U, 1U, 5U, 500U, 513U, 1023U, 1024U, 4080U, 70000U, 400000U}) {
      for (const std::string& text : {sample_text(size), noise(size)}) {
        TextBody source(text);
        CompressBody body(source, GetParam(), level, FlushPolicy::when_idle);
        const PulledBody pulled = pull_all(body);
        ASSERT_TRUE(pulled.ended) << level << " " << size;
        ASSERT_TRUE(decoded(pulled.text, GetParam()) == text) << level << " " << size;
        ASSERT_LE(pulled.text.size(), size + size / 50 + 50);
      }
    }
  }
}

TEST_P(CompressBodyTest, IsDecodedToTheSameHoweverItComes) {
  const std::string text = sample_text(30000) + noise(30000);
  std::mt19937 random(7);
  for (const FlushPolicy flush : {FlushPolicy::when_idle, FlushPolicy::at_end}) {
    for (const std::size_t most : {1U, 20U, 1000U, 20000U}) {
      TimedBody source(in_random_pieces(text, most, random));
      CompressBody body(source, GetParam(), usual(), flush);
      const PulledBody pulled = pull_all(body);
      ASSERT_TRUE(pulled.ended);
      ASSERT_TRUE(decoded(pulled.text, GetParam()) == text);
    }
  }
}

// What streams is there for the receiver at once, and slices that are ready together go together.
TEST_P(CompressBodyTest, GivesAllItHasBeforeItWaits) {
  TimedBody source({{.text = "data: one\n"},
                    {.text = "data: two\n\n"},
                    {.text = "data: three\n\n", .after = 10s},
                    {.text = "data: four\n\n", .after = 10s}});
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  EXPECT_EQ(decoded_so_far(pulled.text, GetParam()), "data: one\ndata: two\n\n");
  EXPECT_EQ(pulled.slices.size(), 1U);
  time.advance(9s);
  EXPECT_EQ(pulled.slices.size(), 1U);
  time.advance(1s);
  EXPECT_EQ(decoded_so_far(pulled.text, GetParam()), "data: one\ndata: two\n\ndata: three\n\n");
  EXPECT_EQ(pulled.slices.size(), 2U);
  EXPECT_FALSE(body.at_end());
  time.advance(10s);
  EXPECT_TRUE(pulled.ended);
  EXPECT_TRUE(decoded(pulled.text, GetParam()).ends_with("data: four\n\n"));
}

TEST_P(CompressBodyTest, GivesAllOfALargePieceBeforeItWaits) {
  const std::string first = noise(150000);
  TimedBody source({{.text = first}, {.text = "end", .after = 10s}});
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  EXPECT_EQ(decoded_so_far(pulled.text, GetParam()).size(), first.size());
  time.advance(10s);
  EXPECT_TRUE(decoded(pulled.text, GetParam()) == first + "end");
}

TEST_P(CompressBodyTest, SmallPiecesThatAreReadyTogetherAreNotFlushedEach) {
  const std::string text = sample_text(50000);
  TimedBody in_ten(in_pieces(text, 10));
  CompressBody body(in_ten, GetParam(), usual(), FlushPolicy::when_idle);
  TextBody at_once(text);
  CompressBody whole(at_once, GetParam(), usual(), FlushPolicy::when_idle);
  EXPECT_LE(pull_all(body).text.size(), pull_all(whole).text.size() + 100);
}

TEST_P(CompressBodyTest, WithoutFlushesNothingIsGivenEarly) {
  TimedBody source({{.text = "one"}, {.text = "two", .after = 10s}, {.text = "3", .after = 10s}});
  CompressBody body(source, GetParam(), usual(), FlushPolicy::at_end);
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  time.advance(15s);
  EXPECT_TRUE(pulled.slices.empty());
  time.advance(5s);
  EXPECT_TRUE(pulled.ended);
  EXPECT_EQ(pulled.slices.size(), 1U);
  EXPECT_EQ(decoded(pulled.text, GetParam()), "onetwo3");
}

// A source that must not be asked again after its end, and counts what is asked for.
class CountingBody final : public BodySource {
 public:
  explicit CountingBody(std::size_t pieces) : left_(pieces), text_(noise(pieces * kPiece)) {}
  Slice take_ready() override {
    if (left_ == 0) ADD_FAILURE() << "asked after the end";
    --left_;
    return Slice(std::string_view(text_).substr(left_ * kPiece, kPiece));
  }
  Task<Result<Slice>> next() override { co_return take_ready(); }
  [[nodiscard]] bool at_end() const override { return left_ == 0; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return {}; }
  [[nodiscard]] std::size_t left() const { return left_; }

 private:
  static constexpr std::size_t kPiece = 4096;
  std::size_t left_;
  std::string text_;
};

Task<void> pull_once(BodySource& body, std::size_t& bytes) {
  const auto slice = co_await body.next();
  if (slice) bytes = slice->size();
}

TEST_P(CompressBodyTest, PullsNoMoreThanItIsAskedFor) {
  CountingBody source(1000);
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  EXPECT_EQ(source.left(), 1000U);
  VirtualTime time;
  std::size_t bytes = 0;
  time.spawn(pull_once(body, bytes));
  EXPECT_GT(bytes, 0U);
  EXPECT_GT(source.left(), 1000U - 64U);  // some take in a block before they give anything
}

TEST_P(CompressBodyTest, ReadyOnlyForATurnAtATime) {
  CountingBody source(1000);
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  std::size_t bytes = 0;
  for (Slice slice = body.take_ready(); !slice.empty(); slice = body.take_ready()) {
    bytes += slice.size();
  }
  EXPECT_LT(bytes, 200000U);
  EXPECT_GT(source.left(), 900U);
  EXPECT_FALSE(body.at_end());
  VirtualTime time;
  PulledBody pulled;
  time.scope.spawn(pull_body(body, pulled));
  EXPECT_TRUE(pulled.slices.empty());  // the others' turn
  unsigned turns = 0;
  for (; time.executor.has_ready(); ++turns) time.executor.run_ready();
  EXPECT_GT(turns, 30U);
  EXPECT_TRUE(pulled.ended);
}

TEST_P(CompressBodyTest, ErrorsOfTheSourcePassAsTheyAre) {
  const Error error{.kind = ErrorKind::reset, .side = Side::server, .cause = 104};
  TimedBody source({{.text = "some"}, {.error = error}});
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  const PulledBody pulled = pull_all(body);
  EXPECT_EQ(pulled.error, error);
  EXPECT_FALSE(body.at_end());
  EXPECT_EQ(decoded_so_far(pulled.text, GetParam()), "some");
}

TEST_P(CompressBodyTest, CancelledWhileItWaits) {
  TimedBody source({{.text = "some"}, {.text = "more", .after = 10s}});
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  time.scope.cancel();
  time.run();
  EXPECT_EQ(pulled.error, Error{.kind = ErrorKind::cancelled});
}

TEST_P(CompressBodyTest, SaysOfItselfWhatItCan) {
  TimedBody source({{.text = "some"}});
  CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
  EXPECT_EQ(body.remaining(), std::nullopt);
  EXPECT_EQ(body.trailers(), nullptr);
  source.trailer_fields.add(FieldId::other, "a", "b");
  EXPECT_EQ(body.trailers(), &source.trailer_fields);
  EXPECT_EQ(body.run(0).stream, nullptr);
  EXPECT_FALSE(body.at_end());
  Slice last = body.take_ready();
  EXPECT_FALSE(last.empty());
  EXPECT_TRUE(body.at_end());  // with the last slice, not after it
  EXPECT_TRUE(body.take_ready().empty());
}

TEST_P(CompressBodyTest, HoldsNoSlabWhileItWaits) {
  const std::size_t before = SlabPool::bytes_in_use();
  {
    TimedBody source({{.text = "some"}, {.text = "more", .after = 10s}});
    CompressBody body(source, GetParam(), usual(), FlushPolicy::when_idle);
    EXPECT_FALSE(body.take_ready().empty());
    EXPECT_TRUE(body.take_ready().empty());
    EXPECT_EQ(SlabPool::bytes_in_use(), before);
  }
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST(CompressBody, WindowsStayWithinWhatReceiversHave) {
  const std::string text = sample_text(3000000);
  TimedBody zstd_source(in_pieces(text, 60000));
  CompressBody zstd_body(zstd_source, zstd, level_range(zstd).most, FlushPolicy::when_idle);
  const std::string frame = pull_all(zstd_body).text;
  // RFC 8878 section 3.1.1.1: no single segment, so that the byte behind is the window's.
  EXPECT_EQ(frame[4] & 0x20, 0);
  EXPECT_EQ(static_cast<unsigned char>(frame[5]) >> 3U, 18U - 10U);
}

TEST(CompressBody, GzipHasNoTimeNorName) {
  TextBody source("text");
  CompressBody body(source, gzip, 6, FlushPolicy::when_idle);
  const std::string member = pull_all(body).text;
  EXPECT_EQ(member.substr(0, 8), std::string_view("\x1f\x8b\x08\x00\x00\x00\x00\x00", 8));
}

}  // namespace
}  // namespace penstock

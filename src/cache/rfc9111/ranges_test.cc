#include "cache/rfc9111/ranges.h"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/rfc9111/byteranges.h"
#include "cache/rfc9111/fields_test.h"

namespace penstock::rfc9111 {
namespace {

using testing::ElementsAre;
using enum RangeAnswer;

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

std::vector<std::string> parsed(std::string_view value) {
  std::vector<std::string> texts;
  const auto ranges = parse_range(value);
  if (!ranges) return {"none"};
  for (const RangeSpec& spec : *ranges) texts.push_back(range_text(spec).substr(6));
  return texts;
}

// --- RFC 9110 section 14.2 ---

TEST(Range, IsReadAsAList) {
  EXPECT_THAT(parsed("bytes=0-499"), ElementsAre("0-499"));
  EXPECT_THAT(parsed("BYTES=5-"), ElementsAre("5-"));
  EXPECT_THAT(parsed("bytes= 0-0 ,, -3,\t00007-7,"), ElementsAre("0-0", "-3", "7-7"));
  EXPECT_THAT(parsed("bytes=99999999999999999999-"), ElementsAre(std::to_string(kLargest) + "-"));
  EXPECT_THAT(parsed("bytes=-0"), ElementsAre("-0"));
}

TEST(Range, ThatIsNotUnderstoodIsIgnored) {
  constexpr std::array<std::string_view, 15> kValues{
      "",          "bytes",     "bytes=",     "bytes=,",    "bytes=-",
      "bytes=5",   "bytes=5-4", "bytes=a-b",  "bytes=1-2-", "bytes =1-2",
      "lines=1-2", "bytes=--1", "bytes=1 -2", "bytes=+1-2", "bytes=0-1;x"};
  for (const std::string_view value : kValues) EXPECT_FALSE(parse_range(value)) << value;
}

TEST(Range, OfTooManyIsIgnored) {
  std::string value = "bytes=0-0";
  for (std::size_t i = 1; i < kMaxRanges; ++i) value += ",0-0";
  EXPECT_TRUE(parse_range(value));
  EXPECT_FALSE(parse_range(value + ",0-0"));
}

TEST(Range, IsForGetOnce) {
  EXPECT_TRUE(range_of(make_request({{"Range", "bytes=0-"}})));
  EXPECT_FALSE(range_of(make_request({{"Range", "bytes=0-"}}, "HEAD")));
  EXPECT_FALSE(range_of(make_request({{"Range", "bytes=0-"}, {"Range", "bytes=0-"}})));
  EXPECT_FALSE(range_of(make_request({})));
}

std::vector<ByteSpan> resolved(std::string_view value, std::uint64_t length) {
  return resolve_ranges(parse_range(value).value(), length);
}

TEST(Range, IsResolvedInTheLengthThereIs) {
  EXPECT_THAT(resolved("bytes=0-499", 1000), ElementsAre(ByteSpan{0, 500}));
  EXPECT_THAT(resolved("bytes=500-", 1000), ElementsAre(ByteSpan{500, 1000}));
  EXPECT_THAT(resolved("bytes=-1", 1000), ElementsAre(ByteSpan{999, 1000}));
  EXPECT_THAT(resolved("bytes=-2000", 1000), ElementsAre(ByteSpan{0, 1000}));
  EXPECT_THAT(resolved("bytes=999-5000", 1000), ElementsAre(ByteSpan{999, 1000}));
  EXPECT_THAT(resolved("bytes=0-18446744073709551615", 10), ElementsAre(ByteSpan{0, 10}));
  EXPECT_THAT(resolved("bytes=1000-", 1000), ElementsAre());
  EXPECT_THAT(resolved("bytes=-0, 1000-2000", 1000), ElementsAre());
  EXPECT_THAT(resolved("bytes=1000-, 0-0", 1000), ElementsAre(ByteSpan{0, 1}));
}

TEST(Range, ThatOverlapsOrNearlyTouchesIsJoined) {
  EXPECT_THAT(resolved("bytes=0-9,5-19,20-29", 5000), ElementsAre(ByteSpan{0, 30}));
  EXPECT_THAT(resolved("bytes=0-0, 97-97, 1000-1000", 5000),
              ElementsAre(ByteSpan{0, 98}, ByteSpan{1000, 1001}));
  EXPECT_THAT(resolved("bytes=0-0, 98-98", 5000), ElementsAre(ByteSpan{0, 1}, ByteSpan{98, 99}));
  // In the order in which they were first asked for.
  EXPECT_THAT(resolved("bytes=4000-4000, 0-1, 1000-, 3999-3999", 5000),
              ElementsAre(ByteSpan{1000, 5000}, ByteSpan{0, 2}));
}

// --- RFC 9110 section 14.4 ---

TEST(ContentRange, IsReadAndWritten) {
  struct Case {
    std::string_view text;
    ContentRange range;
  };
  const std::array kCases{Case{"bytes 42-1233/1234", {ByteSpan{42, 1234}, 1234}},
                          Case{"bytes 42-1233/*", {ByteSpan{42, 1234}, std::nullopt}},
                          Case{"bytes */1234", {std::nullopt, 1234}},
                          Case{"bytes 0-0/1", {ByteSpan{0, 1}, 1}}};
  for (const Case& one : kCases) {
    EXPECT_EQ(parse_content_range(one.text), one.range) << one.text;
    EXPECT_EQ(content_range_text(one.range), one.text);
  }
  EXPECT_EQ(parse_content_range("Bytes  0-0/1"), (ContentRange{ByteSpan{0, 1}, 1}));
}

TEST(ContentRange, ThatContradictsItselfIsNone) {
  constexpr std::array<std::string_view, 14> kValues{"",
                                                     "bytes",
                                                     "bytes 0-1",
                                                     "bytes 5-4/10",
                                                     "bytes */*",
                                                     "bytes 0-9/9",
                                                     "bytes=0-1/2",
                                                     "bytes 0-1/2/3",
                                                     "bytes -/2",
                                                     "bytes 0-/2",
                                                     "bytes 0 - 1/2",
                                                     "bytes 0-1/ 2",
                                                     "lines 0-1/2",
                                                     "bytes 0-18446744073709551615/*"};
  for (const std::string_view value : kValues) EXPECT_FALSE(parse_content_range(value)) << value;
}

// --- RFC 9111 section 3.3 ---

PartialVerdict checked(std::string_view sent, const Lines& answer) {
  return check_partial(make_response(206, answer), parse_range(sent)).verdict;
}

TEST(Partial, IsStorableIfItSaysWhatItHas) {
  using enum PartialVerdict;
  const auto check = check_partial(
      make_response(206, {{"Content-Range", "bytes 4-9/10"}, {"Content-Length", "6"}}),
      parse_range("bytes=-6"));
  EXPECT_EQ(check.verdict, storable);
  EXPECT_EQ(check.range, (ContentRange{ByteSpan{4, 10}, 10}));
  EXPECT_EQ(checked("bytes=0-4", {{"Content-Range", "bytes 0-4/*"}}), storable);
  EXPECT_EQ(checked("bytes=-4", {{"Content-Range", "bytes 0-4/*"}}), storable);
  EXPECT_EQ(checked("bytes=0-9", {{"Content-Range", "bytes 4-5/10"}}), storable);
  EXPECT_EQ(checked("bytes=20-,0-4", {{"Content-Range", "bytes 0-4/10"}}), storable);
}

TEST(Partial, IsNotStorableOtherwise) {
  using enum PartialVerdict;
  EXPECT_EQ(checked("bytes=-5", {{"Content-Range", "bytes 4-9/10"}, {"Content-Length", "5"}}),
            wrong_length);
  EXPECT_EQ(checked("bytes=-5", {{"Content-Range", "bytes 4-9/10"}, {"Content-Length", "x"}}),
            wrong_length);
  EXPECT_EQ(checked("bytes=0-1,5-6", {{"Content-Type", "Multipart/Byteranges ; boundary=x"}}),
            several_parts);
  EXPECT_EQ(checked("bytes=0-1", {}), no_range);
  EXPECT_EQ(checked("bytes=0-1", {{"Content-Range", "bytes */10"}}), no_range);
  EXPECT_EQ(
      checked("bytes=0-1", {{"Content-Range", "bytes 0-1/2"}, {"content-range", "bytes 0-1/2"}}),
      no_range);
  EXPECT_EQ(checked("bytes=0-3", {{"Content-Range", "bytes 4-9/10"}}), not_asked);
  EXPECT_EQ(checked("bytes=-1", {{"Content-Range", "bytes 4-8/10"}}), not_asked);
  EXPECT_EQ(checked("", {{"Content-Range", "bytes 0-9/10"}}), not_asked);
  EXPECT_EQ(to_string(not_asked), "not-asked");
}

// RFC 9111 section 3.4.
TEST(Partial, IsCombinedByAStrongValidator) {
  const FieldSection x = make_fields({{"ETag", R"("x")"}});
  const FieldSection y = make_fields({{"ETag", R"("y")"}});
  const FieldSection weak = make_fields({{"ETag", R"(W/"x")"}});
  const auto combine = [](const FieldSection& a, std::optional<std::uint64_t> a_length,
                          const FieldSection& b, std::optional<std::uint64_t> b_length) {
    return may_combine(validators_of(a), a_length, validators_of(b), b_length);
  };
  EXPECT_TRUE(combine(x, 10, x, 10));
  EXPECT_TRUE(combine(x, 10, x, std::nullopt));
  EXPECT_FALSE(combine(x, 10, x, 11));
  EXPECT_FALSE(combine(x, 10, y, 10));
  EXPECT_FALSE(combine(weak, 10, weak, 10));
  EXPECT_FALSE(combine({}, 10, {}, 10));
}

// --- Answering ---

ByteSpans make_spans(std::initializer_list<ByteSpan> list) {
  ByteSpans spans;
  for (const ByteSpan& span : list) EXPECT_TRUE(spans.add(span));
  return spans;
}

// "single 0-1", "missing bytes=5-".
std::string decided(std::string_view range, const ByteSpans& spans,
                    std::optional<std::uint64_t> length) {
  const auto decision = decide_range(parse_range(range), {.spans = spans, .length = length});
  switch (decision.answer) {
    case whole:
      return "whole";
    case unsatisfiable:
      return "unsatisfiable";
    case bytes_missing:
      return "missing " + range_text(decision.missing);
    default:
      break;
  }
  std::string text = decision.answer == single ? "single" : "multipart";
  for (const ByteSpan& span : decision.spans) {
    text += ' ' + content_range_text({.span = span, .length = length}).substr(6);
  }
  return text;
}

TEST(RangeDecision, OfCompleteContent) {
  const ByteSpans all = make_spans({{0, 1000}});
  EXPECT_EQ(decided("", all, 1000), "whole");
  EXPECT_EQ(decided("bytes=0-1", all, 1000), "single 0-1/1000");
  EXPECT_EQ(decided("bytes=1-", all, 1000), "single 1-999/1000");
  EXPECT_EQ(decided("bytes=-1", all, 1000), "single 999-999/1000");
  EXPECT_EQ(decided("bytes=-1,0-0", all, 1000), "multipart 999-999/1000 0-0/1000");
  EXPECT_EQ(decided("bytes=1000-", all, 1000), "unsatisfiable");
  EXPECT_EQ(decided("bytes=0-1,x", all, 1000), "whole");
  // A 206 of nothing cannot be said.
  EXPECT_EQ(decided("bytes=0-", {}, 0), "whole");
  EXPECT_EQ(decided("bytes=-1", {}, 0), "whole");
}

TEST(RangeDecision, OfPartsOfKnownLength) {
  const ByteSpans parts = make_spans({{0, 300}, {600, 900}});
  EXPECT_EQ(decided("bytes=100-199", parts, 1000), "single 100-199/1000");
  EXPECT_EQ(decided("bytes=0-0,899-899", parts, 1000), "multipart 0-0/1000 899-899/1000");
  EXPECT_EQ(decided("bytes=200-400", parts, 1000), "missing bytes=300-400");
  EXPECT_EQ(decided("bytes=200-700", parts, 1000), "missing bytes=300-599");
  EXPECT_EQ(decided("bytes=-5", parts, 1000), "missing bytes=995-");
  EXPECT_EQ(decided("bytes=0-,", parts, 1000), "missing bytes=300-");
  EXPECT_EQ(decided("bytes=0-0,350-359,940-949", parts, 1000), "missing bytes=350-949");
  EXPECT_EQ(decided("bytes=1000-", parts, 1000), "unsatisfiable");
  EXPECT_EQ(decided("", parts, 1000), "missing bytes=300-");
  EXPECT_EQ(decided("", make_spans({{5, 10}}), 10), "missing bytes=0-4");
  EXPECT_EQ(decided("", make_spans({{0, 5}}), 10), "missing bytes=5-");
}

TEST(RangeDecision, OfPartsOfUnknownLength) {
  const ByteSpans parts = make_spans({{0, 300}, {600, 900}});
  EXPECT_EQ(decided("bytes=100-199", parts, std::nullopt), "single 100-199/*");
  EXPECT_EQ(decided("bytes=0-0,899-899", parts, std::nullopt), "multipart 0-0/* 899-899/*");
  EXPECT_EQ(decided("bytes=200-700", parts, std::nullopt), "missing bytes=300-599");
  EXPECT_EQ(decided("bytes=200-400,0-0", parts, std::nullopt), "missing bytes=300-400");
  EXPECT_EQ(decided("bytes=10-20,950-960", parts, std::nullopt), "missing bytes=950-960");
  EXPECT_EQ(decided("bytes=700-", parts, std::nullopt), "missing bytes=900-");
  EXPECT_EQ(decided("bytes=0-18446744073709551615", parts, std::nullopt), "missing bytes=300-");
  EXPECT_EQ(decided("bytes=-5", parts, std::nullopt), "missing bytes=-5");
  EXPECT_EQ(decided("bytes=950-960,-5", parts, std::nullopt), "missing bytes=300-");
  EXPECT_EQ(decided("", parts, std::nullopt), "missing bytes=300-");
  EXPECT_EQ(decided("", {}, std::nullopt), "missing bytes=0-");
}

TEST(RangeRequest, HasAStrongValidator) {
  const auto written = [](const Lines& stored) {
    const FieldSection fields = make_fields(stored);
    FieldSection request = make_fields({{"Range", "bytes=0-"}, {"A", "1"}});
    const RangeSpec missing{.first = 5, .last = std::nullopt};
    static_cast<void>(write_range_request(request, missing, validators_of(fields)));
    return text_of(request);
  };
  constexpr std::string_view kSunday = "Sun, 01 Jan 2023 00:00:00 GMT";
  constexpr std::string_view kMonday = "Mon, 02 Jan 2023 00:00:00 GMT";
  EXPECT_EQ(written({{"ETag", R"("x")"}}), R"(A: 1|Range: bytes=5-|If-Range: "x")");
  EXPECT_EQ(written({{"Last-Modified", kSunday}, {"Date", kMonday}}),
            "A: 1|Range: bytes=5-|If-Range: Sun, 01 Jan 2023 00:00:00 GMT");
  EXPECT_EQ(written({{"Last-Modified", kSunday}, {"Date", kSunday}}), "Range: bytes=0-|A: 1");
  EXPECT_EQ(written({{"ETag", R"(W/"x")"}}), "Range: bytes=0-|A: 1");
}

// --- RFC 9110 section 14.6 ---

TEST(Byteranges, AreFramed) {
  const std::array<ByteSpan, 2> spans{ByteSpan{500, 1000}, ByteSpan{7000, 8000}};
  const ByterangesFrame frame({1, 0xabcdef0123456789}, "application/pdf", spans, 8000);
  EXPECT_EQ(frame.content_type(),
            "multipart/byteranges; boundary=0000000000000001abcdef0123456789");
  EXPECT_EQ(frame.head(0),
            "--0000000000000001abcdef0123456789\r\nContent-Type: application/pdf\r\n"
            "Content-Range: bytes 500-999/8000\r\n\r\n");
  EXPECT_EQ(frame.head(1),
            "\r\n--0000000000000001abcdef0123456789\r\nContent-Type: application/pdf\r\n"
            "Content-Range: bytes 7000-7999/8000\r\n\r\n");
  EXPECT_EQ(frame.tail(), "\r\n--0000000000000001abcdef0123456789--\r\n");
  EXPECT_EQ(frame.total_size(),
            frame.head(0).size() + 500 + frame.head(1).size() + 1000 + frame.tail().size());
}

TEST(Byteranges, OfNoTypeAndUnknownLength) {
  const std::array<ByteSpan, 2> spans{ByteSpan{0, kLargest}, ByteSpan{7, 8}};
  const ByterangesFrame frame({0, 0}, {}, spans, std::nullopt);
  EXPECT_EQ(frame.head(1),
            "\r\n--00000000000000000000000000000000\r\nContent-Range: bytes 7-7/*\r\n\r\n");
  EXPECT_EQ(frame.total_size(), kLargest);
}

}  // namespace
}  // namespace penstock::rfc9111

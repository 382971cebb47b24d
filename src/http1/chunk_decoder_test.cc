#include "http1/chunk_decoder.h"

#include <cstddef>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http1/head_writer.h"

namespace penstock::http1 {
namespace {

using namespace std::string_view_literals;
using Event = ChunkDecoder::Event;

struct Decoded {
  Event event = Event::need_more;
  Refusal refusal = Refusal::none;
  std::string data;
  std::string trailers;
  std::size_t consumed = 0;  // of all input, except when refused
  std::string last_extensions;
  friend bool operator==(const Decoded&, const Decoded&) = default;
};

void PrintTo(const Decoded& decoded, std::ostream* out) {
  *out << static_cast<int>(decoded.event) << " " << info(decoded.refusal).token << " consumed "
       << decoded.consumed << " data \"" << decoded.data << "\" trailers " << decoded.trailers;
}

// Feeds the input in pieces that end at the given places.
Decoded decode(std::string_view input, const ChunkLimits& limits, std::vector<std::size_t> cuts) {
  ChunkDecoder decoder(limits);
  Decoded result;
  cuts.push_back(input.size());
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    // Memory of its own, so that reading past the end of a piece is seen.
    const std::vector<char> piece(input.begin() + static_cast<std::ptrdiff_t>(begin),
                                  input.begin() + static_cast<std::ptrdiff_t>(cut));
    std::string_view rest(piece.data(), piece.size());
    begin = cut;
    for (;;) {
      const ChunkDecoder::Step step = decoder.next(rest);
      result.event = step.event;
      result.consumed += step.consumed;
      result.data.append(step.data);
      if (step.event == Event::data) {
        EXPECT_FALSE(step.data.empty());
        EXPECT_EQ(step.data.data() + step.data.size(), rest.data() + step.consumed);
      }
      if (step.event == Event::need_more) {
        EXPECT_EQ(step.consumed, rest.size());
        break;
      }
      rest.remove_prefix(step.consumed);
      if (step.event != Event::data) break;
    }
    if (result.event != Event::need_more) break;
  }
  result.refusal = decoder.refusal();
  if (result.event == Event::refused) {
    result.consumed = 0;
    EXPECT_EQ(decoder.next(input).event, Event::refused);
  }
  result.last_extensions = decoder.last_extensions();
  if (result.event == Event::end) {
    EXPECT_EQ(decoder.next("more").consumed, 0U);
    FieldSection trailers = std::move(decoder.trailers());
    for (const Field& field : trailers) {
      result.trailers.append(field.name).append("=").append(field.value).append(";");
    }
  }
  return result;
}

// The result, after checking that it is the same for every cut and for single bytes.
Decoded decode_all_ways(std::string_view input, const ChunkLimits& limits = {}) {
  const Decoded whole = decode(input, limits, {});
  std::vector<std::size_t> every;
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    EXPECT_EQ(decode(input, limits, {cut}), whole) << "cut at " << cut << " of " << input;
    every.push_back(cut);
  }
  EXPECT_EQ(decode(input, limits, every), whole) << "bytewise " << input;
  return whole;
}

Decoded body(std::string_view data, std::size_t consumed, std::string_view trailers = "") {
  return {Event::end, Refusal::none, std::string(data), std::string(trailers), consumed, {}};
}

TEST(ChunkDecoder, Decodes) {
  EXPECT_EQ(decode_all_ways("0\r\n\r\n"), body("", 5));
  EXPECT_EQ(decode_all_ways("5\r\nhello\r\n0\r\n\r\n"), body("hello", 15));
  EXPECT_EQ(decode_all_ways("1\r\na\r\n2\r\nbc\r\n000\r\n\r\n"), body("abc", 20));
  EXPECT_EQ(decode_all_ways("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"),
            body("01234567890123456789", 35));
  EXPECT_EQ(decode_all_ways("0000000000000002\r\n\r\n\r\n0\r\n\r\n"), body("\r\n", 27));
}

TEST(ChunkDecoder, LeavesTheNextMessageAlone) {
  EXPECT_EQ(decode_all_ways("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n"), body("a", 11));
  EXPECT_EQ(decode_all_ways("0\r\n\r\n\r\n"), body("", 5));
  EXPECT_EQ(decode_all_ways("0\r\nA: b\r\n\r\n\0"sv), body("", 11, "A=b;"));
}

TEST(ChunkDecoder, WaitsForMore) {
  const std::string_view whole = "3;a=\"b\"\r\nabc\r\n0\r\nX: y\r\n\r\n";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Decoded part = decode(whole.substr(0, size), {}, {});
    EXPECT_EQ(part.event, size > 9 && size <= 12 ? Event::need_more : part.event);
    EXPECT_NE(part.event, Event::end);
    EXPECT_NE(part.event, Event::refused);
    EXPECT_EQ(part.consumed, size);
  }
}

// RFC 9112 section 7.1.1.
TEST(ChunkDecoder, DropsExtensions) {
  for (const std::string_view extension :
       {";a", ";a=b", ";a=\"b\"", ";a;b;c=d", " ; a = b ; c", "\t;\ta\t=\t\"b\"", ";a ;b", ";a= b",
        ";a=\"x;y=\\\"z\\\\\" ;b", ";a=\"\"", ";a=\"\t \xff\\\xff\\ \"", ";!#$%&'*+-.^_`|~=1"}) {
    const std::string input =
        std::string("1").append(extension).append("\r\na\r\n0").append(extension) + "\r\n\r\n";
    EXPECT_EQ(decode_all_ways(input), body("a", input.size())) << extension;
  }
}

TEST(ChunkDecoder, KeepsTheExtensionsOfTheLastChunkWhereAskedTo) {
  const auto kept = [](std::string_view input, std::size_t limit = 20) {
    return decode_all_ways(input, {.extensions = limit, .keep_last_extensions = true});
  };
  EXPECT_EQ(kept("1;a\r\nx\r\n0; b=\";\\\"\" ;c\r\n\r\n").last_extensions, "; b=\";\\\"\" ;c");
  EXPECT_EQ(kept("1;a\r\nx\r\n000\t;b\r\nT: u\r\n\r\n").last_extensions, "\t;b");
  EXPECT_EQ(kept("10;a\r\n0123456789abcdef\r\n0\r\n\r\n").last_extensions, "");
  EXPECT_EQ(kept("0;abcd\r\n\r\n", 5).last_extensions, ";abcd");
  EXPECT_EQ(kept("0;abcde\r\n\r\n", 5).refusal, Refusal::chunk_extension_too_long);
}

TEST(ChunkDecoder, KeepsTrailers) {
  EXPECT_EQ(decode_all_ways("0\r\nA: b\r\n\r\n"), body("", 11, "A=b;"));
  EXPECT_EQ(decode_all_ways("1\r\nx\r\n0\r\nDigest:  y \r\nZ:\r\n\r\n"),
            body("x", 28, "Digest=y;Z=;"));
}

TEST(ChunkDecoder, Refuses) {
  const std::vector<std::pair<std::string_view, Refusal>> samples = {
      // RFC 9112 section 7.1: chunk-size is 1*HEXDIG.
      {"\r\n", Refusal::chunk_size_malformed},
      {"x", Refusal::chunk_size_malformed},
      {"+1\r\n", Refusal::chunk_size_malformed},
      {"-1\r\n", Refusal::chunk_size_malformed},
      {"0x1\r\n", Refusal::chunk_size_malformed},
      {" 1\r\n", Refusal::chunk_size_malformed},
      {"\t1\r\n", Refusal::chunk_size_malformed},
      {"1g\r\n", Refusal::chunk_size_malformed},
      {"1,\r\n", Refusal::chunk_size_malformed},
      {"1\0\r\n"sv, Refusal::chunk_size_malformed},
      {";a\r\n", Refusal::chunk_size_malformed},
      {"G\r\n", Refusal::chunk_size_malformed},
      {"@\r\n", Refusal::chunk_size_malformed},
      {"`\r\n", Refusal::chunk_size_malformed},
      {"8000000000000000\r\n", Refusal::chunk_size_overflow},
      {"ffffffffffffffff\r\n", Refusal::chunk_size_overflow},
      {"10000000000000000\r\n", Refusal::chunk_size_overflow},
      {"00000000000000001\r\n", Refusal::chunk_size_overflow},
      {"1\n", Refusal::bare_lf},
      {"\n", Refusal::bare_lf},
      {"1;a\n", Refusal::bare_lf},
      {"1;a=\"\n", Refusal::bare_lf},
      {"1;a=\"\\\n", Refusal::bare_lf},
      {"1\ra", Refusal::bare_cr},
      {"1;a\r\r", Refusal::bare_cr},
      // RFC 9112 section 7.1.1.
      {"1 \r\n", Refusal::chunk_extension_malformed},
      {"1\t\r\n", Refusal::chunk_extension_malformed},
      {"1 a\r\n", Refusal::chunk_extension_malformed},
      {"1 1\r\n", Refusal::chunk_extension_malformed},
      {"1;\r\n", Refusal::chunk_extension_malformed},
      {"1; \r\n", Refusal::chunk_extension_malformed},
      {"1;;a\r\n", Refusal::chunk_extension_malformed},
      {"1;=a\r\n", Refusal::chunk_extension_malformed},
      {"1;a \r\n", Refusal::chunk_extension_malformed},
      {"1;a b\r\n", Refusal::chunk_extension_malformed},
      {"1;a=\r\n", Refusal::chunk_extension_malformed},
      {"1;a=;b\r\n", Refusal::chunk_extension_malformed},
      {"1;a==b\r\n", Refusal::chunk_extension_malformed},
      {"1;a=b=c\r\n", Refusal::chunk_extension_malformed},
      {"1;a=b \r\n", Refusal::chunk_extension_malformed},
      {"1;a=b\"c\"\r\n", Refusal::chunk_extension_malformed},
      {"1;a=\"b\"c\r\n", Refusal::chunk_extension_malformed},
      {"1;a=\"b\" \r\n", Refusal::chunk_extension_malformed},
      {"1;a=\"\r\n", Refusal::chunk_extension_malformed},
      {"1;a=\"\\\r\n", Refusal::chunk_extension_malformed},
      {"1;a=\"\0\""sv, Refusal::chunk_extension_malformed},
      {"1;a=\"\\\x7f\"", Refusal::chunk_extension_malformed},
      {"1;a=\x01", Refusal::chunk_extension_malformed},
      {"1;\xff", Refusal::chunk_extension_malformed},
      // RFC 9112 section 7.1: the data end where the size says.
      {"1\r\nab\r\n", Refusal::chunk_data_not_terminated},
      {"1\r\na\n", Refusal::chunk_data_not_terminated},
      {"1\r\na\rb", Refusal::chunk_data_not_terminated},
      {"2\r\na\r\n0\r\n", Refusal::chunk_data_not_terminated},
      // RFC 9112 section 7.1.2.
      {"0\r\nA\r\n\r\n", Refusal::trailer_malformed},
      {"0\r\nA : b\r\n\r\n", Refusal::trailer_malformed},
      {"0\r\n A: b\r\n\r\n", Refusal::trailer_malformed},
      {"0\r\nA: b\r\n c\r\n\r\n", Refusal::trailer_malformed},
      {"0\r\nA: \0\r\n\r\n"sv, Refusal::trailer_malformed},
      {"0\r\nA: b\rc\r\n\r\n", Refusal::trailer_malformed},
      {"0\r\nA: b\n", Refusal::bare_lf},
      {"0\r\n\n", Refusal::bare_lf},
  };
  for (const auto& [input, refusal] : samples) {
    const Decoded decoded = decode_all_ways(input);
    EXPECT_EQ(decoded.event, Event::refused) << input;
    EXPECT_EQ(info(decoded.refusal).token, info(refusal).token) << input;
  }
}

TEST(ChunkDecoder, TheLargestChunk) {
  const ChunkLimits limits;
  ChunkDecoder largest(limits);
  const ChunkDecoder::Step step = largest.next("7fffffffffffffff\r\nab");
  EXPECT_EQ(step.event, Event::data);
  EXPECT_EQ(step.data, "ab");
  EXPECT_EQ(largest.remaining_in_chunk(), 0x7ffffffffffffffdU);
}

TEST(ChunkDecoder, LimitsExtensionsOfAllChunksTogether) {
  // Two chunks with three bytes of extensions each.
  const std::string_view input = "1;ab\r\nx\r\n1;cd\r\ny\r\n0\r\n\r\n";
  EXPECT_EQ(decode_all_ways(input, {.extensions = 6}).data, "xy");
  EXPECT_EQ(decode_all_ways(input, {.extensions = 5}).refusal, Refusal::chunk_extension_too_long);
  EXPECT_EQ(decode_all_ways(input, {.extensions = 0}).refusal, Refusal::chunk_extension_too_long);
  EXPECT_EQ(decode_all_ways("0\r\n\r\n", {.extensions = 0}).event, Event::end);
  EXPECT_EQ(decode_all_ways("1 ;a\r\n", {.extensions = 2}).refusal,
            Refusal::chunk_extension_too_long);
}

TEST(ChunkDecoder, LimitsTrailers) {
  const std::string_view input = "0\r\nAb: c\r\nD: e\r\n\r\n";  // 15 bytes of trailers
  const auto limits = [](std::size_t head, std::size_t fields) {
    return ChunkLimits{.trailers = {.head = head, .start_line = 0, .fields = fields}};
  };
  EXPECT_EQ(decode_all_ways(input, limits(15, 2)).trailers, "Ab=c;D=e;");
  EXPECT_EQ(decode_all_ways(input, limits(14, 2)).refusal, Refusal::trailer_too_large);
  EXPECT_EQ(decode_all_ways(input, limits(15, 1)).refusal, Refusal::trailer_too_large);
  EXPECT_EQ(decode_all_ways(input, limits(0, 0)).refusal, Refusal::trailer_too_large);
  EXPECT_EQ(decode_all_ways("0\r\n\r\n", limits(0, 0)).event, Event::end);
}

// What the writer makes of random pieces is decoded to the same text, in any random split.
TEST(ChunkDecoder, RoundTrip) {
  std::mt19937 random(20240701);
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (int round = 0; round < 300; ++round) {
    std::string text;
    std::string wire;
    for (std::size_t chunk = below(6); chunk > 0; --chunk) {
      std::string data(1 + below(below(2) == 0 ? 20 : 5000), '\0');
      for (char& c : data) c = static_cast<char>(random());
      char line[kChunkHeadMax];
      wire.append(line, write_chunk_head(data.size(), line)).append(data).append(kChunkEnd);
      text += data;
    }
    FieldSection trailers;
    if (round % 2 == 0) trailers.add(FieldId::etag, "\"x\"");
    trailers.add(FieldId::content_length, "5");
    std::string last(last_chunk_size_bound(trailers), '\0');
    last.resize(write_last_chunk(trailers, last));
    wire += last;

    std::vector<std::size_t> cuts;
    for (std::size_t cut = below(50); cut < wire.size(); cut += 1 + below(800)) cuts.push_back(cut);
    const Decoded expected = body(text, wire.size(), round % 2 == 0 ? "ETag=\"x\";" : "");
    ASSERT_EQ(decode(wire + "next", {}, cuts), expected);
  }
}

}  // namespace
}  // namespace penstock::http1

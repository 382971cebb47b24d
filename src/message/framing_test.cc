#include "message/framing.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock {
namespace {

using Lines = std::vector<std::pair<FieldId, std::string_view>>;
constexpr FieldId kLength = FieldId::content_length;
constexpr FieldId kCoding = FieldId::transfer_encoding;

FieldSection section(const Lines& lines) {
  FieldSection fields;
  for (const auto& [id, value] : lines) fields.add(id, value);
  return fields;
}

RequestHead request(const Lines& lines, Method method = Method::post,
                    Version version = Version::http11) {
  RequestHead head;
  head.method = method;
  head.version = version;
  head.fields = section(lines);
  return head;
}

ResponseHead response(int status, const Lines& lines, Version version = Version::http11) {
  ResponseHead head;
  head.status = status;
  head.version = version;
  head.fields = section(lines);
  return head;
}

constexpr Framing kNone{BodyKind::none, 0};
constexpr Framing kChunked{BodyKind::chunked, 0};
constexpr Framing kUntilClose{BodyKind::until_close, 0};
constexpr Framing length(std::uint64_t n) { return {BodyKind::length, n}; }

TEST(ContentLength, Accepts) {
  const std::vector<std::pair<Lines, std::uint64_t>> samples = {
      {{{kLength, "0"}}, 0},
      {{{kLength, "42"}}, 42},
      {{{kLength, "0042"}}, 42},
      {{{kLength, "5, 5"}}, 5},
      {{{kLength, "5,5 ,\t5"}}, 5},
      {{{kLength, "5"}, {FieldId::via, "x"}, {kLength, "5"}}, 5},
      {{{kLength, "9223372036854775807"}}, 9223372036854775807U},
  };
  for (const auto& [lines, expected] : samples) {
    EXPECT_EQ(content_length(section(lines)), length(expected)) << lines[0].second;
  }
  EXPECT_EQ(content_length(section({})), kNone);
}

// RFC 9110 section 8.6, RFC 9112 section 6.3 rule 5.
TEST(ContentLength, Refuses) {
  const std::vector<std::pair<Lines, Refusal>> samples = {
      {{{kLength, ""}}, Refusal::content_length_invalid},
      {{{kLength, ","}}, Refusal::content_length_invalid},
      {{{kLength, "5,"}}, Refusal::content_length_invalid},
      {{{kLength, ",5"}}, Refusal::content_length_invalid},
      {{{kLength, "5,,5"}}, Refusal::content_length_invalid},
      {{{kLength, "+5"}}, Refusal::content_length_invalid},
      {{{kLength, "-5"}}, Refusal::content_length_invalid},
      {{{kLength, "0x5"}}, Refusal::content_length_invalid},
      {{{kLength, "5 5"}}, Refusal::content_length_invalid},
      {{{kLength, "5;"}}, Refusal::content_length_invalid},
      {{{kLength, "5.0"}}, Refusal::content_length_invalid},
      {{{kLength, "\"5\""}}, Refusal::content_length_invalid},
      {{{kLength, "5"}, {kLength, "x"}}, Refusal::content_length_invalid},
      {{{kLength, "5, 6"}}, Refusal::content_length_conflict},
      {{{kLength, "5"}, {kLength, "6"}}, Refusal::content_length_conflict},
      {{{kLength, "5"}, {kLength, "5, 50"}}, Refusal::content_length_conflict},
      {{{kLength, "9223372036854775808"}}, Refusal::content_length_overflow},
      {{{kLength, "18446744073709551616"}}, Refusal::content_length_overflow},
      {{{kLength, "18446744073709551621"}}, Refusal::content_length_overflow},
      {{{kLength, "99999999999999999999999999999"}}, Refusal::content_length_overflow},
  };
  for (const auto& [lines, refusal] : samples) {
    const auto result = content_length(section(lines));
    ASSERT_FALSE(result) << lines[0].second;
    EXPECT_EQ(result.error(), refusal) << lines[0].second;
  }
}

TEST(RequestFraming, Accepts) {
  EXPECT_EQ(request_framing(request({})), kNone);
  EXPECT_EQ(request_framing(request({{kLength, "7"}})), length(7));
  EXPECT_EQ(request_framing(request({{kLength, "7"}}, Method::get, Version::http10)), length(7));
  EXPECT_EQ(request_framing(request({{kCoding, "chunked"}})), kChunked);
  EXPECT_EQ(request_framing(request({{kCoding, "ChunKed"}})), kChunked);
  EXPECT_EQ(request_framing(request({{kLength, "0"}}, Method::connect)), length(0));
  EXPECT_FALSE(length(0).has_body());
  EXPECT_TRUE(length(1).has_body());
  EXPECT_TRUE(kChunked.has_body());
}

const std::vector<std::pair<Lines, Refusal>>& bad_codings() {
  static const std::vector<std::pair<Lines, Refusal>> samples = {
      // RFC 9112 section 6.3: with both, or without a final chunked, there is no certain length.
      {{{kCoding, "chunked"}, {kLength, "5"}}, Refusal::content_length_with_transfer_encoding},
      {{{kLength, "0"}, {kCoding, "x"}}, Refusal::content_length_with_transfer_encoding},
      {{{kCoding, ""}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, ","}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chunked, gzip"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chunked"}, {kCoding, "gzip"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chunked;q=1"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chunked ;"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chunked,"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, ",chunked"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chunked"}, {kCoding, ""}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "chun ked"}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "\"chunked\""}}, Refusal::transfer_encoding_not_chunked_last},
      {{{kCoding, "gzip, @, chunked"}}, Refusal::transfer_encoding_not_chunked_last},
      // RFC 9112 section 6.1: a coding that is not understood is answered with 501.
      {{{kCoding, "gzip"}}, Refusal::transfer_encoding_unknown},
      {{{kCoding, "gzip, chunked"}}, Refusal::transfer_encoding_unknown},
      {{{kCoding, "gzip"}, {kCoding, "chunked"}}, Refusal::transfer_encoding_unknown},
      {{{kCoding, "identity"}}, Refusal::transfer_encoding_unknown},
      {{{kCoding, "xchunked"}}, Refusal::transfer_encoding_unknown},
      {{{kCoding, "x;a=\"chunked, chunked\""}}, Refusal::transfer_encoding_unknown},
      // RFC 9112 section 6.1: chunked only once.
      {{{kCoding, "chunked, chunked"}}, Refusal::transfer_encoding_repeated_chunked},
      {{{kCoding, "chunked"}, {kCoding, "Chunked"}}, Refusal::transfer_encoding_repeated_chunked},
      {{{kCoding, "chunked, gzip, chunked"}}, Refusal::transfer_encoding_repeated_chunked},
  };
  return samples;
}

TEST(RequestFraming, RefusesCodings) {
  for (const auto& [lines, refusal] : bad_codings()) {
    const auto result = request_framing(request(lines));
    ASSERT_FALSE(result) << lines[0].second;
    EXPECT_EQ(result.error(), refusal) << lines[0].second;
  }
}

TEST(ResponseFraming, RefusesCodings) {
  for (const auto& [lines, refusal] : bad_codings()) {
    for (const Method method : {Method::get, Method::head}) {
      const auto result = response_framing(method, response(200, lines));
      ASSERT_FALSE(result) << lines[0].second;
      EXPECT_EQ(result.error(), refusal) << lines[0].second;
    }
  }
}

// RFC 9112 section 6.1.
TEST(Framing, RefusesTransferEncodingInHttp10) {
  const Lines lines = {{kCoding, "chunked"}};
  EXPECT_EQ(request_framing(request(lines, Method::post, Version::http10)).error(),
            Refusal::transfer_encoding_in_http10);
  EXPECT_EQ(response_framing(Method::get, response(200, lines, Version::http10)).error(),
            Refusal::transfer_encoding_in_http10);
}

// RFC 9110 section 9.3.6.
TEST(RequestFraming, RefusesContentOfConnect) {
  EXPECT_EQ(request_framing(request({{kCoding, "chunked"}}, Method::connect)).error(),
            Refusal::transfer_encoding_not_allowed);
  EXPECT_EQ(request_framing(request({{kLength, "1"}}, Method::connect)).error(),
            Refusal::content_not_allowed);
}

// RFC 9112 section 6.3, in its order.
TEST(ResponseFraming, Table) {
  struct Sample {
    Method method;
    int status;
    Lines lines;
    Framing framing;
  };
  const std::vector<Sample> samples = {
      {Method::head, 200, {{kLength, "5"}}, kNone},
      {Method::head, 200, {{kCoding, "chunked"}}, kNone},
      {Method::head, 404, {}, kNone},
      {Method::get, 100, {}, kNone},
      {Method::get, 101, {{kLength, "5"}}, kNone},
      {Method::get, 204, {{kLength, "5"}}, kNone},
      {Method::get, 204, {}, kNone},
      {Method::get, 304, {{kLength, "5"}}, kNone},
      {Method::get, 304, {{kCoding, "chunked"}}, kNone},
      {Method::connect, 200, {}, kNone},
      {Method::connect, 299, {{kLength, "5"}}, kNone},
      {Method::connect, 407, {{kLength, "5"}}, length(5)},
      {Method::connect, 300, {}, kUntilClose},
      {Method::get, 200, {{kCoding, "chunked"}}, kChunked},
      {Method::get, 200, {{kLength, "5, 5"}}, length(5)},
      {Method::get, 205, {{kLength, "0"}}, length(0)},
      {Method::get, 200, {}, kUntilClose},
      {Method::post, 500, {}, kUntilClose},
  };
  for (const Sample& sample : samples) {
    const auto result = response_framing(sample.method, response(sample.status, sample.lines));
    ASSERT_TRUE(result) << sample.status;
    EXPECT_EQ(result->kind, sample.framing.kind)
        << to_string(sample.method) << " " << sample.status;
    EXPECT_EQ(result->length, sample.framing.length) << sample.status;
  }
}

// RFC 9112 section 6.1.
TEST(ResponseFraming, RefusesTransferEncodingWhereThereIsNoContent) {
  const Lines lines = {{kCoding, "chunked"}};
  for (const int status : {100, 101, 103, 204}) {
    EXPECT_EQ(response_framing(Method::get, response(status, lines)).error(),
              Refusal::transfer_encoding_not_allowed);
  }
  EXPECT_EQ(response_framing(Method::connect, response(200, lines)).error(),
            Refusal::transfer_encoding_not_allowed);
}

TEST(ResponseFraming, ChecksContentLengthAlsoWhereItIsNotUsed) {
  const Lines lines = {{kLength, "5, 6"}};
  for (const int status : {101, 204, 304}) {
    EXPECT_EQ(response_framing(Method::get, response(status, lines)).error(),
              Refusal::content_length_conflict);
  }
  EXPECT_EQ(response_framing(Method::head, response(200, lines)).error(),
            Refusal::content_length_conflict);
}

std::string options_text(const Lines& lines) {
  const ConnectionOptions options = connection_options(section(lines));
  std::string text;
  if (options.close) text += "close ";
  if (options.keep_alive) text += "keep-alive ";
  if (options.upgrade) text += "upgrade ";
  if (options.te) text += "te ";
  if (options.has_others) text += "others ";
  return text;
}

TEST(ConnectionOptions, OfAllLines) {
  constexpr FieldId kConnection = FieldId::connection;
  EXPECT_EQ(options_text({}), "");
  EXPECT_EQ(options_text({{kConnection, ""}}), "");
  EXPECT_EQ(options_text({{kConnection, "Close"}}), "close ");
  EXPECT_EQ(options_text({{kConnection, "keep-alive, UPGRADE"}, {kConnection, "te"}}),
            "keep-alive upgrade te ");
  EXPECT_EQ(options_text({{kConnection, "trailer, proxy-connection, transfer-encoding"}}), "");
  EXPECT_EQ(options_text({{kConnection, "close, x-own"}}), "close others ");
  EXPECT_EQ(options_text({{kConnection, "cookie"}}), "others ");
  EXPECT_EQ(options_text({{kConnection, "closed"}}), "others ");
}

// RFC 9112 section 9.3.
TEST(WantsPersistence, Table) {
  EXPECT_TRUE(wants_persistence(Version::http11, {}));
  EXPECT_FALSE(wants_persistence(Version::http11, {.close = true}));
  EXPECT_FALSE(wants_persistence(Version::http11, {.close = true, .keep_alive = true}));
  EXPECT_FALSE(wants_persistence(Version::http10, {}));
  EXPECT_TRUE(wants_persistence(Version::http10, {.keep_alive = true}));
  EXPECT_FALSE(wants_persistence(Version::http10, {.close = true, .keep_alive = true}));
}

}  // namespace
}  // namespace penstock

#include "http1/head_writer.h"

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http1/head_parser.h"

namespace penstock::http1 {
namespace {

constexpr HeadLimits kLimits;

template <class Head, class Write>
std::string write(const Head& head, const WireFraming& framing, Write writer) {
  std::string to(wire_size_bound(head, framing), '\0');
  to.resize(writer(to));
  return to;
}

std::string written(const RequestHead& head, RequestForm form, const WireFraming& framing = {}) {
  return write(head, framing,
               [&](std::string& to) { return write_request_head(head, form, framing, to); });
}

std::string written(const ResponseHead& head, const WireFraming& framing = {}) {
  return write(head, framing,
               [&](std::string& to) { return write_response_head(head, framing, to); });
}

// The request parsed from `bytes`, written again.
std::string rewritten(std::string_view bytes, RequestForm form, const WireFraming& framing = {}) {
  RequestHead head;
  EXPECT_EQ(parse_request_head(bytes, kLimits, head), Refusal::none) << bytes;
  return written(head, form, framing);
}

std::string rewritten_response(std::string_view bytes, const WireFraming& framing = {}) {
  ResponseHead head;
  EXPECT_EQ(parse_response_head(bytes, kLimits, head), Refusal::none) << bytes;
  return written(head, framing);
}

std::string start_line(std::string_view head) {
  return std::string(head.substr(0, head.find("\r\n")));
}

TEST(WriteRequestHead, WritesHostFirstAndTheRestInOrder) {
  EXPECT_EQ(
      rewritten("GET /a?b HTTP/1.0\r\nX-A:1\r\nhost:\t a \r\nEmpty:\r\n\r\n", RequestForm::origin),
      "GET /a?b HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nEmpty: \r\n\r\n");
}

TEST(WriteRequestHead, TargetForms) {
  struct Sample {
    std::string_view line;
    RequestForm form;
    std::string_view expected;
  };
  const std::vector<Sample> samples = {
      {"GET http://a/x?y HTTP/1.1", RequestForm::origin, "GET /x?y HTTP/1.1"},
      {"GET http://a HTTP/1.1", RequestForm::origin, "GET / HTTP/1.1"},
      {"GET http://a?y HTTP/1.1", RequestForm::origin, "GET /?y HTTP/1.1"},
      {"OPTIONS http://a HTTP/1.1", RequestForm::origin, "OPTIONS * HTTP/1.1"},
      {"OPTIONS * HTTP/1.1", RequestForm::origin, "OPTIONS * HTTP/1.1"},
      {"GET http://a:81/x HTTP/1.1", RequestForm::absolute, "GET http://a:81/x HTTP/1.1"},
      {"GET http://a?y HTTP/1.1", RequestForm::absolute, "GET http://a/?y HTTP/1.1"},
      {"OPTIONS http://a HTTP/1.1", RequestForm::absolute, "OPTIONS http://a HTTP/1.1"},
      {"OPTIONS * HTTP/1.1", RequestForm::absolute, "OPTIONS http://h:1 HTTP/1.1"},
      {"GET /x HTTP/1.1", RequestForm::absolute, "GET http://h:1/x HTTP/1.1"},
      {"CONNECT a:443 HTTP/1.1", RequestForm::authority, "CONNECT a:443 HTTP/1.1"},
  };
  for (const Sample& sample : samples) {
    const std::string head = std::string(sample.line) + "\r\nHost: h:1\r\n\r\n";
    EXPECT_EQ(start_line(rewritten(head, sample.form)), sample.expected) << sample.line;
  }
}

TEST(WriteRequestHead, HostIsTheFieldElseTheAuthorityElseEmpty) {
  RequestHead head;
  head.method_text = "GET";
  head.target = *parse_target("GET", "http://a:8/");
  EXPECT_EQ(written(head, RequestForm::origin), "GET / HTTP/1.1\r\nHost: a:8\r\n\r\n");
  head.fields.add(FieldId::host, "b");
  head.fields.add(FieldId::host, "c");
  EXPECT_EQ(written(head, RequestForm::origin), "GET / HTTP/1.1\r\nHost: b\r\n\r\n");
  EXPECT_EQ(rewritten("GET / HTTP/1.0\r\n\r\n", RequestForm::origin),
            "GET / HTTP/1.1\r\nHost: \r\n\r\n");
}

TEST(WriteRequestHead, SaysTheFramingItselfAndOnlyThat) {
  const auto fields = [](std::string_view method, const WireFraming& framing) {
    const std::string head = std::string(method) +
                             " / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nA: b\r\n"
                             "Transfer-Encoding: chunked\r\nConnection: x\r\n\r\n";
    const std::string result = rewritten(head, RequestForm::origin, framing);
    return result.substr(result.find("A: b\r\n") + 6);
  };
  const WireFraming none{.body = {}, .connection = "close"};
  EXPECT_EQ(fields("GET", none), "Connection: close\r\n\r\n");
  EXPECT_EQ(fields("POST", none), "Connection: close\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fields("PUT", {}), "Connection: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fields("PATCH", {}), "Connection: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fields("DELETE", {}), "Connection: x\r\n\r\n");
  const WireFraming length{.body = {BodyKind::length, 18446744073709551615U}, .connection = {}};
  EXPECT_EQ(fields("GET", length), "Connection: x\r\nContent-Length: 18446744073709551615\r\n\r\n");
  const WireFraming chunked{.body = {BodyKind::chunked, 0}, .connection = {}};
  EXPECT_EQ(fields("POST", chunked), "Connection: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const WireFraming elsewhere{.body = {BodyKind::until_close, 0}, .connection = {}};
  EXPECT_EQ(fields("POST", elsewhere), "Connection: x\r\n\r\n");
}

TEST(WriteResponseHead, SaysTheFramingItselfAndOnlyThat) {
  const auto fields = [](std::string_view status, std::string_view own,
                         const WireFraming& framing) {
    const std::string head = "HTTP/1.0 " + std::string(status) + "\r\n" + std::string(own) +
                             "A: b\r\nTransfer-Encoding: chunked\r\n\r\n";
    const std::string result = rewritten_response(head, framing);
    return result.substr(result.find("A: b\r\n") + 6);
  };
  const std::string_view five = "Content-Length: 5\r\n";
  EXPECT_EQ(fields("200 OK", five, {.body = {BodyKind::length, 7}, .connection = {}}),
            "Content-Length: 7\r\n\r\n");
  EXPECT_EQ(fields("200 OK", five, {.body = {BodyKind::length, 0}, .connection = "close"}),
            "Connection: close\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(fields("200 OK", five, {.body = {BodyKind::chunked, 0}, .connection = {}}),
            "Transfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(fields("200 OK", five, {.body = {BodyKind::until_close, 0}, .connection = {}}), "\r\n");
  // Without body: the answer to HEAD, or 304, keeps its own, as one line.
  EXPECT_EQ(fields("200 OK", five, {}), "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(fields("304 Not Modified", "Content-Length: 5, 5\r\ncontent-length: 5\r\n", {}),
            "Content-Length: 5\r\n\r\n");
  EXPECT_EQ(fields("304 Not Modified", "Content-Length: x\r\n", {}), "\r\n");
  EXPECT_EQ(fields("204 No Content", five, {}), "\r\n");
  EXPECT_EQ(fields("103 Early Hints", five, {}), "\r\n");
}

TEST(WriteResponseHead, StatusLines) {
  EXPECT_EQ(rewritten_response("HTTP/1.0 404 Not\tFound \r\n\r\n"),
            "HTTP/1.1 404 Not\tFound \r\n\r\n");
  EXPECT_EQ(rewritten_response("HTTP/1.1 200\r\n\r\n"), "HTTP/1.1 200 \r\n\r\n");
}

// Texts of every length, with the buffer exactly as large as needed: every way of copying them.
TEST(WriteResponseHead, TextsOfEveryLength) {
  for (std::size_t size = 0; size < 100; ++size) {
    std::string value(size, 'v');
    for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>('0' + i % 75);
    ResponseHead head;
    head.status = 200;
    head.fields.add(FieldId::other, "N", value);
    const std::string expected = "HTTP/1.1 200 \r\nN: " + value + "\r\n\r\n";
    std::vector<char> exact(expected.size());
    ASSERT_EQ(write_response_head(head, {}, exact), expected.size());
    EXPECT_EQ(std::string_view(exact.data(), exact.size()), expected);
    EXPECT_GE(wire_size_bound(head, {}), expected.size());
    exact.pop_back();
    if (size % 25 == 0) EXPECT_DEATH(write_response_head(head, {}, exact), "");
  }
}

TEST(WriteChunkHead, Sizes) {
  const auto line = [](std::uint64_t size) {
    char to[kChunkHeadMax];
    return std::string(to, write_chunk_head(size, to));
  };
  EXPECT_EQ(line(0), "0\r\n");
  EXPECT_EQ(line(0xf), "f\r\n");
  EXPECT_EQ(line(0x10), "10\r\n");
  EXPECT_EQ(line(0x1a2b), "1a2b\r\n");
  EXPECT_EQ(line(std::numeric_limits<std::uint64_t>::max()), "ffffffffffffffff\r\n");
}

// RFC 9110 section 6.5.1.
TEST(WriteLastChunk, LeavesOutWhatMustNotBeInTrailers) {
  FieldSection trailers;
  const auto text = [&] {
    std::string to(last_chunk_size_bound(trailers), '\0');
    to.resize(write_last_chunk(trailers, to));
    return to;
  };
  EXPECT_EQ(text(), kLastChunk);
  trailers.add(FieldId::content_length, "5");
  trailers.add(FieldId::other, "Digest", "x");
  trailers.add(FieldId::transfer_encoding, "chunked");
  trailers.add(FieldId::etag, "\"y\"");
  EXPECT_EQ(text(), "0\r\nDigest: x\r\nETag: \"y\"\r\n\r\n");
}

}  // namespace
}  // namespace penstock::http1

#include "icap/request_head.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "http1/head_parser.h"

namespace penstock::icap {
namespace {

using namespace std::string_view_literals;

constexpr http1::HeadLimits kLimits;

const ServiceUri& service() {
  static const ServiceUri uri = *parse_service_uri("icap://127.0.0.1:1344/echo");
  return uri;
}

// The request, after checking that it is the same however large the memory is.
std::string written(IcapRequest request) {
  request.service = &service();
  // Exactly the memory it may need, so that writing past it is seen.
  std::vector<char> to(request_size_bound(request));
  const auto result = write_request(request, to);
  EXPECT_TRUE(result.has_value()) << to_string(result.error());
  const auto slice = serialise(request);
  EXPECT_TRUE(slice.has_value());
  if (!result || !slice) return {};
  EXPECT_EQ(slice->view(), *result);
  return std::string(*result);
}

std::string_view refused(IcapRequest request) {
  request.service = &service();
  std::vector<char> to(request_size_bound(request));
  const auto result = write_request(request, to);
  EXPECT_EQ(serialise(request).has_value(), result.has_value());
  return to_string(result ? Problem::none : result.error());
}

RequestHead request_of(std::string_view bytes) {
  RequestHead head;
  EXPECT_EQ(http1::parse_request_head(bytes, kLimits, head), Refusal::none) << bytes;
  return head;
}

ResponseHead response_of(std::string_view bytes) {
  ResponseHead head;
  EXPECT_EQ(http1::parse_response_head(bytes, kLimits, head), Refusal::none) << bytes;
  return head;
}

// The HTTP heads that a request carries.
std::string heads_of(const IcapRequest& request) {
  const std::string bytes = written(request);
  return bytes.substr(bytes.find("\r\n\r\n") + 4);
}

std::string embedded(std::string_view bytes, bool secure = false) {
  const RequestHead head = request_of(bytes);
  return heads_of({.method = IcapMethod::reqmod, .request = &head, .secure = secure});
}

std::string embedded_response(std::string_view bytes) {
  const ResponseHead head = response_of(bytes);
  return heads_of({.method = IcapMethod::respmod, .response = &head});
}

std::string first_line(std::string_view head) {
  return std::string(head.substr(0, head.find("\r\n")));
}

TEST(WriteRequest, Options) {
  EXPECT_EQ(written({.allow_204 = true, .allow_206 = true}),
            "OPTIONS icap://127.0.0.1:1344/echo ICAP/1.0\r\nHost: 127.0.0.1:1344\r\n"
            "Allow: 204, 206\r\n\r\n");
}

TEST(WriteRequest, Reqmod) {
  const RequestHead head =
      request_of("GET /a HTTP/1.1\r\nUser-Agent: penstock\r\nHost: h.test\r\n\r\n");
  EXPECT_EQ(
      written({.method = IcapMethod::reqmod, .allow_204 = true, .preview = 0, .request = &head}),
      "REQMOD icap://127.0.0.1:1344/echo ICAP/1.0\r\nHost: 127.0.0.1:1344\r\nAllow: 204\r\n"
      "Preview: 0\r\nEncapsulated: req-hdr=0, null-body=68\r\n\r\n"
      "GET http://h.test/a HTTP/1.1\r\nHost: h.test\r\nUser-Agent: penstock\r\n\r\n");
}

TEST(WriteRequest, Respmod) {
  const RequestHead request = request_of("GET http://h.test/a HTTP/1.1\r\nHost: h.test\r\n\r\n");
  const ResponseHead response = response_of("HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\n");
  const std::vector<Field> fields = {{.name = "X-Client-IP", .value = "192.0.2.1"},
                                     {.name = "Connection", .value = "close"}};
  EXPECT_EQ(written({.method = IcapMethod::respmod,
                     .fields = fields,
                     .allow_206 = true,
                     .preview = 4,
                     .request = &request,
                     .response = &response,
                     .has_body = true}),
            "RESPMOD icap://127.0.0.1:1344/echo ICAP/1.0\r\nHost: 127.0.0.1:1344\r\n"
            "X-Client-IP: 192.0.2.1\r\nConnection: close\r\nAllow: 206\r\nPreview: 4\r\n"
            "Encapsulated: req-hdr=0, res-hdr=46, res-body=85\r\n\r\n"
            "GET http://h.test/a HTTP/1.1\r\nHost: h.test\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
  EXPECT_TRUE(written({.method = IcapMethod::respmod, .response = &response})
                  .contains("Encapsulated: res-hdr=0, null-body=39\r\n\r\nHTTP/1.1 200 OK\r\n"));
}

// Encapsulated is what a reader of the bytes finds, whatever their lengths.
TEST(WriteRequest, EncapsulatedIsTrue) {
  for (const std::size_t length : {1U, 9U, 50U, 100U, 900U, 1000U, 9000U, 10'000U, 60'000U}) {
    const std::string long_value(length, 'v');
    const std::string head_text =
        "POST http://h/ HTTP/1.1\r\nHost: h\r\nA: " + long_value + "\r\n\r\n";
    const RequestHead request = request_of(head_text);
    const std::string response_text = "HTTP/1.1 200 OK\r\nB: " + long_value + "\r\n\r\n";
    const ResponseHead response = response_of(response_text);
    for (const bool has_body : {false, true}) {
      for (const bool with_request : {false, true}) {
        const std::string bytes = written({.method = IcapMethod::respmod,
                                           .request = with_request ? &request : nullptr,
                                           .response = &response,
                                           .has_body = has_body});
        const std::size_t at = bytes.find("Encapsulated: ") + 14;
        const std::size_t end = bytes.find("\r\n\r\n") + 4;
        const auto parts = parse_encapsulated(bytes.substr(at, end - 4 - at));
        ASSERT_TRUE(parts.has_value()) << bytes.substr(at, 80);
        EXPECT_EQ(parts->heads(), bytes.size() - end);
        EXPECT_EQ(parts->has_body(), has_body);
        EXPECT_EQ(bytes.substr(end, parts->request_head), with_request ? head_text : "");
        EXPECT_EQ(bytes.substr(end + parts->request_head), response_text);
      }
    }
  }
}

TEST(WriteRequest, BodiesOfEachMethod) {
  const RequestHead request = request_of("POST http://h/ HTTP/1.1\r\nHost: h\r\n\r\n");
  const ResponseHead response = response_of("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_TRUE(written({.method = IcapMethod::reqmod, .request = &request, .has_body = true})
                  .contains(", req-body=36\r\n"));
  EXPECT_TRUE(written({.method = IcapMethod::respmod, .response = &response, .has_body = true})
                  .contains(", res-body=19\r\n"));
}

TEST(WriteRequest, Targets) {
  const auto target = [](std::string_view line, bool secure = false) {
    const bool old = line.ends_with("1.0");
    const std::string head = std::string(line).append(old ? "\r\n\r\n" : "\r\nHost: h:1\r\n\r\n");
    return first_line(embedded(head, secure));
  };
  EXPECT_EQ(target("GET /a?b HTTP/1.1"), "GET http://h:1/a?b HTTP/1.1");
  EXPECT_EQ(target("GET /a?b HTTP/1.1", true), "GET https://h:1/a?b HTTP/1.1");
  EXPECT_EQ(target("GET http://a/b HTTP/1.1", true), "GET http://a/b HTTP/1.1");
  EXPECT_EQ(target("GET ftp://a HTTP/1.1"), "GET ftp://a/ HTTP/1.1");
  EXPECT_EQ(target("CONNECT a:443 HTTP/1.1", true), "CONNECT a:443 HTTP/1.1");
  EXPECT_EQ(target("OPTIONS * HTTP/1.1"), "OPTIONS http://h:1 HTTP/1.1");
  EXPECT_EQ(target("GET /a HTTP/1.0"), "GET /a HTTP/1.1");
  EXPECT_EQ(target("GET http://a/b HTTP/1.0"), "GET http://a/b HTTP/1.1");
}

// RFC 3507 section 4.4.2.
TEST(WriteRequest, HopByHopFieldsStayHere) {
  EXPECT_EQ(
      embedded("POST http://h/ HTTP/1.1\r\nHost: h\r\nConnection: x-a, close\r\nX-A: 1\r\n"
               "Transfer-Encoding: chunked\r\nProxy-Authorization: Basic x\r\nTE: trailers\r\n"
               "Proxy-Connection: y\r\nVia: 1.1 a\r\nUpgrade: z\r\n\r\n"),
      "POST http://h/ HTTP/1.1\r\nHost: h\r\nVia: 1.1 a\r\n\r\n");
  EXPECT_EQ(
      embedded_response("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\nConnection: close\r\n"
                        "Keep-Alive: 1\r\nTransfer-Encoding: chunked\r\nA: b\r\nA: c\r\n\r\n"),
      "HTTP/1.1 407 x\r\nA: b\r\nA: c\r\n\r\n");
}

TEST(WriteRequest, ContentLengthStaysAsItIs) {
  EXPECT_EQ(embedded("POST http://h/ HTTP/1.1\r\nContent-Length: 7\r\nHost: h\r\n\r\n"),
            "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 7\r\n\r\n");
  EXPECT_EQ(embedded("POST http://h/ HTTP/1.1\r\nContent-Length: 0\r\nHost: h\r\n\r\n"),
            "POST http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(embedded("GET http://h/ HTTP/1.1\r\nContent-Length: 3, 3\r\nHost: h\r\n\r\n"),
            "GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(embedded("PUT http://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
            "PUT http://h/ HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto response = [](std::string_view status) {
    const std::string head =
        std::string("HTTP/1.1 ").append(status).append(" x\r\nContent-Length: 5\r\n\r\n");
    return embedded_response(head).contains("Content-Length: 5\r\n");
  };
  EXPECT_TRUE(response("200"));
  EXPECT_TRUE(response("304"));
  EXPECT_FALSE(response("204"));
  EXPECT_EQ(embedded_response("HTTP/1.1 200 OK\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
}

// What the proxy sends on has its length written later.
TEST(WriteRequest, ContentLengthIsThatOfTheBodyWhereItIsKnown) {
  const RequestHead request = request_of("POST http://h.test/a HTTP/1.1\r\nHost: h.test\r\n\r\n");
  const ResponseHead response = response_of("HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(heads_of({.method = IcapMethod::reqmod,
                      .request = &request,
                      .has_body = true,
                      .length = 18446744073709551615U}),
            "POST http://h.test/a HTTP/1.1\r\nHost: h.test\r\n"
            "Content-Length: 18446744073709551615\r\n\r\n");
  EXPECT_EQ(heads_of({.method = IcapMethod::respmod,
                      .request = &request,
                      .response = &response,
                      .has_body = true,
                      .length = 7}),
            "POST http://h.test/a HTTP/1.1\r\nHost: h.test\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n");
}

TEST(WriteRequest, FieldsCannotBringMoreThanThemselves) {
  const auto with = [](std::string_view name, std::string_view value) {
    const Field field{.name = name, .value = value};
    return refused({.fields = {&field, 1}});
  };
  EXPECT_EQ(with("X-Authenticated-User", "TG9jYWw6Ly91"), "");
  EXPECT_EQ(with("X-A", ""), "");
  EXPECT_EQ(with("X-A", "\xc3\xa4 \t b"), "");
  const std::string_view problem = to_string(Problem::field_not_allowed);
  for (const std::string_view value :
       {"a\r\nX: y"sv, "a\nX: y"sv, "a\r"sv, "\n"sv, "a\0b"sv, "\x7f"sv, " a"sv, "a\t"sv}) {
    EXPECT_EQ(with("X-A", value), problem) << value;
  }
  for (const std::string_view name :
       {""sv, "X A"sv, "X:"sv, "X\r\nY"sv, "X\0"sv, "X\xc3\xa4"sv, "host"sv, "ENCAPSULATED"sv,
        "preview"sv, "Allow"sv, "Transfer-Encoding"sv, "Content-Length"sv}) {
    EXPECT_EQ(with(name, "0"), problem) << name;
  }
}

TEST(WriteRequest, HttpHeadsCannotBringMoreThanThemselves) {
  const std::string_view bytes = "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n";
  const auto with = [bytes](auto change) {
    RequestHead head = request_of(bytes);
    change(head);
    return refused({.method = IcapMethod::reqmod, .request = &head});
  };
  const std::string_view problem = to_string(Problem::text_not_allowed);
  EXPECT_EQ(with([](RequestHead&) {}), "");
  for (const std::string_view evil : {"a\r\nX: y"sv, "a\nb"sv, "a\rb"sv, "a\0b"sv}) {
    EXPECT_EQ(with([&](RequestHead& h) { h.fields.add(FieldId::other, "X", evil); }), problem);
    EXPECT_EQ(with([&](RequestHead& h) { h.fields.add(FieldId::other, evil, "x"); }), problem);
    EXPECT_EQ(with([&](RequestHead& h) { h.fields.set(FieldId::host, evil); }), problem);
    EXPECT_EQ(with([&](RequestHead& h) { h.method_text = evil; }), problem);
    EXPECT_EQ(with([&](RequestHead& h) { h.target.scheme = evil; }), problem);
    EXPECT_EQ(with([&](RequestHead& h) { h.target.authority = evil; }), problem);
    EXPECT_EQ(with([&](RequestHead& h) { h.target.path_and_query = evil; }), problem);
    ResponseHead response = response_of("HTTP/1.1 200 OK\r\n\r\n");
    response.reason = evil;
    EXPECT_EQ(refused({.method = IcapMethod::respmod, .response = &response}), problem);
    response.reason = "OK";
    response.fields.add(FieldId::etag, evil);
    EXPECT_EQ(refused({.method = IcapMethod::respmod, .response = &response}), problem);
  }
  EXPECT_EQ(with([](RequestHead& h) { h.method_text = "GET /x"; }), problem);
  EXPECT_EQ(with([](RequestHead& h) { h.target.path_and_query = "/ HTTP/1.1"; }), problem);
  EXPECT_EQ(with([](RequestHead& h) { h.fields.add(FieldId::other, "X: y", "z"); }), problem);
  EXPECT_EQ(with([](RequestHead& h) {
              h.target.authority = {};
              h.fields.set(FieldId::host, "a b");
            }),
            problem);
}

TEST(WriteRequest, TooLargeForAnySlab) {
  const std::string value(kHugeSlab, 'v');
  const Field field{.name = "X", .value = value};
  const IcapRequest request{.service = &service(), .fields = {&field, 1}};
  const auto slice = serialise(request);
  ASSERT_FALSE(slice.has_value());
  EXPECT_EQ(slice.error(), Problem::request_too_large);
}

}  // namespace
}  // namespace penstock::icap

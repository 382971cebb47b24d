#include "icap/adapted_head.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::icap {
namespace {

using namespace std::string_view_literals;
using http1::HeadLimits;
using Body = Encapsulated::Body;

constexpr HeadLimits kLimits;

Encapsulated request_of(std::string_view bytes, Body body = Body::request) {
  return {.request_head = bytes.size(), .body = body};
}

Encapsulated response_of(std::string_view bytes, Body body = Body::response) {
  return {.response_head = bytes.size(), .body = body};
}

AdaptedHead accepted(std::string_view bytes, const Encapsulated& encapsulated,
                     Method method = Method::get) {
  auto adapted = parse_adapted_head(bytes, encapsulated, method, kLimits);
  EXPECT_TRUE(adapted.has_value())
      << bytes << to_string(adapted.error().problem) << ", " << info(adapted.error().refusal).token;
  return adapted ? std::move(*adapted) : AdaptedHead{};
}

using Fault = std::pair<std::string_view, std::string_view>;
Fault fault(Problem problem, Refusal refusal = Refusal::none) {
  return {to_string(problem), info(refusal).token};
}

Fault refused(std::string_view bytes, const Encapsulated& encapsulated,
              Method method = Method::get) {
  const auto adapted = parse_adapted_head(bytes, encapsulated, method, kLimits);
  return adapted ? fault(Problem::none) : fault(adapted.error().problem, adapted.error().refusal);
}

Fault refused_response(std::string_view bytes) { return refused(bytes, response_of(bytes)); }

std::string names(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields) text.append(field.name).append(" ");
  return text;
}

TEST(AdaptedHead, AResponse) {
  // As c-icap sends it.
  const std::string_view bytes =
      "HTTP/1.0 403 Forbidden\r\nServer: C-ICAP\r\nConnection: close\r\nContent-Type: text/html\r\n"
      "\r\n";
  const AdaptedHead adapted = accepted(bytes, response_of(bytes));
  ASSERT_FALSE(adapted.is_request());
  const ResponseHead& head = std::get<ResponseHead>(adapted.head);
  EXPECT_EQ(head.status, 403);
  EXPECT_EQ(head.reason, "Forbidden");
  EXPECT_EQ(head.version, Version::http11);
  EXPECT_EQ(names(head.fields), "Server Content-Type ");
  EXPECT_FALSE(adapted.content_length.has_value());
  EXPECT_TRUE(adapted.may_have_body);
  EXPECT_EQ(to_string(adapted.quirks), "an HTTP/1.0 head, hop-by-hop fields in the HTTP head");
}

TEST(AdaptedHead, ARequest) {
  const std::string_view bytes =
      "POST http://other.test/b?c HTTP/1.1\r\nHost: h.test\r\nContent-Length: 7\r\n\r\n";
  const AdaptedHead adapted = accepted(bytes, request_of(bytes));
  ASSERT_TRUE(adapted.is_request());
  const RequestHead& head = std::get<RequestHead>(adapted.head);
  EXPECT_EQ(head.method, Method::post);
  EXPECT_EQ(head.target.authority, "other.test");
  EXPECT_EQ(head.fields.value(FieldId::host), "other.test");
  EXPECT_EQ(adapted.content_length, 7U);
  EXPECT_TRUE(adapted.quirks.empty());
}

TEST(AdaptedHead, OfBothTheResponseCounts) {
  const std::string_view request = "GET http://h/ HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
  const std::string_view response = "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n";
  const std::string both = std::string(request).append(response);
  const Encapsulated encapsulated{
      .request_head = request.size(), .response_head = response.size(), .body = Body::response};
  const AdaptedHead adapted = accepted(both, encapsulated);
  EXPECT_FALSE(adapted.is_request());
  EXPECT_EQ(adapted.content_length, 3U);

  // The boundary between them is looked at, too.
  Encapsulated shifted = encapsulated;
  --shifted.request_head;
  ++shifted.response_head;
  EXPECT_EQ(refused(both, shifted), fault(Problem::adapted_head_length));
  shifted.request_head += 2;
  shifted.response_head -= 2;
  EXPECT_EQ(refused(both, shifted), fault(Problem::adapted_head_length));
}

// RFC 9110 section 7.6.1.
TEST(AdaptedHead, HopByHopFieldsAreLeftOut) {
  const std::string_view response =
      "HTTP/1.1 200 OK\r\nConnection: x-a, Content-Type\r\nX-A: 1\r\nKeep-Alive: 1\r\nVia: 1.1 "
      "a\r\n"
      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\nProxy-Authenticate: Basic\r\n"
      "Content-Type: a\r\nUpgrade: x\r\nTrailer: y\r\n\r\n";
  const AdaptedHead adapted = accepted(response, response_of(response));
  EXPECT_EQ(names(std::get<ResponseHead>(adapted.head).fields), "Via Content-Length Content-Type ");
  EXPECT_EQ(adapted.content_length, 5U);
  EXPECT_EQ(adapted.quirks, Quirks(Quirk::hop_by_hop_fields));

  const std::string_view request =
      "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nProxy-Authorization: x\r\nConnection: TE\r\n"
      "Transfer-Encoding: gzip\r\n\r\n";
  const AdaptedHead other = accepted(request, request_of(request));
  EXPECT_EQ(names(std::get<RequestHead>(other.head).fields), "Host ");
}

TEST(AdaptedHead, SomeNeverHaveABody) {
  const auto may_have_body = [](std::string_view line, Method method) {
    const std::string bytes = std::string(line).append("\r\nContent-Length: 5\r\n\r\n");
    // Whether a body is announced or not.
    const bool announced = accepted(bytes, response_of(bytes), method).may_have_body;
    const auto null_body =
        parse_adapted_head(bytes, response_of(bytes, Body::none), method, kLimits);
    EXPECT_EQ(null_body.has_value(), !announced) << line;
    if (!null_body) {
      EXPECT_EQ(null_body.error().problem, Problem::adapted_length_without_body);
    }
    return announced;
  };
  EXPECT_FALSE(may_have_body("HTTP/1.1 204 No Content", Method::get));
  EXPECT_FALSE(may_have_body("HTTP/1.1 304 Not Modified", Method::get));
  EXPECT_FALSE(may_have_body("HTTP/1.1 200 OK", Method::head));
  EXPECT_FALSE(may_have_body("HTTP/1.1 200 OK", Method::connect));
  EXPECT_TRUE(may_have_body("HTTP/1.1 403 Forbidden", Method::connect));
  EXPECT_TRUE(may_have_body("HTTP/1.1 200 OK", Method::get));
  EXPECT_TRUE(may_have_body("HTTP/1.1 206 Partial Content", Method::post));

  const std::string_view connect = "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n";
  EXPECT_FALSE(accepted(connect, request_of(connect, Body::none)).may_have_body);
}

TEST(AdaptedHead, ALengthNeedsABody) {
  const std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  EXPECT_EQ(refused(request, request_of(request, Body::none)),
            fault(Problem::adapted_length_without_body));
  const std::string_view empty = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(accepted(empty, request_of(empty, Body::none)).content_length, 0U);
  const std::string_view response = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n";
  EXPECT_EQ(accepted(response, response_of(response, Body::none)).content_length, 0U);
}

TEST(AdaptedHead, EndsExactlyWhereAnnounced) {
  const std::string_view response = "HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
  for (std::size_t size = 1; size < response.size(); ++size) {
    EXPECT_EQ(refused_response(response.substr(0, size)), fault(Problem::adapted_head_length))
        << size;
  }
  EXPECT_EQ(refused_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n\r\n"),
            fault(Problem::adapted_head_length));
  EXPECT_EQ(refused_response("HTTP/1.1 200 OK\r\nA: b\r\n\r\n5\r\nhello\r\n"),
            fault(Problem::adapted_head_length));
  const std::string_view request = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(refused(request, request_of(request)), fault(Problem::adapted_head_length));
}

TEST(AdaptedHead, IsReadAsStrictlyAsHttp) {
  constexpr Problem kRefused = Problem::adapted_head_refused;
  const std::vector<std::pair<std::string_view, Refusal>> samples = {
      {"HTTP/1.1 200 OK\n\n", Refusal::bare_lf},
      {"HTTP/1.1 200 OK\r\nA: b\n\r\n", Refusal::bare_lf},
      {"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", Refusal::obs_fold},
      {"HTTP/1.1 200 OK\r\nA : b\r\n\r\n", Refusal::whitespace_before_colon},
      {"HTTP/1.1 200 OK\r\nA: \0\r\n\r\n"sv, Refusal::control_byte},
      {"ICAP/1.0 200 OK\r\n\r\n", Refusal::version_malformed},
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::version_malformed},
      {"HTTP/2.0 200 OK\r\n\r\n", Refusal::version_not_supported},
      {"HTTP/1.1 20 OK\r\n\r\n", Refusal::status_code_invalid},
      {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Refusal::content_length_invalid},
      {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
       Refusal::content_length_conflict},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
       Refusal::content_length_overflow},
  };
  for (const auto& [bytes, refusal] : samples) {
    EXPECT_EQ(refused_response(bytes), fault(kRefused, refusal)) << bytes;
  }
  const std::vector<std::pair<std::string_view, Refusal>> requests = {
      {"GET / HTTP/1.1\r\n\r\n", Refusal::host_missing},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Refusal::host_repeated},
      {"GET http://a b/ HTTP/1.1\r\nHost: a\r\n\r\n", Refusal::request_line_malformed},
      {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n",
       Refusal::content_not_allowed},
  };
  for (const auto& [bytes, refusal] : requests) {
    EXPECT_EQ(refused(bytes, request_of(bytes)), fault(kRefused, refusal)) << bytes;
  }
}

TEST(AdaptedHead, TakesOldAndShortStartLines) {
  const std::string_view short_line = "HTTP/1.1 200\r\n\r\n";
  EXPECT_EQ(std::get<ResponseHead>(accepted(short_line, response_of(short_line)).head).reason, "");
  const std::string_view old_request = "GET http://a/ HTTP/1.0\r\n\r\n";
  const AdaptedHead adapted = accepted(old_request, request_of(old_request, Body::none));
  EXPECT_EQ(std::get<RequestHead>(adapted.head).fields.value(FieldId::host), "a");
  EXPECT_EQ(adapted.quirks, Quirks(Quirk::http10_head));
}

TEST(AdaptedHead, RefusesInterimResponses) {
  for (const std::string_view bytes :
       {"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 199 x\r\n\r\n"}) {
    EXPECT_EQ(refused_response(bytes), fault(Problem::adapted_status_interim));
  }
}

TEST(AdaptedHeadSize, IsWhatIsAnnounced) {
  const auto size = [](std::optional<Encapsulated> encapsulated) {
    IcapResponse response;
    response.status = 200;
    response.encapsulated = encapsulated;
    return adapted_head_size(response, {.head = 100});
  };
  using Size = std::expected<std::size_t, Problem>;
  EXPECT_EQ(size(Encapsulated{.request_head = 100, .response_head = 1}), Size(101));
  EXPECT_EQ(size(Encapsulated{.response_head = 100, .body = Body::response}), Size(100));
  EXPECT_EQ(size({}), Size(std::unexpected(Problem::encapsulated_missing)));
  EXPECT_EQ(size(Encapsulated{}), Size(std::unexpected(Problem::adapted_head_missing)));
  EXPECT_EQ(size(Encapsulated{.body = Body::options}),
            Size(std::unexpected(Problem::adapted_head_missing)));
  EXPECT_EQ(size(Encapsulated{.request_head = 101}),
            Size(std::unexpected(Problem::adapted_head_too_large)));
  EXPECT_EQ(size(Encapsulated{.request_head = 5, .response_head = ~std::uint64_t{0} - 5}),
            Size(std::unexpected(Problem::adapted_head_too_large)));
}

}  // namespace
}  // namespace penstock::icap

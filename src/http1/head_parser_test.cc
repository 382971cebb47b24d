#include "http1/head_parser.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::http1 {
namespace {

using namespace std::string_view_literals;

constexpr HeadLimits kLimits;

// The head in memory of its own size, so that reading past its end is seen.
struct Parsed {
  explicit Parsed(std::string_view text, const HeadLimits& limits = kLimits)
      : bytes(text.begin(), text.end()) {
    refusal = parse_request_head({bytes.data(), bytes.size()}, limits, head);
  }
  std::vector<char> bytes;
  RequestHead head;
  Refusal refusal;
};

struct ParsedResponse {
  explicit ParsedResponse(std::string_view text, const HeadLimits& limits = kLimits)
      : bytes(text.begin(), text.end()) {
    refusal = parse_response_head({bytes.data(), bytes.size()}, limits, head);
  }
  std::vector<char> bytes;
  ResponseHead head;
  Refusal refusal;
};

std::string text_of(const FieldSection& fields) {
  std::string text;
  for (const Field& field : fields)
    text.append(field.name).append("=").append(field.value).append(";");
  return text;
}

// A request of these field lines, with a Host before them.
std::string with_fields(std::string_view lines) {
  return std::string("GET / HTTP/1.1\r\nHost: a\r\n").append(lines).append("\r\n");
}

TEST(ParseRequestHead, TakesItsParts) {
  const Parsed parsed(
      "POST /a?b HTTP/1.1\r\nHost: example.com:81\r\nX-One:1\r\nx-two: \t two words\t \r\n"
      "Empty:\r\nSpaces:  \r\nhigh: \xe4\xff\r\n\r\n");
  ASSERT_EQ(parsed.refusal, Refusal::none);
  EXPECT_EQ(parsed.head.method, Method::post);
  EXPECT_EQ(parsed.head.method_text, "POST");
  EXPECT_EQ(parsed.head.target_text, "/a?b");
  EXPECT_EQ(parsed.head.target.path_and_query, "/a?b");
  EXPECT_EQ(parsed.head.version, Version::http11);
  EXPECT_EQ(text_of(parsed.head.fields),
            "Host=example.com:81;X-One=1;x-two=two words;Empty=;Spaces=;high=\xe4\xff;");
  EXPECT_EQ(parsed.head.fields.begin()->id, FieldId::host);
}

TEST(ParseRequestHead, Versions) {
  const auto version = [](std::string_view text) {
    const Parsed parsed(std::string("GET / ").append(text).append("\r\nHost: a\r\n\r\n"));
    return std::pair(parsed.refusal, parsed.head.version);
  };
  EXPECT_EQ(version("HTTP/1.0"), std::pair(Refusal::none, Version::http10));
  EXPECT_EQ(version("HTTP/1.1"), std::pair(Refusal::none, Version::http11));
  // RFC 9110 section 6.2: a higher minor version is processed as the highest known one.
  EXPECT_EQ(version("HTTP/1.2"), std::pair(Refusal::none, Version::http11));
  EXPECT_EQ(version("HTTP/1.9"), std::pair(Refusal::none, Version::http11));
  // RFC 9110 section 15.6.6.
  for (const std::string_view text : {"HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/9.1"}) {
    EXPECT_EQ(version(text).first, Refusal::version_not_supported) << text;
  }
  // RFC 9112 section 2.3: HTTP-name is case-sensitive, one digit on each side of the point.
  for (const std::string_view text :
       {"http/1.1", "HTTP/1", "HTTP/2", "HTTP/1.10", "HTTP/11.1", "HTTP/1,1", "HTTP/1.x",
        "HTTP/x.1", "HTTPS/1.1", "xHTTP/1.1", "1.1"}) {
    EXPECT_EQ(version(text).first, Refusal::version_malformed) << text;
  }
}

// RFC 9112 section 3.
TEST(ParseRequestHead, RefusesRequestLines) {
  const std::vector<std::pair<std::string_view, Refusal>> samples = {
      {"GET /", Refusal::request_line_malformed},  // HTTP/0.9
      {"GET", Refusal::request_line_malformed},
      {"", Refusal::request_line_malformed},
      {"GET ", Refusal::request_line_malformed},
      {"GET / ", Refusal::request_line_malformed},
      {"GET HTTP/1.1", Refusal::request_line_malformed},
      {" GET / HTTP/1.1", Refusal::request_line_malformed},
      {"GET  / HTTP/1.1", Refusal::request_line_malformed},
      {"GET /  HTTP/1.1", Refusal::request_line_malformed},
      {"GET / HTTP/1.1 ", Refusal::request_line_malformed},
      {"GET / HTTP/1.1\t", Refusal::request_line_malformed},
      {"GET\t/ HTTP/1.1", Refusal::request_line_malformed},
      {"GET /\tHTTP/1.1", Refusal::request_line_malformed},
      {"GET /a\tb HTTP/1.1", Refusal::request_line_malformed},
      {"GET /a b HTTP/1.1", Refusal::request_line_malformed},
      {"G(T / HTTP/1.1", Refusal::method_invalid},
      {"GET: / HTTP/1.1", Refusal::method_invalid},
      {"\xc3\xa4 / HTTP/1.1", Refusal::method_invalid},
      {"(GET / HTTP/1.1", Refusal::method_invalid},
      {"GET /#fragment HTTP/1.1", Refusal::target_malformed},
      {"GET /\xc3\xa4 HTTP/1.1", Refusal::target_malformed},
      {"GET /<x> HTTP/1.1", Refusal::target_malformed},
      {"GET * HTTP/1.1", Refusal::target_form_not_allowed},
      {"GET a:80 HTTP/1.1", Refusal::target_form_not_allowed},
      {"CONNECT /x HTTP/1.1", Refusal::target_form_not_allowed},
      {"CONNECT a HTTP/1.1", Refusal::target_malformed},
      {"GET http://u:p@a/ HTTP/1.1", Refusal::userinfo_in_target},
      {"GET /\x01 HTTP/1.1", Refusal::control_byte},
      {"GET /\x7f HTTP/1.1", Refusal::control_byte},
      {"GET /\0 HTTP/1.1"sv, Refusal::control_byte},
      {"GET /\r HTTP/1.1", Refusal::bare_cr},
      {"GET / HTTP/1.1\r", Refusal::bare_cr},
      {"GET /\n HTTP/1.1", Refusal::bare_lf},
  };
  for (const auto& [line, refusal] : samples) {
    const Parsed parsed(std::string(line) + "\r\nHost: a\r\n\r\n");
    EXPECT_EQ(info(parsed.refusal).token, info(refusal).token) << line;
  }
}

// The HTTP/2 preface (RFC 9113 section 3.4) sent to a port that speaks HTTP/1.
TEST(ParseRequestHead, AnswersTheHttp2Preface) {
  EXPECT_EQ(Parsed("PRI * HTTP/2.0\r\n\r\n").refusal, Refusal::version_not_supported);
}

// RFC 9112 section 5 and RFC 9110 section 5.
TEST(ParseRequestHead, RefusesFieldLines) {
  const std::vector<std::pair<std::string_view, Refusal>> samples = {
      {"A: b\r\n c\r\n", Refusal::obs_fold},
      {"A: b\r\n\tc: d\r\n", Refusal::obs_fold},
      {"A: b\r\n \r\n", Refusal::obs_fold},
      {"A : b\r\n", Refusal::whitespace_before_colon},
      {"A\t: b\r\n", Refusal::whitespace_before_colon},
      {"A \t : b\r\n", Refusal::whitespace_before_colon},
      {"A B: c\r\n", Refusal::field_name_invalid},
      {": b\r\n", Refusal::field_name_invalid},
      {"A(: b\r\n", Refusal::field_name_invalid},
      {"(: b\r\n", Refusal::field_name_invalid},
      {"\"A\": b\r\n", Refusal::field_name_invalid},
      {"A\xc3\xa4: b\r\n", Refusal::field_name_invalid},
      {"A\r\n", Refusal::field_line_without_colon},
      {"A b\r\n", Refusal::field_line_without_colon},
      {"A \r\n", Refusal::field_line_without_colon},
      {"(\r\n", Refusal::field_line_without_colon},
      {"A: b\n", Refusal::bare_lf},
      {"A: b\nC: d\r\n", Refusal::bare_lf},
      {"A\n: b\r\n", Refusal::bare_lf},
      {"\nA: b\r\n", Refusal::bare_lf},
      {"A:\n", Refusal::bare_lf},
      {"A: b\rc\r\n", Refusal::bare_cr},
      {"A: b\r\r\n", Refusal::bare_cr},
      {"A\r: b\r\n", Refusal::bare_cr},
      {"\rA: b\r\n", Refusal::bare_cr},
      {"A: \0\r\n"sv, Refusal::control_byte},
      {"A\0: b\r\n"sv, Refusal::control_byte},
      {"\0: b\r\n"sv, Refusal::control_byte},
      {"A: b\x0b\r\n", Refusal::control_byte},
      {"A: b\x1f\r\n", Refusal::control_byte},
      {"A: b\x7f\r\n", Refusal::control_byte},
  };
  for (const auto& [lines, refusal] : samples) {
    const Parsed parsed(with_fields(lines));
    EXPECT_EQ(info(parsed.refusal).token, info(refusal).token) << lines;
    EXPECT_EQ(parsed.head.method, Method::get);
  }
}

// RFC 9112 section 2.2.
TEST(ParseRequestHead, RefusesWhitespaceBeforeTheFirstField) {
  EXPECT_EQ(Parsed("GET / HTTP/1.1\r\n Host: a\r\n\r\n").refusal,
            Refusal::whitespace_before_first_field);
  EXPECT_EQ(Parsed("GET / HTTP/1.1\r\n\t\r\nHost: a\r\n\r\n").refusal,
            Refusal::whitespace_before_first_field);
}

// Every byte at a place of a name and of a value.
TEST(ParseRequestHead, BytesOfNamesAndValues) {
  const std::string_view tchars = "!#$%&'*+-.^_`|~";
  for (unsigned c = 0; c < 256; ++c) {
    const char byte = static_cast<char>(c);
    const bool control = (c < 0x20 && c != '\t') || c == 0x7f;
    const Parsed value(with_fields(std::string("A: b") + byte + "c\r\n"));
    EXPECT_EQ(value.refusal == Refusal::none, !control) << c;
    const bool alnum = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
    const Parsed name(with_fields(std::string("A") + byte + "b: c\r\n"));
    const bool accepted = alnum || tchars.contains(byte) || byte == ':';  // "A:" is a name
    EXPECT_EQ(name.refusal == Refusal::none, accepted) << c;
  }
}

struct HostSample {
  std::string_view line;
  std::string_view fields;
  Refusal refusal;
  std::string_view host;  // afterwards
};

// RFC 9112 section 3.2.
TEST(ParseRequestHead, Host) {
  const std::vector<HostSample> samples = {
      {"GET / HTTP/1.1", "Host: a\r\n", Refusal::none, "a"},
      {"GET / HTTP/1.1", "hOST:[::1]:80\r\n", Refusal::none, "[::1]:80"},
      {"GET / HTTP/1.1", "", Refusal::host_missing, ""},
      {"OPTIONS * HTTP/1.1", "", Refusal::host_missing, ""},
      {"CONNECT a:1 HTTP/1.1", "", Refusal::host_missing, ""},
      {"GET http://a/ HTTP/1.1", "", Refusal::host_missing, ""},
      {"GET / HTTP/1.1", "Host: a\r\nHost: a\r\n", Refusal::host_repeated, ""},
      {"GET / HTTP/1.0", "Host: a\r\nX: y\r\nhost: b\r\n", Refusal::host_repeated, ""},
      {"GET http://a/ HTTP/1.1", "Host: a\r\nHost: a\r\n", Refusal::host_repeated, ""},
      {"GET / HTTP/1.1", "Host:\r\n", Refusal::host_invalid, ""},
      {"GET http://a/ HTTP/1.1", "Host:\r\n", Refusal::host_invalid, ""},
      {"CONNECT a:1 HTTP/1.1", "Host:\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.0", "Host: \r\n", Refusal::host_invalid, ""},
      {"OPTIONS * HTTP/1.1", "Host:\r\n", Refusal::none, ""},
      {"GET / HTTP/1.1", "Host: a b\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.1", "Host: a, b\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.1", "Host: a/b\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.1", "Host: u@a\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.1", "Host: a:99999\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.1", "Host: [::1\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.1", "Host: http://a\r\n", Refusal::host_invalid, ""},
      {"GET http://a/ HTTP/1.1", "Host: b c\r\n", Refusal::host_invalid, ""},
      {"GET / HTTP/1.0", "", Refusal::none, ""},
      // RFC 9112 section 3.2.2: the target's authority replaces Host.
      {"GET http://a:81/ HTTP/1.1", "Host: b\r\n", Refusal::none, "a:81"},
      {"GET http://a:81/ HTTP/1.0", "", Refusal::none, "a:81"},
      {"CONNECT a:443 HTTP/1.1", "Host: b\r\n", Refusal::none, "a:443"},
  };
  for (const HostSample& sample : samples) {
    const Parsed parsed(
        std::string(sample.line).append("\r\n").append(sample.fields).append("\r\n"));
    EXPECT_EQ(info(parsed.refusal).token, info(sample.refusal).token)
        << sample.line << " " << sample.fields;
    if (sample.refusal == Refusal::none) {
      EXPECT_EQ(parsed.head.fields.value(FieldId::host), sample.host) << sample.line;
      EXPECT_LE(parsed.head.fields.count(FieldId::host), 1U);
    }
  }
}

TEST(ParseRequestHead, Limits) {
  const std::string three = with_fields("A: b\r\nC: d\r\n");
  EXPECT_EQ(Parsed(three, {.fields = 3}).refusal, Refusal::none);
  EXPECT_EQ(Parsed(three, {.fields = 2}).refusal, Refusal::too_many_fields);
  EXPECT_EQ(Parsed(three, {.head = three.size()}).refusal, Refusal::none);
  EXPECT_EQ(Parsed(three, {.head = three.size() - 1}).refusal, Refusal::head_too_large);
  EXPECT_EQ(Parsed(three, {.start_line = 14}).refusal, Refusal::none);
  EXPECT_EQ(Parsed(three, {.start_line = 13}).refusal, Refusal::start_line_too_long);
}

TEST(ParseRequestHead, ManyFields) {
  std::string lines;
  for (int i = 0; i < 199; ++i)
    lines += "X-" + std::to_string(i) + ": " + std::to_string(i) + "\r\n";
  const Parsed parsed(with_fields(lines));
  ASSERT_EQ(parsed.refusal, Refusal::none);
  EXPECT_EQ(parsed.head.fields.size(), 200U);
  EXPECT_EQ(parsed.head.fields.find("x-198")->value, "198");
  EXPECT_EQ(Parsed(with_fields(lines + "y: z\r\n")).refusal, Refusal::too_many_fields);
}

TEST(ParseRequestHead, TellsWhatItUnderstoodOfARefusedHead) {
  const Parsed parsed("HEAD / HTTP/1.0\r\nbad line\r\n\r\n");
  EXPECT_EQ(parsed.refusal, Refusal::field_line_without_colon);
  EXPECT_EQ(parsed.head.method, Method::head);
  EXPECT_EQ(parsed.head.version, Version::http10);
}

TEST(ParseResponseHead, StatusLines) {
  struct Sample {
    std::string_view line;
    Refusal refusal;
    int status = 0;
    std::string_view reason{};
  };
  const std::vector<Sample> samples = {
      {"HTTP/1.1 200 OK", Refusal::none, 200, "OK"},
      {"HTTP/1.0 404 Not Found", Refusal::none, 404, "Not Found"},
      {"HTTP/1.3 599 a\tb \xe4", Refusal::none, 599, "a\tb \xe4"},
      {"HTTP/1.1 200 ", Refusal::none, 200, ""},
      {"HTTP/1.1 200", Refusal::none, 200, ""},
      {"HTTP/1.1 100  x", Refusal::none, 100, " x"},
      // RFC 9112 section 4, RFC 9110 section 15.
      {"HTTP/1.1 99 x", Refusal::status_code_invalid},
      {"HTTP/1.1 099 x", Refusal::status_code_invalid},
      {"HTTP/1.1 600 x", Refusal::status_code_invalid},
      {"HTTP/1.1 999", Refusal::status_code_invalid},
      {"HTTP/1.1 2000", Refusal::status_code_invalid},
      {"HTTP/1.1 20", Refusal::status_code_invalid},
      {"HTTP/1.1 2x0", Refusal::status_code_invalid},
      {"HTTP/1.1 +20 x", Refusal::status_code_invalid},
      {"HTTP/1.1 OK", Refusal::status_code_invalid},
      {"HTTP/1.1 200OK", Refusal::status_line_malformed},
      {"HTTP/1.1 200\tOK", Refusal::status_line_malformed},
      {"HTTP/1.1  200 OK", Refusal::status_line_malformed},
      {"HTTP/1.1\t200 OK", Refusal::status_line_malformed},
      {"HTTP/1.1 ", Refusal::status_line_malformed},
      {"HTTP/1.1", Refusal::status_line_malformed},
      {"HTTP/2.0 200 OK", Refusal::version_not_supported},
      {"HTTP/0.9 200 OK", Refusal::version_not_supported},
      {"HTTP/2 200 OK", Refusal::version_malformed},
      {"http/1.1 200 OK", Refusal::version_malformed},
      {" HTTP/1.1 200 OK", Refusal::version_malformed},
      {"ICY 200 OK", Refusal::version_malformed},
      {"", Refusal::version_malformed},
      {"HTTP/1.1 200 O\x01K", Refusal::control_byte},
      {"HTTP/1.1 200 OK\r", Refusal::bare_cr},
      {"HTTP/1.1 200 OK\nA: b", Refusal::bare_lf},
  };
  for (const Sample& sample : samples) {
    const ParsedResponse parsed(std::string(sample.line) + "\r\nA: b\r\n\r\n");
    EXPECT_EQ(info(parsed.refusal).token, info(sample.refusal).token) << sample.line;
    EXPECT_EQ(parsed.head.status, sample.status) << sample.line;
    EXPECT_EQ(parsed.head.reason, sample.reason) << sample.line;
    if (sample.refusal == Refusal::none) EXPECT_EQ(text_of(parsed.head.fields), "A=b;");
  }
}

TEST(ParseResponseHead, RefusesFieldLinesAsInRequests) {
  const auto refusal = [](std::string_view lines) {
    return ParsedResponse(std::string("HTTP/1.1 200 OK\r\n").append(lines).append("\r\n")).refusal;
  };
  EXPECT_EQ(refusal(""), Refusal::none);
  EXPECT_EQ(refusal("A: b\n"), Refusal::bare_lf);
  EXPECT_EQ(refusal("A: b\r\n c\r\n"), Refusal::obs_fold);
  EXPECT_EQ(refusal("A : b\r\n"), Refusal::whitespace_before_colon);
  EXPECT_EQ(refusal(" A: b\r\n"), Refusal::whitespace_before_first_field);
}

TEST(ParseFields, AddsToASection) {
  FieldSection fields;
  fields.add(FieldId::via, "1.1 a");
  EXPECT_EQ(parse_fields("Digest: x\r\nVia: b\r\n\r\n", kLimits, fields), Refusal::none);
  EXPECT_EQ(text_of(fields), "Via=1.1 a;Digest=x;Via=b;");
  FieldSection none;
  EXPECT_EQ(parse_fields("\r\n", kLimits, none), Refusal::none);
  EXPECT_TRUE(none.empty());
  EXPECT_EQ(parse_fields(" a: b\r\n\r\n", kLimits, none), Refusal::whitespace_before_first_field);
}

// The precondition: a complete head and nothing behind it.
TEST(ParseRequestHeadDeathTest, WantsACompleteHead) {
  RequestHead head;
  const auto parse = [&](std::string_view bytes) {
    static_cast<void>(parse_request_head(bytes, kLimits, head));
  };
  EXPECT_DEATH(parse("GET / HTTP/1.1"), "");
  EXPECT_DEATH(parse("GET / HTTP/1.1\r\n"), "");
  EXPECT_DEATH(parse("GET / HTTP/1.1\r\nHost: a\r\n"), "");
  EXPECT_DEATH(parse("GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n"), "");
}

}  // namespace
}  // namespace penstock::http1

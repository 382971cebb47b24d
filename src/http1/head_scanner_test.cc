#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http1/head_parser.h"

namespace penstock::http1 {
namespace {

using namespace std::string_view_literals;

struct Outcome {
  Progress progress;
  Refusal refusal;
  std::size_t size;
  std::size_t start;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << static_cast<int>(outcome.progress) << " " << info(outcome.refusal).token << " size "
       << outcome.size << " start " << outcome.start;
}

Outcome outcome_of(const HeadScanner& scanner, Progress progress) {
  const bool done = progress == Progress::done;
  return {progress, scanner.refusal(), done ? scanner.size() : 0, done ? scanner.start() : 0};
}

// Scans `bytes` as they grow at each of the places, and then to the end.
Outcome scan(std::string_view bytes, const HeadLimits& limits, HeadKind kind,
             const std::vector<std::size_t>& cuts) {
  HeadScanner scanner(limits, kind);
  for (const std::size_t cut : cuts) {
    // Memory of its own, so that reading past the end is seen, and so that the bytes move.
    const std::string part(bytes.substr(0, cut));
    const Progress progress = scanner.scan(std::string_view(part.data(), part.size()));
    if (progress != Progress::need_more) return outcome_of(scanner, progress);
  }
  return outcome_of(scanner, scanner.scan(bytes));
}

// The outcome, after checking that it is the same for every cut and for single bytes.
Outcome scan_all_ways(std::string_view bytes, const HeadLimits& limits = {},
                      HeadKind kind = HeadKind::request) {
  const Outcome whole = scan(bytes, limits, kind, {});
  std::vector<std::size_t> every;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(scan(bytes, limits, kind, {cut}), whole) << "cut at " << cut << " of " << bytes;
    every.push_back(cut);
  }
  EXPECT_EQ(scan(bytes, limits, kind, every), whole) << "bytewise " << bytes;
  return whole;
}

Outcome done(std::size_t size, std::size_t start = 0) {
  return {Progress::done, Refusal::none, size, start};
}
constexpr Outcome kMore{Progress::need_more, Refusal::none, 0, 0};
constexpr Outcome refused(Refusal refusal) { return {Progress::refused, refusal, 0, 0}; }

TEST(HeadScanner, FindsTheEnd) {
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\n\r\n"), done(18));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), done(27));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: \tb\xff\r\n\r\n"), done(26));
  EXPECT_EQ(scan_all_ways("HTTP/1.1 200 OK\r\nA: b\r\n\r\n", {}, HeadKind::response), done(25));
}

TEST(HeadScanner, LeavesWhatFollowsAlone) {
  EXPECT_EQ(scan("GET / HTTP/1.1\r\n\r\n\0\n\r"sv, {}, HeadKind::request, {}), done(18));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"), done(18));
}

TEST(HeadScanner, WaitsForMore) {
  for (const std::string_view bytes : {"", "G", "\r", "\r\n", "\r\n\r\n", "GET / HTTP/1.1\r\n",
                                       "GET / HTTP/1.1\r\n\r", "GET / HTTP/1.1\r\nA: b\r\n"}) {
    EXPECT_EQ(scan_all_ways(bytes), kMore) << bytes;
  }
  EXPECT_EQ(scan_all_ways("HTT", {}, HeadKind::response), kMore);
}

// RFC 9112 section 2.2.
TEST(HeadScanner, SkipsAFewEmptyLinesBeforeARequest) {
  EXPECT_EQ(scan_all_ways("\r\nGET / HTTP/1.1\r\n\r\n"), done(20, 2));
  EXPECT_EQ(scan_all_ways("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), done(22, 4));
  EXPECT_EQ(scan_all_ways("\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n"),
            refused(Refusal::request_line_malformed));
  EXPECT_EQ(scan_all_ways("\r\nHTTP/1.1 200 OK\r\n\r\n", {}, HeadKind::response),
            refused(Refusal::status_line_malformed));
}

// RFC 9112 section 2.2, RFC 9110 section 5.5; refused at the byte, not at the end of the head.
TEST(HeadScanner, RefusesLineEndsAndControlBytesAtOnce) {
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\n"), refused(Refusal::bare_lf));
  EXPECT_EQ(scan_all_ways("\n"), refused(Refusal::bare_lf));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: b\n"), refused(Refusal::bare_lf));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: b\r\n\n"), refused(Refusal::bare_lf));
  EXPECT_EQ(scan_all_ways("GET /\rx"), refused(Refusal::bare_cr));
  EXPECT_EQ(scan_all_ways("\r\r\n"), refused(Refusal::bare_cr));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: b\r\r\n"), refused(Refusal::bare_cr));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: b\r\n\rx"), refused(Refusal::bare_cr));
  EXPECT_EQ(scan_all_ways("GET /\0"sv), refused(Refusal::control_byte));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: \x0b"), refused(Refusal::control_byte));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA: \x7f"), refused(Refusal::control_byte));
}

TEST(HeadScanner, RefusesAtOnceWhatIsNoMessage) {
  EXPECT_EQ(scan_all_ways("\x16\x03\x01\x02"), refused(Refusal::control_byte));  // TLS
  EXPECT_EQ(scan_all_ways("\x80\x01"), refused(Refusal::method_invalid));
  EXPECT_EQ(scan_all_ways("{\"json"), refused(Refusal::method_invalid));
  EXPECT_EQ(scan_all_ways(" GET"), refused(Refusal::request_line_malformed));
  EXPECT_EQ(scan_all_ways("\tGET"), refused(Refusal::request_line_malformed));
  EXPECT_EQ(scan_all_ways("\r\n("), refused(Refusal::method_invalid));
  for (const std::string_view bytes : {"SSH-2.0-x", "HTTQ", "http/1.1", " HTTP/1.1", "ICY 200"}) {
    EXPECT_EQ(scan_all_ways(bytes, {}, HeadKind::response), refused(Refusal::version_malformed));
  }
  EXPECT_EQ(scan_all_ways("HT\0"sv, {}, HeadKind::response), refused(Refusal::control_byte));
}

TEST(HeadScanner, LimitsTheStartLine) {
  const std::string_view head = "GET /abcdef HTTP/1.1\r\n\r\n";  // a start line of 20 bytes
  EXPECT_EQ(scan_all_ways(head, {.start_line = 20}), done(24));
  EXPECT_EQ(scan_all_ways(head, {.start_line = 19}), refused(Refusal::start_line_too_long));
  EXPECT_EQ(scan_all_ways(head, {.start_line = 0}), refused(Refusal::start_line_too_long));
  const std::string after_empty_lines = "\r\n\r\n" + std::string(head);
  EXPECT_EQ(scan_all_ways(after_empty_lines, {.start_line = 20}), done(28, 4));
  EXPECT_EQ(scan_all_ways(after_empty_lines, {.start_line = 19}),
            refused(Refusal::start_line_too_long));
  // As soon as it is seen, without waiting for the end of the line.
  EXPECT_EQ(scan_all_ways("GET /abcdefghijklmnop", {.start_line = 20}),
            refused(Refusal::start_line_too_long));
  EXPECT_EQ(scan_all_ways("GET /abcdefghijklmno", {.start_line = 20}), kMore);
}

TEST(HeadScanner, LimitsTheHead) {
  const std::string_view head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";  // 27 bytes
  EXPECT_EQ(scan_all_ways(head, {.head = 27}), done(27));
  EXPECT_EQ(scan_all_ways(std::string(head) + "body", {.head = 27}), done(27));
  for (std::size_t limit = 0; limit < 27; ++limit) {
    EXPECT_EQ(scan_all_ways(head, {.head = limit}), refused(Refusal::head_too_large)) << limit;
  }
  // Bytes that fill the limit without an end are not waited on.
  EXPECT_EQ(scan_all_ways(head.substr(0, 20), {.head = 20}), refused(Refusal::head_too_large));
  EXPECT_EQ(scan_all_ways(head.substr(0, 20), {.head = 21}), kMore);
  // What comes first is what it is refused for.
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA\n: b\r\n\r\n", {.head = 18}),
            refused(Refusal::bare_lf));
  EXPECT_EQ(scan_all_ways("GET / HTTP/1.1\r\nA\n: b\r\n\r\n", {.head = 17}),
            refused(Refusal::head_too_large));
}

TEST(HeadScanner, ServesAnotherHeadAfterReset) {
  const HeadLimits limits;
  HeadScanner scanner(limits);
  EXPECT_EQ(scanner.scan("\x01"), Progress::refused);
  EXPECT_EQ(scanner.scan("GET / HTTP/1.1\r\n\r\n"), Progress::refused);
  scanner.reset();
  EXPECT_EQ(scanner.refusal(), Refusal::none);
  EXPECT_EQ(scanner.scan("\r\nGET / HTTP/1.1\r\n\r\n"), Progress::done);
  scanner.reset();
  EXPECT_EQ(scanner.scan("GET / HTTP/1.1\r\n\r\n"), Progress::done);
  EXPECT_EQ(scanner.size(), 18U);
  EXPECT_EQ(scanner.start(), 0U);
}

}  // namespace
}  // namespace penstock::http1

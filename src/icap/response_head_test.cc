#include "icap/response_head.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::icap {
namespace {

using namespace std::string_view_literals;
using http1::HeadLimits;
using http1::Progress;

constexpr HeadLimits kLimits;

struct Outcome {
  Progress progress = Progress::need_more;
  Problem problem = Problem::none;
  std::size_t size = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << static_cast<int>(outcome.progress) << " " << to_string(outcome.problem) << " size "
       << outcome.size;
}

// Scans `bytes` as they grow at each of the places, and then to the end.
Outcome scan(std::string_view bytes, const HeadLimits& limits,
             const std::vector<std::size_t>& cuts) {
  ResponseScanner scanner(limits);
  Progress progress = Progress::need_more;
  for (const std::size_t cut : cuts) {
    // Memory of its own, so that reading past the end is seen, and so that the bytes move.
    const std::vector<char> part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    progress = scanner.scan({part.data(), part.size()});
    if (progress != Progress::need_more) break;
  }
  if (progress == Progress::need_more) progress = scanner.scan(bytes);
  return {progress, scanner.problem(), progress == Progress::done ? scanner.size() : 0};
}

// The outcome, after checking that it is the same for every cut and for single bytes.
Outcome scan_all_ways(std::string_view bytes, const HeadLimits& limits = kLimits) {
  const Outcome whole = scan(bytes, limits, {});
  std::vector<std::size_t> every;
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    EXPECT_EQ(scan(bytes, limits, {cut}), whole) << "cut at " << cut << " of " << bytes;
    every.push_back(cut);
  }
  EXPECT_EQ(scan(bytes, limits, every), whole) << "bytewise " << bytes;
  return whole;
}

// Scans in all ways and parses; the head is all of `bytes`.
std::expected<IcapResponse, Problem> parsed(std::string_view bytes,
                                            const HeadLimits& limits = kLimits) {
  const Outcome scanned = scan_all_ways(bytes, limits);
  if (scanned.progress == Progress::refused) return std::unexpected(scanned.problem);
  EXPECT_EQ(scanned, (Outcome{Progress::done, Problem::none, bytes.size()})) << bytes;
  if (scanned.progress != Progress::done) return IcapResponse{};
  return parse_response_head(bytes, limits);
}

IcapResponse accepted(std::string_view bytes) {
  auto response = parsed(bytes);
  EXPECT_TRUE(response.has_value()) << bytes << to_string(response.error());
  return response ? std::move(*response) : IcapResponse{};
}

std::string_view refused(std::string_view bytes) {
  const auto response = parsed(bytes);
  return to_string(response ? Problem::none : response.error());
}

std::string quirks_of(std::string_view bytes) { return to_string(accepted(bytes).quirks); }

constexpr std::string_view kOptions =
    "ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nISTag: \"CI0001-XXXXXXXXX\"\r\n"
    "Transfer-Preview: *\r\nOptions-TTL: 3600\r\nPreview: 1024\r\nAllow: 204\r\n"
    "Encapsulated: null-body=0\r\n\r\n";
constexpr std::string_view kUnmodified =
    "ICAP/1.0 204 Unmodified\r\nServer: C-ICAP/0.5.10\r\nConnection: keep-alive\r\n"
    "ISTag: \"CI0001-XXXXXXXXX\"\r\n\r\n";
constexpr std::string_view kInfected =
    "ICAP/1.0 200 OK\r\nServer: C-ICAP/0.5.10\r\nConnection: keep-alive\r\n"
    "ISTag: \"CI0001-XXXXXXXXX\"\r\n"
    "X-Infection-Found: Type=0; Resolution=2; Threat=My.Test.UNOFFICIAL;\r\n"
    "X-Violations-Found: 1\r\n\t-\r\n\tMy.Test.UNOFFICIAL\r\n\t0\r\n\t0\r\n"
    "Encapsulated: res-hdr=0, res-body=161\r\n\r\n";

TEST(IcapResponse, RealAnswers) {
  const IcapResponse options = accepted(kOptions);
  EXPECT_EQ(options.status, 200);
  EXPECT_EQ(options.reason, "OK");
  EXPECT_EQ(options.istag, "CI0001-XXXXXXXXX");
  EXPECT_EQ(options.encapsulated, Encapsulated{});
  EXPECT_EQ(options.fields.find("options-ttl")->value, "3600");
  EXPECT_TRUE(options.is_adapted());
  EXPECT_TRUE(options.quirks.empty());
  EXPECT_FALSE(options.close);

  const IcapResponse unmodified = accepted(kUnmodified);
  EXPECT_EQ(unmodified.status, 204);
  EXPECT_FALSE(unmodified.is_adapted());
  EXPECT_FALSE(unmodified.encapsulated.has_value());
  EXPECT_EQ(unmodified.quirks, Quirks(Quirk::encapsulated_missing));

  const IcapResponse infected = accepted(kInfected);
  EXPECT_EQ(infected.fields.find("X-Violations-Found")->value, "1 - My.Test.UNOFFICIAL 0 0");
  EXPECT_EQ(infected.encapsulated,
            (Encapsulated{.response_head = 161, .body = Encapsulated::Body::response}));
  EXPECT_EQ(infected.quirks, Quirks(Quirk::folded_field));

  const IcapResponse go_on = accepted("ICAP/1.0 100 Continue\r\n\r\n");
  EXPECT_EQ(go_on.status, 100);
  EXPECT_TRUE(go_on.quirks.empty());
  const IcapResponse not_found =
      accepted("ICAP/1.0 404 Service not found\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(not_found.reason, "Service not found");
  EXPECT_TRUE(not_found.close);
  EXPECT_TRUE(not_found.quirks.empty());
}

TEST(IcapResponse, EveryPrefixNeedsMore) {
  for (const std::string_view whole : {kOptions, kUnmodified, kInfected}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_EQ(scan(whole.substr(0, size), kLimits, {}), Outcome{}) << size;
    }
    const std::string with_more = std::string(whole).append("HTTP/1.1 200 OK\r\n\0"sv);
    EXPECT_EQ(scan_all_ways(with_more), (Outcome{Progress::done, Problem::none, whole.size()}));
  }
}

TEST(IcapResponse, StatusLines) {
  EXPECT_EQ(accepted("ICAP/1.0 204\r\n\r\n").reason, "");
  EXPECT_EQ(accepted("ICAP/1.0 204 \r\n\r\n").reason, "");
  EXPECT_EQ(accepted("ICAP/1.0 204 No \xe4 need\r\n\r\n").reason, "No \xe4 need");
  EXPECT_EQ(quirks_of("ICAP/1.0  400 Bad\r\n\r\n"), "odd spaces in the status line");
  EXPECT_EQ(quirks_of("ICAP/1.0\t400\tBad\r\n\r\n"), "odd spaces in the status line");
  EXPECT_EQ(quirks_of("ICAP/1.1 400 Bad\r\n\r\n"), "a version other than ICAP/1.0");
  EXPECT_EQ(quirks_of("ICAP/1.0 201 Created\r\nISTag: \"a\"\r\n\r\n"),
            "status 201 in place of 200");
  EXPECT_TRUE(accepted("ICAP/1.0 201 Created\r\n\r\n").is_adapted());
}

TEST(IcapResponse, RefusesOtherStatusLines) {
  using enum Problem;
  const std::vector<std::pair<std::string_view, Problem>> samples = {
      {"HTTP/1.1 200 OK\r\n\r\n", not_icap},
      {"icap/1.0 200 OK\r\n\r\n", not_icap},
      {"\r\nICAP/1.0 200 OK\r\n\r\n", not_icap},
      {" ICAP/1.0 200 OK\r\n\r\n", not_icap},
      {"\x16\x03\x01\x02\x00"sv, not_icap},
      {"\0"sv, not_icap},
      {"ICAPS/1.0 200 OK\r\n\r\n", not_icap},
      {"ICAP/\r\n\r\n", status_line_malformed},
      {"ICAP/1\r\n\r\n", status_line_malformed},
      {"ICAP/1.\r\n\r\n", status_line_malformed},
      {"ICAP/x.0 200 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 \r\n\r\n", status_line_malformed},
      {"ICAP/1.0200 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.00 200 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 20 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 2000 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 200OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 +20 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 099 OK\r\n\r\n", status_line_malformed},
      {"ICAP/1.0 600 OK\r\n\r\n", status_line_malformed},
      {"ICAP/2.0 200 OK\r\n\r\n", version_not_supported},
      {"ICAP/1.0 200 O\rK\r\n\r\n", bare_cr},
      {"ICAP/1.0 200 O\0K\r\n\r\n"sv, control_byte},
  };
  for (const auto& [text, problem] : samples) EXPECT_EQ(refused(text), to_string(problem)) << text;
  // At the first byte that differs.
  EXPECT_EQ(scan("H", kLimits, {}).problem, not_icap);
  EXPECT_EQ(scan("ICAP-", kLimits, {}).problem, not_icap);
}

// RFC 3507 section 4.3: what may be odd about a field.
TEST(IcapResponse, FieldsAreReadTolerantly) {
  const IcapResponse response = accepted(
      "ICAP/1.0 200 OK\r\nistag:\"a b\"\r\nEMPTY:\r\nEmpty2: \t \r\nX-A  :  1\t\r\n"
      "CONNECTION \t: x , Close\r\nX-Colon: a:b: c\r\nX-8: \xc3\xa4\r\n"
      "ENCAPSULATED:req-hdr=0,null-body=5\r\n\r\n");
  EXPECT_EQ(response.istag, "a b");
  EXPECT_EQ(response.fields.find("empty")->value, "");
  EXPECT_EQ(response.fields.find("empty2")->value, "");
  EXPECT_EQ(response.fields.find("x-a")->value, "1");
  EXPECT_EQ(response.fields.find("x-colon")->value, "a:b: c");
  EXPECT_EQ(response.fields.find("x-8")->value, "\xc3\xa4");
  EXPECT_TRUE(response.close);
  EXPECT_EQ(response.encapsulated, Encapsulated{.request_head = 5});
  EXPECT_EQ(response.quirks, Quirks(Quirk::space_before_colon));
}

TEST(IcapResponse, LineEndsMayBeBareLf) {
  const IcapResponse response = accepted("ICAP/1.0 200 OK\nISTag: \"a\"\nX: b\n c\r\nY: d\n\r\n");
  EXPECT_EQ(response.reason, "OK");
  EXPECT_EQ(response.fields.find("X")->value, "b c");
  EXPECT_EQ(to_string(response.quirks), "lines that end in LF alone, a folded field");
  EXPECT_EQ(quirks_of("ICAP/1.0 404\r\n\n"), "lines that end in LF alone");
  EXPECT_EQ(quirks_of("ICAP/1.0 404\n\n"), "lines that end in LF alone");
  EXPECT_EQ(quirks_of("ICAP/1.0 404\r\nA: b\n\r\n"), "lines that end in LF alone");
}

TEST(IcapResponse, FoldedValuesAreJoinedByOneSpace) {
  const auto value = [](std::string_view text) {
    const std::string head =
        std::string("ICAP/1.0 404\r\nX:").append(text).append("\r\nY: z\r\n\r\n");
    const IcapResponse response = accepted(head);
    EXPECT_TRUE(response.quirks.has(Quirk::folded_field));
    EXPECT_EQ(response.fields.size(), 2U);
    EXPECT_EQ(response.fields.find("Y")->value, "z");
    return std::string(response.fields.find("X")->value);
  };
  EXPECT_EQ(value(" a\r\n b"), "a b");
  EXPECT_EQ(value(" a \t\r\n\t \tb \r\n c"), "a b c");
  EXPECT_EQ(value("\r\n a"), "a");
  EXPECT_EQ(value("\r\n \r\n\t"), "");
  EXPECT_EQ(value("a\r\n \r\n b\r\n "), "a b");
  EXPECT_EQ(value("a\r\n Fake: b"), "a Fake: b");
  EXPECT_EQ(value("a\n b"), "a b");
  // Fields that count may be folded as well.
  const IcapResponse response = accepted(
      "ICAP/1.0 200 OK\r\nISTag:\r\n \"x\"\r\nEncapsulated: res-hdr=0,\r\n res-body=9\r\n\r\n");
  EXPECT_EQ(response.istag, "x");
  EXPECT_EQ(response.encapsulated->heads(), 9U);
}

TEST(IcapResponse, RefusesOtherFields) {
  using enum Problem;
  const auto head = [](std::string_view lines) {
    return std::string("ICAP/1.0 200 OK\r\n").append(lines).append("\r\n\r\n");
  };
  const std::vector<std::pair<std::string_view, Problem>> samples = {
      {"no colon", field_line_malformed},
      {":", field_line_malformed},
      {" : a", fold_without_field},
      {"\tA: b", fold_without_field},
      {"A b: c", field_line_malformed},
      {"A(: c", field_line_malformed},
      {"\xe4: c", field_line_malformed},
      {"A: b\rc", bare_cr},
      {"A: b\r\r", bare_cr},
      {"A: \0"sv, control_byte},
      {"A: \x7f", control_byte},
      {"A\0: b"sv, control_byte},
      {"Encapsulated:", encapsulated_malformed},
      {"Encapsulated: null-body=1", encapsulated_offset},
      {"Encapsulated: null-body=0\r\nencapsulated: null-body=0", encapsulated_repeated},
      {"Encapsulated: res-hdr=0", encapsulated_without_body_part},
  };
  for (const auto& [lines, problem] : samples) {
    EXPECT_EQ(refused(head(lines)), to_string(problem)) << lines;
  }
}

TEST(IcapResponse, Istag) {
  const auto parsed_tag = [](std::string_view value) {
    const std::string head =
        std::string("ICAP/1.0 200 OK\r\nISTag:").append(value).append("\r\n\r\n");
    const IcapResponse response = accepted(head);
    return std::pair<std::string, std::string>(response.istag, to_string(response.quirks));
  };
  using Tag = std::pair<std::string, std::string>;
  EXPECT_EQ(parsed_tag(" \"a\""), Tag("a", ""));
  EXPECT_EQ(parsed_tag("\"a\\\"b\""), Tag("a\\\"b", ""));
  EXPECT_EQ(parsed_tag("a"), Tag("a", "an ISTag without quotes"));
  EXPECT_EQ(parsed_tag(" \"a"), Tag("\"a", "an ISTag without quotes"));
  EXPECT_EQ(parsed_tag("\""), Tag("\"", "an ISTag without quotes"));
  EXPECT_EQ(parsed_tag("\"\""), Tag("", "no ISTag"));
  EXPECT_EQ(parsed_tag(""), Tag("", "no ISTag"));
  EXPECT_EQ(quirks_of("ICAP/1.0 206 Partial Content\r\n\r\n"), "no ISTag");
  EXPECT_EQ(quirks_of("ICAP/1.0 204\r\n\r\n"), "no ISTag, no Encapsulated");
  EXPECT_EQ(quirks_of("ICAP/1.0 500 Error\r\n\r\n"), "");
}

TEST(IcapResponse, ServicesToGoOnWith) {
  EXPECT_FALSE(accepted("ICAP/1.0 404\r\n\r\n").next_services().has_value());
  EXPECT_TRUE(accepted("ICAP/1.0 404\r\nX-Next-Services:\r\n\r\n").next_services()->empty());
  const IcapResponse response = accepted(
      "ICAP/1.0 404\r\nx-next-services: av , ,url\r\nService-ID: a b\r\nX-Next-Services: dlp\r\n"
      "\r\n");
  EXPECT_EQ(response.next_services(), (std::vector<std::string_view>{"av", "url", "dlp"}));
  EXPECT_EQ(response.service_id(), "a b");
  EXPECT_EQ(accepted("ICAP/1.0 404\r\n\r\n").service_id(), "");
}

TEST(IcapResponse, Limits) {
  std::string head = "ICAP/1.0 404\r\n";
  for (int i = 0; i < 200; ++i) head += "A: b\r\n";
  EXPECT_EQ(accepted(head + "\r\n").fields.size(), 200U);
  EXPECT_EQ(accepted(head + " c\r\n\r\n").fields.size(), 200U);
  EXPECT_EQ(refused(head + "A: b\r\n\r\n"), to_string(Problem::too_many_fields));

  const HeadLimits small{.head = 40, .start_line = 0, .fields = 5};
  const auto sized = [](std::size_t size) {
    const std::string_view begin = "ICAP/1.0 404\r\nA: ";
    return std::string(begin).append(size - begin.size() - 4, 'x').append("\r\n\r\n");
  };
  EXPECT_TRUE(parsed(sized(40), small).has_value());
  EXPECT_EQ(scan_all_ways(sized(41), small).problem, Problem::head_too_large);
  EXPECT_EQ(scan(sized(41).substr(0, 40), small, {}).problem, Problem::head_too_large);
  EXPECT_EQ(scan(sized(41).substr(0, 39), small, {}).progress, Progress::need_more);
  EXPECT_EQ(scan(std::string("ICAP/1.0 404\r\nA: ").append(70'000, 'x'), kLimits, {}).problem,
            Problem::head_too_large);
}

TEST(IcapResponse, AScannerServesAgain) {
  ResponseScanner scanner(kLimits);
  EXPECT_EQ(scanner.scan("HTTP"), Progress::refused);
  EXPECT_EQ(scanner.scan(kOptions), Progress::refused);
  scanner.reset();
  EXPECT_EQ(scanner.scan(kOptions), Progress::done);
}

}  // namespace
}  // namespace penstock::icap

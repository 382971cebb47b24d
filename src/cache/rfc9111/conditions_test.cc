#include "cache/rfc9111/conditions.h"

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/rfc9111/fields_test.h"
#include "message/date.h"

namespace penstock::rfc9111 {
namespace {

using enum Precondition;

constexpr std::string_view kSunday = "Sun, 01 Jan 2023 00:00:00 GMT";
constexpr std::string_view kMonday = "Mon, 02 Jan 2023 00:00:00 GMT";
constexpr std::string_view kTuesday = "Tue, 03 Jan 2023 00:00:00 GMT";

// Evaluates for a stored response with these fields that was received on Monday.
ConditionVerdict evaluate(const Lines& stored, const Lines& request,
                          std::string_view method = "GET", int status = 200) {
  const FieldSection fields = make_fields(stored);
  return evaluate_conditions(make_request(request, method),
                             {.status = status,
                              .validators = validators_of(fields),
                              .received = *parse_http_date(kMonday)});
}

const Lines kBoth{{"ETag", R"("x")"}, {"Last-Modified", kMonday}, {"Date", kTuesday}};

// --- RFC 9111 section 4.3.2 ---

TEST(Conditions, NoneMeansFull) {
  const auto verdict = evaluate(kBoth, {{"Range", "bytes=0-1"}});
  EXPECT_EQ(verdict.verdict, full);
  EXPECT_EQ(verdict.reason, ConditionReason::none);
  EXPECT_FALSE(verdict.ignore_range);
}

TEST(Conditions, IfNoneMatchComparesWeakly) {
  const Lines strong{{"ETag", R"("x")"}};
  const Lines weak{{"ETag", R"(W/"x")"}};
  const auto verdict = [](const Lines& stored, std::string_view value) {
    const auto result = evaluate(stored, {{"If-None-Match", value}});
    EXPECT_EQ(result.reason, ConditionReason::if_none_match);
    return result.verdict;
  };
  EXPECT_EQ(verdict(strong, R"("x")"), not_modified);
  EXPECT_EQ(verdict(strong, R"("a", W/"x")"), not_modified);
  EXPECT_EQ(verdict(weak, R"("x", "b")"), not_modified);
  EXPECT_EQ(verdict(weak, R"("a")"), full);
  EXPECT_EQ(verdict(strong, "*"), not_modified);
  EXPECT_EQ(verdict({}, "*"), not_modified);
  EXPECT_EQ(verdict({}, R"("x")"), full);
  EXPECT_EQ(verdict({{"ETag", "x"}}, "x"), not_modified);
  EXPECT_EQ(verdict({{"ETag", "x"}}, R"("x")"), full);
  EXPECT_EQ(verdict({{"ETag", R"(w/"x")"}}, R"(w/"x")"), not_modified);
  EXPECT_EQ(verdict({{"ETag", "\"\xc3\xbc\""}}, "\"\xc3\xbc\""), not_modified);
  EXPECT_EQ(evaluate(strong, {{"If-None-Match", R"("a")"}, {"If-None-Match", R"("x")"}}).verdict,
            not_modified);
}

// RFC 9110 section 13.2.2.
TEST(Conditions, IfNoneMatchPrecedesIfModifiedSince) {
  EXPECT_EQ(evaluate(kBoth, {{"If-Modified-Since", kSunday}, {"If-None-Match", R"("x")"}}).verdict,
            not_modified);
  EXPECT_EQ(evaluate(kBoth, {{"If-Modified-Since", kTuesday}, {"If-None-Match", R"("y")"}}).verdict,
            full);
}

TEST(Conditions, IfModifiedSinceComparesToTheDateThereIs) {
  const auto verdict = [](const Lines& stored, std::string_view since) {
    const auto result = evaluate(stored, {{"If-Modified-Since", since}});
    EXPECT_EQ(result.reason, ConditionReason::if_modified_since);
    return result.verdict;
  };
  EXPECT_EQ(verdict(kBoth, kMonday), not_modified);
  EXPECT_EQ(verdict(kBoth, "Monday, 02-Jan-23 00:00:00 GMT"), not_modified);
  EXPECT_EQ(verdict(kBoth, kTuesday), not_modified);
  EXPECT_EQ(verdict(kBoth, kSunday), full);
  const Lines dated{{"Date", kTuesday}};
  EXPECT_EQ(verdict(dated, kTuesday), not_modified);
  EXPECT_EQ(verdict(dated, kMonday), full);
  EXPECT_EQ(verdict({}, kMonday), not_modified);  // when it was received
  EXPECT_EQ(verdict({}, kSunday), full);
}

TEST(Conditions, OfDatesThatAreNoneAreIgnored) {
  EXPECT_EQ(evaluate(kBoth, {{"If-Modified-Since", "soon"}}).reason, ConditionReason::none);
  EXPECT_EQ(
      evaluate(kBoth, {{"If-Modified-Since", kMonday}, {"If-Modified-Since", kMonday}}).verdict,
      full);
}

TEST(Conditions, AreForGetAndHeadAndWhatHasContent) {
  const Lines condition{{"If-None-Match", R"("x")"}};
  EXPECT_EQ(evaluate(kBoth, condition, "HEAD").verdict, not_modified);
  EXPECT_EQ(evaluate(kBoth, condition, "POST").verdict, full);
  EXPECT_EQ(evaluate(kBoth, condition, "GET", 206).verdict, not_modified);
  EXPECT_EQ(evaluate(kBoth, condition, "GET", 404).verdict, full);
}

TEST(Conditions, OfTheOriginAreForwarded) {
  const auto match = evaluate(kBoth, {{"If-None-Match", R"("x")"}, {"If-Match", R"("x")"}});
  EXPECT_EQ(match.verdict, forward);
  EXPECT_EQ(match.reason, ConditionReason::if_match);
  EXPECT_EQ(to_string(match.reason), "if-match");
  EXPECT_EQ(evaluate(kBoth, {{"If-Unmodified-Since", kSunday}}).verdict, forward);
  EXPECT_EQ(evaluate(kBoth, {{"If-Match", "*"}}, "POST", 404).verdict, forward);
  EXPECT_TRUE(has_origin_conditions(make_fields({{"If-Match", "*"}})));
  EXPECT_FALSE(has_origin_conditions(make_fields({{"If-None-Match", "*"}})));
}

// RFC 9110 section 13.1.5.
TEST(Conditions, IfRangeComparesStrongly) {
  const auto ignored = [](const Lines& stored, std::string_view value) {
    const auto verdict = evaluate(stored, {{"Range", "bytes=0-1"}, {"If-Range", value}});
    EXPECT_EQ(verdict.verdict, full);
    return verdict.ignore_range;
  };
  EXPECT_FALSE(ignored(kBoth, R"("x")"));
  EXPECT_TRUE(ignored(kBoth, R"("y")"));
  EXPECT_TRUE(ignored(kBoth, R"(W/"x")"));
  EXPECT_TRUE(ignored({{"ETag", R"(W/"x")"}}, R"(W/"x")"));
  EXPECT_TRUE(ignored({{"ETag", "x"}}, "x"));
  EXPECT_FALSE(ignored(kBoth, kMonday));
  EXPECT_TRUE(ignored(kBoth, kTuesday));  // later is not the same
  EXPECT_TRUE(ignored({{"Last-Modified", kMonday}, {"Date", kMonday}}, kMonday));
  EXPECT_TRUE(ignored({}, R"("x")"));
  EXPECT_FALSE(range_applies(make_fields({{"If-Range", R"("x")"}, {"If-Range", R"("x")"}}),
                             validators_of(make_fields({{"ETag", R"("x")"}}))));
}

// --- RFC 9111 section 4.3.1 ---

std::string validation(const std::vector<Lines>& stored, std::string_view client_tags = {}) {
  std::vector<FieldSection> sections;
  std::vector<Validators> validators;
  for (const Lines& lines : stored) sections.push_back(make_fields(lines));
  for (const FieldSection& fields : sections) validators.push_back(validators_of(fields));
  FieldSection request = make_fields({{"A", "1"}});
  const bool written = write_validation(request, validators, client_tags);
  EXPECT_EQ(written, request.size() > 1);
  return text_of(request);
}

TEST(Validation, HasTheTagsAndTheDate) {
  EXPECT_EQ(validation({kBoth}),
            R"(A: 1|If-None-Match: "x"|If-Modified-Since: Mon, 02 Jan 2023 00:00:00 GMT)");
  EXPECT_EQ(validation({{{"ETag", R"(W/"x")"}}, {{"ETag", R"("y")"}}, {{"ETag", R"(W/"x")"}}}),
            R"(A: 1|If-None-Match: W/"x", "y")");
  EXPECT_EQ(validation({{{"Last-Modified", kMonday}}, kBoth}),
            "A: 1|If-Modified-Since: Mon, 02 Jan 2023 00:00:00 GMT");
  EXPECT_EQ(validation({{}, kBoth}), R"(A: 1|If-None-Match: "x")");
  EXPECT_EQ(validation({}), "A: 1");
  EXPECT_EQ(validation({{{"Last-Modified", "?"}}}), "A: 1");
}

TEST(Validation, TakesATagThatIsNotWellFormedAlone) {
  EXPECT_EQ(validation({{{"ETag", "x"}}, kBoth}, R"("c")"), "A: 1|If-None-Match: x");
  EXPECT_EQ(validation({kBoth, {{"ETag", R"("y)"}}}).find('y'), std::string::npos);
}

TEST(Validation, AddsTheClientsTags) {
  EXPECT_EQ(validation({{{"ETag", R"("x")"}}}, R"("a", "x", *, b, W/"c")"),
            R"(A: 1|If-None-Match: "x", "a", W/"c")");
  EXPECT_EQ(validation({{}}, R"("a")"), "A: 1");
}

TEST(Validation, IsBounded) {
  std::string tags;
  for (int i = 0; i < 100; ++i) tags += "\"" + std::to_string(i) + "\",";
  const std::string text = validation({{{"ETag", R"("x")"}}}, tags);
  EXPECT_EQ(std::ranges::count(text, ','), kMaxSentTags - 1);
  EXPECT_EQ(validation({{{"ETag", R"("x")"}}}, '"' + std::string(kMaxSentTagText, 'x') + '"'),
            R"(A: 1|If-None-Match: "x")");
}

TEST(Validation, ReplacesTheClientsOwn) {
  const FieldSection stored = make_fields({{"ETag", R"("x")"}});
  const std::array validators{validators_of(stored)};
  FieldSection request = make_fields({{"If-None-Match", R"("c")"},
                                      {"A", "1"},
                                      {"if-none-match", R"("d")"},
                                      {"If-Modified-Since", kMonday},
                                      {"Range", "bytes=0-"},
                                      {"If-Range", R"("c")"}});
  const auto taken = take_conditions(request);
  EXPECT_EQ(text_of(request), R"(A: 1|Range: bytes=0-|If-Range: "c")");
  const auto range = take_range(request);
  EXPECT_EQ(text_of(request), "A: 1");
  EXPECT_TRUE(write_validation(request, validators));
  EXPECT_EQ(text_of(request), R"(A: 1|If-None-Match: "x")");
  static_cast<void>(take_conditions(request));
  put_back(request, taken);
  put_back(request, range);
  EXPECT_EQ(text_of(request),
            R"(A: 1|If-None-Match: "c"|if-none-match: "d")"
            R"(|If-Modified-Since: Mon, 02 Jan 2023 00:00:00 GMT|Range: bytes=0-|If-Range: "c")");
}

// --- RFC 9110 section 15.4.5 ---

TEST(NotModified, HasWhatIsNeededAndNoMore) {
  FieldSection stored = make_fields({{"Date", kTuesday},
                                     {"ETag", R"("x")"},
                                     {"Cache-Control", "max-age=1"},
                                     {"Cache-Control", "public"},
                                     {"cdn-cache-control", "max-age=2"},
                                     {"Content-Location", "/a"},
                                     {"Content-Type", "text/plain"},
                                     {"Content-Length", "5"},
                                     {"Expires", "0"},
                                     {"Last-Modified", kMonday},
                                     {"Set-Cookie", "a=b"},
                                     {"Vary", "Foo"},
                                     {"X", "y"}});
  ResponseHead head = make_response(200, {{"Old", "1"}});
  make_not_modified(stored, head);
  EXPECT_EQ(head.status, 304);
  EXPECT_EQ(head.reason, "Not Modified");
  EXPECT_EQ(text_of(head.fields),
            R"(Date: Tue, 03 Jan 2023 00:00:00 GMT|ETag: "x"|Cache-Control: max-age=1)"
            "|Cache-Control: public|cdn-cache-control: max-age=2|Content-Location: /a|Expires: 0"
            "|Vary: Foo");
  stored.remove(FieldId::etag);
  make_not_modified(stored, head);
  EXPECT_THAT(text_of(head.fields), testing::HasSubstr("|Last-Modified: "));
}

}  // namespace
}  // namespace penstock::rfc9111

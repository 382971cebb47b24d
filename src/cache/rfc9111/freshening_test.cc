#include "cache/rfc9111/freshening.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/rfc9111/fields_test.h"

namespace penstock::rfc9111 {
namespace {

using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr std::string_view kSunday = "Sun, 01 Jan 2023 00:00:00 GMT";
constexpr std::string_view kMonday = "Mon, 02 Jan 2023 00:00:00 GMT";

// --- RFC 9111 section 4.3.4 ---

// What a 304 freshens of stored responses, the later ones of which are more recent: "weak: 1".
std::string freshened(const std::vector<Lines>& stored, const Lines& answer,
                      bool client_tags = false) {
  std::vector<FieldSection> sections;
  std::vector<FreshenCandidate> candidates;
  for (const Lines& lines : stored) sections.push_back(make_fields(lines));
  for (const FieldSection& fields : sections) {
    const seconds date(static_cast<std::int64_t>(candidates.size()));
    // What was marked before does not matter.
    candidates.push_back(
        {.validators = validators_of(fields), .date = sys_seconds(date), .freshened = true});
  }
  const FieldSection fields = make_fields(answer);
  std::string text(to_string(choose_freshened(candidates, validators_of(fields), client_tags)));
  text += ':';
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].freshened) text += ' ' + std::to_string(i);
  }
  return text;
}

const Lines kX{{"ETag", R"("x")"}};
const Lines kWeakX{{"ETag", R"(W/"x")"}};
const Lines kY{{"ETag", R"("y")"}};
const Lines kOld{{"Last-Modified", kSunday}, {"Date", kMonday}};
const Lines kJustNow{{"Last-Modified", kMonday}, {"Date", kMonday}};
const Lines kNone{{"Date", kMonday}};

TEST(Freshening, ByAStrongValidatorOfAllThatHaveIt) {
  EXPECT_EQ(freshened({kX, kY, kX, kWeakX, kNone}, kX), "strong: 0 2");
  EXPECT_EQ(freshened({kX, kY}, {{"ETag", R"("z")"}}), "none:");
  EXPECT_EQ(freshened({kOld, kJustNow, kOld}, kOld), "strong: 0 2");
}

TEST(Freshening, ByAWeakValidatorOfTheMostRecent) {
  EXPECT_EQ(freshened({kWeakX, kWeakX, kY}, kWeakX), "weak: 1");
  EXPECT_EQ(freshened({kX, kX, kY}, kWeakX), "weak: 1");
  EXPECT_EQ(freshened({kJustNow, kJustNow, kOld}, kJustNow), "weak: 1");
  // Compressing servers make the tag weak in a 200, but not in a 304.
  EXPECT_EQ(freshened({kWeakX, kY}, kX), "weak: 0");
  EXPECT_EQ(freshened({{{"ETag", "x"}}, kY}, {{"ETag", "x"}}), "weak: 0");
}

TEST(Freshening, ByADateOnlyWhereTagsSayNothing) {
  const Lines tag_and_date{{"ETag", R"("x")"}, {"Last-Modified", kSunday}, {"Date", kMonday}};
  const Lines other_tag{{"ETag", R"("y")"}, {"Last-Modified", kSunday}, {"Date", kMonday}};
  EXPECT_EQ(freshened({tag_and_date, kX}, kOld), "strong: 0");
  EXPECT_EQ(freshened({kOld, kX}, other_tag), "strong: 0");
  EXPECT_EQ(freshened({tag_and_date, kX}, other_tag), "none:");
}

TEST(Freshening, OfTheOneAskedAboutWithoutValidator) {
  EXPECT_EQ(freshened({kX}, kNone), "asked: 0");
  EXPECT_EQ(freshened({kNone}, kNone), "asked: 0");
  EXPECT_EQ(freshened({kX, kY}, kNone), "none:");
  EXPECT_EQ(freshened({kX}, kNone, true), "none:");
  EXPECT_EQ(freshened({}, kNone), "none:");
}

TEST(Freshening, ContradictedByTheOriginItself) {
  EXPECT_EQ(freshened({kX}, kY), "contradicted: 0");
  EXPECT_EQ(freshened({kOld}, kJustNow), "contradicted: 0");
  EXPECT_EQ(freshened({kX}, kY, true), "none:");
}

// --- RFC 9111 section 4.3.5 ---

HeadEffect effect(const Lines& stored, std::optional<std::uint64_t> length, const Lines& answer,
                  int status = 200) {
  const FieldSection fields = make_fields(stored);
  return effect_of_head(validators_of(fields), length, make_response(status, answer));
}

TEST(HeadEffect, UpdatesWhatIsTheSame) {
  EXPECT_EQ(effect({}, 5, {{"Cache-Control", "max-age=1"}}), HeadEffect::update);
  EXPECT_EQ(effect(kX, 5, {{"ETag", R"("x")"}, {"Content-Length", "5"}}), HeadEffect::update);
  EXPECT_EQ(effect(kOld, 5, {{"Last-Modified", kSunday}}), HeadEffect::update);
  EXPECT_EQ(effect(kX, std::nullopt, {{"ETag", R"("x")"}, {"Content-Length", "5"}}),
            HeadEffect::update);
}

TEST(HeadEffect, MakesStaleWhatMayDiffer) {
  EXPECT_EQ(effect(kX, 5, kY), HeadEffect::make_stale);
  EXPECT_EQ(effect(kX, 5, kWeakX), HeadEffect::make_stale);
  EXPECT_EQ(effect(kX, 5, {{"ETag", R"("x")"}, {"Content-Length", "6"}}), HeadEffect::make_stale);
  EXPECT_EQ(effect({}, 5, {{"Content-Length", "6"}}), HeadEffect::make_stale);
  EXPECT_EQ(effect({}, std::nullopt, {{"Content-Length", "5"}}), HeadEffect::make_stale);
  EXPECT_EQ(effect({}, 5, {{"Content-Length", "x"}}), HeadEffect::make_stale);
  EXPECT_EQ(effect({}, 5, kX), HeadEffect::make_stale);
  EXPECT_EQ(effect(kOld, 5, {{"Last-Modified", kMonday}}), HeadEffect::make_stale);
  EXPECT_EQ(effect({}, 5, {{"Last-Modified", kMonday}}), HeadEffect::make_stale);
  EXPECT_EQ(effect(kX, 5, {}), HeadEffect::make_stale);
  EXPECT_EQ(effect({{"ETag", R"("x")"}, {"Last-Modified", kSunday}}, 5, kOld),
            HeadEffect::make_stale);
  EXPECT_EQ(effect(kOld, 5, {}), HeadEffect::make_stale);
}

TEST(HeadEffect, IsNoneForOtherStatus) {
  EXPECT_EQ(effect(kX, 5, kY, 404), HeadEffect::none);
  EXPECT_EQ(effect(kX, 5, kY, 206), HeadEffect::none);
}

// --- RFC 9111 section 3.2 ---

std::string merged(const Lines& stored, const Lines& answer) {
  const FieldSection a = make_fields(stored);
  const FieldSection b = make_fields(answer);
  const MergedFields result = merge_fields(a, b);
  return text_of(result.fields) + (result.vary_changed ? "|vary" : "");
}

TEST(MergeFields, TakesAllLinesOfANameInPlaceOfTheStoredOnes) {
  EXPECT_EQ(merged({{"A", "1"}, {"B", "1"}, {"a", "2"}, {"C", "1"}},
                   {{"D", "5"}, {"A", "3"}, {"c", "4"}, {"A", "4"}}),
            "A: 3|A: 4|B: 1|c: 4|D: 5");
  EXPECT_EQ(merged({{"Set-Cookie", "a=b"}, {"Content-Type", "a/b"}},
                   {{"Set-Cookie", "a=c"}, {"Set-Cookie", "d=e"}, {"Content-Type", "c/d"}}),
            "Set-Cookie: a=c|Set-Cookie: d=e|Content-Type: c/d");
  EXPECT_EQ(merged({{"A", "1"}}, {}), "A: 1");
}

TEST(MergeFields, LeavesWhatIsAboutTheStoredOctets) {
  const Lines stored{{"Content-Length", "5"}, {"content-encoding", "gzip"},
                     {"Content-MD5", "a"},    {"Content-Range", "bytes 0-1/2"},
                     {"Digest", "a"},         {"Content-Digest", "a"},
                     {"Repr-Digest", "a"}};
  const Lines answer{{"Content-Length", "6"}, {"Content-Encoding", "br"},
                     {"content-md5", "b"},    {"content-range", "bytes 0-2/3"},
                     {"digest", "b"},         {"content-digest", "b"},
                     {"repr-digest", "b"}};
  EXPECT_EQ(merged(stored, answer), text_of(make_fields(stored)));
  EXPECT_EQ(merged({{"A", "1"}}, answer), "A: 1");
}

TEST(MergeFields, TakesNoFieldsOfTheConnection) {
  EXPECT_EQ(merged({{"X", "1"}, {"Cache-Control", "a"}}, {{"Connection", "x, Y, cache-control"},
                                                          {"X", "2"},
                                                          {"Y", "2"},
                                                          {"Keep-Alive", "a"},
                                                          {"Transfer-Encoding", "chunked"},
                                                          {"Cache-Control", "b"}}),
            "X: 1|Cache-Control: b");
}

TEST(MergeFields, LeavesValidatorsIfTheTagIsAnother) {
  const Lines stored{{"ETag", R"("x")"}, {"Last-Modified", kSunday}};
  EXPECT_EQ(merged(stored, {{"ETag", R"("y")"}, {"Last-Modified", kMonday}, {"A", "1"}}),
            text_of(make_fields(stored)) + "|A: 1");
  EXPECT_EQ(merged(stored, {{"ETag", R"(W/"x")"}, {"Last-Modified", kMonday}}),
            R"(ETag: "x"|Last-Modified: Mon, 02 Jan 2023 00:00:00 GMT)");
  EXPECT_EQ(merged({{"A", "1"}}, {{"ETag", R"("y")"}}), R"(A: 1|ETag: "y")");
}

TEST(MergeFields, TakesAgeAndDateOfTheAnswerOnly) {
  EXPECT_EQ(merged({{"Age", "9"}, {"A", "1"}, {"Date", kSunday}}, {{"B", "1"}}), "A: 1|B: 1");
  EXPECT_EQ(merged({{"Age", "9"}, {"Date", kSunday}}, {{"Date", kMonday}, {"Age", "1"}}),
            "Age: 1|Date: Mon, 02 Jan 2023 00:00:00 GMT");
}

TEST(MergeFields, TellsThatVaryChanged) {
  EXPECT_EQ(merged({{"Vary", "A, b"}}, {{"Vary", "B"}, {"vary", "a"}}), "Vary: B|vary: a");
  EXPECT_EQ(merged({{"Vary", "A"}}, {{"Vary", "A, B"}}), "Vary: A, B|vary");
  EXPECT_EQ(merged({{"Vary", "A"}}, {}), "Vary: A");
  EXPECT_EQ(merged({}, {{"Vary", "A"}}), "Vary: A|vary");
}

}  // namespace
}  // namespace penstock::rfc9111

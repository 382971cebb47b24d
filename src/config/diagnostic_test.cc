#include "config/diagnostic.h"

#include <array>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/wording.h"
#include "config/report.h"

namespace penstock::config {
namespace {

using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Diagnostic, ShowsTheLineWithACaret) {
  const Diagnostic diagnostic{.file = "a.toml",
                              .line = 12,
                              .column = 8,
                              .source_line = "stall = 30",
                              .message = "30 has no unit",
                              .warning = false};
  EXPECT_EQ(render(diagnostic, false),
            "a.toml:12:8: error: 30 has no unit\n"
            "   12 | stall = 30\n"
            "      |        ^\n");
}

TEST(Diagnostic, PutsTheCaretBehindTabsAndLettersOfSeveralBytes) {
  const Diagnostic diagnostic{.file = "a.toml",
                              .line = 1,
                              .column = 5,
                              .source_line = "\t\"\xC3\xA9\"=1",
                              .message = "no",
                              .warning = true};
  EXPECT_EQ(render(diagnostic, false),
            "a.toml:1:5: warning: no\n"
            "    1 | \t\"\xC3\xA9\"=1\n"
            "      | \t   ^\n");
}

TEST(Diagnostic, OfAFileAsAWholeShowsNoLine) {
  Diagnostic diagnostic;
  diagnostic.file = "a.toml";
  diagnostic.message = "cannot be opened";
  EXPECT_EQ(render(diagnostic, false), "a.toml: error: cannot be opened\n");
}

TEST(Diagnostic, KeepsTerminalCommandsOfTheFileFromTheTerminal) {
  Diagnostic diagnostic;
  diagnostic.line = 1;
  diagnostic.column = 1;
  diagnostic.source_line = "\033[2J";
  EXPECT_THAT(render(diagnostic, false), Not(HasSubstr("\033")));
  EXPECT_THAT(render(diagnostic, true), HasSubstr("\033[1;31merror"));
  EXPECT_THAT(render(diagnostic, true), Not(HasSubstr("\033[2J")));
}

TEST(Report, GivesAllInTheOrderOfTheFile) {
  Report report("a.toml", "one\r\ntwo\nthree");
  report.error({.line = 3, .column = 1}, "c");
  report.warning({.line = 1, .column = 2}, "a");
  report.error({.line = 2, .column = 1}, "b");
  EXPECT_EQ(report.errors(), 2U);
  EXPECT_THAT(report.take(), ElementsAre(Field(&Diagnostic::source_line, "one"),
                                         Field(&Diagnostic::source_line, "two"),
                                         Field(&Diagnostic::source_line, "three")));
}

TEST(Wording, FindsTheNearestName) {
  constexpr std::array<std::string_view, 4> kKnown{"head", "fields", "start_line", "warning"};
  EXPECT_EQ(nearest("haed", kKnown), "head");
  EXPECT_EQ(nearest("HEAD", kKnown), "head");
  EXPECT_EQ(nearest("field", kKnown), "fields");
  EXPECT_EQ(nearest("startline", kKnown), "start_line");
  EXPECT_EQ(nearest("warn", kKnown), "warning");
  EXPECT_EQ(nearest("colour", kKnown), std::nullopt);
  EXPECT_EQ(nearest("", kKnown), std::nullopt);
  EXPECT_EQ(nearest(std::string(100'000, 'x'), kKnown), std::nullopt);
  EXPECT_EQ(hint("colour", kKnown), R"(expected "head", "fields", "start_line" or "warning")");
}

TEST(Wording, QuotesAsTomlDoes) {
  EXPECT_EQ(quoted("a\"b\\c\r\n\t\x01"), R"("a\"b\\c\r\n\t\u0001")");
}

}  // namespace
}  // namespace penstock::config

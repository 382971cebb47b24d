#include "adapt/open_pattern.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <re2/re2.h>

#include "adapt/substitution_rules.h"

namespace penstock {
namespace {

TEST(OpenPattern, WhatIsUnderstood) {
  for (const char* pattern : {"a",
                              "",
                              "()",
                              "a|b|",
                              "(?:a)",
                              "(?P<name>a)",
                              "(?i)a",
                              "(?i-s:a)",
                              "a(?i)b|c",
                              "[]a]",
                              "[^]]",
                              "[[:alpha:]]",
                              "[\\]]",
                              "\\d\\pN\\p{Greek}\\PN",
                              "\\x41\\x{20ac}\\101\\0",
                              "a*+?",
                              "a{2}",
                              "a{2,}",
                              "a{2,3}?",
                              "a{0}",
                              "a{",
                              "a{,2}",
                              "a{b}",
                              "}",
                              "]",
                              "\\Qa.*\\E+",
                              "\\Q",
                              "\\.\\-",
                              "\xc3\xa9",
                              "\\b\\B\\A\\z^$",
                              "(?m)^$",
                              "\\a\\f\\n\\r\\t\\v",
                              "((((a))))",
                              "(?U)a*b?"}) {
    RE2 expression(pattern, RE2::Quiet);
    if (!expression.ok()) continue;  // of this version of the library
    for (const bool ignore_case : {false, true}) {
      const auto open = open_pattern(pattern, ignore_case);
      ASSERT_TRUE(open) << pattern;
      EXPECT_TRUE(RE2(open->probe, RE2::Quiet).ok()) << open->probe;
      if (open->text) EXPECT_TRUE(RE2(*open->text, RE2::Quiet).ok()) << *open->text;
    }
  }
}

TEST(OpenPattern, WhatIsNot) {
  EXPECT_FALSE(open_pattern("a\\Cb", false));
  EXPECT_FALSE(open_pattern(std::string(200, '(') + "a" + std::string(200, ')'), false));
  EXPECT_FALSE(open_pattern(std::string(100000, 'a'), false));
}

TEST(OpenPattern, LooksBehind) {
  for (const char* pattern : {"^a", "a\\b", "a|\\Bb", "(\\A)", "(?m)a|^"}) {
    EXPECT_TRUE(open_pattern(pattern, false)->looks_behind) << pattern;
  }
  for (const char* pattern : {"a", "a$", "a\\z", "[^a]", "\\^", "\\Q^\\E", "[\\b]"}) {
    if (!RE2(pattern, RE2::Quiet).ok()) continue;
    EXPECT_FALSE(open_pattern(pattern, false)->looks_behind) << pattern;
  }
}

// All texts over few letters, of up to so many.
std::vector<std::string> all_texts(std::string_view letters, std::size_t most) {
  std::vector<std::string> texts = {""};
  for (std::size_t begin = 0, size = 0; size < most; ++size) {
    const std::size_t end = texts.size();
    for (; begin < end; ++begin) {
      for (const char c : letters) texts.push_back(texts[begin] + c);
    }
  }
  return texts;
}

// What an expression matches at a place, seeing the whole text.
std::string match_at(const RE2& expression, const std::string& text, std::size_t place) {
  re2::StringPiece found;
  if (!expression.Match(text, place, text.size(), RE2::ANCHOR_START, &found, 1)) return "none";
  return "'" + std::string(found) + "'";
}

// At the places that are said to be decided, nothing that follows makes a difference.
TEST(OpenPattern, DecidedIsDecided) {
  const std::vector<std::string> patterns = {"a",
                                             "ab",
                                             "aab|b",
                                             "a+b",
                                             "a*",
                                             "(a|b)*a",
                                             "a+?b?",
                                             "a{2,3}b",
                                             "^a",
                                             "a$",
                                             "\\bab",
                                             "ab\\b",
                                             "a\\B",
                                             "(?m)a$",
                                             "(?m)^b",
                                             "a| ab|b ",
                                             "a.*?b",
                                             "a[^b]*b",
                                             "(?:|a)+b",
                                             "(a*?)*?b",
                                             "(?U)a+",
                                             "a\\z|ab",
                                             "(?:ab?)+ ",
                                             "(?:^|b)a",
                                             "\\b| a",
                                             "a(?:$| )",
                                             "(?i)A|B a",
                                             "a{0}b",
                                             "(?:a|ab)(?: |b )?"};
  const auto texts = all_texts("ab ", 5);
  const auto more = all_texts("ab ", 3);
  std::size_t decided = 0;
  for (const std::string& pattern : patterns) {
    const RE2 expression(pattern, RE2::Quiet);
    ASSERT_TRUE(expression.ok());
    const std::vector<SubstitutionRule> rules = {{.pattern = pattern, .regex = true}};
    const auto compiled = *SubstitutionRules::compile(rules, 100);
    for (const std::string& text : texts) {
      const std::size_t undecided = (*compiled)[0].undecided_from(text, 0);
      ASSERT_LE(undecided, text.size());
      for (std::size_t place = 0; place < undecided; ++place) {
        ++decided;
        const std::string match = match_at(expression, text + more[1], place);
        for (const std::string& behind : more) {
          ASSERT_EQ(match_at(expression, text + behind, place), match)
              << pattern << " at " << place << " of '" << text << "' + '" << behind << "'";
        }
      }
    }
  }
  // And not because nothing is.
  EXPECT_GT(decided, patterns.size() * texts.size());
}

TEST(OpenPattern, UndecidedFrom) {
  struct Case {
    const char* pattern;
    const char* text;
    std::size_t from;
  };
  for (const Case& c :
       {Case{"foo", "a fo", 2}, Case{"foo", "a foo", 5}, Case{"foo", "a fob", 5},
        Case{"fo+", "a foo", 2}, Case{"fo+", "a foo ", 6}, Case{"foo$", "a foo", 2},
        Case{"(?i)foo", "a FO", 2}, Case{"a.*b", "xayb", 1}, Case{"a.*?b", "xayb ", 5},
        Case{"\xc3\xa9", "a\xc3", 1}, Case{"b", "a\xe2\x82", 1}, Case{"b", "a\xe2\x82\xac", 4},
        Case{"b", "a\x82", 2}, Case{"a{3}", "aab a", 4}}) {
    const std::vector<SubstitutionRule> rules = {{.pattern = c.pattern, .regex = true}};
    const auto compiled = *SubstitutionRules::compile(rules, 100);
    EXPECT_EQ((*compiled)[0].undecided_from(c.text, 0), c.from) << c.pattern << " in " << c.text;
  }
}

}  // namespace
}  // namespace penstock

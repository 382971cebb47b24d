#include "adapt/substitute_body.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "adapt/pull_body_test.h"
#include "adapt/substitution_reference_test.h"
#include "message/text_body.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Rules = std::vector<SubstitutionRule>;

SubstitutionRule literal(std::string pattern, std::string replacement) {
  return {.pattern = std::move(pattern), .replacement = std::move(replacement)};
}
SubstitutionRule regex(std::string pattern, std::string replacement) {
  return {.pattern = std::move(pattern), .replacement = std::move(replacement), .regex = true};
}
SubstitutionRule ignoring_case(SubstitutionRule rule) {
  rule.ignore_case = true;
  return rule;
}
SubstitutionRule once(SubstitutionRule rule) {
  rule.once = true;
  return rule;
}

std::shared_ptr<const SubstitutionRules> compiled(const Rules& rules,
                                                  std::size_t longest = kUsualLongestMatch) {
  auto result = SubstitutionRules::compile(rules, longest);
  EXPECT_TRUE(result) << result.error();
  return *result;
}

std::string substituted(std::vector<BodyPiece> pieces,
                        const std::shared_ptr<const SubstitutionRules>& rules) {
  TimedBody source(std::move(pieces));
  SubstituteBody body(source, rules);
  const PulledBody pulled = pull_all(body);
  EXPECT_TRUE(pulled.ended);
  return pulled.text;
}

// The same result in one piece, cut at every place, in pieces of 1 to 7 bytes, and cut at random;
// and what the plainest way gives.
void expect_substituted(const Rules& rules, std::string_view text, std::string_view result,
                        std::size_t longest = kUsualLongestMatch) {
  ASSERT_EQ(SubstitutionReference(rules, longest).apply(text), result) << text;
  const auto made = compiled(rules, longest);
  ASSERT_EQ(substituted({{.text = std::string(text)}}, made), result) << text;
  for (std::size_t size = 1; size < 8; ++size) {
    ASSERT_EQ(substituted(in_pieces(text, size), made), result) << text << " by " << size;
  }
  for (std::size_t at = 1; at < text.size(); ++at) {
    ASSERT_EQ(substituted({{.text = std::string(text.substr(0, at))},
                           {.text = std::string(text.substr(at)), .after = 1s}},
                          made),
              result)
        << text << " at " << at;
  }
  std::mt19937 random(5);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(substituted(in_random_pieces(text, 1 + text.size() / 3, random), made), result);
  }
}

struct Case {
  Rules rules;
  std::string_view text;
  std::string_view result;
};

TEST(SubstituteBody, Texts) {
  const std::vector<Case> cases = {
      {{}, "some text", "some text"},
      {{literal("a", "b")}, "", ""},
      {{literal("a", "b")}, "a", "b"},
      {{literal("world", "moon")}, "hello world, world", "hello moon, moon"},
      {{literal("http://", "https://")},
       "<a href=http://a/>http:/http://",  //
       "<a href=https://a/>http:/https://"},
      {{literal("aa", "b")}, "aaaaa", "bba"},
      {{literal("aab", "x")}, "aaaabaab", "aaxx"},
      {{literal("abab", "x")}, "abaababab", "abaxab"},
      {{literal("a", "")}, "banana", "bnn"},
      {{literal("a", "aa")}, "banana", "baanaanaa"},
      {{literal("\\0", "\\1")}, "a\\0b", "a\\1b"},
      {{literal(".*", "x")}, "a.*b", "axb"},
      {{once(literal("a", "x"))}, "banana", "bxnana"},
      {{ignoring_case(literal("WorlD", "\\0"))}, "wORLd world", "\\0 \\0"},
      {{ignoring_case(literal("a.c", "x"))}, "abcA.C", "abcx"},
      {{ignoring_case(literal("gr\xc3\xbc\xc3\x9f", "x"))}, "GR\xc3\x9c\xc3\x9f", "x"},
  };
  for (const Case& c : cases) expect_substituted(c.rules, c.text, c.result);
}

TEST(SubstituteBody, Expressions) {
  const std::vector<Case> cases = {
      {{regex("a+", "x")}, "baaanaa", "bxnx"},
      {{regex("a+?", "x")}, "baaan", "bxxxn"},
      {{regex("(\\w+)@(\\w+)", "\\2 at \\1 (\\0)\\\\")},
       "<me@home> you@",
       "<home at me (me@home)\\> you@"},
      {{regex("<b>(.*?)</b>", "*\\1*")}, "<b>bold</b> <b>x</b><b>", "*bold* *x*<b>"},
      {{regex("foo|foobar", "x")}, "foobar", "xbar"},
      {{regex("foobar|foo", "x")}, "foobar fooba", "x xba"},
      {{regex("(a)|(b)", "[\\1\\2]")}, "ab", "[a][b]"},
      {{regex("[[:digit:]]{2,3}", "#")}, "1 12 123 1234 12345", "1 # # #4 ##"},
      {{regex("(?i)hello", "x")}, "Hello HELLO hallo", "x x hallo"},
      {{ignoring_case(regex("h[ae]llo", "x"))}, "Hello HALLO hxllo", "x x hxllo"},
      {{once(regex("\\d", "x"))}, "a1b2", "axb2"},
      // About what is before and behind.
      {{regex("^a", "x")}, "aaa", "xaa"},
      {{regex("(?m)^a", "x")}, "aa\na\n\na", "xa\nx\n\nx"},
      {{regex("a$", "x")}, "aaa\na", "aaa\nx"},
      {{regex("(?m)a$", "x")}, "aa\na", "ax\nx"},
      {{regex("\\bcat\\b", "dog")}, "cat cats cat", "dog cats dog"},
      {{regex("\\Bat", "x")}, "cat at", "cx at"},
      {{regex("a\\z", "x")}, "aa", "ax"},
      {{regex("\\Aa", "x")}, "aa", "xa"},
      // Characters.
      {{regex(".", "x")}, "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "xxxx"},
      {{regex("[\xc3\xa0-\xc3\xbf]", "x")}, "\xc3\xa9\xc3\x89", "x\xc3\x89"},
      {{regex(".", "x")}, "\xff\xc3(\xe2\x82", "\xff\xc3x\xe2\x82"},
      {{regex("\\C", "x")}, "\xff\xc3(", "xxx"},
      // No bytes.
      {{regex("x*", "-")}, "", "-"},
      {{regex("x*", "-")}, "abc", "-a-b-c-"},
      {{regex("x*", "-")}, "axxb", "-a-b-"},
      {{regex("", "-")}, "a", "-a-"},
      {{regex("\\b", "|")}, "two words", "|two| |words|"},
      {{regex("^", "head ")}, "body", "head body"},
      {{regex("\\z", " foot")}, "body", "body foot"},
      {{regex("(?m)$", ";")}, "a\nb\n", "a;\nb;\n;"},
      {{regex("x*", "-")}, "\xc3\xa9", "-\xc3\xa9-"},
      {{regex("(|a)", "-")}, "aa", "-a-a-"},
      {{once(regex("x*", "-"))}, "abc", "-abc"},
  };
  for (const Case& c : cases) {
    if (c.rules[0].pattern.empty()) continue;  // not allowed, see below
    expect_substituted(c.rules, c.text, c.result);
  }
}

TEST(SubstituteBody, SeveralRulesInOnePass) {
  const std::vector<Case> cases = {
      // What was put in is not looked at.
      {{literal("a", "b"), literal("b", "a")}, "abba", "baab"},
      // The leftmost match, whatever the order of the rules.
      {{literal("bc", "1"), literal("abcd", "2")}, "abcd abc", "2 a1"},
      // At one place the first rule, however long.
      {{literal("a", "1"), literal("ab", "2")}, "ab", "1b"},
      {{literal("ab", "2"), literal("a", "1")}, "aba", "21"},
      {{regex("a+", "1"), literal("aab", "2")}, "aab", "1b"},
      {{once(literal("a", "1")), literal("a", "2")}, "aaa", "122"},
      {{once(regex("a", "1")), once(regex("\\w", "2")), literal("a", "3")}, "aaaa", "1233"},
      {{regex("x*", "-"), literal("b", "B")}, "abxb", "-a-b-B"},
      {{literal("b", "B"), regex("x*", "-")}, "abxb", "-aB-B"},
      {{regex("^", "["), regex("\\z", "]"), literal("b", "B")}, "abc", "[aBc]"},
      {{literal("foobar", "1"), literal("oba", "2")}, "foobaz foobar", "fo2z 1"},
  };
  for (const Case& c : cases) expect_substituted(c.rules, c.text, c.result);
}

TEST(SubstituteBody, MatchesLongerThanAllowedAreNone) {
  const Rules greedy = {regex("a[^b]*b", "x")};
  expect_substituted(greedy, "a12b a1234567b", "x a1234567b", 8);
  expect_substituted(greedy, "a123456b", "x", 8);
  // Found behind, in what could have been one.
  expect_substituted(greedy, "a1234567a89b", "a1234567x", 8);
  // A shorter one of the same expression.
  expect_substituted({regex("a.*b|a", "x")}, "a123456789b", "x123456789b", 8);
  expect_substituted({regex("a+", "x")}, std::string(20, 'a'), "xxx", 8);
  expect_substituted({regex("a+\\b", "x")}, std::string(20, 'a') + " aaa", "aaaaaaaaaaaax x", 8);
  expect_substituted({regex("a.*?b", "x")}, "a1234567b1a2b", "a1234567b1x", 8);
}

TEST(SubstituteBody, LargeTextsAtTheBordersOfAllBuffers) {
  std::string text;
  std::string result;
  std::mt19937 random(11);
  while (text.size() < 400000) {
    const std::string between = sample_text(random() % 6000, static_cast<unsigned>(text.size()));
    text += between + "<base href='http://inside/" + std::to_string(random()) + "'>";
    result += between + "<BASE>";
  }
  const auto rules = compiled({regex("<base [^<>]{0,60}>", "<BASE>")});
  EXPECT_TRUE(substituted({{.text = text}}, rules) == result);
  for (const std::size_t most : {100U, 5000U, 70000U}) {
    EXPECT_TRUE(substituted(in_random_pieces(text, most, random), rules) == result);
  }
  // With all held back that may be.
  const auto unknown = compiled({regex("<base (?:\\C?)[^<>]{0,60}>", "<BASE>")});
  for (const std::size_t most : {100U, 5000U, 70000U}) {
    EXPECT_TRUE(substituted(in_random_pieces(text, most, random), unknown) == result);
  }
}

// A search goes over a text in parts: a match across their border is found as one within.
TEST(SubstituteBody, MatchesAcrossThePartsOfASearch) {
  const auto rules = compiled({regex("<a+>|<a", "x")}, 200);
  const std::string match = "<" + std::string(100, 'a') + ">";
  for (std::size_t before = 16 * 1024 - 320; before < 16 * 1024 + 10; before += 7) {
    std::string text(before, '-');
    std::string result = text;
    text += match + "--";
    result += "x--";
    ASSERT_TRUE(substituted({{.text = text}}, rules) == result) << before;
  }
}

// Random rules over few letters, against the plainest way.
TEST(SubstituteBody, RandomRulesAgreeWithTheReference) {
  const std::vector<std::string> patterns = {"a",         "ab",
                                             "aab",       "abab",
                                             "b+",        "a*",
                                             "a*b",       "(a|b)c",
                                             "a.c",       "a.*c",
                                             "a.*?c",     "[ab]{2,3}",
                                             "\\bab",     "ab\\b",
                                             "^a",        "c$",
                                             "(?m)^b",    "(?m)a$",
                                             "b?",        "(?:ab)+",
                                             "(?i)AB",    "a(?:b|c|ab)*c",
                                             "x{3}",      "\\Ba\\B",
                                             "(a*)(b*)c", "c\\z|ab",
                                             "(?s)a.b",   "[^a]{4}",
                                             "a\nb",      "(?:a|ab)(?:c|bcd)?",
                                             "\xc3\xa9+", ".\xc3\xa9",
                                             "\\Qa.b\\E?"};
  std::mt19937 random(17);
  for (int round = 0; round < 2000; ++round) {
    Rules rules;
    for (std::size_t i = 0; i <= random() % 3; ++i) {
      SubstitutionRule rule = regex(patterns[random() % patterns.size()], "[\\0]");
      if (random() % 4 == 0) rule = literal("ab", "(" + std::to_string(i) + ")");
      rule.ignore_case = random() % 4 == 0;
      rule.once = random() % 4 == 0;
      rules.push_back(rule);
    }
    std::string text;
    const std::vector<std::string> letters = {"a", "b", "c", "A",        "\n",
                                              " ", "a", "b", "\xc3\xa9", "\xc3"};
    for (std::size_t i = 0; i < random() % 60; ++i) text += letters[random() % letters.size()];
    const std::size_t longest = random() % 2 == 0 ? 1 + random() % 8 : 1000;
    if (longest < 2) continue;
    const std::string result = SubstitutionReference(rules, longest).apply(text);
    const auto made = compiled(rules, longest);
    for (const std::size_t most : {1U, 3U, 20U}) {
      ASSERT_EQ(substituted(in_random_pieces(text, most, random), made), result)
          << text << " " << rules[0].pattern << " " << rules.back().pattern << " " << longest;
    }
  }
}

TEST(SubstituteBody, HandsOutWhatCannotBePartOfAMatch) {
  struct Streamed {
    SubstitutionRule rule;
    std::string text;
    std::string at_once;
  };
  const std::vector<Streamed> cases = {
      {literal("<head>", ""), "data: one\n\n", "data: one\n\n"},
      {literal("<head>", "x"), "a <head>", "a x"},
      {literal("<head>", ""), "a <hea", "a "},
      {literal("aab", ""), "caa", "c"},
      {ignoring_case(literal("<head>", "")), "a <HEA", "a "},
      {ignoring_case(literal("<head>", "x")), "a <HEAD>", "a x"},
      {regex("<h\\d>", ""), "<h1> </h1> <h", " </h1> "},
      {regex("<!--.*?-->", ""), "a <!-- long, still open", "a "},
      {regex("<!--.*?-->", ""), "a <!-- closed --> b", "a  b"},
      {regex("<!--.*?-->", ""), "a <!-- closed --> <!-- open", "a  "},
      {regex("<!--.*-->", ""), "a <!-- perhaps closed --> b", "a "},
      {regex("foo|foobar", "x"), "a foo ", "a x "},
      {regex("foobar|foo", "x"), "a foo", "a "},
      {regex("a+?", "x"), "baac", "bxxc"},
      {regex("(?U)<.+>", "x"), "<b> a", "x a"},
      {regex("\\bcat\\b", "dog"), "a cat", "a "},
      {regex("\\bcat\\b", "dog"), "a cat ", "a dog "},
      {regex("[0-9]+", "#"), "a 12", "a "},
      {regex(".x", ""), "data\n", "data\n"},
  };
  for (const Streamed& c : cases) {
    TimedBody source({{.text = c.text}, {.text = "\n", .after = 10s}});
    SubstituteBody body(source, compiled({c.rule}));
    VirtualTime time;
    PulledBody pulled;
    time.spawn(pull_body(body, pulled));
    EXPECT_EQ(pulled.text, c.at_once) << c.rule.pattern << " in " << c.text;
    time.advance(10s);
    EXPECT_TRUE(pulled.ended);
  }
}

TEST(SubstituteBody, HoldsBackNoMoreThanTheLongestMatch) {
  TimedBody source({{.text = "<!--" + std::string(50000, '-')}, {.text = "x", .after = 10s}});
  SubstituteBody body(source, compiled({regex("<!--.*?-->", "")}, 1000));
  VirtualTime time;
  PulledBody pulled;
  time.spawn(pull_body(body, pulled));
  EXPECT_GE(pulled.text.size(), 49000U);
  time.advance(10s);
  EXPECT_EQ(pulled.text.size(), 50005U);
}

// What is not changed is not copied.
TEST(SubstituteBody, LongRunsAreSlicesOfTheSource) {
  const SlabRef slab = SlabPool::take(SlabSize::large);
  const std::string text = sample_text(30000) + "here" + sample_text(30000);
  std::memcpy(slab->data(), text.data(), text.size());

  class OneSlice final : public BodySource {
   public:
    explicit OneSlice(Slice slice) : slice_(std::move(slice)) {}
    Slice take_ready() override { return std::exchange(slice_, Slice()); }
    Task<Result<Slice>> next() override { co_return take_ready(); }
    [[nodiscard]] bool at_end() const override { return slice_.empty(); }
    [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return {}; }

   private:
    Slice slice_;
  };
  OneSlice source(Slice(slab, {slab->data(), text.size()}));
  SubstituteBody body(source, compiled({literal("here", "there")}));
  const PulledBody pulled = pull_all(body);
  ASSERT_EQ(pulled.slices.size(), 3U);
  EXPECT_EQ(pulled.slices[0].data(), slab->data());
  EXPECT_EQ(pulled.slices[0].owner().get(), slab.get());
  EXPECT_EQ(pulled.slices[1].view(), "there");
  EXPECT_EQ(pulled.slices[2].data(), slab->data() + 30004);
  EXPECT_EQ(body.replaced(), 1U);
}

TEST(SubstituteBody, ManySmallChangesAreOneSlice) {
  TimedBody source(in_pieces("a-b-c-d-e-f-g-h", 2));
  SubstituteBody body(source, compiled({literal("-", "+")}));
  const PulledBody pulled = pull_all(body);
  EXPECT_EQ(pulled.text, "a+b+c+d+e+f+g+h");
  EXPECT_EQ(pulled.slices.size(), 1U);
  EXPECT_EQ(body.replaced(), 7U);
}

TEST(SubstituteBody, ReplacementsLargerThanSlabs) {
  const std::string large = sample_text(40000);
  EXPECT_TRUE(substituted({{.text = "a-b-c"}}, compiled({literal("-", large)})) ==
              "a" + large + "b" + large + "c");
}

TEST(SubstituteBody, LeavesTurnsToOthers) {
  // The worst there is: at each place a match begins that turns out to be too long.
  const std::string text = std::string(60000, 'a') + "b";
  TextBody source(text);
  SubstituteBody body(source, compiled({regex("a[^b]*b", "x")}, 4096));
  VirtualTime time;
  PulledBody pulled;
  time.scope.spawn(pull_body(body, pulled));
  unsigned turns = 0;
  for (; time.executor.has_ready(); ++turns) time.executor.run_ready();
  EXPECT_GT(turns, 100U);
  EXPECT_TRUE(pulled.ended);
  EXPECT_TRUE(pulled.text == std::string(60000 - 4095, 'a') + "x");
}

TEST(SubstituteBody, ErrorsOfTheSourcePassAsTheyAre) {
  const Error error{.kind = ErrorKind::reset, .side = Side::server};
  TimedBody source({{.text = "some <he"}, {.error = error}});
  SubstituteBody body(source, compiled({literal("<head>", "")}));
  const PulledBody pulled = pull_all(body);
  EXPECT_EQ(pulled.text, "some ");
  EXPECT_EQ(pulled.error, error);
  EXPECT_FALSE(body.at_end());
}

TEST(SubstituteBody, SaysOfItselfWhatItCan) {
  const std::size_t before = SlabPool::bytes_in_use();
  TimedBody source({{.text = "text"}});
  source.trailer_fields.add(FieldId::other, "a", "b");
  {
    SubstituteBody body(source, compiled({literal("y", "z")}));
    EXPECT_EQ(body.remaining(), std::nullopt);
    EXPECT_EQ(body.trailers(), &source.trailer_fields);
    EXPECT_EQ(body.run(0).stream, nullptr);
    EXPECT_FALSE(body.at_end());
    EXPECT_EQ(body.take_ready().view(), "text");
    EXPECT_TRUE(body.at_end());
  }
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST(SubstitutionRules, WhatIsWrongIsSaid) {
  const auto error_of = [](const Rules& rules, std::size_t longest) {
    const auto result = SubstitutionRules::compile(rules, longest);
    return result ? std::string() : result.error();
  };
  EXPECT_EQ(error_of({literal("", "x")}, 10), "rule 1: the pattern is empty");
  EXPECT_EQ(error_of({literal("a", ""), regex("", "x")}, 10), "rule 2: the pattern is empty");
  EXPECT_EQ(error_of({literal("12345678901", "x")}, 10),
            "rule 1: the text is longer than a match may be, which is 10 bytes");
  EXPECT_TRUE(error_of({regex("(a", "x")}, 10).starts_with("rule 1: missing )"));
  EXPECT_TRUE(error_of({regex("(a)", "\\2")}, 10).starts_with("rule 1: "));
  EXPECT_TRUE(error_of({regex("a", "\\x")}, 10).starts_with("rule 1: "));
  EXPECT_TRUE(error_of({regex("\\1", "")}, 10).starts_with("rule 1: "));
  EXPECT_TRUE(error_of({ignoring_case(literal("\xff", ""))}, 10).starts_with("rule 1: "));
  EXPECT_EQ(error_of({literal("\xff", "")}, 10), "");
  EXPECT_EQ(error_of({regex("a", "")}, 0), "");
  EXPECT_EQ(compiled({}, 1000000)->longest(), kMostLongestMatch);
}

}  // namespace
}  // namespace penstock

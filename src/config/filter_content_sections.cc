// The filters that change content: what stands in their tables of a [[filter]].
#include <algorithm>
#include <array>

#include "adapt/substitution_rules.h"
#include "adapt/url_rules.h"
#include "config/match_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr TextRule kMediaRange{
    .type = "content type", .plural = "content types", .check = &check_media_range};

constexpr std::array kCodings{
    std::pair{std::string_view("zstd"), ContentCoding::zstd},
    std::pair{std::string_view("br"), ContentCoding::br},
    std::pair{std::string_view("gzip"), ContentCoding::gzip},
    std::pair{std::string_view("deflate"), ContentCoding::deflate},
};
constexpr std::array kFlushes{
    std::pair{std::string_view("when_idle"), FlushPolicy::when_idle},
    std::pair{std::string_view("at_end"), FlushPolicy::at_end},
};
constexpr std::array kAsked{
    std::pair{std::string_view("client"), AskedCodings::client},
    std::pair{std::string_view("none"), AskedCodings::none},
    std::pair{std::string_view("all"), AskedCodings::all},
};
constexpr std::array kSides{
    std::pair{std::string_view("response"), false},
    std::pair{std::string_view("request"), true},
};

struct CodingsValue {
  using Coding = ChoiceValue<kCodings>;
  static std::string type() { return fmt::format("list of {}", Coding::type()); }
  static std::optional<std::vector<ContentCoding>> read(const toml::node& node, Report& report) {
    const toml::array* const list = read_list(node, report, "content codings");
    if (list == nullptr) return std::nullopt;
    if (list->empty()) report.error(place_of(node), "expected at least one content coding");
    std::vector<ContentCoding> out;
    for (const toml::node& element : *list) {
      const auto coding = Coding::read(element, report);
      if (!coding) continue;
      if (std::ranges::find(out, *coding) != out.end()) {
        report.error(place_of(element),
                     fmt::format("{} stands there twice", Coding::show(*coding)));
      }
      out.push_back(*coding);
    }
    return out;
  }
  static std::string show(const std::vector<ContentCoding>& value) {
    std::vector<std::string> out;
    for (const ContentCoding coding : value) out.push_back(Coding::show(coding));
    return fmt::format("[{}]", fmt::join(out, ", "));
  }
};

template <ContentCoding kCoding>
using LevelValue = CountValue<level_range(kCoding).least, level_range(kCoding).most>;

constexpr std::array kCompressKeys{
    key<CompressFilterSettings, CodingsValue>(
        "codings", R"(["zstd", "br", "gzip"])",
        "What is used, where the client takes it. Of those that it wants alike the first one.",
        [](auto& c) { return std::tie(c.codings); }),
    key<CompressFilterSettings, TextsValue<kMediaRange, false>>(
        "types",
        R"(["text/*", "application/javascript", "application/json", "application/ld+json", )"
        R"("application/manifest+json", "application/wasm", "application/xhtml+xml", )"
        R"("application/xml", "application/rss+xml", "application/atom+xml", "font/otf", )"
        R"("font/ttf", "image/bmp", "image/svg+xml"])",
        "Responses of these types are compressed.", [](auto& c) { return std::tie(c.types); }),
    key<CompressFilterSettings, SizeValue<0, 1ULL << 30>>(
        "least", R"("1KiB")",
        "Smaller ones stay as they are. Of some it is not known beforehand how large they are; "
        "they "
        "are compressed.",
        [](auto& c) { return std::tie(c.least); }),
    key<CompressFilterSettings, LevelValue<ContentCoding::gzip>>(
        "gzip_level", "6", "How hard gzip and deflate work: more is smaller and slower.",
        [](auto& c) { return std::tie(c.gzip_level); }),
    key<CompressFilterSettings, LevelValue<ContentCoding::br>>(
        "br_level", "5", "The same of br.", [](auto& c) { return std::tie(c.br_level); }),
    key<CompressFilterSettings, LevelValue<ContentCoding::zstd>>(
        "zstd_level", "3", "The same of zstd.", [](auto& c) { return std::tie(c.zstd_level); }),
    key<CompressFilterSettings, ChoiceValue<kFlushes>>(
        "flush", R"("when_idle")",
        "`\"when_idle\"`: what the server has sent so far is always passed on, so that pages can "
        "begin and events come in time. `\"at_end\"`: a little smaller, but nothing is passed on "
        "before a good part of it is there.",
        [](auto& c) { return std::tie(c.flush); }),
};

// Nothing would get through a limit of 0.
struct MostContentValue {
  static std::string type() { return UnlimitedSizeValue::type(); }
  static std::optional<std::uint64_t> read(const toml::node& node, Report& report) {
    const auto most = UnlimitedSizeValue::read(node, report);
    const auto* const text = node.as_string();
    if (most != 0 || (text != nullptr && text->get() == "unlimited")) return most;
    report.error(place_of(node), R"(nothing would be left: write "unlimited" for no limit)");
    return std::nullopt;
  }
  static std::string show(std::uint64_t value) { return UnlimitedSizeValue::show(value); }
};

constexpr std::array kDecompressKeys{
    key<DecompressFilterSettings, FlagValue>("responses", "true",
                                             "The content of responses is decoded.",
                                             [](auto& d) { return std::tie(d.responses); }),
    key<DecompressFilterSettings, FlagValue>("requests", "false",
                                             "The content of requests is decoded.",
                                             [](auto& d) { return std::tie(d.requests); }),
    key<DecompressFilterSettings, ChoiceValue<kAsked>>(
        "ask", R"("client")",
        "What `Accept-Encoding` says to servers. `\"client\"`: what the client said, but for "
        "codings "
        "that cannot be decoded here. `\"none\"`: that content is to be plain. `\"all\"`: all "
        "codings "
        "that can be decoded here, whatever the client takes.",
        [](auto& d) { return std::tie(d.ask); }),
    key<DecompressFilterSettings, MostContentValue>(
        "most", R"("unlimited")", "Content that comes to more than that is cut off.",
        [](auto& d) { return std::tie(d.limits.output); }),
    key<DecompressFilterSettings, CountValue<0, 1'000'000>>(
        "ratio", "1000",
        "From 1 MiB on, content that comes to more than so many times what was sent is cut off: a "
        "small message cannot be made a very large one. `0`: no bound.",
        [](auto& d) { return std::tie(d.limits.ratio); }),
};

Complaint check_given_pattern(std::string_view text) {
  return text.empty() ? "expected what is to be replaced, found an empty text" : Complaint{};
}
Complaint check_any(std::string_view /*text*/) { return {}; }

constexpr TextRule kPattern{
    .type = "text or regular expression", .plural = {}, .check = &check_given_pattern};
constexpr TextRule kReplacement{.type = "text", .plural = {}, .check = &check_any};

constexpr std::array kRuleKeys{
    key<SubstitutionRule, TextValue<kPattern>>(
        "pattern", "", "What is replaced: a text, or a regular expression of RE2.",
        [](auto& r) { return std::tie(r.pattern); }),
    key<SubstitutionRule, TextValue<kReplacement>>(
        "with", R"("")",
        "What is put there. For an expression `\\0` stands for all that was found, `\\1` to `\\9` "
        "for its groups, and `\\\\` for a backslash.",
        [](auto& r) { return std::tie(r.replacement); }),
    key<SubstitutionRule, FlagValue>("regex", "false", "The pattern is a regular expression.",
                                     [](auto& r) { return std::tie(r.regex); }),
    key<SubstitutionRule, FlagValue>("ignore_case", "false",
                                     "Upper and lower case are the same to it.",
                                     [](auto& r) { return std::tie(r.ignore_case); }),
    key<SubstitutionRule, FlagValue>("once", "false", "Only the first one in a message.",
                                     [](auto& r) { return std::tie(r.once); }),
};

void check_rule(const toml::table& table, Report& report, const SubstitutionRule& rule) {
  SubstitutionRule alone = rule;
  alone.replacement.clear();
  const auto compiled = SubstitutionRules::compile(std::span(&alone, 1), kMostLongestMatch);
  if (!compiled) {
    // It does not know which of several rules this is.
    const std::string& error = compiled.error();
    report.error(place_in(table, "pattern"), error.substr(error.find(": ") + 2));
  } else if (rule.regex) {
    std::string problem = problem_of_replacement(rule.pattern, rule.replacement);
    if (!problem.empty()) report.error(place_in(table, "with"), std::move(problem));
  }
}

struct RulesValue {
  static std::string type() { return "list of tables"; }
  static std::optional<std::vector<SubstitutionRule>> read(const toml::node& node, Report& report) {
    const toml::array* const list = read_list(node, report, "tables");
    if (list == nullptr) return std::nullopt;
    if (list->empty()) report.error(place_of(node), "expected at least one rule");
    std::vector<SubstitutionRule> out;
    for (const toml::node& element : *list) {
      read_table(element, kFilterRule, report, out.emplace_back());
    }
    return out;
  }
  static std::string show(const std::vector<SubstitutionRule>& rules) {
    std::vector<std::string> out;
    for (const SubstitutionRule& rule : rules) out.push_back(show_table(kFilterRule, rule));
    return fmt::format("[{}]", fmt::join(out, ", "));
  }
};

constexpr std::array kSubstituteKeys{
    key<SubstituteFilterSettings, RulesValue>(
        "rules", "", "What is replaced; see `[[filter.substitute.rules]]`.",
        [](auto& s) { return std::tie(s.rules); }),
    key<SubstituteFilterSettings, ChoiceValue<kSides>>(
        "in", R"("response")", "Whose content it is replaced in.",
        [](auto& s) { return std::tie(s.requests); }),
    key<SubstituteFilterSettings, TextsValue<kMediaRange, false>>(
        "types",
        R"(["text/*", "application/javascript", "application/json", "application/xhtml+xml", )"
        R"("application/xml"])",
        "Content of these types.", [](auto& s) { return std::tie(s.types); }),
    key<SubstituteFilterSettings, SizeValue<1, kMostLongestMatch>>(
        "longest", R"("4KiB")", "How long what a regular expression finds may be.",
        [](auto& s) { return std::tie(s.longest); }),
    key<SubstituteFilterSettings, FlagValue>(
        "whole", "false",
        "Requests for a range are made requests for all, so that nothing gets by in parts.",
        [](auto& s) { return std::tie(s.whole); }),
};

}  // namespace

constexpr Section<CompressFilterSettings> kFilterCompress{
    .name = "filter.compress", .title = "[filter.compress]", .keys = kCompressKeys};
constexpr Section<DecompressFilterSettings> kFilterDecompress{
    .name = "filter.decompress", .title = "[filter.decompress]", .keys = kDecompressKeys};
constexpr Section<SubstitutionRule> kFilterRule{.name = "filter.substitute.rules",
                                                .title = "[[filter.substitute.rules]]",
                                                .keys = kRuleKeys,
                                                .check = &check_rule};
constexpr Section<SubstituteFilterSettings> kFilterSubstitute{
    .name = "filter.substitute", .title = "[filter.substitute]", .keys = kSubstituteKeys};

}  // namespace penstock::config

// The filters of URLs, cookies and what else requests tell: their tables of a [[filter]].
#include <array>

#include "adapt/url_rules.h"
#include "config/field_rules.h"
#include "config/sections.h"
#include "config/values.h"
#include "message/characters.h"

namespace penstock::config {
namespace {

Complaint check_pattern(std::string_view text) { return problem_of_pattern(text); }
// Groups are often written as variables elsewhere.
Complaint check_location(std::string_view text) {
  Complaint complaint = problem_of_groups(text);
  return complaint.empty() ? check_variables(text) : complaint;
}
// Depends on the pattern: checked with the table.
Complaint check_any(std::string_view /*text*/) { return {}; }

Complaint check_cookie_pattern(std::string_view text) {
  if (text.empty()) return "expected the name of a cookie, found an empty text";
  return check_token(text);
}

Complaint check_plain_value(std::string_view text) {
  if (is_field_value(text) && trim_whitespace(text) == text) return {};
  return "a field value has no control characters, nor white space around it";
}

constexpr TextRule kPattern{.type = "regular expression", .plural = {}, .check = &check_pattern};
constexpr TextRule kReplacement{.type = "text", .plural = {}, .check = &check_any};
constexpr TextRule kLocation{.type = "path or URL", .plural = {}, .check = &check_location};
constexpr TextRule kCookieName{
    .type = "cookie name", .plural = "cookie names", .check = &check_cookie_pattern};
constexpr TextRule kUserAgent{.type = "text", .plural = {}, .check = &check_plain_value};

constexpr std::array kOf{
    std::pair{std::string_view("path"), false},
    std::pair{std::string_view("url"), true},
};

constexpr std::array kRewriteKeys{
    key<RewriteFilterSettings, TextValue<kPattern>>(
        "pattern", "", "A regular expression of RE2. Its first match is replaced.",
        [](auto& r) { return std::tie(r.pattern); }),
    key<RewriteFilterSettings, TextValue<kReplacement>>(
        "with", "",
        "What is put there: `\\0` stands for all that was found, `\\1` to `\\9` for its groups, "
        "and "
        "`\\\\` for a backslash.",
        [](auto& r) { return std::tie(r.with); }),
    key<RewriteFilterSettings, ChoiceValue<kOf>>(
        "of", R"("path")",
        "What is looked at and changed: `\"path\"` with the query, or all of the URL.",
        [](auto& r) { return std::tie(r.url); }),
};

void check_rewrite(const toml::table& table, Report& report, const RewriteFilterSettings& rewrite) {
  std::string problem = problem_of_rewrite(rewrite.pattern, rewrite.with, rewrite.url);
  if (!problem.empty()) report.error(place_in(table, "with"), std::move(problem));
}

struct RedirectStatusValue {
  static std::string type() { return "301, 302, 303, 307 or 308"; }
  static std::optional<std::uint64_t> read(const toml::node& node, Report& report) {
    const auto status = read_count(node, report, 0, 999);
    if (!status) return std::nullopt;
    for (const unsigned one : {301U, 302U, 303U, 307U, 308U}) {
      if (*status == one) return status;
    }
    report.error(place_of(node), fmt::format("expected {}, found {}", type(), *status));
    return std::nullopt;
  }
  static std::string show(int value) { return std::to_string(value); }
};

constexpr std::array kRedirectKeys{
    key<RedirectFilterSettings, OptionalTextValue<kPattern>>(
        "pattern", R"("")",
        "A regular expression of RE2, for the URL as the client asked for it; when left out any.",
        [](auto& r) { return std::tie(r.pattern); }),
    key<RedirectFilterSettings, TextValue<kLocation>>(
        "to", "",
        "Where the client is sent: a path or a URL, with variables; `\\0` stands for what the "
        "pattern "
        "found, `\\1` to `\\9` for its groups.",
        [](auto& r) { return std::tie(r.to); }),
    key<RedirectFilterSettings, RedirectStatusValue>(
        "status", "302",
        "`301` and `308` are for ever, `302` and `307` for now; with `307` and `308` method and "
        "content stay. `303`: the result of this one is there.",
        [](auto& r) { return std::tie(r.status); }),
};

void check_redirect(const toml::table& table, Report& report,
                    const RedirectFilterSettings& redirect) {
  std::string problem = problem_of_location(redirect.pattern, redirect.to);
  if (!problem.empty()) report.error(place_in(table, "to"), std::move(problem));
}

constexpr std::array kSameSites{
    std::pair{std::string_view("keep"), SameSite::keep},
    std::pair{std::string_view("none"), SameSite::none},
    std::pair{std::string_view("lax"), SameSite::lax},
    std::pair{std::string_view("strict"), SameSite::strict},
};

constexpr std::array kCookiesKeys{
    key<CookiesFilterSettings, TextsValue<kCookieName, true>>(
        "remove", "[]", "Cookies that are taken out of requests. `*` stands for any letters.",
        [](auto& c) { return std::tie(c.remove); }),
    key<CookiesFilterSettings, TextsValue<kCookieName, true>>(
        "remove_set", "[]", "Cookies that responses do not get to set.",
        [](auto& c) { return std::tie(c.remove_set); }),
    key<CookiesFilterSettings, TextsValue<kCookieName, true>>(
        "keep", "[]", "Cookies that stay as they are, whatever the other keys say.",
        [](auto& c) { return std::tie(c.keep); }),
    key<CookiesFilterSettings, TextsValue<kCookieName, false>>(
        "harden", R"(["*"])",
        "Cookies of responses that `secure`, `http_only` and `same_site` are for.",
        [](auto& c) { return std::tie(c.harden); }),
    key<CookiesFilterSettings, FlagValue>(
        "secure", "false", "They get `Secure`. Clients that do not come by TLS will not keep them.",
        [](auto& c) { return std::tie(c.secure); }),
    key<CookiesFilterSettings, FlagValue>("http_only", "false",
                                          "They get `HttpOnly`: scripts cannot read them.",
                                          [](auto& c) { return std::tie(c.http_only); }),
    key<CookiesFilterSettings, ChoiceValue<kSameSites>>(
        "same_site", R"("keep")", "They get that `SameSite`; with `\"none\"` `Secure`, too.",
        [](auto& c) { return std::tie(c.same_site); }),
};

void check_cookies(const toml::table& table, Report& report, const CookiesFilterSettings& cookies) {
  const bool hardens = cookies.secure || cookies.http_only || cookies.same_site != SameSite::keep;
  if (!hardens && cookies.remove.empty() && cookies.remove_set.empty()) {
    report.error(
        place_of(table),
        "this changes nothing: give it remove, remove_set, secure, http_only or same_site");
  } else if (!hardens && table.contains("harden")) {
    report.warning(place_in(table, "harden"),
                   "harden counts only with secure, http_only or same_site");
  }
}

constexpr std::array kReferers{
    std::pair{std::string_view("keep"), RefererPolicy::keep},
    std::pair{std::string_view("remove"), RefererPolicy::remove},
    std::pair{std::string_view("origin"), RefererPolicy::origin},
    std::pair{std::string_view("same_origin"), RefererPolicy::same_origin},
};

constexpr std::array kPrivacyKeys{
    key<PrivacyFilterSettings, ChoiceValue<kReferers>>(
        "referer", R"("origin")",
        "`\"origin\"`: other origins than that of the page learn only its scheme and host, and "
        "nothing where it came by https and the request does not. `\"same_origin\"`: they learn "
        "nothing. `\"remove\"`: nobody does. `\"keep\"`: it stays as it is.",
        [](auto& p) { return std::tie(p.referer); }),
    key<PrivacyFilterSettings, OptionalTextValue<kUserAgent>>(
        "user_agent", R"("")", "The `User-Agent` of all requests; when left out the client's own.",
        [](auto& p) { return std::tie(p.user_agent); }),
    key<PrivacyFilterSettings, FlagValue>("do_not_track", "true",
                                          "Requests say `DNT: 1` and `Sec-GPC: 1`.",
                                          [](auto& p) { return std::tie(p.do_not_track); }),
    key<PrivacyFilterSettings, FlagValue>(
        "hide_client", "true",
        "Fields in which proxies and networks name the client are removed: `X-Forwarded-For`, "
        "`Forwarded`, `X-Real-IP`, `From` and the like.",
        [](auto& p) { return std::tie(p.forwarding); }),
    key<PrivacyFilterSettings, FlagValue>(
        "third_party_cookies", "true",
        "Cookies are sent to, and set by, servers whose content stands in pages of another site.",
        [](auto& p) { return std::tie(p.third_party_cookies); }),
};

}  // namespace

constexpr Section<RewriteFilterSettings> kFilterRewrite{.name = "filter.rewrite",
                                                        .title = "[filter.rewrite]",
                                                        .keys = kRewriteKeys,
                                                        .check = &check_rewrite};
constexpr Section<RedirectFilterSettings> kFilterRedirect{.name = "filter.redirect",
                                                          .title = "[filter.redirect]",
                                                          .keys = kRedirectKeys,
                                                          .check = &check_redirect};
constexpr Section<CookiesFilterSettings> kFilterCookies{.name = "filter.cookies",
                                                        .title = "[filter.cookies]",
                                                        .keys = kCookiesKeys,
                                                        .check = &check_cookies};
constexpr Section<PrivacyFilterSettings> kFilterPrivacy{
    .name = "filter.privacy", .title = "[filter.privacy]", .keys = kPrivacyKeys};

}  // namespace penstock::config

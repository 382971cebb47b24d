// What the filters that are built in do: the tables of a [[filter]].
#include <array>

#include "config/field_rules.h"
#include "config/match_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::array kFieldsKeys{
    table_key<FieldsFilterSettings, kFilterRequestEdits>(
        "request", "Changes to requests; see `[filter.fields.request]`.",
        [](auto& f) { return std::tie(f.request); }),
    table_key<FieldsFilterSettings, kFilterResponseEdits>(
        "response", "Changes to responses; see `[filter.fields.response]`.",
        [](auto& f) { return std::tie(f.response); }),
};

void check_fields(const toml::table& table, Report& report, const FieldsFilterSettings& fields) {
  if (!fields.request.empty() || !fields.response.empty()) return;
  report.error(place_of(table), "this changes nothing: give it request or response");
}

constexpr TextRule kContentType{.type = "content type", .plural = {}, .check = &check_content_type};
constexpr TextRule kText{.type = "text", .plural = {}, .check = &check_variables};

constexpr std::array kAnswerKeys{
    key<AnswerFilterSettings, CountValue<200, 599>>("status", "403", "The status of the response.",
                                                    [](auto& a) { return std::tie(a.status); }),
    key<AnswerFilterSettings, TextValue<kContentType>>(
        "type", R"("text/plain; charset=utf-8")",
        "The `Content-Type` of its content. Into HTML variables are put so that they stay text.",
        [](auto& a) { return std::tie(a.type); }),
    key<AnswerFilterSettings, TextValue<kText>>("content", R"("")",
                                                "The content. It may have variables.",
                                                [](auto& a) { return std::tie(a.content); }),
    key<AnswerFilterSettings, FieldLinesValue<true>>(
        "fields", "{}", "Header fields of the response. Their values may have variables.",
        [](auto& a) { return std::tie(a.fields); }),
};

void check_answer(const toml::table& table, Report& report, const AnswerFilterSettings& answer) {
  if (answer.content.empty()) return;
  if (answer.status != 204 && answer.status != 205 && answer.status != 304) return;
  report.error(place_in(table, "content"),
               fmt::format("a response of status {} has no content", answer.status));
}

}  // namespace

constexpr Section<FieldsFilterSettings> kFilterFields{.name = "filter.fields",
                                                      .title = "[filter.fields]",
                                                      .keys = kFieldsKeys,
                                                      .check = &check_fields};
constexpr Section<AnswerFilterSettings> kFilterAnswer{.name = "filter.answer",
                                                      .title = "[filter.answer]",
                                                      .keys = kAnswerKeys,
                                                      .check = &check_answer};

}  // namespace penstock::config

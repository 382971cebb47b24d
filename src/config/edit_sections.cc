// Edits of header fields, of routes and filters.
#include <array>

#include "config/field_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr TextRule kEditedField{
    .type = "field name", .plural = "field names", .check = &check_edited_field};

constexpr std::array kEditKeys{
    key<FieldEdits, TextsValue<kEditedField, true>>("remove", "[]", "Fields to take out.",
                                                    [](auto& e) { return std::tie(e.remove); }),
    key<FieldEdits, FieldLinesValue<false>>(
        "set", "{}", "Fields to put in place of all lines of that name, or where there is none.",
        [](auto& e) { return std::tie(e.set); }),
    key<FieldEdits, FieldLinesValue<true>>(
        "add", "{}", "Lines to add to those there are. A list adds several lines of one name.",
        [](auto& e) { return std::tie(e.add); }),
};

constexpr Section<FieldEdits> edits_of(std::string_view name, std::string_view title) {
  return {.name = name, .title = title, .keys = kEditKeys};
}

}  // namespace

constexpr Section<FieldEdits> kRequestEdits = edits_of("route.request", "[route.request]");
constexpr Section<FieldEdits> kResponseEdits = edits_of("route.response", "[route.response]");
constexpr Section<FieldEdits> kFilterRequestEdits =
    edits_of("filter.fields.request", "[filter.fields.request]");
constexpr Section<FieldEdits> kFilterResponseEdits =
    edits_of("filter.fields.response", "[filter.fields.response]");

}  // namespace penstock::config

#include "adapt/content_fields.h"

#include <algorithm>

#include "message/match.h"
#include "message/status.h"

namespace penstock {
namespace {

bool is_strong_tag(std::string_view tag) { return tag.starts_with('"'); }

void weaken_tag(FieldSection& fields) {
  const std::string_view tag = fields.value(FieldId::etag);
  if (is_strong_tag(tag)) fields.set(FieldId::etag, fields.arena().join("W/", tag));
}

}  // namespace

bool forbids_transform(const FieldSection& fields) {
  bool forbidden = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::cache_control) continue;
    for_each_element(field.value, [&forbidden](std::string_view directive) {
      forbidden = forbidden || equals_ignoring_case(directive, "no-transform");
    });
  }
  return forbidden;
}

bool may_change_content(const AdaptedMessage& message) {
  const ResponseHead* const response = message.response();
  if (response != nullptr) {
    if (response->status == 206 || response->status == 205 || never_has_content(response->status)) {
      return false;
    }
    if (!message.has_content() && message.request().method != Method::head) return false;
    if (forbids_transform(response->fields)) return false;
  } else if (!message.has_content()) {
    return false;
  }
  if (message.fields().find("Content-Range") != nullptr) return false;
  return !forbids_transform(message.request().fields);
}

bool has_type_in(const FieldSection& fields, std::span<const std::string> ranges) {
  const std::string_view type = media_type_of(fields.value(FieldId::content_type));
  return !type.empty() && std::ranges::any_of(ranges, [type](std::string_view range) {
    return media_range_contains(range, type);
  });
}

void note_changed_content(FieldSection& fields) {
  for (const std::string_view name : kDigestFields) fields.remove(name);
  fields.remove("Accept-Ranges");
  weaken_tag(fields);
}

void note_changed_trailers(FieldSection* trailers) {
  if (trailers == nullptr) return;
  withhold_fields(trailers, kDigestFields);
  weaken_tag(*trailers);
}

bool weaken_as_asked(const AdaptedMessage& message) {
  FieldSection& fields = message.fields();
  const std::string_view tag = fields.value(FieldId::etag);
  if (message.response()->status != 304 || !is_strong_tag(tag)) return false;
  bool asked = false;
  for (const Field& field : message.request().fields) {
    if (field.id != FieldId::if_none_match) continue;
    for_each_element(field.value, [&asked, tag](std::string_view element) {
      asked = asked || (element.starts_with("W/") && element.substr(2) == tag);
    });
  }
  if (asked) fields.set(FieldId::etag, fields.arena().join("W/", tag));
  return asked;
}

void add_to_vary(FieldSection& fields, std::string_view name) {
  bool there = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::vary) continue;
    for_each_element(field.value, [&there, name](std::string_view element) {
      there = there || element == "*" || equals_ignoring_case(element, name);
    });
  }
  if (!there) fields.add(FieldId::vary, name);
}

}  // namespace penstock

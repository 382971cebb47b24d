#include "cache/rfc9111/conditions.h"

#include <algorithm>
#include <string>

#include "message/date.h"
#include "message/status.h"

namespace penstock::rfc9111 {
namespace {

std::vector<Field> take(FieldSection& fields, FieldId a, FieldId b) {
  std::vector<Field> taken;
  for (const Field& field : fields) {
    if (field.id == a || field.id == b) taken.push_back(field);
  }
  fields.remove(a);
  fields.remove(b);
  return taken;
}

bool none_match_names(const FieldSection& request, const std::optional<EntityTag>& stored) {
  return std::ranges::any_of(request, [&](const Field& field) {
    if (field.id != FieldId::if_none_match) return false;
    return stored ? any_matches_weakly(field.value, *stored) : field.value == "*";
  });
}

ConditionVerdict evaluate_for_client(const FieldSection& request, const ConditionTarget& stored) {
  using enum Precondition;
  if (request.has(FieldId::if_none_match)) {
    const bool matches = none_match_names(request, stored.validators.etag);
    return {.verdict = matches ? not_modified : full, .reason = ConditionReason::if_none_match};
  }
  if (request.count(FieldId::if_modified_since) != 1) return {};
  const auto since = parse_http_date(request.value(FieldId::if_modified_since));
  if (!since) return {};
  const Validators& validators = stored.validators;
  const auto modified =
      validators.last_modified.value_or(validators.date.value_or(stored.received));
  return {.verdict = modified <= *since ? not_modified : full,
          .reason = ConditionReason::if_modified_since};
}

// The tags of one If-None-Match, each once.
class TagList {
 public:
  void add(const EntityTag& tag) {
    if (count_ == kMaxSentTags || text_.size() + tag.text.size() + 2 > kMaxSentTagText) return;
    for (std::string_view rest = text_; const auto one = next_entity_tag(rest);) {
      if (one->text == tag.text) return;
    }
    if (!text_.empty()) text_ += ", ";
    text_ += tag.text;
    ++count_;
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
  std::size_t count_ = 0;
};

std::string tags_to_send(std::span<const Validators> stored, std::string_view client_tags) {
  const Validators& first = stored.front();
  // If-Modified-Since, all that the first one has, would be ignored beside tags.
  if (!first.etag && first.last_modified) return {};
  // It might make the others unreadable.
  if (first.etag && !first.etag->well_formed()) return std::string(first.etag->text);
  TagList list;
  for (const Validators& one : stored) {
    if (one.etag && one.etag->well_formed()) list.add(*one.etag);
  }
  if (list.text().empty()) return {};
  while (const auto tag = next_entity_tag(client_tags)) {
    if (tag->well_formed()) list.add(*tag);
  }
  return list.text();
}

}  // namespace

std::string_view to_string(ConditionReason reason) {
  switch (reason) {
    case ConditionReason::none:
      return "none";
    case ConditionReason::if_match:
      return "if-match";
    case ConditionReason::if_unmodified_since:
      return "if-unmodified-since";
    case ConditionReason::if_none_match:
      return "if-none-match";
    case ConditionReason::if_modified_since:
      return "if-modified-since";
  }
  return {};
}

ConditionVerdict evaluate_conditions(const RequestHead& request, const ConditionTarget& stored) {
  const FieldSection& fields = request.fields;
  if (fields.has(FieldId::if_match)) {
    return {.verdict = Precondition::forward, .reason = ConditionReason::if_match};
  }
  if (fields.has(FieldId::if_unmodified_since)) {
    return {.verdict = Precondition::forward, .reason = ConditionReason::if_unmodified_since};
  }
  if (request.method != Method::get && request.method != Method::head) return {};
  if (stored.status != 200 && stored.status != 206) return {};
  ConditionVerdict verdict = evaluate_for_client(fields, stored);
  if (verdict.verdict == Precondition::full) {
    verdict.ignore_range = !range_applies(fields, stored.validators);
  }
  return verdict;
}

bool range_applies(const FieldSection& request, const Validators& stored) {
  const std::size_t lines = request.count(FieldId::if_range);
  if (lines == 0) return true;
  if (lines > 1) return false;
  const std::string_view value = request.value(FieldId::if_range);
  if (const auto tag = parse_entity_tag(value); tag && tag->well_formed()) {
    return stored.etag && matches_strongly(*tag, *stored.etag);
  }
  const auto date = parse_http_date(value);
  return date && stored.strong_last_modified() && *date == stored.last_modified;
}

bool has_origin_conditions(const FieldSection& request) {
  return request.has(FieldId::if_match) || request.has(FieldId::if_unmodified_since);
}

std::vector<Field> take_conditions(FieldSection& request) {
  return take(request, FieldId::if_none_match, FieldId::if_modified_since);
}

std::vector<Field> take_range(FieldSection& request) {
  return take(request, FieldId::range, FieldId::if_range);
}

void put_back(FieldSection& request, std::span<const Field> taken) {
  for (const Field& field : taken) request.add(field.id, field.name, field.value);
}

bool write_validation(FieldSection& request, std::span<const Validators> stored,
                      std::string_view client_tags) {
  if (stored.empty()) return false;
  const std::string tags = tags_to_send(stored, client_tags);
  const Validators& first = stored.front();
  if (tags.empty() && !first.last_modified) return false;
  request.remove(FieldId::if_none_match);
  request.remove(FieldId::if_modified_since);
  if (!tags.empty()) request.add(FieldId::if_none_match, request.keep(tags));
  if (first.last_modified) {
    request.add(FieldId::if_modified_since, request.keep(first.last_modified_text));
  }
  return true;
}

bool is_in_not_modified(const Field& field, bool has_etag) {
  switch (field.id) {
    case FieldId::cache_control:
    case FieldId::date:
    case FieldId::etag:
    case FieldId::expires:
    case FieldId::vary:
      return true;
    case FieldId::last_modified:
      return !has_etag;
    default:
      return equals_ignoring_case(field.name, "Content-Location") ||
             equals_ignoring_case(field.name, "CDN-Cache-Control");
  }
}

void make_not_modified(const FieldSection& stored, ResponseHead& out) {
  out.status = 304;
  out.reason = reason_phrase(304);
  out.fields.clear();
  const bool has_etag = stored.has(FieldId::etag);
  for (const Field& field : stored) {
    if (is_in_not_modified(field, has_etag)) out.fields.add(field.id, field.name, field.value);
  }
}

}  // namespace penstock::rfc9111

#include "cache/rfc9111/validators.h"

#include <algorithm>

#include "message/characters.h"
#include "message/date.h"

namespace penstock::rfc9111 {
namespace {

// etagc (RFC 9110 section 8.8.3): also what is not ASCII, but no quote, space or control.
bool is_tag_char(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return octet > 0x20 && octet != '"' && octet != 0x7f;
}

bool is_opaque_tag(std::string_view text) {
  return text.size() >= 2 && text.front() == '"' && text.back() == '"' &&
         std::ranges::all_of(text.substr(1, text.size() - 2), is_tag_char);
}

// The size of the list's first element: up to a comma outside of quotes.
std::size_t element_size(std::string_view list) {
  bool quoted = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (list[i] == '"') quoted = !quoted;
    if (list[i] == ',' && !quoted) return i;
  }
  return list.size();
}

bool has_space_outside_quotes(std::string_view text) {
  bool quoted = false;
  return std::ranges::any_of(text, [&](char c) {
    if (c == '"') quoted = !quoted;
    return is_whitespace(c) && !quoted;
  });
}

// One value for several lines that all have the same; false where two differ.
bool take_value(std::string_view& value, bool& present, std::string_view line) {
  if (present && line != value) return false;
  value = line;
  present = true;
  return true;
}

}  // namespace

std::optional<EntityTag> parse_entity_tag(std::string_view text) {
  if (text.empty() || text == "*") return std::nullopt;
  const bool weak = text.starts_with("W/");
  const std::string_view opaque = weak ? text.substr(2) : text;
  if (is_opaque_tag(opaque)) return EntityTag{.text = text, .opaque = opaque, .weak = weak};
  if (has_space_outside_quotes(text) || element_size(text) < text.size()) return std::nullopt;
  return EntityTag{.text = text, .opaque = {}, .weak = true};
}

bool matches_strongly(const EntityTag& a, const EntityTag& b) {
  return a.strong() && b.strong() && a.opaque == b.opaque;
}

bool matches_weakly(const EntityTag& a, const EntityTag& b) {
  if (a.well_formed() && b.well_formed()) return a.opaque == b.opaque;
  return a.text == b.text;
}

std::optional<EntityTag> next_entity_tag(std::string_view& list) {
  while (!list.empty()) {
    const std::size_t size = element_size(list);
    const std::string_view element = trim_whitespace(list.substr(0, size));
    list.remove_prefix(std::min(size + 1, list.size()));
    if (element.empty()) continue;
    return parse_entity_tag(element).value_or(
        EntityTag{.text = element, .opaque = {}, .weak = true});
  }
  return std::nullopt;
}

bool any_matches_weakly(std::string_view list, const EntityTag& tag) {
  if (trim_whitespace(list) == "*") return true;
  while (const auto one = next_entity_tag(list)) {
    if (matches_weakly(*one, tag)) return true;
  }
  return false;
}

bool Validators::strong_last_modified() const {
  return last_modified && date && *date >= *last_modified + kStrongDateGap;
}

bool Validators::strong() const { return etag ? etag->strong() : strong_last_modified(); }

Validators validators_of(const FieldSection& response) {
  std::string_view etag;
  Validators validators;
  bool has_etag = false;
  bool has_last_modified = false;
  bool one_etag = true;
  bool one_date = true;
  for (const Field& field : response) {
    if (field.id == FieldId::etag) {
      one_etag = take_value(etag, has_etag, field.value) && one_etag;
    } else if (field.id == FieldId::last_modified) {
      one_date =
          take_value(validators.last_modified_text, has_last_modified, field.value) && one_date;
    }
  }
  if (one_etag) validators.etag = parse_entity_tag(etag);
  if (one_date) validators.last_modified = parse_http_date(validators.last_modified_text);
  if (!validators.last_modified) validators.last_modified_text = {};
  validators.date = parse_http_date(response.value(FieldId::date));
  return validators;
}

bool same_strong_validator(const Validators& a, const Validators& b) {
  if (a.etag || b.etag) return a.etag && b.etag && matches_strongly(*a.etag, *b.etag);
  return a.strong_last_modified() && b.strong_last_modified() && a.last_modified == b.last_modified;
}

}  // namespace penstock::rfc9111

#include "message/hop.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "message/characters.h"

namespace penstock {
namespace {

constexpr std::size_t kNominations = 32;

// The fields outside the table that Connection names.
struct Nominations {
  std::array<std::string_view, kNominations> names;
  std::size_t size = 0;
  bool too_many = false;

  void add(std::string_view name) {
    if (field_id(name) != FieldId::other) return;
    if (size == names.size()) {
      too_many = true;
    } else {
      names[size++] = name;
    }
  }
  [[nodiscard]] bool contains(std::string_view name) const {
    return too_many || std::ranges::any_of(std::span(names).first(size), [name](auto nominated) {
             return equals_ignoring_case(nominated, name);
           });
  }
};

}  // namespace

void remove_hop_by_hop(FieldSection& fields, const ConnectionOptions& options) {
  if (!options.has_others) {
    fields.remove_if([](const Field& field) { return is_hop_by_hop(field.id); });
    return;
  }
  Nominations nominations;
  for (const Field& field : fields) {
    if (field.id != FieldId::connection) continue;
    for_each_element(field.value, [&](std::string_view name) { nominations.add(name); });
  }
  fields.remove_if([&](const Field& field) {
    return field.id == FieldId::other ? nominations.contains(field.name) : is_hop_by_hop(field.id);
  });
}

void append_via(FieldSection& fields, Version received, std::string_view pseudonym) {
  constexpr std::array<std::string_view, 3> kProtocols{"1.0 ", "1.1 ", "2 "};
  const std::string_view protocol = kProtocols[static_cast<std::size_t>(received)];
  fields.add(FieldId::via, fields.arena().join(protocol, pseudonym));
}

bool via_names(const FieldSection& fields, std::string_view pseudonym) {
  if (!fields.has(FieldId::via)) return false;
  bool found = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::via) continue;
    for_each_element(field.value, [&](std::string_view element) {
      // received-protocol RWS received-by [ RWS comment ]
      const std::size_t space = element.find_first_of(" \t");
      if (space == std::string_view::npos) return;
      const std::string_view by = trim_whitespace(element.substr(space));
      if (equals_ignoring_case(by.substr(0, by.find_first_of(" \t(")), pseudonym)) found = true;
    });
  }
  return found;
}

bool accepts_trailers(const FieldSection& fields) {
  if (!fields.has(FieldId::te)) return false;
  bool found = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::te) continue;
    for_each_element(field.value, [&](std::string_view element) {
      if (equals_ignoring_case(element, "trailers")) found = true;
    });
  }
  return found;
}

}  // namespace penstock

#include "adapt/field_edits.h"

#include <algorithm>

namespace penstock {

FieldEditor::FieldEditor(const FieldEdits& edits, NameMatch match) : edits_(&edits), match_(match) {
  claimed_.assign(edits.remove.begin(), edits.remove.end());
  for (const auto& [name, value] : edits.set) {
    set_.push_back({name, TextTemplate(value)});
    claimed_.emplace_back(name);
  }
  for (const auto& [name, value] : edits.add) add_.push_back({name, TextTemplate(value)});
}

// Those that are spelled in just this way are left.
void FieldEditor::remove_alike(FieldSection& fields) const {
  fields.remove_if([this](const Field& field) {
    return std::ranges::any_of(claimed_, [&field](std::string_view name) {
      return is_alike(field.name, name) && !equals_ignoring_case(field.name, name);
    });
  });
}

void FieldEditor::apply(const VariableContext& context, FieldSection& fields) const {
  if (match_ == NameMatch::alike && !claimed_.empty()) remove_alike(fields);
  for (const std::string& name : edits_->remove) fields.remove(name);
  for (const Line& line : set_) {
    const std::string_view value = line.value.expand(context, fields.arena());
    if (value.empty() && line.value.has_variables()) {
      fields.remove(line.name);
    } else {
      fields.set(line.name, value);
    }
  }
  for (const Line& line : add_) {
    const std::string_view value = line.value.expand(context, fields.arena());
    if (value.empty() && line.value.has_variables()) continue;
    fields.add(field_id(line.name), line.name, value);
  }
}

}  // namespace penstock

#include "proxy/field_edits.h"

namespace penstock {

FieldEditor::FieldEditor(const FieldEdits& edits) : edits_(&edits) {
  for (const auto& [name, value] : edits.set) set_.push_back({name, TextTemplate(value)});
  for (const auto& [name, value] : edits.add) add_.push_back({name, TextTemplate(value)});
}

void FieldEditor::apply(const VariableContext& context, FieldSection& fields) const {
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

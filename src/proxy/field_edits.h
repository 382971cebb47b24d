// A route's changes to header fields, ready to be made.
#pragma once

#include <string_view>
#include <vector>

#include "message/fields.h"
#include "proxy/settings.h"
#include "proxy/variables.h"

namespace penstock {

class FieldEditor {
 public:
  // The edits must outlive it, and it the messages it has changed.
  explicit FieldEditor(const FieldEdits& edits);

  // Removes, sets and adds. A field whose variables have nothing to say is not set and not added;
  // what a client sent under a name that is set goes all the same.
  void apply(const VariableContext& context, FieldSection& fields) const;
  [[nodiscard]] bool empty() const {
    return edits_->remove.empty() && set_.empty() && add_.empty();
  }

 private:
  struct Line {
    std::string_view name;
    TextTemplate value;
  };
  const FieldEdits* edits_;
  std::vector<Line> set_;
  std::vector<Line> add_;
};

}  // namespace penstock

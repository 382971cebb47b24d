// Changes to header fields, of routes and filters, ready to be made.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "adapt/edit_settings.h"
#include "adapt/variables.h"
#include "message/fields.h"

namespace penstock {

// Which lines a name stands for that is removed or set.
enum class NameMatch : std::uint8_t {
  exact,
  // Those, too, whose names servers may not be able to tell from it (is_alike()): of requests, so
  // that no client can say in another spelling what only the proxy may say.
  alike,
};

class FieldEditor {
 public:
  // The edits must outlive it, and it the messages it has changed.
  explicit FieldEditor(const FieldEdits& edits, NameMatch match = NameMatch::exact);

  // Removes, sets and adds. A field whose variables have nothing to say is not set and not added;
  // what a client sent under a name that is set goes all the same.
  void apply(const VariableContext& context, FieldSection& fields) const;
  // What is removed or set: clients have no say in these, in trailers neither.
  [[nodiscard]] std::span<const std::string_view> claimed() const { return claimed_; }
  [[nodiscard]] bool empty() const {
    return edits_->remove.empty() && set_.empty() && add_.empty();
  }

 private:
  struct Line {
    std::string_view name;
    TextTemplate value;
  };
  void remove_alike(FieldSection& fields) const;

  const FieldEdits* edits_;
  NameMatch match_;
  std::vector<std::string_view> claimed_;
  std::vector<Line> set_;
  std::vector<Line> add_;
};

}  // namespace penstock

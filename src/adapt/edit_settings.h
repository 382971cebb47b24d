// What can be said about changes to header fields.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace penstock {

// Changes to a field section, applied in this order: remove, set (replaces all lines), add. Values
// may have variables.
struct FieldEdits {
  std::vector<std::string> remove;
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::pair<std::string, std::string>> add;
  [[nodiscard]] bool empty() const { return remove.empty() && set.empty() && add.empty(); }
};

}  // namespace penstock

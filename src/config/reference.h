// All keys of the file as the reference in docs/configuration.md lists them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::config {

struct KeyReference {
  std::string_view table;  // "[limits]", as written in the file
  std::string_view name;
  std::string type;
  std::string_view standard;  // the default as written in the file; empty: must be given
  std::string built_in;       // the same as the Settings structs have it; empty: must be given
  std::string_view meaning;
};

// Table by table, in the order of the documentation.
[[nodiscard]] std::vector<KeyReference> reference();

// The key's row of a Markdown table: key, type, default, meaning.
[[nodiscard]] std::string markdown_row(const KeyReference& key);

}  // namespace penstock::config

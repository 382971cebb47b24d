// The TOML library, as the compiled one, and places in its terms. Only for this room's own files:
// what the room offers to others does not show it.
#pragma once

#include <string_view>
#include <vector>

#ifndef TOML_HEADER_ONLY
#define TOML_HEADER_ONLY 0
#endif
#include <toml++/toml.h>

#include "config/diagnostic.h"

namespace penstock::config {

[[nodiscard]] inline Place place_of(const toml::source_region& source) {
  return {.line = source.begin.line, .column = source.begin.column};
}
[[nodiscard]] inline Place place_of(const toml::node& node) { return place_of(node.source()); }
[[nodiscard]] inline Place place_of(const toml::key& key) { return place_of(key.source()); }
// A place to point at for a key that may be missing: its value's, else the table's.
[[nodiscard]] inline Place place_in(const toml::table& table, std::string_view key) {
  const toml::node* const node = table.get(key);
  return node != nullptr ? place_of(*node) : place_of(table);
}

// A key and its value; both belong to the table.
struct Entry {
  const toml::key* name;
  const toml::node* value;
};
// The library sorts a table by name; this is the order of the file.
[[nodiscard]] std::vector<Entry> in_file_order(const toml::table& table);

// "an integer", "a table": what a node is, for messages.
[[nodiscard]] std::string_view kind_of(const toml::node& node);

}  // namespace penstock::config

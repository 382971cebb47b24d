// The TOML library, as the compiled one, and places in its terms. Only for this room's own files:
// what the room offers to others does not show it.
#pragma once

#include <string_view>

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

// "an integer", "a table": what a node is, for messages.
[[nodiscard]] std::string_view kind_of(const toml::node& node);

}  // namespace penstock::config

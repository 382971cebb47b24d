// Defaults of settings, which modules write as they would stand in the file.
#pragma once

#include <optional>
#include <string_view>

#include "module/settings.h"

namespace penstock {

// `"text"`, `'text'`, `-5`, `0.5`, `true`, `["a", "b"]`: of TOML what a module may need for that.
// Tables are not among it, and neither are underscores and other bases in numbers. Nothing for what
// is none of these.
[[nodiscard]] std::optional<ModuleValue> parse_literal(std::string_view text);

}  // namespace penstock

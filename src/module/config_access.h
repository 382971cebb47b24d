// The functions of struct penstock_api that give a module its settings, under the names they have
// there.
#pragma once

#include <cstddef>
#include <cstdint>

#include "module/schema.h"
#include "penstock/module.h"

namespace penstock {

// Asking for a setting that is not declared, or as another type than it has, gives nothing and is
// one of the config's problems: a mistake of the module's author, who is thus told.
penstock_str setting_text(const penstock_config* config, const char* name);
std::int64_t setting_integer(const penstock_config* config, const char* name);
double setting_number(const penstock_config* config, const char* name);
std::size_t setting_count(const penstock_config* config, const char* name);
penstock_str setting_text_at(const penstock_config* config, const char* name, std::size_t index);
const penstock_config* setting_table_at(const penstock_config* config, const char* name,
                                        std::size_t index);
// Appends to the config's problems, with the place of the setting.
void setting_error(const penstock_config* config, const char* name, const char* text);

}  // namespace penstock

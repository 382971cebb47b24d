// The functions of the module interface that take an instance: services and the cache.
#pragma once

#include "penstock/module.h"

namespace penstock {

// Fills them in.
void add_instance_functions(penstock_api& api);

}  // namespace penstock

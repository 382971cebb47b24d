#include "app/version.h"

namespace penstock {

std::string_view version() { return PENSTOCK_PRODUCT_VERSION; }

}  // namespace penstock

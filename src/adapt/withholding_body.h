// Keeping trailer fields from being passed on.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "adapt/filter.h"

namespace penstock {

// From here on the message has no trailer fields of these names, nor of names that servers may take
// for them (is_alike()). The names must outlive the transaction. Content whose framing cannot have
// trailers is left as it is.
void withhold_trailers(AdaptedMessage& message, std::span<const std::string_view> names);

// Removes those of the section, if there is one.
void withhold_fields(FieldSection* trailers, std::span<const std::string_view> names);

}  // namespace penstock

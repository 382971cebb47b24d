// Cache groups (RFC 9875): responses of one origin that become invalid together.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "message/fields.h"

namespace penstock::rfc9111 {

// Bounds of what is read of one message; the RFC asks for no less than 32 of 32 characters. Groups
// beyond these are left out.
inline constexpr std::size_t kMaxGroups = 128;
inline constexpr std::size_t kMaxGroupLength = 256;

// The groups a response belongs to (Cache-Groups, section 2). Groups are compared byte by byte, and
// only within one origin. Empty where the field cannot be read: it is ignored as a whole then.
// Members that are no strings are passed over, as are parameters. Each group comes once.
[[nodiscard]] std::vector<std::string> groups_of(const FieldSection& response);

// The groups that an answer invalidates (Cache-Group-Invalidation, section 3), of the origin that
// answered. None for a method that is known to be safe: there it has to be ignored. Read as above.
// What is invalidated by a group invalidates no further groups it is in (section 2.2.1).
[[nodiscard]] std::vector<std::string> invalidated_groups(std::string_view method,
                                                          const FieldSection& answer);

}  // namespace penstock::rfc9111

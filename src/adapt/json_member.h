// Reading the lines of the JSON access log again.
#pragma once

#include <string>
#include <string_view>

namespace penstock {

// The value of a member of a JSON object as the access log writes it: without blanks, and what has
// members of its own comes last. Texts without their quotes and escapes. False: there is no member
// of that name.
[[nodiscard]] bool find_json_member(std::string_view line, std::string_view name,
                                    std::string& value);

}  // namespace penstock

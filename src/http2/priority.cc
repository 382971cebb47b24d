#include "http2/priority.h"

#include "message/fields.h"

namespace penstock::http2 {

Priority parse_priority(std::string_view value) {
  Priority priority;
  for_each_element(value, [&priority](std::string_view member) {
    member = member.substr(0, member.find(';'));
    if (member.size() == 3 && member.starts_with("u=") && member[2] >= '0' && member[2] <= '7') {
      priority.urgency = static_cast<std::uint32_t>(member[2] - '0');
    } else if (member == "i" || member == "i=?1") {
      priority.incremental = true;
    } else if (member == "i=?0") {
      priority.incremental = false;
    }
  });
  return priority;
}

}  // namespace penstock::http2

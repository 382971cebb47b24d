#include "proxy/record_fields.h"

#include "adapt/json_member.h"

namespace penstock {

std::string_view RecordFields::line() const {
  if (line_.empty()) {
    format_access_line(line_, AccessLogFormat::json, *exchange_, *record_, executor_->now(),
                       executor_->wall_now());
  }
  return line_;
}

bool RecordFields::get(std::string_view name, std::string& value) const {
  return find_json_member(line(), name, value);
}

}  // namespace penstock

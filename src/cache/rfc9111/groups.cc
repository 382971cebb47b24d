#include "cache/rfc9111/groups.h"

#include <algorithm>
#include <utility>

#include "cache/rfc9111/invalidation.h"
#include "message/structured.h"

namespace penstock::rfc9111 {
namespace {

std::vector<std::string> strings_of(const FieldSection& fields, std::string_view name) {
  std::vector<std::string> groups;
  const auto take = [&](const structured::Member& member) {
    if (member.is_inner_list || member.item.value.type != structured::Type::string) return;
    if (groups.size() == kMaxGroups) return;
    std::string group = structured::unescaped(member.item.value);
    if (group.size() > kMaxGroupLength) return;
    if (std::ranges::find(groups, group) == groups.end()) groups.push_back(std::move(group));
  };
  static_cast<void>(structured::for_each_member(structured::Kind::list, fields, name, take));
  return groups;
}

}  // namespace

std::vector<std::string> groups_of(const FieldSection& response) {
  return strings_of(response, "Cache-Groups");
}

std::vector<std::string> invalidated_groups(std::string_view method, const FieldSection& answer) {
  if (is_known_safe(method)) return {};
  return strings_of(answer, "Cache-Group-Invalidation");
}

}  // namespace penstock::rfc9111

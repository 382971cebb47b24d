// The keys that are conditions of [[filter]], of its table `unless`, where they except from it, and
// of [[cache_rule]].
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adapt/settings.h"
#include "config/field_rules.h"
#include "config/key.h"
#include "config/match_rules.h"
#include "config/values.h"

namespace penstock::config {

inline constexpr TextRule kListenerName{
    .type = "name of a listener", .plural = "names of listeners", .check = &check_named_listener};
inline constexpr TextRule kRouteName{
    .type = "name of a route", .plural = "names of routes", .check = &check_named_route};
inline constexpr TextRule kHostPattern{.type = "host name or pattern",
                                       .plural = "host names or patterns",
                                       .check = &check_host_pattern};
inline constexpr TextRule kPathPrefix{
    .type = "path prefix", .plural = "path prefixes", .check = &check_path_prefix};
inline constexpr TextRule kMethod{.type = "method", .plural = "methods", .check = &check_method};
inline constexpr TextRule kNetwork{
    .type = "network", .plural = "networks", .check = &check_network};
inline constexpr TextRule kStatus{
    .type = "status", .plural = "statuses", .check = &check_status_range};
inline constexpr TextRule kMediaRange{
    .type = "content type", .plural = "content types", .check = &check_media_range};
inline constexpr TextRule kUser{
    .type = "user name or pattern", .plural = "user names or patterns", .check = &check_given_name};
inline constexpr FieldLinesRule kNotedFields{.check_name = &check_icap_field,
                                             .check_value = &check_plain_value};

// Status codes may stand without quotes.
struct StatusesOrRanges {
  static std::string type() { return OneOrMoreTextsValue<kStatus>::type(); }
  static std::optional<std::vector<std::string>> read(const toml::node& node, Report& report) {
    std::vector<std::string> out;
    const toml::array* const list = node.as_array();
    if (list == nullptr) {
      read_one(node, report, out);
    } else if (list->empty()) {
      report.error(place_of(node), "expected at least one status");
    } else {
      for (const toml::node& element : *list) read_one(element, report, out);
    }
    return out;
  }
  static std::string show(const std::vector<std::string>& value) {
    return OneOrMoreTextsValue<kStatus>::show(value);
  }

 private:
  static void read_one(const toml::node& node, Report& report, std::vector<std::string>& out) {
    if (node.is_integer()) {
      if (auto code = read_count(node, report, 100, 599)) out.push_back(std::to_string(*code));
    } else if (auto text = read_checked(node, report, kStatus)) {
      out.push_back(std::move(*text));
    }
  }
};

inline constexpr std::array kConditionKeys{
    key<FilterConditions, OneOrMoreTextsValue<kListenerName>>(
        "listener", "[]", "Clients of that `[[listener]]`.",
        [](auto& c) { return std::tie(c.listeners); }),
    key<FilterConditions, OneOrMoreTextsValue<kRouteName>>(
        "route", "[]", "Requests that take the `[[route]]` of that name.",
        [](auto& c) { return std::tie(c.routes); }),
    key<FilterConditions, OneOrMoreTextsValue<kHostPattern>>(
        "host", "[]", "Requests for that host, without a port; as the `host` of a route.",
        [](auto& c) { return std::tie(c.hosts); }),
    key<FilterConditions, OneOrMoreTextsValue<kPathPrefix>>(
        "path", "[]", "Requests whose path begins so, in whole segments.",
        [](auto& c) { return std::tie(c.paths); }),
    key<FilterConditions, OneOrMoreTextsValue<kMethod>>(
        "method", "[]", "Requests of that method.", [](auto& c) { return std::tie(c.methods); }),
    key<FilterConditions, OneOrMoreTextsValue<kNetwork>>(
        "client", "[]", "Clients in that network, such as `\"192.0.2.0/24\"` or `\"unix\"`.",
        [](auto& c) { return std::tie(c.clients); }),
    key<FilterConditions, StatusesOrRanges>(
        "status", "[]", "Responses of that status: `404`, `\"5xx\"` or `\"200-299\"`.",
        [](auto& c) { return std::tie(c.statuses); }),
    key<FilterConditions, OneOrMoreTextsValue<kMediaRange>>(
        "content_type", "[]", "Responses of that type: `\"text/html\"`, `\"text/*\"`.",
        [](auto& c) { return std::tie(c.content_types); }),
    key<FilterConditions, OneOrMoreTextsValue<kUser>>(
        "user", "[]",
        "Clients that say that they are this user (`Proxy-Authorization`, Basic), which nobody has "
        "checked; `*` stands for any text.",
        [](auto& c) { return std::tie(c.users); }),
    key<FilterConditions, UnlimitedSizeValue>(
        "size_over", R"("unlimited")",
        "Messages of which it is known beforehand that they have more content than that.",
        [](auto& c) { return std::tie(c.size_over); }),
    key<FilterConditions, FieldLinesValue<true, kNotedFields>>(
        "noted", "{}",
        "Messages of transactions in which an ICAP service has answered with one of these fields; "
        "see "
        "`note` in `[icap.NAME]`. In values `*` stands for any text.",
        [](auto& c) { return std::tie(c.noted); }),
};

// The same keys in a table that has conditions beside other keys: a filter, a rule of the cache.
template <std::size_t kIndex, class Owner = FilterSettings>
constexpr Key<Owner> condition_key() {
  constexpr const Key<FilterConditions>& kKey = kConditionKeys[kIndex];
  return {.name = kKey.name,
          .standard = kKey.standard,
          .meaning = kKey.meaning,
          .type = kKey.type,
          .read = [](const toml::node& node, Report& report,
                     Owner& owner) { kConditionKeys[kIndex].read(node, report, owner.conditions); },
          .show = [](const Owner& owner) { return kConditionKeys[kIndex].show(owner.conditions); }};
}

}  // namespace penstock::config

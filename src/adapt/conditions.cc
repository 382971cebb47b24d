#include "adapt/conditions.h"

#include <algorithm>

#include "base/check.h"

namespace penstock {
namespace {

bool has(const std::vector<std::string>& texts, std::string_view wanted) {
  return std::ranges::find(texts, wanted) != texts.end();
}

}  // namespace

Conditions::Conditions(const FilterConditions& conditions)
    : listeners_(conditions.listeners),
      routes_(conditions.routes),
      hosts_(conditions.hosts.begin(), conditions.hosts.end()),
      paths_(conditions.paths),
      methods_(conditions.methods),
      of_request_(!conditions.listeners.empty() || !conditions.routes.empty() ||
                  !conditions.hosts.empty() || !conditions.paths.empty() ||
                  !conditions.methods.empty() || !conditions.clients.empty()),
      content_types_(conditions.content_types) {
  PENSTOCK_CHECK(clients_.add(conditions.clients) == nullptr);
  for (const std::string& text : conditions.statuses) {
    const auto range = StatusRange::parse(text);
    PENSTOCK_CHECK(range.has_value());
    statuses_.push_back(*range);
  }
}

bool Conditions::matches_request(const ClientInfo& client, std::string_view route,
                                 std::string_view host, std::string_view path_and_query,
                                 std::string_view method) const {
  if (!of_request_) return true;
  if (!listeners_.empty() &&
      (client.listener == nullptr || !has(listeners_, client.listener->name))) {
    return false;
  }
  if (!routes_.empty() && !has(routes_, route)) return false;
  if (!methods_.empty() && !has(methods_, method)) return false;
  const auto is_host = [host](const HostPattern& pattern) { return pattern.matches(host); };
  if (!hosts_.empty() && std::ranges::none_of(hosts_, is_host)) return false;
  const auto is_path = [path_and_query](std::string_view prefix) {
    return path_begins_with(path_and_query, prefix);
  };
  if (!paths_.empty() && std::ranges::none_of(paths_, is_path) &&
      (is_plain_path(path_and_query) || !has_plain_path(path_and_query))) {
    return false;
  }
  return clients_.empty() || clients_.contains(client.peer);
}

bool Conditions::has_plain_path(std::string_view path_and_query) const {
  const std::string plain = plain_path(path_and_query);
  return std::ranges::any_of(
      paths_, [&plain](std::string_view prefix) { return path_begins_with(plain, prefix); });
}

bool Conditions::matches_response(int status, std::string_view content_type) const {
  const auto has_status = [status](const StatusRange& range) { return range.contains(status); };
  if (!statuses_.empty() && std::ranges::none_of(statuses_, has_status)) return false;
  if (content_types_.empty()) return true;
  const std::string_view type = media_type_of(content_type);
  return std::ranges::any_of(
      content_types_, [type](std::string_view range) { return media_range_contains(range, type); });
}

}  // namespace penstock

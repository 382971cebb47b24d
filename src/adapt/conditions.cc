#include "adapt/conditions.h"

#include <algorithm>

#include "adapt/client_user.h"
#include "adapt/cookies_filter.h"
#include "base/check.h"

namespace penstock {
Conditions::Conditions(const FilterConditions& conditions)
    : listeners_(conditions.listeners),
      routes_(conditions.routes),
      hosts_(conditions.hosts.begin(), conditions.hosts.end()),
      paths_(conditions.paths),
      methods_(conditions.methods),
      users_(conditions.users),
      of_request_(!conditions.listeners.empty() || !conditions.routes.empty() ||
                  !conditions.hosts.empty() || !conditions.paths.empty() ||
                  !conditions.methods.empty() || !conditions.clients.empty() ||
                  !conditions.users.empty()),
      content_types_(conditions.content_types),
      noted_(conditions.noted),
      size_over_(conditions.size_over) {
  PENSTOCK_CHECK(clients_.add(conditions.clients) == nullptr);
  for (const std::string& text : conditions.statuses) {
    const auto range = StatusRange::parse(text);
    PENSTOCK_CHECK(range.has_value());
    statuses_.push_back(*range);
  }
}

bool Conditions::is_listed(const std::vector<std::string>& texts, std::string_view text) {
  return std::ranges::find(texts, text) != texts.end();
}

bool Conditions::has_listener(const ClientInfo& client) const {
  return client.listener != nullptr && is_listed(listeners_, client.listener->name);
}

bool Conditions::has_host(std::string_view host) const {
  return std::ranges::any_of(hosts_,
                             [host](const HostPattern& pattern) { return pattern.matches(host); });
}

bool Conditions::has_path(std::string_view path_and_query) const {
  const bool as_it_is = std::ranges::any_of(paths_, [path_and_query](std::string_view prefix) {
    return path_begins_with(path_and_query, prefix);
  });
  return as_it_is || (!is_plain_path(path_and_query) && has_plain_path(path_and_query));
}

bool Conditions::has_plain_path(std::string_view path_and_query) const {
  const std::string plain = plain_path(path_and_query);
  return std::ranges::any_of(
      paths_, [&plain](std::string_view prefix) { return path_begins_with(plain, prefix); });
}

bool Conditions::has_user(std::string_view login) const {
  const std::string user = user_of(login);
  return !user.empty() && std::ranges::any_of(users_, [&user](std::string_view pattern) {
    return is_named(user, pattern);
  });
}

bool Conditions::has_status(int status) const {
  return std::ranges::any_of(statuses_,
                             [status](const StatusRange& range) { return range.contains(status); });
}

bool Conditions::has_type(std::string_view content_type) const {
  const std::string_view type = media_type_of(content_type);
  return std::ranges::any_of(
      content_types_, [type](std::string_view range) { return media_range_contains(range, type); });
}

bool Conditions::has_note(std::span<const Note> notes) const {
  return std::ranges::any_of(noted_, [notes](const auto& wanted) {
    const Note* const note = find_note(notes, wanted.first);
    return note != nullptr && is_named(note->text, wanted.second);
  });
}

}  // namespace penstock

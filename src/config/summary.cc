#include "config/summary.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "config/sections.h"

namespace penstock::config {
namespace {

constexpr std::size_t kWidth = 96;
constexpr std::size_t kIndent = 11;

// "name   first, second, ...", broken into lines that begin under the first.
std::string wrapped(std::string_view name, const std::vector<std::string>& items) {
  std::string out = fmt::format("{:<{}}", name, kIndent);
  std::size_t column = kIndent;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string text = items[i] + (i + 1 < items.size() ? "," : "");
    if (i > 0 && column + 1 + text.size() > kWidth) {
      out += fmt::format("\n{:<{}}", "", kIndent);
      column = kIndent;
    } else if (i > 0) {
      out += ' ';
      ++column;
    }
    out += text;
    column += text.size();
  }
  return out + '\n';
}

// "key value" for each key that is not the default, or for all.
template <class Owner>
std::vector<std::string> values(const Section<Owner>& section, const Owner& owner, bool all,
                                std::span<const std::string_view> without) {
  std::vector<std::string> out;
  for (const Key<Owner>& key : section.keys) {
    if (std::ranges::find(without, key.name) != without.end()) continue;
    std::string value = key.show(owner);
    if (!all && value == key.standard) continue;
    out.push_back(fmt::format("{} = {}", key.name, value));
  }
  return out;
}

std::string listener_line(const ListenerSettings& listener) {
  constexpr std::string_view kShown[] = {"address"};
  auto items = values(kListener, listener, false, kShown);
  items.insert(
      items.begin(),
      listener.address + (listener.mode == ListenerMode::forward ? " (forward)" : " (reverse)"));
  std::erase(items, "mode = \"reverse\"");
  return wrapped("listener", items);
}

std::string route_line(const RouteSettings& route) {
  constexpr std::string_view kShown[] = {"host", "path", "to"};
  auto items = values(kRoute, route, false, kShown);
  items.insert(items.begin(), fmt::format("{}{} -> {}", route.host, route.path, route.to));
  return wrapped("route", items);
}

}  // namespace

std::string summary(const Snapshot& snapshot) {
  std::string out;
  for (const ListenerSettings& listener : snapshot.listeners) out += listener_line(listener);
  for (const RouteSettings& route : snapshot.proxy.routes) out += route_line(route);
  for (const UpstreamGroupSettings& group : snapshot.upstream.groups) {
    out += wrapped("upstream",
                   {group.name + ": " + fmt::format("{}", fmt::join(group.servers, ", "))});
  }
  constexpr std::string_view kOfListeners[] = {"connections"};  // stands with each listener
  Draft draft;
  draft.snapshot = snapshot;
  for (const Section<Draft>* section : single_sections()) {
    out += wrapped(section->name, values(*section, draft, true, kOfListeners));
  }
  return out;
}

}  // namespace penstock::config

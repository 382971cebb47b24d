// The tables that may repeat: listeners, routes, upstream groups.
#include <array>
#include <utility>

#include "config/field_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::array kModes{
    std::pair{std::string_view("forward"), ListenerMode::forward},
    std::pair{std::string_view("reverse"), ListenerMode::reverse},
};

Complaint check_path_prefix(std::string_view text) {
  if (!text.starts_with('/')) {
    return fmt::format("a path begins with \"/\": write {}", quoted("/" + std::string(text)));
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '?' && c != '#') continue;
    return fmt::format("{} cannot stand in a path prefix{}", quoted(std::string_view(&c, 1)),
                       byte <= 0x20 || byte >= 0x7f ? ": write it percent-encoded" : "");
  }
  return {};
}

Complaint check_group_name(std::string_view text) {
  return text.empty() ? "expected the name of an upstream group, found an empty text" : Complaint{};
}

constexpr TextRule kListenAddress{.type = "address", .plural = {}, .check = &check_listen_address};
constexpr TextRule kServerAddress{
    .type = "server address", .plural = "server addresses", .check = &check_server_address};
constexpr TextRule kHostPattern{
    .type = "host name or pattern", .plural = {}, .check = &check_host_pattern};
constexpr TextRule kPathPrefix{.type = "path prefix", .plural = {}, .check = &check_path_prefix};
constexpr TextRule kGroupName{
    .type = "name of an upstream group", .plural = {}, .check = &check_group_name};
constexpr TextRule kEditedField{
    .type = "field name", .plural = "field names", .check = &check_edited_field};

constexpr std::array kListenerKeys{
    key<ListenerSettings, TextValue<kListenAddress>>(
        "address", R"("127.0.0.1:3128")",
        "Where to listen: an IPv4 address or an IPv6 address in brackets with a port, `*` with a "
        "port for all addresses, or `unix:` and an absolute path. Port 0: the system chooses one.",
        [](auto& l) { return std::tie(l.address); }),
    key<ListenerSettings, ChoiceValue<kModes>>(
        "mode", R"("forward")",
        "`\"forward\"`: clients name the server they want. `\"reverse\"`: the proxy stands for "
        "servers of its own, and routes say which.",
        [](auto& l) { return std::tie(l.mode); }),
    key<ListenerSettings, CountValue<1, 10'000'000>>(
        "max_connections", "10000",
        "Client connections at a time. The default is that of "
        "`[limits] connections`.",
        [](auto& l) { return std::tie(l.max_connections); }),
    key<ListenerSettings, CountValue<1, 65'535>>(
        "backlog", "4096", "Connections the system holds until they are accepted.",
        [](auto& l) { return std::tie(l.backlog); }),
    key<ListenerSettings, PermissionsValue>("unix_mode", R"("0660")",
                                            "Permissions of a unix socket's file, in octal.",
                                            [](auto& l) { return std::tie(l.unix_mode); }),
};

// "keep", "server", "set:NAME": two members, so it reads itself.
constexpr std::string_view kSet = "set:";

void read_host_header(const toml::node& node, Report& report, RouteSettings& route) {
  constexpr std::string_view kForm = R"("keep", "server" or "set:NAME")";
  const auto text = read_text(node, report, kForm);
  if (!text) return;
  if (*text == "keep" || *text == "server") {
    route.host_policy = *text == "keep" ? HostPolicy::keep : HostPolicy::server;
  } else if (!text->starts_with(kSet)) {
    constexpr std::array<std::string_view, 2> kWords{"keep", "server"};
    const auto near = nearest(*text, kWords);
    report.error(place_of(node),
                 fmt::format("expected {}, found {}; did you mean {}?", kForm, quoted(*text),
                             quoted(near ? std::string(*near) : "set:" + *text)));
  } else if (Complaint complaint = check_host_value(text->substr(kSet.size()));
             !complaint.empty()) {
    report.error(place_of(node), std::move(complaint));
  } else {
    route.host_policy = HostPolicy::set;
    route.host_value = text->substr(kSet.size());
  }
}

std::string show_host_header(const RouteSettings& route) {
  switch (route.host_policy) {
    case HostPolicy::keep:
      return quoted("keep");
    case HostPolicy::server:
      return quoted("server");
    case HostPolicy::set:
      return quoted("set:" + route.host_value);
  }
  return {};
}

template <const Section<FieldEdits>& kSection>
struct EditsValue {
  static std::string type() { return "table"; }
  static std::optional<FieldEdits> read(const toml::node& node, Report& report) {
    FieldEdits edits;
    if (const auto* table = node.as_table()) {
      read_table(*table, kSection, report, edits);
    } else {
      report.error(place_of(node),
                   fmt::format("expected a table, as {}, found {}", kSection.title, kind_of(node)));
    }
    return edits;
  }
  static std::string show(const FieldEdits& edits) {
    std::string out;
    for (const Key<FieldEdits>& key : kSection.keys) {
      const std::string value = key.show(edits);
      if (value == key.standard) continue;
      out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", key.name, value);
    }
    return out.empty() ? "{}" : "{ " + out + " }";
  }
};

constexpr std::array kRouteKeys{
    key<RouteSettings, TextValue<kHostPattern>>(
        "host", R"("*")",
        "The host the request is for, without a port. `*.example.com` is every host below "
        "`example.com`, but not that one.",
        [](auto& r) { return std::tie(r.host); }),
    key<RouteSettings, TextValue<kPathPrefix>>(
        "path", R"("/")",
        "What the request's path begins with, in whole segments: `/api` takes `/api` and `/api/x`, "
        "but not `/apix`.",
        [](auto& r) { return std::tie(r.path); }),
    key<RouteSettings, TextValue<kGroupName>>("to", "", "The upstream group that gets the request.",
                                              [](auto& r) { return std::tie(r.to); }),
    Key<RouteSettings>{
        .name = "host_header",
        .standard = R"("keep")",
        .meaning = "The `Host` the server sees. `\"keep\"`: the client's. `\"server\"`: the "
                   "server's own address. `\"set:www.example.com\"`: that one.",
        .type = [] { return std::string(R"("keep", "server" or "set:NAME")"); },
        .read = &read_host_header,
        .show = &show_host_header,
    },
    key<RouteSettings, EditsValue<kRequestEdits>>(
        "request", "{}", "Changes to the request's header fields; see `[route.request]`.",
        [](auto& r) { return std::tie(r.request); }),
    key<RouteSettings, EditsValue<kResponseEdits>>(
        "response", "{}", "Changes to the response's header fields; see `[route.response]`.",
        [](auto& r) { return std::tie(r.response); }),
};

constexpr std::array kEditKeys{
    key<FieldEdits, TextsValue<kEditedField, true>>("remove", "[]", "Fields to take out.",
                                                    [](auto& e) { return std::tie(e.remove); }),
    key<FieldEdits, FieldLinesValue<false>>(
        "set", "{}", "Fields to put in place of all lines of that name, or where there is none.",
        [](auto& e) { return std::tie(e.set); }),
    key<FieldEdits, FieldLinesValue<true>>(
        "add", "{}", "Lines to add to those there are. A list adds several lines of one name.",
        [](auto& e) { return std::tie(e.add); }),
};

constexpr std::array kUpstreamKeys{
    key<UpstreamGroupSettings, TextsValue<kServerAddress, false>>(
        "servers", "",
        "The servers of the group: a host name or IP address with a port (80 when left out), IPv6 "
        "addresses in brackets, or `unix:` and an absolute path.",
        [](auto& g) { return std::tie(g.servers); }),
};

}  // namespace

constexpr Section<ListenerSettings> kListener{
    .name = "listener", .title = "[[listener]]", .keys = kListenerKeys};
constexpr Section<RouteSettings> kRoute{.name = "route", .title = "[[route]]", .keys = kRouteKeys};
constexpr Section<FieldEdits> kRequestEdits{
    .name = "route.request", .title = "[route.request]", .keys = kEditKeys};
constexpr Section<FieldEdits> kResponseEdits{
    .name = "route.response", .title = "[route.response]", .keys = kEditKeys};
constexpr Section<UpstreamGroupSettings> kUpstream{
    .name = "upstream", .title = "[upstream.NAME]", .keys = kUpstreamKeys};

}  // namespace penstock::config

// [[route]] and its edits of header fields.
#include <algorithm>
#include <array>
#include <utility>

#include "config/match_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

Complaint check_group_name(std::string_view text) {
  return text.empty() ? "expected the name of an upstream group, found an empty text" : Complaint{};
}

Complaint check_via_name(std::string_view text) {
  return text.empty() ? "expected the name of a peer or \"direct\", found an empty text"
                      : Complaint{};
}

constexpr TextRule kHostPattern{
    .type = "host name or pattern", .plural = {}, .check = &check_host_pattern};
constexpr TextRule kName{.type = "name", .plural = {}, .check = &check_given_name};
constexpr TextRule kPathPrefix{.type = "path prefix", .plural = {}, .check = &check_path_prefix};
constexpr TextRule kGroupName{
    .type = "name of an upstream group", .plural = {}, .check = &check_group_name};
constexpr TextRule kListenerName{
    .type = "name of a listener", .plural = "names of listeners", .check = &check_named_listener};
constexpr TextRule kViaName{
    .type = "name of a peer", .plural = "names of peers", .check = &check_via_name};

constexpr std::array kViaOrders{
    std::pair{std::string_view("order"), false},
    std::pair{std::string_view("host"), true},
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

constexpr std::array kProofs{
    std::pair{std::string_view("any"), ClientProof::any},
    std::pair{std::string_view("certificate"), ClientProof::certificate},
    std::pair{std::string_view("none"), ClientProof::none},
};

constexpr std::array kRouteKeys{
    key<RouteSettings, OptionalTextValue<kName>>("name", R"("")",
                                                 "What filters and modules call it.",
                                                 [](auto& r) { return std::tie(r.name); }),
    key<RouteSettings, OneOrMoreTextsValue<kListenerName>>(
        "listener", "[]", "The name of the listener it is for, or a list; when left out, all.",
        [](auto& r) { return std::tie(r.listeners); }),
    key<RouteSettings, ChoiceValue<kProofs>>(
        "client", R"("any")",
        "`\"certificate\"`: only clients that have shown one in the TLS handshake. `\"none\"`: "
        "only those that have not.",
        [](auto& r) { return std::tie(r.client); }),
    key<RouteSettings, TextValue<kHostPattern>>(
        "host", R"("*")",
        "The host the request is for, without a port; on tcp listeners the name asked for by SNI. "
        "`*.example.com` is every host below `example.com`, but not that one.",
        [](auto& r) { return std::tie(r.host); }),
    key<RouteSettings, TextValue<kPathPrefix>>(
        "path", R"("/")",
        "What the request's path begins with, in whole segments: `/api` takes `/api` and `/api/x`, "
        "but not `/apix`.",
        [](auto& r) { return std::tie(r.path); }),
    key<RouteSettings, TextValue<kGroupName>>("to", R"("")",
                                              "Reverse and tcp listeners: the upstream group that "
                                              "gets the request or connection. Each route has "
                                              "`to` or `via`.",
                                              [](auto& r) { return std::tie(r.to); }),
    key<RouteSettings, OneOrMoreTextsValue<kViaName>>(
        "via", "[]",
        "Forward listeners: the `[[peer]]` that the request goes through, or `\"direct\"` for "
        "none. "
        "Of a list the first one is taken, and the next where that one cannot be had.",
        [](auto& r) { return std::tie(r.via); }),
    key<RouteSettings, ChoiceValue<kViaOrders>>(
        "via_order", R"("order")",
        "`\"order\"`: the list of `via` is tried as it stands. `\"host\"`: beginning with another "
        "one for each host, always the same one for the same host.",
        [](auto& r) { return std::tie(r.via_by_host); }),
    Key<RouteSettings>{
        .name = "host_header",
        .standard = R"("keep")",
        .meaning = "The `Host` the server sees. `\"keep\"`: the client's. `\"server\"`: the "
                   "server's own address. `\"set:www.example.com\"`: that one. Only with `to`.",
        .type = [] { return std::string(R"("keep", "server" or "set:NAME")"); },
        .read = &read_host_header,
        .show = &show_host_header,
    },
    table_key<RouteSettings, kRequestEdits>(
        "request", "Changes to the request's header fields; see `[route.request]`.",
        [](auto& r) { return std::tie(r.request); }),
    table_key<RouteSettings, kResponseEdits>(
        "response", "Changes to the response's header fields; see `[route.response]`.",
        [](auto& r) { return std::tie(r.response); }),
};

void check_route(const toml::table& table, Report& report, const RouteSettings& /*route*/) {
  const bool via = table.contains("via");
  if (via == table.contains("to")) {
    report.error(via ? place_in(table, "via") : place_of(table),
                 via ? "a route has either to (an upstream group) or via (peers)"
                     : "[[route]] lacks to (an upstream group) or via (peers)");
    return;
  }
  if (via && table.contains("host_header")) {
    report.error(place_in(table, "host_header"),
                 "host_header goes with to: through peers, requests name the host they are for");
  }
  if (!via && table.contains("via_order")) {
    report.error(place_in(table, "via_order"), "via_order goes with via");
  }
}

}  // namespace

constexpr Section<RouteSettings> kRoute{
    .name = "route", .title = "[[route]]", .keys = kRouteKeys, .check = &check_route};

}  // namespace penstock::config

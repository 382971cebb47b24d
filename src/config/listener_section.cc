// [[listener]].
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/wording.h"
#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

Complaint check_listener_name(std::string_view text) {
  return text.empty() ? "expected a name, found an empty text" : Complaint{};
}

constexpr std::array kModes{
    std::pair{std::string_view("forward"), ListenerMode::forward},
    std::pair{std::string_view("reverse"), ListenerMode::reverse},
    std::pair{std::string_view("tcp"), ListenerMode::tcp},
};

constexpr TextRule kListenAddress{
    .type = "address", .plural = "addresses", .check = &check_listen_address};
constexpr TextRule kName{.type = "name", .plural = {}, .check = &check_listener_name};
constexpr TextRule kNetwork{.type = "network", .plural = "networks", .check = &check_network};

constexpr std::array kInterceptions{
    std::pair{std::string_view("none"), Interception::none},
    std::pair{std::string_view("redirect"), Interception::redirect},
    std::pair{std::string_view("tproxy"), Interception::tproxy},
};

constexpr std::array kListenerKeys{
    key<ListenerSettings, OneOrMoreTextsValue<kListenAddress>>(
        "address", R"("127.0.0.1:3128")",
        "Where to listen, one place or a list of them: an IPv4 address or an IPv6 address in "
        "brackets with a port, `*` with a port for all addresses, `unix:` and an absolute path, or "
        "`systemd:` and the `FileDescriptorName` of sockets that systemd opens. Port 0: the system "
        "chooses one.",
        [](auto& l) { return std::tie(l.addresses); }),
    key<ListenerSettings, ChoiceValue<kModes>>(
        "mode", R"("forward")",
        "`\"forward\"`: clients name the server they want. `\"reverse\"`: the proxy stands for "
        "servers of its own, and routes say which. `\"tcp\"`: bytes are passed on to servers as "
        "they are; routes say where, by the name in a TLS ClientHello if there is one.",
        [](auto& l) { return std::tie(l.mode); }),
    key<ListenerSettings, OptionalTextValue<kName>>(
        "name", R"("")", "What routes and logs call it.", [](auto& l) { return std::tie(l.name); }),
    key<ListenerSettings, ChoiceValue<kInterceptions>>(
        "intercept", R"("none")",
        "Connections that the system brings here while they were on their way to others: by "
        "netfilter's `REDIRECT` or `DNAT` (`\"redirect\"`), or by its `TPROXY` (`\"tproxy\"`). See "
        "[listeners](listeners.md).",
        [](auto& l) { return std::tie(l.interception); }),
    key<ListenerSettings, TextsValue<kNetwork, true>>(
        "proxy_protocol_from", "[]",
        "Connections from these networks (`\"192.0.2.0/24\"`, `\"2001:db8::/32\"`, or `\"unix\"`) "
        "begin with a header of the PROXY protocol, version 1 or 2, and are closed if they do not. "
        "From others none is taken.",
        [](auto& l) { return std::tie(l.proxy_protocol_from); }),
    table_key<ListenerSettings, kListenerTls>(
        "tls",
        "TLS to the clients, spoken where this table is there; see `[listener.tls]` and "
        "[TLS](tls.md).",
        [](auto& l) { return std::tie(l.tls); }),
    key<ListenerSettings, FlagValue>(
        "http2", "true",
        "Whether clients may speak HTTP/2: by ALPN where there is TLS, else by beginning with it.",
        [](auto& l) { return std::tie(l.http2); }),
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

// What is agreed on in the handshake has to be spoken after it.
void check_protocols(const toml::table& table, Report& report, const ListenerSettings& listener) {
  if (!listener.tls || listener.mode == ListenerMode::tcp) return;
  const auto* const tls = table.get_as<toml::table>("tls");
  const Place place = tls != nullptr ? place_in(*tls, "alpn") : place_of(table);
  for (const std::string& protocol : listener.tls->alpn) {
    if (protocol == "h2" && !listener.http2) {
      report.error(place, "\"h2\" cannot be agreed on with http2 = false");
    } else if (protocol != "h2" && protocol != "http/1.1" && protocol != "http/1.0") {
      report.error(place, fmt::format("{} is not spoken here: expected \"h2\" or \"http/1.1\"",
                                      quoted(protocol)));
    }
  }
}

// Keys that say something, but not of this listener.
void warn_of_idle_keys(const toml::table& table, Report& report, const ListenerSettings& listener) {
  const auto any_begins = [&listener](std::string_view start) {
    return std::ranges::any_of(listener.addresses, [start](const std::string& address) {
      return address.starts_with(start);
    });
  };
  if (table.contains("http2") && listener.mode == ListenerMode::tcp) {
    report.warning(place_in(table, "http2"),
                   "tcp listeners pass on whatever is spoken: http2 says "
                   "nothing here");
  }
  if (table.contains("unix_mode") && !any_begins("unix:")) {
    report.warning(place_in(table, "unix_mode"),
                   "unix_mode is for unix sockets that the listener opens, and it opens none");
  }
  if (table.contains("backlog") &&
      std::ranges::all_of(listener.addresses, [](const std::string& address) {
        return address.starts_with("systemd:");
      })) {
    report.warning(place_in(table, "backlog"),
                   "systemd opens these sockets: it has Backlog= for this");
  }
}

void check_listener(const toml::table& table, Report& report, const ListenerSettings& listener) {
  check_protocols(table, report, listener);
  warn_of_idle_keys(table, report, listener);
  if (listener.interception != Interception::none && !listener.proxy_protocol_from.empty()) {
    report.error(place_in(table, "proxy_protocol_from"),
                 "intercepted connections come from the clients themselves, who send no header of "
                 "the PROXY protocol");
  }
  if (listener.interception != Interception::none && listener.mode == ListenerMode::reverse) {
    report.error(place_in(table, "intercept"),
                 "a reverse listener stands for its own servers and takes nobody else's "
                 "connections: intercept goes with mode = \"forward\" or \"tcp\"");
  }
  if (listener.interception != Interception::none && listener.tls) {
    report.error(place_in(table, "intercept"),
                 "TLS to others cannot be taken up here: intercepted connections go with mode = "
                 "\"tcp\" and without tls");
  }
  for (const std::string& address : listener.addresses) {
    if (listener.interception == Interception::none || !address.starts_with("unix:")) continue;
    report.error(place_in(table, "address"), "connections to unix sockets are never intercepted");
  }
}

}  // namespace

constexpr Section<ListenerSettings> kListener{
    .name = "listener", .title = "[[listener]]", .keys = kListenerKeys, .check = &check_listener};

}  // namespace penstock::config

// [[listener]].
#include <array>
#include <utility>

#include "config/sections.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::array kModes{
    std::pair{std::string_view("forward"), ListenerMode::forward},
    std::pair{std::string_view("reverse"), ListenerMode::reverse},
};

constexpr TextRule kListenAddress{.type = "address", .plural = {}, .check = &check_listen_address};

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

}  // namespace

constexpr Section<ListenerSettings> kListener{
    .name = "listener", .title = "[[listener]]", .keys = kListenerKeys};

}  // namespace penstock::config

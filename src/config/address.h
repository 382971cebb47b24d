// Addresses and host names as they may stand in a configuration.
#pragma once

#include <string>
#include <string_view>

namespace penstock::config {

// What is wrong with a text, and what was expected; empty: nothing is.
using Complaint = std::string;

// "127.0.0.1:3128", "[::1]:3128", "*:80", "unix:/run/penstock.sock", "systemd:web".
// Port 0: the system chooses.
[[nodiscard]] Complaint check_listen_address(std::string_view text);
// "192.0.2.0/24", "2001:db8::/32", a single address, or "unix" for all unix sockets.
[[nodiscard]] Complaint check_network(std::string_view text);
// "app.example:9000", "127.0.0.1:9000", "[::1]:9000", "app" (port 80), "unix:/run/app.sock".
[[nodiscard]] Complaint check_server_address(std::string_view text);
// The same, but with a port.
[[nodiscard]] Complaint check_peer_address(std::string_view text);
// "app.example" or "192.0.2.1".
[[nodiscard]] Complaint check_host_name(std::string_view text);
// The same, or an IPv6 address without brackets.
[[nodiscard]] Complaint check_host_or_ip(std::string_view text);
// The same of an ICAP server.
[[nodiscard]] Complaint check_icap_server(std::string_view text);
// "192.0.2.1" or "2001:db8::1".
[[nodiscard]] Complaint check_ip_address(std::string_view text);
// "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]", "[2001:db8::53]:5353".
[[nodiscard]] Complaint check_name_server(std::string_view text);
// A name with SRV records, such as "_http._tcp.example.com".
[[nodiscard]] Complaint check_service_name(std::string_view text);
// "[scheme://]host[:port]", see OriginCredentialSettings::host.
[[nodiscard]] Complaint check_origin_pattern(std::string_view text);
// The host a route is for: "www.example.com", "*.example.com", "*", "192.0.2.1", "[::1]"; no port.
[[nodiscard]] Complaint check_host_pattern(std::string_view text);
// A host and perhaps a port, as Host may carry it.
[[nodiscard]] Complaint check_host_value(std::string_view text);

// The same text for every spelling of one listening address; for texts that were found good.
[[nodiscard]] std::string canonical_listen_address(std::string_view text);

// Every host the pattern `narrow` takes is also taken by `wide`.
[[nodiscard]] bool host_pattern_covers(std::string_view wide, std::string_view narrow);

}  // namespace penstock::config

#include "config/address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <system_error>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "base/wording.h"
#include "message/characters.h"
#include "message/fields.h"

namespace penstock::config {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr std::string_view kSystemd = "systemd:";
constexpr std::size_t kLongestSocketPath = 107;  // sockaddr_un holds 108 with its NUL

struct HostPort {
  std::string_view host;  // without brackets
  std::string_view port;
  bool bracketed = false;
  bool has_port = false;
};

bool is_address(int family, std::string_view text) {
  std::uint8_t bytes[16];
  return inet_pton(family, std::string(text).c_str(), bytes) == 1 &&
         text.find('\0') == std::string_view::npos;
}

std::expected<HostPort, Complaint> split(std::string_view text) {
  HostPort out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      return std::unexpected(fmt::format("{} lacks its closing \"]\"", quoted(text)));
    }
    out.host = text.substr(1, end - 1);
    out.bracketed = true;
    rest = text.substr(end + 1);
    if (!is_address(AF_INET6, out.host)) {
      return std::unexpected(fmt::format("{} is no IPv6 address", quoted(out.host)));
    }
    if (!rest.empty() && rest.front() != ':') {
      return std::unexpected(fmt::format("expected a port after \"]\", found {}", quoted(rest)));
    }
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    out.host = text.substr(0, colon);
    rest = text.substr(colon);
    if (std::ranges::count(rest, ':') > 1) {
      return std::unexpected(is_address(AF_INET6, text)
                                 ? fmt::format("an IPv6 address needs brackets: \"[{}]\"", text)
                                 : fmt::format("{} has too many colons", quoted(text)));
    }
  }
  out.has_port = !rest.empty();
  out.port = rest.empty() ? rest : rest.substr(1);
  return out;
}

Complaint check_port(std::string_view text, unsigned least) {
  std::uint32_t port = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const auto [stop, problem] = std::from_chars(begin, end, port);
  if (problem == std::errc{} && stop == end && port >= least && port <= 65535) return {};
  return fmt::format("{} is no port: expected a number from {} to 65535", quoted(text), least);
}

Complaint check_socket_path(std::string_view path) {
  if (!path.starts_with('/')) {
    return fmt::format("expected \"unix:\" and an absolute path, such as \"unix:/run/app.sock\"");
  }
  if (path.find('\0') != std::string_view::npos) return "a path cannot contain a zero byte";
  if (path.size() > kLongestSocketPath) {
    return fmt::format("the path of a unix socket has at most {} bytes, this one has {}",
                       kLongestSocketPath, path.size());
  }
  return {};
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && !label.starts_with('-') && !label.ends_with('-') &&
         std::ranges::all_of(label, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

// Of a pattern: "*" as the first label, then a host name.
Complaint check_name_pattern(std::string_view text) {
  std::string_view name = text;
  if (name.starts_with("*.")) name.remove_prefix(2);
  if (name.find('*') != std::string_view::npos) {
    return fmt::format("\"*\" stands alone or as the first label: \"*.example.com\", not {}",
                       quoted(text));
  }
  return check_host_name(name);
}

// An address of a network, in place of the network itself, is likely a mistake.
Complaint check_network_bits(int family, std::string_view host, unsigned length) {
  std::array<std::uint8_t, 16> bytes{};
  inet_pton(family, std::string(host).c_str(), bytes.data());
  const auto given = bytes;
  const std::size_t size = family == AF_INET ? 4 : 16;
  for (std::size_t bit = length; bit < size * 8; ++bit) {
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] & ~(0x80U >> bit % 8));
  }
  if (bytes == given) return {};
  std::array<char, INET6_ADDRSTRLEN> network{};
  inet_ntop(family, bytes.data(), network.data(), network.size());
  return fmt::format("{} is an address within a network: write \"{}/{}\", or \"{}\" for it alone",
                     quoted(fmt::format("{}/{}", host, length)), network.data(), length, host);
}

}  // namespace

Complaint check_host_name(std::string_view text) {
  if (is_address(AF_INET, text)) return {};
  std::string_view rest = text;
  if (rest.ends_with('.')) rest.remove_suffix(1);
  std::string_view last;
  bool good = !rest.empty() && text.size() <= 253;
  while (good) {
    const std::size_t dot = rest.find('.');
    last = rest.substr(0, dot);
    good = is_label(last);
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // A name that ends in a number would be taken for an IPv4 address elsewhere.
  if (good && !std::ranges::all_of(last, is_digit)) return {};
  return fmt::format("{} is neither a host name nor an IP address", quoted(text));
}

Complaint check_listen_address(std::string_view text) {
  if (text.starts_with(kUnix)) return check_socket_path(text.substr(kUnix.size()));
  if (text.starts_with(kSystemd)) {
    return text == kSystemd ? R"(expected a name after "systemd:")" : Complaint{};
  }
  constexpr std::string_view kForm =
      R"("127.0.0.1:3128", "[::1]:3128", "*:80" or "unix:/run/penstock.sock")";
  const auto parts = split(text);
  if (!parts) return parts.error();
  const bool only_digits = std::ranges::all_of(text, is_digit);
  if (!text.empty() && only_digits && !check_port(text, 0).empty()) return check_port(text, 0);
  if (!text.empty() && (parts->host.empty() || only_digits)) {
    const std::string_view port = parts->host.empty() ? parts->port : text;
    return fmt::format("{} names no address: write \"127.0.0.1:{}\", or \"*:{}\" for all addresses",
                       quoted(text), port, port);
  }
  if (!parts->bracketed && parts->host != "*" && !is_address(AF_INET, parts->host)) {
    return fmt::format("expected an IP address and a port such as {}, found {}", kForm,
                       quoted(text));
  }
  if (!parts->has_port)
    return fmt::format("{} lacks a port: write \"{}:3128\"", quoted(text), text);
  return check_port(parts->port, 0);
}

Complaint check_network(std::string_view text) {
  if (text == "unix") return {};
  constexpr std::string_view kForm = R"("192.0.2.0/24", "2001:db8::/32" or "unix")";
  const std::size_t slash = std::min(text.find('/'), text.size());
  const std::string_view host = text.substr(0, slash);
  const bool v4 = is_address(AF_INET, host);
  if (!v4 && !is_address(AF_INET6, host)) {
    return fmt::format("expected a network such as {}, found {}", kForm, quoted(text));
  }
  if (slash == text.size()) return {};
  const std::string_view digits = text.substr(slash + 1);
  const unsigned most = v4 ? 32 : 128;
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc{} || end != digits.data() + digits.size() || length > most) {
    return fmt::format("expected a prefix length, 0 to {}, after \"/\", found {}", most,
                       quoted(digits));
  }
  if (digits.size() > 1 && digits.starts_with('0')) {
    return fmt::format("a prefix length has no zeros in front: {}", quoted(digits));
  }
  return check_network_bits(v4 ? AF_INET : AF_INET6, host, length);
}

Complaint check_server_address(std::string_view text) {
  if (text.starts_with(kUnix)) return check_socket_path(text.substr(kUnix.size()));
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    return fmt::format("expected \"host:port\" without a scheme and path: leave out {}",
                       quoted(text.substr(0, scheme + 3)));
  }
  return check_host_value(text);
}

namespace {

// `usual`: the port to write where one is lacking.
Complaint check_server_and_port(std::string_view text, int usual) {
  if (Complaint complaint = check_server_address(text); !complaint.empty()) return complaint;
  if (text.starts_with(kUnix) || split(text)->has_port) return {};
  return fmt::format("{} lacks a port: write \"{}:{}\"", quoted(text), text, usual);
}

}  // namespace

Complaint check_peer_address(std::string_view text) {
  if (text.find('@') != std::string_view::npos) {
    return "expected \"host:port\": user and password stand in login = { ... }";
  }
  return check_server_and_port(text, 3128);
}

Complaint check_icap_server(std::string_view text) { return check_server_and_port(text, 1344); }

Complaint check_ip_address(std::string_view text) {
  if (is_address(AF_INET, text) || is_address(AF_INET6, text)) return {};
  return text.starts_with('[')
             ? fmt::format("expected an IP address without brackets, found {}", quoted(text))
             : fmt::format("expected an IP address, found {}", quoted(text));
}

Complaint check_host_or_ip(std::string_view text) {
  return is_address(AF_INET6, text) ? Complaint{} : check_host_name(text);
}

Complaint check_name_server(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return parts.error();
  if (!parts->bracketed && !is_address(AF_INET, parts->host)) {
    return fmt::format("expected the IP address of a name server, found {}", quoted(text));
  }
  return parts->has_port ? check_port(parts->port, 1) : Complaint{};
}

Complaint check_service_name(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return parts.error();
  if (parts->bracketed || is_address(AF_INET, parts->host)) {
    return fmt::format("expected a name such as \"_http._tcp.example.com\", found {}",
                       quoted(text));
  }
  if (parts->has_port) {
    return fmt::format("the records of a service say the port: write {}", quoted(parts->host));
  }
  return check_host_name(text);
}

Complaint check_origin_pattern(std::string_view text) {
  std::string_view rest = text;
  if (const std::size_t end = rest.find("://"); end != std::string_view::npos) {
    const std::string_view scheme = rest.substr(0, end);
    if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
      return fmt::format("expected \"http://\" or \"https://\", found {}",
                         quoted(rest.substr(0, end + 3)));
    }
    rest.remove_prefix(end + 3);
  }
  if (rest.find('@') != std::string_view::npos) {
    return "expected [scheme://]host[:port]: user and password are keys of their own";
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    return fmt::format("expected [scheme://]host[:port] without a path: leave out {}",
                       quoted(rest.substr(slash)));
  }
  if (rest == "*" || rest.starts_with("*:")) {
    return "credentials for every server there is would be given away: name a host";
  }
  const auto parts = split(rest);
  if (!parts) return parts.error();
  if (!parts->bracketed) {
    if (Complaint complaint = check_name_pattern(parts->host); !complaint.empty()) return complaint;
  }
  return parts->has_port && parts->port != "*" ? check_port(parts->port, 1) : Complaint{};
}

Complaint check_host_pattern(std::string_view text) {
  if (text == "*") return {};
  const auto parts = split(text);
  if (!parts) return parts.error();
  if (parts->has_port) {
    return fmt::format("a route's host has no port: write \"{}\"",
                       text.substr(0, text.size() - parts->port.size() - 1));
  }
  if (parts->bracketed) return {};
  return check_name_pattern(parts->host);
}

Complaint check_host_value(std::string_view text) {
  const auto parts = split(text);
  if (!parts) return parts.error();
  if (!parts->bracketed) {
    if (Complaint complaint = check_host_name(parts->host); !complaint.empty()) return complaint;
  }
  return parts->has_port ? check_port(parts->port, 1) : Complaint{};
}

std::string canonical_listen_address(std::string_view text) {
  if (text.starts_with(kUnix) || text.starts_with(kSystemd)) return std::string(text);
  const auto parts = split(text);
  if (!parts) return std::string(text);
  std::uint32_t port = 0;
  std::from_chars(parts->port.data(), parts->port.data() + parts->port.size(), port);
  std::string host(parts->host);
  std::uint8_t bytes[16];
  char name[INET6_ADDRSTRLEN];
  if (parts->bracketed && inet_pton(AF_INET6, host.c_str(), bytes) == 1 &&
      inet_ntop(AF_INET6, bytes, name, sizeof name) != nullptr) {
    host = name;
  }
  return fmt::format("{}:{}", host, port);
}

bool host_pattern_covers(std::string_view wide, std::string_view narrow) {
  if (wide == "*" || equals_ignoring_case(wide, narrow)) return true;
  if (!wide.starts_with("*.") || narrow == "*") return false;
  const std::string_view ending = wide.substr(1);  // ".example.com"
  return narrow.size() > ending.size() &&
         equals_ignoring_case(ending, narrow.substr(narrow.size() - ending.size()));
}

}  // namespace penstock::config

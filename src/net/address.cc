#include "net/address.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <functional>

#include <arpa/inet.h>
#include <sys/un.h>

namespace penstock {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

// By hand: inet_ntop() goes through printf, which a request that is forwarded need not pay for.
std::string v4_text(std::uint32_t network_order) {
  std::array<char, INET_ADDRSTRLEN> buffer;
  char* to = buffer.data();
  for (int shift = 24; shift >= 0; shift -= 8) {
    to = std::to_chars(to, buffer.data() + buffer.size(), (ntohl(network_order) >> shift) & 0xff)
             .ptr;
    *to++ = '.';
  }
  return {buffer.data(), to - 1};
}

bool local_v4(std::uint32_t address) {
  const std::uint32_t first = address >> 24;
  return first == 127 || first == 0 || (address >> 16) == 0xa9fe || first >= 224;
}

// The IPv4 address inside a mapped (::ffff:a.b.c.d) or NAT64 (64:ff9b::a.b.c.d) IPv6 address.
std::optional<std::uint32_t> embedded_v4(const in6_addr& address) {
  static constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0,    0,
                                                           0, 0, 0, 0, 0xff, 0xff};
  static constexpr std::array<std::uint8_t, 12> kNat64 = {0, 0x64, 0xff, 0x9b, 0, 0,
                                                          0, 0,    0,    0,    0, 0};
  const auto starts_with = [&address](const std::array<std::uint8_t, 12>& prefix) {
    return std::equal(prefix.begin(), prefix.end(), std::begin(address.s6_addr));
  };
  if (!starts_with(kMapped) && !starts_with(kNat64)) return std::nullopt;
  std::uint32_t v4 = 0;
  std::memcpy(&v4, &address.s6_addr[12], sizeof v4);
  return ntohl(v4);
}

}  // namespace

std::optional<Address> Address::from_ip(std::string_view text, std::uint16_t port) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  // A NUL would end the text early for inet_pton().
  if (text.size() >= buffer.size() || text.find('\0') != text.npos) return std::nullopt;
  text.copy(buffer.data(), text.size());
  Address address;
  if (inet_pton(AF_INET, buffer.data(), &address.ip_.v4.sin_addr) == 1) {
    address.ip_.v4.sin_family = AF_INET;
  } else if (address.ip_ = {}; inet_pton(AF_INET6, buffer.data(), &address.ip_.v6.sin6_addr) == 1) {
    address.ip_.v6.sin6_family = AF_INET6;
  } else {
    return std::nullopt;
  }
  address.set_port(port);
  return address;
}

std::optional<Address> Address::parse(std::string_view text) {
  if (text.starts_with("unix:")) {
    const std::string_view path = text.substr(5);
    if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path)) return std::nullopt;
    return unix_socket(std::string(path));
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  if (host == "*") host = "[::]";
  if (host.starts_with('[') != host.ends_with(']')) return std::nullopt;
  if (host.starts_with('[')) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  return from_ip(host, *port);
}

Address Address::unix_socket(std::string path) {
  Address address;
  address.ip_.v6.sin6_family = AF_UNIX;
  address.path_ = std::make_shared<const std::string>(std::move(path));
  return address;
}

Address Address::from_sockaddr(const sockaddr* address, socklen_t length) {
  Address result;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    std::memcpy(&result.ip_.v4, address, sizeof(sockaddr_in));
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    std::memcpy(&result.ip_.v6, address, sizeof(sockaddr_in6));
  } else if (address->sa_family == AF_UNIX) {
    const auto* local = reinterpret_cast<const sockaddr_un*>(address);
    const std::size_t room = length - offsetof(sockaddr_un, sun_path);
    result = unix_socket(std::string(local->sun_path, strnlen(local->sun_path, room)));
  }
  return result;
}

const std::string& Address::path() const {
  static const std::string none;
  return path_ ? *path_ : none;
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(ip_.v4.sin_port);
  return family() == AF_INET6 ? ntohs(ip_.v6.sin6_port) : std::uint16_t{0};
}

void Address::set_port(std::uint16_t port) {
  if (family() == AF_INET) ip_.v4.sin_port = htons(port);
  if (family() == AF_INET6) ip_.v6.sin6_port = htons(port);
}

socklen_t Address::to_sockaddr(sockaddr_storage& storage) const {
  storage = {};
  if (family() == AF_INET) {
    std::memcpy(&storage, &ip_.v4, sizeof ip_.v4);
    return sizeof ip_.v4;
  }
  if (family() == AF_INET6) {
    std::memcpy(&storage, &ip_.v6, sizeof ip_.v6);
    return sizeof ip_.v6;
  }
  auto& local = reinterpret_cast<sockaddr_un&>(storage);
  local.sun_family = AF_UNIX;
  path().copy(local.sun_path, sizeof local.sun_path - 1);
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path().size() + 1);
}

const sockaddr* Address::as_sockaddr(socklen_t& length) const {
  static constexpr sockaddr kLocal{.sa_family = AF_UNIX, .sa_data = {}};
  length = family() == AF_INET    ? sizeof ip_.v4
           : family() == AF_INET6 ? sizeof ip_.v6
                                  : sizeof kLocal.sa_family;
  if (is_unix()) return &kLocal;
  return reinterpret_cast<const sockaddr*>(&ip_);
}

bool Address::is_loopback() const {
  if (is_unix()) return true;
  if (family() == AF_INET) return (ntohl(ip_.v4.sin_addr.s_addr) >> 24) == 127;
  const in6_addr& v6 = ip_.v6.sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

bool Address::is_local_target() const {
  if (is_unix()) return true;
  if (family() == AF_INET) return local_v4(ntohl(ip_.v4.sin_addr.s_addr));
  const in6_addr& v6 = ip_.v6.sin6_addr;
  if (const auto v4 = embedded_v4(v6)) return local_v4(*v4);
  // ::/96 holds the unspecified and loopback addresses and the obsolete IPv4-compatible ones.
  const bool low = std::all_of(std::begin(v6.s6_addr), std::begin(v6.s6_addr) + 12,
                               [](std::uint8_t byte) { return byte == 0; });
  return low || IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_MULTICAST(&v6);
}

bool Address::is_unspecified() const {
  if (family() == AF_INET) return ip_.v4.sin_addr.s_addr == 0;
  return family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ip_.v6.sin6_addr);
}

std::string Address::host_text() const {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  if (is_unix()) return "unix:" + path();
  if (family() == AF_INET) return v4_text(ip_.v4.sin_addr.s_addr);
  if (IN6_IS_ADDR_V4MAPPED(&ip_.v6.sin6_addr)) {
    std::uint32_t v4 = 0;
    std::memcpy(&v4, &ip_.v6.sin6_addr.s6_addr[12], sizeof v4);
    return v4_text(v4);
  }
  if (family() == AF_INET6) {
    inet_ntop(AF_INET6, &ip_.v6.sin6_addr, buffer.data(), buffer.size());
  }
  return buffer.data();
}

std::string Address::to_string() const {
  if (is_unix()) return host_text();
  const std::string host = host_text();
  const std::string port_text = std::to_string(port());
  return host.find(':') == std::string::npos ? host + ":" + port_text
                                             : "[" + host + "]:" + port_text;
}

bool operator==(const Address& a, const Address& b) {
  if (a.family() != b.family()) return false;
  if (a.family() == AF_INET) {
    return a.ip_.v4.sin_addr.s_addr == b.ip_.v4.sin_addr.s_addr &&
           a.ip_.v4.sin_port == b.ip_.v4.sin_port;
  }
  if (a.family() == AF_INET6) {
    return a.ip_.v6.sin6_port == b.ip_.v6.sin6_port &&
           a.ip_.v6.sin6_scope_id == b.ip_.v6.sin6_scope_id &&
           IN6_ARE_ADDR_EQUAL(&a.ip_.v6.sin6_addr, &b.ip_.v6.sin6_addr);
  }
  return a.path() == b.path();
}

std::size_t Address::hash() const {
  if (family() == AF_INET) {
    const std::uint64_t both = (std::uint64_t{ip_.v4.sin_addr.s_addr} << 16) | ip_.v4.sin_port;
    return std::hash<std::uint64_t>{}(both * 0x9e3779b97f4a7c15U);
  }
  if (family() == AF_INET6) {
    const std::string_view bytes(reinterpret_cast<const char*>(&ip_.v6.sin6_addr), 16);
    return std::hash<std::string_view>{}(bytes) ^ ip_.v6.sin6_port;
  }
  return std::hash<std::string>{}(path());
}

}  // namespace penstock

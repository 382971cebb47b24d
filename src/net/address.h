// Network addresses: IPv4 and IPv6 with port, unix sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/frame_pool.h"

namespace penstock {

class Address {
 public:
  Address() { ip_.v6.sin6_family = AF_UNSPEC; }

  // "192.0.2.1" or "2001:db8::1" (no brackets), without asking any resolver.
  static std::optional<Address> from_ip(std::string_view text, std::uint16_t port);
  // "127.0.0.1:80", "[::1]:80", "*:80" ([::] taking IPv4 too), "unix:/path". Numbers only.
  static std::optional<Address> parse(std::string_view text);
  static Address unix_socket(std::string path);
  static Address from_sockaddr(const sockaddr* address, socklen_t length);

  [[nodiscard]] int family() const { return ip_.v6.sin6_family; }
  [[nodiscard]] bool is_unix() const { return family() == AF_UNIX; }
  [[nodiscard]] std::uint16_t port() const;
  // Of a unix socket; else empty.
  [[nodiscard]] const std::string& path() const;
  void set_port(std::uint16_t port);
  // Fills `storage`; the length for the system calls.
  socklen_t to_sockaddr(sockaddr_storage& storage) const;

  // The same without a copy, as long as this lives; of a unix socket only its family.
  [[nodiscard]] const sockaddr* as_sockaddr(socklen_t& length) const;

  // 127.0.0.0/8, ::1, and the same mapped into IPv6; unix sockets count as loopback.
  [[nodiscard]] bool is_loopback() const;
  // Loopback, link-local (169.254/16, fe80::/10), unspecified (0/8, ::), also mapped into IPv6 or
  // inside the NAT64 prefix; multicast and broadcast too: what only the machine itself or its link
  // can mean.
  [[nodiscard]] bool is_local_target() const;
  [[nodiscard]] bool is_unspecified() const;

  // "127.0.0.1", "::1", "unix:/path": without port. An IPv4-mapped address is shown as IPv4.
  [[nodiscard]] std::string host_text() const;
  // "127.0.0.1:80", "[::1]:80", "unix:/path".
  [[nodiscard]] std::string to_string() const;

  friend bool operator==(const Address& a, const Address& b);
  [[nodiscard]] std::size_t hash() const;

 private:
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
  } ip_{};
  std::shared_ptr<const std::string> path_;  // unix sockets only
};

struct AddressHash {
  std::size_t operator()(const Address& address) const { return address.hash(); }
};

// Addresses to try, in that order.
using AddressList = std::vector<Address, PoolAllocator<Address>>;

}  // namespace penstock

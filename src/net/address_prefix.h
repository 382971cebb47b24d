// Networks: addresses that begin alike (CIDR, RFC 4632).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"

namespace penstock {

// "192.0.2.0/24", "2001:db8::/32", an address for itself alone, or "unix" for all unix sockets.
// Ports make no difference. An IPv4 address is the same mapped into IPv6 or not, and is in no
// network of IPv6 addresses.
class AddressPrefix {
 public:
  // Nothing also where bits beyond the prefix are set: "192.0.2.1/24" is likely a mistake.
  static std::optional<AddressPrefix> parse(std::string_view text);

  [[nodiscard]] bool contains(const Address& address) const;

 private:
  using Bytes = std::array<std::uint8_t, 16>;
  // Of an IP address; its family is AF_INET also if it is mapped, and then its bytes come first.
  static int bytes_of(const Address& address, Bytes& bytes);

  int family_ = 0;
  unsigned bits_ = 0;
  Bytes bytes_{};
};

// Some of them.
class AddressPrefixes {
 public:
  // The first text that is none of them comes back as the problem; null: there is none.
  const std::string* add(const std::vector<std::string>& texts);
  [[nodiscard]] bool empty() const { return prefixes_.empty(); }
  [[nodiscard]] bool contains(const Address& address) const;

 private:
  std::vector<AddressPrefix> prefixes_;
};

}  // namespace penstock

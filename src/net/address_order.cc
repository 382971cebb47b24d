#include "net/address_order.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include "net/fd.h"

namespace penstock {
namespace {

using Bytes = std::array<std::uint8_t, 16>;

Bytes bytes_of(const Address& address) {
  sockaddr_storage storage;
  address.to_sockaddr(storage);
  Bytes bytes{};
  if (address.family() == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(&bytes[12], &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, 4);
  } else {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, 16);
  }
  return bytes;
}

int common_prefix(const Bytes& a, const Bytes& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto differing = static_cast<std::uint8_t>(a[i] ^ b[i]);
    bits += std::countl_zero(differing);
    if (differing != 0) break;
  }
  return bits;
}

struct Policy {
  Bytes prefix;
  int length;  // of the prefix, in bits
  int precedence;
  int label;
};

// RFC 6724 section 2.1, the longest prefixes first.
constexpr std::array<Policy, 9> kPolicies = {{
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, 50, 0},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, 35, 4},
    {{}, 96, 1, 3},
    {{0x20, 0x01}, 32, 5, 5},
    {{0x20, 0x02}, 16, 30, 2},
    {{0x3f, 0xfe}, 16, 1, 12},
    {{0xfe, 0xc0}, 10, 1, 11},
    {{0xfc}, 7, 3, 13},
    {{}, 0, 40, 1},
}};

const Policy& policy_of(const Bytes& address) {
  return *std::ranges::find_if(kPolicies, [&address](const Policy& policy) {
    return common_prefix(address, policy.prefix) >= policy.length;
  });
}

// RFC 6724 section 3: smaller numbers are for what is nearer.
int scope_of(const Bytes& address) {
  constexpr int kLinkLocal = 2;
  constexpr int kSiteLocal = 5;
  constexpr int kGlobal = 14;
  if (common_prefix(address, kPolicies[1].prefix) >= 96) {
    const bool link = address[12] == 127 || (address[12] == 169 && address[13] == 254);
    return link ? kLinkLocal : kGlobal;
  }
  if (address[0] == 0xff) return address[1] & 0xf;
  if (common_prefix(address, kPolicies[0].prefix) == 128) return kLinkLocal;
  if (address[0] == 0xfe && (address[1] & 0xc0) == 0x80) return kLinkLocal;
  if (address[0] == 0xfe && (address[1] & 0xc0) == 0xc0) return kSiteLocal;
  return kGlobal;
}

// What RFC 6724 section 6 compares of a destination, in the order of its rules; the smaller one is
// preferred.
using Rank = std::tuple<bool, bool, bool, int, int, int>;

Rank rank_of(const Address& destination, const std::optional<Address>& source) {
  if (!source) return {true, false, false, 0, 0, 0};
  constexpr int kLongestSourcePrefix = 64;  // of a network; what follows is no sign of nearness
  const Bytes to = bytes_of(destination);
  const Bytes from = bytes_of(*source);
  const Policy& policy = policy_of(to);
  const int scope = scope_of(to);
  const bool v6 = destination.family() == AF_INET6;
  return {false,                                  // rule 1: a way to it
          scope != scope_of(from),                // rule 2: matching scope
          policy.label != policy_of(from).label,  // rule 5: matching label
          -policy.precedence,                     // rule 6: higher precedence
          scope,                                  // rule 8: smaller scope
          // Rule 9: longest matching prefix. Not for IPv4, where it says little and would undo the
          // name server's turns.
          v6 ? -std::min(common_prefix(to, from), kLongestSourcePrefix) : 0};
}

struct Families {
  AddressList v6;
  AddressList v4;
};

Families by_family(std::span<const Address> addresses) {
  Families families;
  for (const Address& address : addresses) {
    (address.family() == AF_INET6 ? families.v6 : families.v4).push_back(address);
  }
  return families;
}

}  // namespace

std::optional<Address> source_address(const Address& to) {
  const Fd socket(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return std::nullopt;
  Address with_port = to;
  if (with_port.port() == 0) with_port.set_port(9);  // any will do
  sockaddr_storage storage;
  socklen_t length = with_port.to_sockaddr(storage);
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  if (::connect(socket.get(), address, length) != 0) return std::nullopt;
  length = sizeof storage;
  if (::getsockname(socket.get(), address, &length) != 0) return std::nullopt;
  return Address::from_sockaddr(address, length);
}

std::size_t sort_by_preference(std::span<Address> addresses, const SourceFinder& source) {
  // With the place it had, so that equals stay in order.
  std::vector<std::pair<Rank, std::size_t>> ranks;
  std::size_t reachable = 0;
  for (const Address& address : addresses) {
    const auto from = source(address);
    if (from) ++reachable;
    ranks.emplace_back(rank_of(address, from), ranks.size());
  }
  std::ranges::sort(ranks);
  AddressList sorted;
  for (const auto& [rank, place] : ranks) sorted.push_back(addresses[place]);
  std::ranges::move(sorted, addresses.begin());
  return reachable;
}

AddressList interleave(const FamilyAddresses& v6, const FamilyAddresses& v4) {
  AddressList all;
  all.reserve(v6.addresses.size() + v4.addresses.size());
  const auto add = [&all](std::span<const Address> first, std::span<const Address> second) {
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
      if (i < first.size()) all.push_back(first[i]);
      if (i < second.size()) all.push_back(second[i]);
    }
  };
  add(v6.addresses.first(v6.reachable), v4.addresses.first(v4.reachable));
  add(v6.addresses.subspan(v6.reachable), v4.addresses.subspan(v4.reachable));
  return all;
}

AddressList interleave(std::span<const Address> addresses) {
  const auto [v6, v4] = by_family(addresses);
  return interleave({v6, v6.size()}, {v4, v4.size()});
}

AddressList order_to_try(std::span<const Address> addresses, const SourceFinder& source) {
  auto [v6, v4] = by_family(addresses);
  const std::size_t v6_reachable = sort_by_preference(v6, source);
  const std::size_t v4_reachable = sort_by_preference(v4, source);
  return interleave({v6, v6_reachable}, {v4, v4_reachable});
}

}  // namespace penstock

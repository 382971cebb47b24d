// In which order the addresses of a name are tried.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>

#include "net/address.h"

namespace penstock {

// Gives the address that connections to another one would come from; nothing when there is no way.
using SourceFinder = std::function<std::optional<Address>(const Address& to)>;

// Asks the system: connects a UDP socket, which sends nothing.
[[nodiscard]] std::optional<Address> source_address(const Address& to);

// Sorts addresses of one family by the rules of RFC 6724 section 6, as far as they are about
// addresses of one family; where these say nothing the order stays. Those there is no way to are
// last (rule 1): the number of those before them.
std::size_t sort_by_preference(std::span<Address> addresses,
                               const SourceFinder& source = source_address);

// The addresses of one family, the preferred ones first.
struct FamilyAddresses {
  std::span<const Address> addresses;
  std::size_t reachable = 0;  // how many of them there is a way to
};

// Both families by turns, IPv6 first (RFC 8305 section 4). What there is no way to is put behind
// all that there is one to.
[[nodiscard]] AddressList interleave(const FamilyAddresses& v6, const FamilyAddresses& v4);
// Of a list with both families: keeps the order within each, and takes all to be reachable.
[[nodiscard]] AddressList interleave(std::span<const Address> addresses);
// The same, sorted by preference within each family.
[[nodiscard]] AddressList order_to_try(std::span<const Address> addresses,
                                       const SourceFinder& source = source_address);

}  // namespace penstock

// What a name server's reply says, read without trusting it (RFC 1035 section 4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "net/address.h"
#include "net/network.h"

namespace penstock {

// What is asked of a name: its IPv6 addresses, its IPv4 addresses, the places of a service.
enum class DnsType : std::uint8_t { aaaa, a, srv };
inline constexpr std::size_t kDnsTypes = 3;

// The number a type has in messages.
[[nodiscard]] constexpr std::uint16_t number_of(DnsType type) {
  constexpr std::array<std::uint16_t, kDnsTypes> kNumbers = {28, 1, 33};
  return kNumbers[static_cast<std::size_t>(type)];
}

// What became of a question.
enum class DnsOutcome : std::uint8_t {
  found,
  none,       // the name does not exist, or has nothing of that type
  timed_out,  // no name server answered
  failed,     // SERVFAIL, REFUSED, garbage, nobody listening
};

struct DnsAnswer {
  DnsOutcome outcome = DnsOutcome::failed;
  AddressList addresses;               // port 0
  std::size_t reachable = 0;           // see FamilyAddresses
  std::vector<ServiceTarget> targets;  // by priority
  // As the servers said it: the least of the records that led to what was found, or of the zone's
  // SOA record if nothing was (RFC 2308 section 5). Nothing: they did not say.
  std::optional<Duration> ttl;
};

// Of an answer no more is kept.
inline constexpr std::size_t kMaxDnsRecords = 32;

// The answer in a reply with rcode NOERROR or NXDOMAIN: found, none, or failed where it cannot be
// understood.
[[nodiscard]] DnsAnswer read_dns_answer(std::span<const std::uint8_t> message, DnsType type);

}  // namespace penstock

// Any bytes as a name server's reply: what is read of it keeps to its bounds.
#include "net/dns_message.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"

namespace {

using namespace penstock;

bool is_host_byte(char c) { return c > ' ' && c < 0x7f && c != '\\'; }

void check_target(const ServiceTarget& target) {
  PENSTOCK_CHECK(!target.host.empty() && target.host.size() <= 253);
  PENSTOCK_CHECK(target.host != "." && !target.host.ends_with('.'));
  PENSTOCK_CHECK(std::ranges::all_of(target.host, is_host_byte));
}

void check_answer(std::span<const std::uint8_t> message, DnsType type) {
  const DnsAnswer answer = read_dns_answer(message, type);
  const std::size_t count = answer.addresses.size() + answer.targets.size();
  PENSTOCK_CHECK((count > 0) == (answer.outcome == DnsOutcome::found));
  PENSTOCK_CHECK(count <= kMaxDnsRecords);
  PENSTOCK_CHECK(answer.outcome != DnsOutcome::found || answer.ttl);
  PENSTOCK_CHECK(!answer.ttl || *answer.ttl >= Duration{});
  for (const Address& address : answer.addresses) {
    PENSTOCK_CHECK(address.family() == (type == DnsType::a ? AF_INET : AF_INET6));
  }
  std::ranges::for_each(answer.targets, check_target);
  PENSTOCK_CHECK(std::ranges::is_sorted(answer.targets, {}, &ServiceTarget::priority));
}

}  // namespace

// The first byte says what was asked for.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  check_answer({data + 1, size - 1}, static_cast<DnsType>(data[0] % kDnsTypes));
  return 0;
}

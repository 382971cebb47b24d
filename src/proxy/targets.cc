#include "proxy/targets.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <ifaddrs.h>

namespace penstock {
namespace {

std::vector<Address> interface_addresses() {
  std::vector<Address> found;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return found;
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owned(list, &::freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const int family = entry->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    found.push_back(Address::from_sockaddr(entry->ifa_addr, size));
  }
  return found;
}

// Without regard to port, scope, and whether an IPv4 address is mapped into IPv6.
bool same_host(const Address& a, const Address& b) { return a.host_text() == b.host_text(); }

}  // namespace

OwnAddresses::OwnAddresses(std::vector<Address> listening)
    : listening_(std::move(listening)), interfaces_(interface_addresses()) {}

bool OwnAddresses::reaches_us(const Address& target) const {
  for (const Address& own : listening_) {
    if (own.is_unix() || own.port() != target.port()) continue;
    // To connect to 0.0.0.0 is to connect to this machine.
    if (target.is_unspecified() || same_host(own, target)) return true;
    if (!own.is_unspecified()) continue;
    if (target.is_loopback()) return true;
    const auto same = [&target](const Address& address) { return same_host(address, target); };
    if (std::any_of(interfaces_.begin(), interfaces_.end(), same)) return true;
  }
  return false;
}

std::optional<Failure> filter_targets(AddressList& addresses, const OwnAddresses& own,
                                      const ForwardSettings& settings, const ClientInfo& client) {
  using Policy = ForwardSettings::PrivateTargets;
  const bool local_allowed =
      settings.local_targets == Policy::allow ||
      (settings.local_targets == Policy::automatic && client.listener_is_local);
  bool loop = false;
  std::erase_if(addresses, [&](const Address& address) {
    if (own.reaches_us(address)) return loop = true;
    return !local_allowed && address.is_local_target();
  });
  if (!addresses.empty()) return std::nullopt;
  return loop ? kLoop : kTargetDenied;
}

}  // namespace penstock

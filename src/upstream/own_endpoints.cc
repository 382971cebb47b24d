#include "upstream/own_endpoints.h"

#include <algorithm>
#include <cstddef>

#include "upstream/pool.h"

namespace penstock {
namespace {

// Servers of one client connection; that of the one it went to first is given up.
constexpr std::size_t kMaxServers = 64;

}  // namespace

std::string proxy_preamble(ProxyHeader version, const ProxyHeaderFields& fields) {
  switch (version) {
    case ProxyHeader::v1:
      return proxy_header_v1(fields);
    case ProxyHeader::v2:
      return proxy_header_v2(fields);
    case ProxyHeader::none:
      break;
  }
  return {};
}

OwnEndpoints::~OwnEndpoints() {
  for (const auto& endpoint : endpoints_) pool_->retire(*endpoint);
}

std::shared_ptr<Endpoint> OwnEndpoints::find(const HopShare& server) const {
  const auto found = std::ranges::find_if(
      endpoints_, [&server](const auto& endpoint) { return endpoint->share().get() == &server; });
  return found != endpoints_.end() ? *found : nullptr;
}

void OwnEndpoints::add(const std::shared_ptr<Endpoint>& endpoint) {
  if (endpoints_.size() >= kMaxServers) {
    pool_->retire(*endpoints_.front());
    endpoints_.erase(endpoints_.begin());
  }
  pool_->adopt(*endpoint);
  endpoints_.push_back(endpoint);
}

}  // namespace penstock

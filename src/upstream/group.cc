#include "upstream/group.h"

#include <charconv>
#include <utility>

namespace penstock {
namespace {
constexpr std::uint16_t kDefaultPort = 80;
}  // namespace

ServerGroup::ServerGroup(const UpstreamGroupSettings& settings) : name_(settings.name) {
  AddressList addresses;
  for (const std::string& text : settings.servers) {
    Server server{.text = text, .host = text, .port = kDefaultPort};
    const std::size_t colon = text.rfind(':');
    if (colon != std::string::npos && !text.starts_with("unix:") && !text.ends_with(']')) {
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), server.port);
      server.host = text.substr(0, colon);
    }
    if (server.host.starts_with('[')) server.host = server.host.substr(1, server.host.size() - 2);
    auto address = text.starts_with("unix:") ? Address::parse(text)
                                             : Address::from_ip(server.host, server.port);
    if (address) addresses.push_back(std::move(*address));
    servers_.push_back(std::move(server));
  }
  if (addresses.size() == servers_.size()) {
    doubled_ = addresses;
    doubled_.insert(doubled_.end(), addresses.begin(), addresses.end());
  }
}

Task<Result<Candidates>> ServerGroup::candidates(Network& network, TimePoint deadline) {
  turn_ = (turn_ + 1) % servers_.size();
  if (doubled_.empty()) return resolve_all(network, deadline);
  struct Known {
    static Task<Result<Candidates>> give(std::span<const Address> addresses) {
      co_return Candidates{.owned = {}, .addresses = addresses, .order = AcquireOrder::in_order};
    }
  };
  return Known::give(std::span(doubled_).subspan(turn_, servers_.size()));
}

std::string_view ServerGroup::turn_name() const {
  const std::string& text = servers_[turn_].text;
  return text.starts_with("unix:") ? std::string_view("localhost") : std::string_view(text);
}

Task<Result<Candidates>> ServerGroup::resolve_all(Network& network, TimePoint deadline) {
  Candidates candidates;
  Error error{.kind = ErrorKind::resolve_failed, .side = Side::server, .retryable = true};
  const std::size_t first = turn_;
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const Server& server = servers_[(first + i) % servers_.size()];
    if (server.text.starts_with("unix:")) {
      candidates.owned.push_back(*Address::parse(server.text));
      continue;
    }
    auto resolved = co_await network.resolve(server.host, server.port, deadline);
    if (!resolved) {
      error = resolved.error();
      continue;
    }
    for (Address& address : resolved->addresses) candidates.owned.push_back(std::move(address));
  }
  if (candidates.owned.empty()) co_return fail(error.at(Side::server));
  candidates.addresses = candidates.owned;
  co_return candidates;
}

}  // namespace penstock

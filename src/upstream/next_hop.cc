#include "upstream/next_hop.h"

#include <charconv>
#include <optional>
#include <utility>

#include "upstream/own_endpoints.h"

namespace penstock {

NextHop::NextHop(const ServerEntry& server, GroupShare& group) : entry(server) {
  const UpstreamGroupSettings& settings = group.settings();
  share = group.server(
      entry.address, entry.max_connections != 0 ? entry.max_connections : settings.max_connections);
  std::optional<Address> address;
  if (entry.address.starts_with("unix:")) {
    address = Address::parse(entry.address);
  } else {
    const std::string& text = entry.address;
    const std::size_t colon = text.rfind(':');
    host = text;
    if (colon != std::string::npos && !text.ends_with(']')) {
      std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
      host = text.substr(0, colon);
    }
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    address = Address::from_ip(host, port);
  }
  name_ = host;
  Passage passage{.tls = group.tls(),
                  .tls_name = host,
                  .http = group.http(),
                  .tls_http1 = group.tls_http1(),
                  .preamble = proxy_preamble(settings.proxy_header, {.local = true}),
                  .to_proxy = group.proxies()};
  endpoint = std::make_shared<Endpoint>(settings.pool, share, std::move(passage));
  if (!address) return;
  host.clear();
  endpoint->set_addresses({std::move(*address)});
}

}  // namespace penstock

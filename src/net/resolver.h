// Host names to addresses: configured ones, the hosts file, and name servers behind a cache.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "net/dns_cache.h"
#include "net/dns_client.h"
#include "net/event_loop.h"
#include "net/hosts.h"
#include "net/network.h"
#include "net/settings.h"

namespace penstock {

// The system's files that have a say in it.
struct ResolverFiles {
  std::string hosts = "/etc/hosts";  // read only where DnsSettings::hosts_file says so
  std::string resolv_conf = "/etc/resolv.conf";
  // How often, at most, resolv.conf is looked at for changes.
  Duration look_every = std::chrono::seconds(2);
};

// IPv6 and IPv4 addresses are asked for at the same time and kept each for its own time to live;
// concurrent questions for one name are asked once. A name in use is asked for anew shortly before
// its answer expires, and where the name servers then fail, the old answer serves on
// (DnsSettings::stale). Belongs to one thread.
class Resolver {
 public:
  explicit Resolver(EventLoop& loop, const DnsSettings& settings = {},
                    const ResolverFiles& files = {});
  // Who still waits then gets resolve_failed.
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // As Network's. One family's addresses wait at most 50 ms for the other's (RFC 8305 section 3),
  // which are remembered when they come later.
  Task<Result<Resolution>> resolve(std::string_view host, std::uint16_t port, TimePoint deadline);
  Task<Result<ServiceResolution>> resolve_service(std::string_view service, TimePoint deadline);

 private:
  [[nodiscard]] std::optional<Result<Resolution>> find_host(std::string_view host,
                                                            std::uint16_t port);
  // The name, its questions asked where they are due. Null: there is no room for another.
  std::shared_ptr<DnsName> look_up(std::string_view host, bool service);
  void ask_if_due(const std::shared_ptr<DnsName>& name, DnsType type);

  EventLoop* loop_;
  // Waiting tasks hold it: they may go on when the resolver is gone.
  std::shared_ptr<DnsCache> cache_;
  Hosts hosts_;
  DnsClient client_;
};

}  // namespace penstock

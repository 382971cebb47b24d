#include "tests/simulation_proxy.h"

#include <cstdlib>
#include <string>

#include "base/log_file.h"
#include "proxy/proxy.h"
#include "server/server.h"

namespace penstock::simulation {
namespace {

// For looking into a failure: where PENSTOCK_SIM_LOG says, the proxy writes its access log.
std::unique_ptr<LogFile> open_log() {
  const char* path = std::getenv("PENSTOCK_SIM_LOG");
  return path != nullptr ? std::make_unique<LogFile>(path) : nullptr;
}

// What a worker consists of, on the simulated network.
class RealProxy final : public Proxy {
 public:
  RealProxy(SimWorld& world, SimNetwork& network, const std::vector<Address>& origins)
      : upstream_(upstream_settings(origins)),
        settings_(proxy_settings()),
        upstream_share_(upstream_),
        servers_(network, upstream_, upstream_share_, world.seed()),
        routes_(settings_.routes, servers_),
        log_file_(open_log()),
        log_(world.executor(), log_file_.get(), AccessLogFormat::json),
        handler_(ProxyParts{servers_, routes_, log_, settings_, own_, "sim"}),
        server_(world.executor(), server_settings_, share_, handler_),
        accepting_(network.listen(Address::parse(listener_.address).value(), server_)) {
    server_.set_listener(accepting_.get());
  }

  [[nodiscard]] Address address() const override { return accepting_->local_address(); }
  void stop() override {
    server_.set_listener(nullptr);
    accepting_.reset();
    server_.drain();
    server_.cancel();
    servers_.pool().close_idle();
  }
  [[nodiscard]] std::size_t running() const override {
    return server_.connections() + servers_.pool().idle_count();
  }

 private:
  static ProxySettings proxy_settings() {
    ProxySettings settings;
    RouteSettings& route = settings.routes.emplace_back();
    route.to = "origins";
    return settings;
  }
  static UpstreamSettings upstream_settings(const std::vector<Address>& origins) {
    UpstreamGroupSettings group{.name = "origins", .servers = {}};
    for (const Address& origin : origins) {
      group.servers.push_back({.address = origin.to_string()});
    }
    UpstreamSettings settings;
    settings.groups = {group};
    return settings;
  }

  ListenerSettings listener_{.address = "192.0.2.1:8080", .mode = ListenerMode::reverse};
  ServerSettings server_settings_;
  UpstreamSettings upstream_;
  ProxySettings settings_;
  OwnAddresses own_;
  UpstreamShare upstream_share_;
  ServerSide servers_;
  RouteTable routes_;
  std::unique_ptr<LogFile> log_file_;
  AccessLog log_;
  penstock::Proxy handler_;
  ListenerShare share_{.settings = &listener_};
  Server server_;
  std::unique_ptr<Listener> accepting_;
};

}  // namespace

std::unique_ptr<Proxy> make_proxy(SimWorld& world, SimNetwork& network,
                                  const std::vector<Address>& origins) {
  return std::make_unique<RealProxy>(world, network, origins);
}

}  // namespace penstock::simulation

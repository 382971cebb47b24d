// For tests: a whole proxy on the simulated network, between test clients and scripted servers.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "proxy/proxy.h"
#include "server/server_test.h"
#include "upstream/scripted_server_test.h"

namespace penstock {

inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline const std::string kEnd = "\r\n\r\n";

class ProxyTest : public testing::Test {
 protected:
  ProxyTest() {
    settings.routes.push_back({.to = "origins"});
    // In front of what the proxy resolves by itself.
    world.set_name("origin.example", {.ips = {"10.0.0.1"}});
  }

  // Made at the first use, when the settings are as the test wants them.
  std::unique_ptr<TestClient> connect() {
    if (!parts_) parts_ = std::make_unique<Parts>(*this);
    return std::make_unique<TestClient>(clients, parts_->accepting->local_address());
  }
  // All that comes back on a connection of its own.
  std::string ask(const std::string& request, Duration wait = std::chrono::seconds(1)) {
    const auto client = connect();
    client->send(request, wait);
    return client->take();
  }
  // What serves requests, for connections that the test makes itself.
  Handler& handler() {
    if (!parts_) parts_ = std::make_unique<Parts>(*this);
    return parts_->proxy;
  }
  ServerPool& pool() { return parts_->servers.pool(); }
  Server& server() { return parts_->server; }
  void wait(Duration time) { world.run_for(time); }
  // Ends the proxy and all it does.
  void stop() { parts_.reset(); }
  void be_forward() {
    listener.mode = ListenerMode::forward;
    settings.forward.connect_ports = {443, 8443};
  }

  const UpstreamSettings& upstream_settings() {
    upstream.groups = groups;
    return upstream;
  }

  SimWorld world{1};
  SimNetwork network{world, "192.0.2.1"};
  SimNetwork clients{world, "192.0.2.77"};
  ListenerSettings listener{.addresses = {"192.0.2.1:8080"}, .mode = ListenerMode::reverse};
  ServerSettings server_settings;
  UpstreamSettings upstream;
  ProxySettings settings;
  std::vector<UpstreamGroupSettings> groups = {
      {.name = "origins", .servers = {{.address = "10.0.0.1:80"}}}};
  FilterSlot filters;
  LogFile* log_file = nullptr;  // for the access log; must outlive this

 private:
  struct Parts {
    explicit Parts(ProxyTest& test)
        : own({Address::parse(test.listener.addresses.front()).value()}),
          share(test.upstream_settings()),
          servers(test.network, test.upstream, share, 1),
          routes(test.settings.routes, servers),
          log(test.world.executor(), test.log_file, AccessLogFormat::json),
          proxy(ProxyParts{servers, routes, log, test.settings, own, "us", &test.filters}),
          listening{.settings = &test.listener},
          server(test.world.executor(), test.server_settings, listening, Handlers{.http = &proxy}),
          accepting(test.network.listen(Address::parse(test.listener.addresses.front()).value(),
                                        server)) {
      server.add_listener(*accepting);
      servers.start(true);
    }
    ~Parts() {
      server.forget_listeners();
      accepting.reset();
      server.drain();
      server.cancel();
      Executor& executor = servers.pool().executor();
      Scope stopping(executor);
      stopping.spawn(servers.stop());
      while (executor.has_ready()) executor.run_ready();
      EXPECT_EQ(server.connections(), 0U);
    }

    OwnAddresses own;
    UpstreamShare share;
    ServerSide servers;
    RouteTable routes;
    AccessLog log;
    Proxy proxy;
    ListenerShare listening;
    Server server;
    std::unique_ptr<Listener> accepting;
  };
  std::unique_ptr<Parts> parts_;
};

// The status of the first response in it.
[[nodiscard]] inline std::string status_of(std::string_view answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::string(answer.substr(9, 3)) : std::string();
}
[[nodiscard]] inline std::string error_of(std::string_view answer) {
  const std::string_view mark = "us; error=";
  const std::size_t begin = answer.find(mark);
  if (begin == std::string_view::npos) return {};
  const std::string_view rest = answer.substr(begin + mark.size());
  return std::string(rest.substr(0, rest.find_first_of(";\r")));
}

}  // namespace penstock

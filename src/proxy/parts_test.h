// For tests: what transactions and sessions work with, on the simulated network, without a server
// in front.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "proxy/proxy.h"
#include "upstream/scripted_server_test.h"

namespace penstock {

class PartsTest : public testing::Test {
 protected:
  ~PartsTest() override { std::filesystem::remove(log_path); }

  // Made at the first use, when the settings are as the test wants them.
  ProxyParts& parts() {
    if (!made_) made_ = std::make_unique<Made>(*this);
    return made_->parts;
  }
  void stop() {
    if (made_) made_->stop();
    made_.reset();
  }
  // The lines of the access log. Ends the parts.
  std::string log_lines() {
    stop();
    std::ifstream file(log_path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  SimWorld world{1};
  SimNetwork network{world, "192.0.2.1"};
  SimNetwork clients{world, "192.0.2.77"};
  ListenerSettings listener{.addresses = {"192.0.2.1:8080"}};
  UpstreamSettings upstream;
  ProxySettings settings;
  AccessLogFormat format = AccessLogFormat::json;
  std::string log_path = testing::TempDir() + fmt::format("penstock_log_{}", ::getpid());

 private:
  struct Made {
    explicit Made(PartsTest& test)
        : own({Address::parse(test.listener.addresses.front()).value()}),
          share(test.upstream),
          servers(test.network, test.upstream, share, 1),
          routes(test.settings.routes, servers),
          file(test.log_path),
          log(test.world.executor(), &file, test.format),
          parts{servers, routes, log, test.settings, own, "us"} {
      servers.start(true);
    }
    void stop() {
      Executor& executor = servers.pool().executor();
      Scope stopping(executor);
      stopping.spawn(servers.stop());
      while (executor.has_ready()) executor.run_ready();
    }
    OwnAddresses own;
    UpstreamShare share;
    ServerSide servers;
    RouteTable routes;
    LogFile file;
    AccessLog log;
    ProxyParts parts;
  };
  std::unique_ptr<Made> made_;
};

}  // namespace penstock

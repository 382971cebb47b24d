// One run of a simulation of logins: users with many client connections, origins that log
// connections in, the proxy between them, and the sums at the end.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "async/scope.h"
#include "sim/network.h"
#include "tests/simulation_harness.h"
#include "tests/simulation_login_client.h"
#include "tests/simulation_login_origin.h"

namespace penstock::simulation {

struct LoginSetting {
  const char* name = "";
  ProxyOptions proxy = {};
  Faults client_side = {};
  Faults origin_side = {};
  LoginClientOptions clients = {};  // kind, user and hosts are set for each
  LoginOriginOptions origins = {};
  std::size_t origin_count = 3;  // forward: each is a host of its own
  std::size_t users = 5;         // of connection-bound logins; and half as many of each other kind
  std::size_t connections = 2;   // of a user at a time
  std::size_t goal = 12;         // successes of each, on one client connection after another
  bool reliable = false;         // every exchange has to succeed
  bool features = false;         // the server side of `proxy` is set up as chance will have it
};

class LoginSimulation {
 public:
  LoginSimulation(const LoginSetting& setting, std::uint64_t seed);
  ~LoginSimulation();
  LoginSimulation(const LoginSimulation&) = delete;
  LoginSimulation& operator=(const LoginSimulation&) = delete;

  [[nodiscard]] Report run();

 private:
  void add_origins();
  void draw_server_side();
  void spawn_users();
  void spawn_user(LoginKind kind, const std::string& name);
  // Its client connections, one after the other, up to the goal.
  static Task<void> use(LoginSimulation& self, LoginClientOptions options);
  static Task<void> keep_auditing(LoginSimulation& self);
  void let_users_finish(Report& report);
  void look_at_rest(Report& report);
  void settle(Report& report);

  LoginSetting setting_;
  SimWorld world_;
  SimNetwork client_side_;
  SimNetwork origin_side_;
  Ledger ledger_;
  LoginBook book_;
  Features features_;
  std::vector<Address> addresses_;
  std::vector<std::string> hosts_;
  std::vector<std::unique_ptr<LoginOrigin>> origins_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<Proxy> proxy_;
  Scope scope_;
  std::size_t users_left_ = 0;
  std::vector<std::string> stuck_;
  std::FILE* trace_ = nullptr;
};

// Runs a setting in a world of that seed.
[[nodiscard]] Report simulate(const LoginSetting& setting, std::uint64_t seed);

}  // namespace penstock::simulation

// One run of a simulation: many clients, some origins, what stands between them, and the sums at
// the end.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "async/scope.h"
#include "sim/network.h"
#include "tests/simulation_client.h"
#include "tests/simulation_features.h"
#include "tests/simulation_icap_features.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_origin.h"
#include "tests/simulation_protocols.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {

struct Setting {
  const char* name = "";
  // Null: clients talk to the origins directly.
  ProxyFactory proxy = {};
  // Whether it is a proxy, and not just something that passes bytes on.
  bool speaks_http = false;
  Faults client_side = {};
  Faults origin_side = {};
  ClientOptions clients = {};
  OriginOptions origins = {};
  // Nothing is there to go wrong: every exchange has to succeed.
  bool reliable = false;
  // A client may wait in vain for as long as its patience lasts.
  bool may_time_out = true;
  // The proxy's server side is set up as chance will have it; `proxy` is not used.
  bool features = false;
  // How likely it is that modules have a say. Needs `features`.
  double modules = 0.3;
  // There are ICAP services. Needs `features`; then there are no modules.
  bool icap = false;
  // The versions of HTTP that are spoken, with what goes before it as chance will have it. Needs
  // `features`, or `proxy` to be empty. None: HTTP/1 and nothing else.
  std::optional<Versions> versions = {};
  std::size_t exchanges = 500;  // at least
};

struct Report {
  std::vector<std::string> problems;  // none: all is well
  std::string summary;
  std::uint64_t trace_hash = 0;
};

class Simulation {
 public:
  // With PENSTOCK_SIM_TRACE in the environment, writes what happens on the network to that file.
  Simulation(const Setting& setting, std::uint64_t seed);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  [[nodiscard]] Report run();

 private:
  void make_proxy_of_features();
  Task<void> start_clients();
  Task<void> run_client(Random random, Address to);
  Task<void> end_worker_in_between();
  void settle(Report& report);
  void look_for_leaks(Report& report) const;
  void look_at_outcomes(Report& report) const;

  const Setting* setting_;
  Protocols protocols_;
  ClientOptions client_options_;
  OriginOptions origin_options_;
  SimWorld world_;
  SimNetwork client_side_;
  SimNetwork origin_side_;
  Ledger ledger_;
  Features features_;
  std::vector<Address> addresses_;
  std::vector<std::unique_ptr<Origin>> origins_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<IcapFeatures> icap_;
  std::unique_ptr<Proxy> proxy_;
  Scope scope_;
  std::size_t clients_running_ = 0;
  bool clients_done_ = false;
  std::FILE* trace_ = nullptr;
};

// Runs a setting in a world of that seed.
[[nodiscard]] Report simulate(const Setting& setting, std::uint64_t seed);

}  // namespace penstock::simulation

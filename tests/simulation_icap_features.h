// ICAP services in a simulation: what the proxy is told of them, drawn at random, and their
// servers.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "adapt/settings.h"
#include "async/scope.h"
#include "base/random.h"
#include "sim/network.h"
#include "tests/simulation_icap.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {

class IcapFeatures {
 public:
  // `reliable`: servers do nothing wrong, and the proxy has the patience for them. The network and
  // the ledger must outlive it.
  IcapFeatures(SimNetwork& network, Ledger& ledger, Random random, bool reliable);

  // Into what the proxy is made with.
  void apply(ProxyOptions& options) const;
  // No server takes connections any more, or restarts.
  void stop();
  [[nodiscard]] std::size_t connections() const;
  // What there is and what was done, for people.
  [[nodiscard]] std::string text() const;
  // How many messages the services had something to say about.
  [[nodiscard]] std::size_t verdicts() const;

 private:
  void draw_service(Random& random, std::vector<std::string>& names);
  [[nodiscard]] bool may_be_bounded(const IcapService& service) const;
  void draw_limits(IcapService& service, Random& random) const;
  void draw_offer(IcapService& service, Random& random) const;
  void draw_filter(Random& random);
  void guard(const std::vector<std::size_t>& numbers);

  bool reliable_;
  Ledger* ledger_;
  std::deque<IcapService> services_;
  std::vector<FilterSettings> filters_;
  IcapCounts counts_;
  Scope restarting_;
  std::deque<IcapServer> servers_;
};

}  // namespace penstock::simulation

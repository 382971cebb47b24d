// What the proxy's server side can do, turned on at random.
#pragma once

#include <string>
#include <vector>

#include "async/task.h"
#include "base/random.h"
#include "sim/world.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {

struct Features {
  ProxyOptions proxy;
  std::vector<std::string> names;  // in place of the origins' addresses; their answers change
  std::string service;             // the name that gives those names; empty: none
  // A cookie leads to the server that has set it, whatever happens.
  bool cookies_hold = false;
  // How often a request may reach origins that is safe to repeat.
  std::size_t most_arrivals = 1;
  std::string text;  // what they are, for people
};

// `reliable`: only what lets every request succeed where origins and network do.
[[nodiscard]] Features draw_features(Random random, std::size_t origins, bool reliable);

// The path that active checks ask for.
inline constexpr std::string_view kHealthPath = "/health";
// The cookie that binds clients to servers.
inline constexpr std::string_view kStickyCookie = "sim_server";

// Changes what the names resolve to, again and again; the first time at once.
[[nodiscard]] Task<void> keep_changing_names(SimWorld& world, const Features& features,
                                             const std::vector<Address>& origins, Random random,
                                             bool reliable);

}  // namespace penstock::simulation

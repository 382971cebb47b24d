// Users who log their connections in (NTLM, Negotiate; RFC 4559) beside others who do not, random
// origins that do what servers do to connections, and the proxy between them. Each response says
// on which of the origin's connections it was made, and as whom.
//
// For the seeds see simulation_seeds.h; PENSTOCK_SIM_TRACE=<file> writes down everything that
// happens on the network, and PENSTOCK_SIM_LOG=<file> the proxy's access log.
#include <cstdio>
#include <string>

#include <gtest/gtest.h>

#include "tests/simulation_login_run.h"
#include "tests/simulation_seeds.h"

namespace penstock::simulation {
namespace {

constexpr std::uint64_t kSeeds = 12;

LoginSetting setting(const char* name, const std::string& scheme, const Faults& faults) {
  LoginSetting made{.name = name, .client_side = faults, .origin_side = faults};
  made.clients.scheme = made.origins.scheme = scheme;
  // What is swallowed on the way can't be told from a server that thinks for long.
  made.client_side.stall = made.origin_side.stall = 0;
  return made;
}

LoginSetting forward(LoginSetting made) {
  made.proxy.mode = ListenerMode::forward;
  return made;
}

LoginSetting two_workers(LoginSetting made) {
  made.proxy.workers = 2;
  return made;
}

// Nobody does anything wrong: everything has to succeed.
LoginSetting reliable(LoginSetting made) {
  made.clients.leave = 0;
  made.origins = LoginOriginOptions::reliable(made.origins.scheme);
  made.reliable = true;
  return made;
}

TEST(Logins, ReverseOnARoughNetworkWithReliableServers) {
  run_seeds(reliable(setting("reverse, reliable", "NTLM", Faults::rough())), kSeeds / 2);
}
TEST(Logins, ForwardOnARoughNetworkWithReliableServers) {
  run_seeds(forward(reliable(setting("forward, reliable", "Negotiate", Faults::rough()))),
            kSeeds / 2);
}
TEST(Logins, Reverse) { run_seeds(setting("reverse", "NTLM", {}), kSeeds); }
TEST(Logins, Forward) { run_seeds(forward(setting("forward", "Negotiate", {})), kSeeds); }
TEST(Logins, ReverseOnARoughNetwork) {
  run_seeds(setting("reverse, rough", "Negotiate", Faults::rough()), kSeeds);
}
TEST(Logins, ReverseWithEverythingGoingWrong) {
  run_seeds(setting("reverse, hostile", "NTLM", Faults::hostile()), kSeeds);
}
TEST(Logins, ForwardWithEverythingGoingWrong) {
  run_seeds(forward(setting("forward, hostile", "NTLM", Faults::hostile())), kSeeds);
}
TEST(Logins, TwoWorkers) {
  run_seeds(two_workers(setting("two workers", "NTLM", Faults::rough())), kSeeds);
}
// Logins take the places of connections, which others wait for.
TEST(Logins, FewConnections) {
  LoginSetting made = two_workers(setting("few connections", "NTLM", Faults::rough()));
  made.proxy.group.max_connections = 5;
  made.proxy.group.queue.timeout = std::chrono::minutes(1);
  run_seeds(made, kSeeds);
}

// Whatever else the server side does: balancing, cookies, checks, retries, changing names.
LoginSetting featured(LoginSetting made) {
  made.features = true;
  return made;
}
TEST(Logins, BesideOtherFeatures) {
  run_seeds(featured(setting("features", "NTLM", Faults::rough())), kSeeds);
}
TEST(Logins, BesideOtherFeaturesWithEverythingGoingWrong) {
  run_seeds(featured(setting("features, hostile", "NTLM", Faults::hostile())), kSeeds);
}

// ---- What is never noticed could as well not be looked for.

void expect_noticed(const LoginSetting& made) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const Report report = simulate(made, seed);
    EXPECT_FALSE(report.problems.empty()) << made.name << ", seed " << seed;
    if (!report.problems.empty()) std::printf("%s\n", report.problems.front().c_str());
  }
}

// A scheme that the proxy does not know to log connections in: they go back to the pool.
TEST(Logins, NoticesThatConnectionsAreReused) {
  expect_noticed(reliable(setting("reused", "Session", {})));
  expect_noticed(forward(setting("reused, forward", "Session", {})));
}

TEST(Logins, NoticesThatClientsShareTheirLogins) {
  LoginSetting made = setting("shared", "NTLM", {});
  made.proxy.shared_logins = true;
  expect_noticed(made);
}

TEST(Logins, TheSameSeedGivesTheSameHistory) {
  const LoginSetting made = setting("twice", "NTLM", Faults::hostile());
  const Report first = simulate(made, 77);
  const Report second = simulate(made, 77);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.summary, second.summary);
}

}  // namespace
}  // namespace penstock::simulation

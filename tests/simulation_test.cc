// Random clients, random origins and the proxy between them, on a network that does what networks
// do. Each client knows every byte it is entitled to, and each origin every byte it should get.
//
// A failure prints its seed: PENSTOCK_SIM_SEED=<seed> replays just that, and
// PENSTOCK_SIM_TRACE=<file> writes down everything that happens on the network meanwhile, and
// PENSTOCK_SIM_LOG=<file> the proxy's access log. PENSTOCK_SIM_SEEDS=<n> runs so many fresh seeds.
#include <chrono>
#include <cstdio>
#include <vector>

#include <gtest/gtest.h>

#include "tests/simulation_harness.h"
#include "tests/simulation_seeds.h"

namespace penstock::simulation {
namespace {

constexpr std::uint64_t kSeeds = 20;
constexpr std::uint64_t kSeedsOfIcap = 50;
constexpr std::uint64_t kSeedsOfVersions = 3;  // for each pair

void run_all_seeds(const Setting& setting) { run_seeds(setting, kSeeds); }

// Nobody does anything wrong: everything has to succeed, however slowly the bytes come.
Setting reliable(const char* name, const Faults& faults) {
  return {.name = name,
          .client_side = faults,
          .origin_side = faults,
          .clients = {.leave = 0},
          .origins = OriginOptions::reliable(),
          .reliable = true,
          .may_time_out = false};
}

// Origins that close, cut and stall, clients that leave, a network that breaks.
Setting hostile(const char* name) {
  return {.name = name, .client_side = Faults::hostile(), .origin_side = Faults::hostile()};
}

// ---- Through the proxy.

Setting through_proxy(Setting setting) {
  setting.proxy = make_proxy({});
  setting.speaks_http = true;
  return setting;
}

TEST(ThroughProxy, CleanNetwork) { run_all_seeds(through_proxy(reliable("proxy, clean", {}))); }
TEST(ThroughProxy, RoughNetwork) {
  run_all_seeds(through_proxy(reliable("proxy, rough", Faults::rough())));
}

// The clients' own network may break but does not swallow bytes: whatever happens beyond the proxy,
// it has to say something in time.
TEST(ThroughProxy, EverythingGoesWrong) {
  Setting setting = through_proxy(hostile("proxy, hostile"));
  setting.client_side.stall = 0;
  setting.may_time_out = false;
  run_all_seeds(setting);
}

// ---- Through the proxy, its server side set up at random.

Setting featured(Setting setting) {
  setting.speaks_http = true;
  setting.features = true;
  // Requests may have to wait for others, and those for the network.
  setting.clients.patience = std::chrono::hours(3);
  setting.exchanges = 250;
  return setting;
}

TEST(Features, CleanNetwork) { run_all_seeds(featured(reliable("features, clean", {}))); }
TEST(Features, RoughNetwork) {
  run_all_seeds(featured(reliable("features, rough", Faults::rough())));
}
TEST(Features, EverythingGoesWrong) {
  Setting setting = featured(hostile("features, hostile"));
  setting.client_side.stall = 0;
  setting.may_time_out = false;
  run_all_seeds(setting);
}

// ---- With modules that see all messages, and change content to and fro.

Setting with_modules(Setting setting) {
  setting = featured(setting);
  setting.modules = 1;
  return setting;
}

TEST(WithModules, CleanNetwork) { run_all_seeds(with_modules(reliable("modules, clean", {}))); }
TEST(WithModules, RoughNetwork) {
  run_all_seeds(with_modules(reliable("modules, rough", Faults::rough())));
}
TEST(WithModules, EverythingGoesWrong) {
  Setting setting = with_modules(hostile("modules, hostile"));
  setting.client_side.stall = 0;
  setting.may_time_out = false;
  run_all_seeds(setting);
}

// ---- With ICAP services that let messages pass, change and answer them.

Setting with_icap(Setting setting) {
  setting = featured(setting);
  setting.icap = true;
  return setting;
}

TEST(WithIcap, CleanNetwork) { run_seeds(with_icap(reliable("icap, clean", {})), kSeedsOfIcap); }
TEST(WithIcap, RoughNetwork) {
  run_seeds(with_icap(reliable("icap, rough", Faults::rough())), kSeedsOfIcap);
}
TEST(WithIcap, EverythingGoesWrong) {
  Setting setting = with_icap(hostile("icap, hostile"));
  setting.client_side.stall = 0;
  setting.clients.patience = std::chrono::minutes(30);
  setting.may_time_out = false;
  run_seeds(setting, kSeedsOfIcap);
}

TEST(WithIcap, BothVersions) {
  const Versions versions{.http2_clients = 0.5, .http2_origins = true};
  Setting rough = with_icap(reliable("icap, versions, rough", Faults::rough()));
  rough.versions = versions;
  run_seeds(rough, kSeedsOfVersions);
  Setting hostile_one = with_icap(hostile("icap, versions, hostile"));
  hostile_one.client_side.stall = 0;
  hostile_one.may_time_out = false;
  hostile_one.versions = versions;
  run_seeds(hostile_one, kSeedsOfVersions);
}

// ---- The same with HTTP/2 on one side or both; TLS and PROXY headers; connections and workers of
// the proxy that end, gently or not, while requests are under way.

class Protocols : public testing::TestWithParam<Versions> {
 protected:
  static void run(Setting setting) {
    setting = featured(setting);
    setting.versions = GetParam();
    run_seeds(setting, kSeedsOfVersions);
  }
};

TEST_P(Protocols, CleanNetwork) { run(reliable("protocols, clean", {})); }
TEST_P(Protocols, RoughNetwork) { run(reliable("protocols, rough", Faults::rough())); }
TEST_P(Protocols, EverythingGoesWrong) {
  Setting setting = hostile("protocols, hostile");
  setting.client_side.stall = 0;
  setting.may_time_out = false;
  run(setting);
}

INSTANTIATE_TEST_SUITE_P(
    Versions, Protocols,
    testing::Values(Versions{.name = "Http1ToHttp1"},
                    Versions{.name = "Http1ToHttp2", .http2_origins = true},
                    Versions{.name = "Http2ToHttp1", .http2_clients = 1},
                    Versions{.name = "Http2ToHttp2", .http2_clients = 1, .http2_origins = true},
                    Versions{.name = "BothToHttp2", .http2_clients = 0.5, .http2_origins = true}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- The simulation itself: clients and origins face to face, or with a mere relay between them.

TEST(Simulation, DirectOnACleanNetwork) { run_all_seeds(reliable("direct, clean", {})); }
TEST(Simulation, DirectOnARoughNetwork) {
  run_all_seeds(reliable("direct, rough", Faults::rough()));
}
TEST(Simulation, DirectWithEverythingGoingWrong) { run_all_seeds(hostile("direct, hostile")); }

Setting by_http2(Setting setting) {
  setting.versions = Versions{.http2_clients = 1, .http2_origins = true};
  return setting;
}
TEST(Simulation, DirectByHttp2) {
  run_seeds(by_http2(reliable("direct http2, clean", {})), kSeedsOfVersions);
  run_seeds(by_http2(reliable("direct http2, rough", Faults::rough())), kSeedsOfVersions);
  run_seeds(by_http2(hostile("direct http2, hostile")), kSeedsOfVersions);
}

Setting through_relay(Setting setting, Flaw flaw) {
  setting.proxy = [flaw](SimWorld& world, SimNetwork& network,
                         const std::vector<Address>& origins) {
    return make_relay(world, network, origins, flaw);
  };
  setting.exchanges = 150;
  return setting;
}

TEST(Simulation, ThroughAFaithfulRelay) {
  run_all_seeds(through_relay(reliable("relay, rough", Faults::rough()), Flaw::none));
  run_all_seeds(through_relay(hostile("relay, hostile"), Flaw::none));
}

// What is never noticed could as well not be looked for.
TEST(Simulation, NoticesWhatABadRelayDoes) {
  for (const Flaw flaw : {Flaw::wrong_byte, Flaw::orderly_end, Flaw::lost_bytes,
                          Flaw::crossed_lines, Flaw::repeats}) {
    const Report report = simulate(through_relay(hostile("bad relay"), flaw), 1);
    EXPECT_FALSE(report.problems.empty()) << "flaw " << static_cast<int>(flaw);
    if (!report.problems.empty()) std::printf("%s\n", report.problems.front().c_str());
  }
}

TEST(Simulation, TheSameSeedGivesTheSameHistory) {
  const Setting setting = through_relay(hostile("twice"), Flaw::none);
  const Report first = simulate(setting, 77);
  const Report second = simulate(setting, 77);
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.summary, second.summary);
}

}  // namespace
}  // namespace penstock::simulation

// Random clients, random origins and, where there is one, the proxy between them, on a network that
// does what networks do. Each client knows every byte it is entitled to.
//
// A failure prints its seed; PENSTOCK_SIM_SEED=<seed> replays just that, and
// PENSTOCK_SIM_TRACE=<file> writes down everything that happens on the network meanwhile.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "async/sleep.h"
#include "base/slab.h"
#include "sim/network.h"
#include "tests/simulation_client.h"
#include "tests/simulation_ledger.h"
#include "tests/simulation_origin.h"
#include "tests/simulation_proxy.h"

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kExchanges = 500;  // of one seed, at least
constexpr std::uint64_t kSeeds = 20;
constexpr std::size_t kClientsAtOnce = 20;
constexpr std::size_t kOrigins = 3;
constexpr int kMaxHours = 1000;  // of virtual time

struct Setting {
  const char* name;
  bool through_proxy;
  Faults client_side;
  Faults origin_side;
  ClientOptions clients;
  OriginOptions origins;
  bool reliable = false;  // nothing is to go wrong
};

struct Report {
  std::uint64_t trace_hash = 0;
  std::string summary;
};

class Simulation {
 public:
  Simulation(const Setting& setting, std::uint64_t seed)
      : setting_(&setting),
        world_(seed),
        ledger_(setting.through_proxy),
        scope_(world_.executor()) {
    client_side_.set_faults(setting.client_side);
    origin_side_.set_faults(setting.origin_side);
    for (std::size_t i = 0; i < kOrigins; ++i) {
      origins_.push_back(std::make_unique<Origin>(world_.executor(), ledger_,
                                                  world_.random().fork(), setting.origins));
      const Address address = Address::from_ip("192.0.2." + std::to_string(10 + i), 80).value();
      addresses_.push_back(address);
      listeners_.push_back(origin_side_.listen(address, *origins_.back()));
    }
    if (setting.through_proxy) proxy_ = make_proxy(world_, origin_side_, addresses_);
    if (const char* path = std::getenv("PENSTOCK_SIM_TRACE")) trace_ = std::fopen(path, "w");
    world_.set_trace_file(trace_);
  }
  ~Simulation() {
    if (trace_ != nullptr) std::fclose(trace_);
  }
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  Report run() {
    scope_.spawn(start_clients());
    for (int hours = 0; hours < kMaxHours && !clients_done_; ++hours) {
      if (world_.run_for(std::chrono::hours(1)) == SimOutcome::step_limit) break;
    }
    EXPECT_TRUE(clients_done_) << "the clients do not come to an end";
    for (const auto& origin : origins_) origin->stop();
    if (proxy_) proxy_->stop();
    scope_.cancel();
    EXPECT_EQ(world_.run_until_idle(), SimOutcome::idle);
    ledger_.finish();
    check();
    return {world_.trace_hash(), ledger_.summary()};
  }

 private:
  Task<void> start_clients();
  Task<void> run_client(std::unique_ptr<Client> client, Address to);
  void check();

  const Setting* setting_;
  SimWorld world_;
  SimNetwork client_side_{world_, "198.51.100.1"};
  SimNetwork origin_side_{world_, "192.0.2.1"};
  Ledger ledger_;
  std::vector<Address> addresses_;
  std::vector<std::unique_ptr<Origin>> origins_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::unique_ptr<Proxy> proxy_;
  Scope scope_;
  std::size_t clients_running_ = 0;
  bool clients_done_ = false;
  std::FILE* trace_ = nullptr;
};

Task<void> Simulation::start_clients() {
  const TaskContext& context = co_await this_context();
  Random& random = world_.random();
  while (ledger_.exchanges() < kExchanges) {
    if (clients_running_ < kClientsAtOnce) {
      const Address to = proxy_ ? proxy_->address() : addresses_[random.below(kOrigins)];
      ++clients_running_;
      scope_.spawn(run_client(
          std::make_unique<Client>(client_side_, ledger_, random.fork(), setting_->clients), to));
    }
    const Duration pause = random.between(Duration{}, milliseconds(200));
    if (!co_await sleep_until(context.executor().now() + pause)) co_return;
  }
  while (clients_running_ > 0) {
    if (!co_await sleep_until(context.executor().now() + std::chrono::seconds(1))) co_return;
  }
  clients_done_ = true;
}

Task<void> Simulation::run_client(std::unique_ptr<Client> client, Address to) {
  co_await client->run(to);
  --clients_running_;
}

void Simulation::check() {
  for (const std::string& violation : ledger_.violations()) ADD_FAILURE() << violation;
  EXPECT_EQ(scope_.running(), 0U);
  for (const auto& origin : origins_) EXPECT_EQ(origin->connections(), 0U);
  if (proxy_) EXPECT_EQ(proxy_->running(), 0U);
  EXPECT_EQ(world_.open_streams(), 0U);
  EXPECT_EQ(world_.pending_ops(), 0U);
  EXPECT_EQ(world_.bytes_in_flight(), 0U);
  const std::size_t whole = ledger_.count(Outcome::whole);
  EXPECT_GT(whole, ledger_.exchanges() / 2);
  if (setting_->reliable) {
    EXPECT_EQ(whole + ledger_.count(Outcome::not_taken), ledger_.exchanges()) << ledger_.summary();
  }
}

// ---- The settings.

ClientOptions staying_clients() { return {.leave = 0}; }

// Nobody does anything wrong: everything must succeed, however the bytes come.
Setting reliable(const Faults& faults) {
  return {.name = "reliable",
          .through_proxy = false,
          .client_side = faults,
          .origin_side = faults,
          .clients = staying_clients(),
          .origins = OriginOptions::reliable(),
          .reliable = true};
}

// Origins that close, cut and stall; clients that leave; a network that breaks.
Setting hostile() {
  return {.name = "hostile",
          .through_proxy = false,
          .client_side = Faults::hostile(),
          .origin_side = Faults::hostile(),
          .clients = {},
          .origins = {},
          .reliable = false};
}

std::vector<std::uint64_t> seeds() {
  if (const char* seed = std::getenv("PENSTOCK_SIM_SEED")) {
    return {std::strtoull(seed, nullptr, 0)};
  }
  std::vector<std::uint64_t> result;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) result.push_back(seed);
  result.push_back(std::random_device{}());
  return result;
}

void run_all(const Setting& setting) {
  const std::size_t slabs_before = SlabPool::bytes_in_use();
  for (const std::uint64_t seed : seeds()) {
    SCOPED_TRACE(std::string(setting.name) + ": PENSTOCK_SIM_SEED=" + std::to_string(seed));
    std::string summary;
    {
      Simulation simulation(setting, seed);
      summary = simulation.run().summary;
    }
    EXPECT_EQ(SlabPool::bytes_in_use(), slabs_before);
    std::printf("%s, seed %llu: %s\n", setting.name, static_cast<unsigned long long>(seed),
                summary.c_str());
    if (testing::Test::HasFailure()) return;  // one seed's failures are enough to read
  }
}

// ---- Clients and origins face to face: the simulation itself is sound.

TEST(Simulation, DirectOnACleanNetwork) { run_all(reliable({})); }
TEST(Simulation, DirectOnARoughNetwork) { run_all(reliable(Faults::rough())); }
TEST(Simulation, DirectWithEverythingGoingWrong) { run_all(hostile()); }

TEST(Simulation, TheSameSeedGivesTheSameHistory) {
  const Setting setting = hostile();
  const Report first = Simulation(setting, 77).run();
  const Report second = Simulation(setting, 77).run();
  EXPECT_EQ(first.trace_hash, second.trace_hash);
  EXPECT_EQ(first.summary, second.summary);
}

}  // namespace
}  // namespace penstock::simulation

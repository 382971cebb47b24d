#include "tests/simulation_harness.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "async/sleep.h"
#include "base/slab.h"
#include "tests/simulation_http2_client.h"
#include "tests/simulation_seeds.h"

namespace penstock::simulation {
namespace {

constexpr std::size_t kClientsAtOnce = 20;
constexpr std::size_t kOrigins = 3;
constexpr Duration kMaxPause = std::chrono::milliseconds(200);  // between the starts of two clients
constexpr Duration kWorkersLife = std::chrono::seconds(30);  // of one that ends before the others
constexpr int kMaxMinutes = 6'000;                           // of virtual time

void expect(Report& report, bool condition, std::string problem) {
  if (!condition) report.problems.push_back(std::move(problem));
}

}  // namespace

Simulation::Simulation(const Setting& setting, std::uint64_t seed)
    : setting_(&setting),
      client_options_(setting.clients),
      origin_options_(setting.origins),
      world_(seed),
      client_side_(world_, kClientHost),
      origin_side_(world_, "192.0.2.1"),
      ledger_(setting.speaks_http),
      scope_(world_.executor()) {
  client_side_.set_faults(setting.client_side);
  origin_side_.set_faults(setting.origin_side);
  if (setting.versions) {
    protocols_ = draw_protocols(world_.random().fork(), *setting.versions, setting.speaks_http,
                                setting.reliable);
    ledger_.bodies_may_be_refused = setting.versions->http2_origins;
    apply(protocols_, client_options_);
    apply(protocols_, origin_options_);
  }
  for (std::size_t i = 0; i < kOrigins; ++i) {
    addresses_.push_back(Address::from_ip("192.0.2." + std::to_string(10 + i), 80).value());
    origins_.push_back(std::make_unique<Origin>(world_.executor(), ledger_, world_.random().fork(),
                                                origin_options_, addresses_.back().to_string()));
    listeners_.push_back(origin_side_.listen(addresses_.back(), *origins_.back()));
  }
  if (setting.speaks_http && !setting.reliable) ledger_.most_arrivals = kMostAttempts;
  if (setting.proxy) proxy_ = setting.proxy(world_, origin_side_, addresses_);
  if (setting.features) make_proxy_of_features();
  if (const char* path = std::getenv("PENSTOCK_SIM_TRACE")) trace_ = std::fopen(path, "w");
  world_.set_trace_file(trace_);
}

Simulation::~Simulation() {
  if (trace_ != nullptr) std::fclose(trace_);
}

void Simulation::make_proxy_of_features() {
  features_ = draw_features(world_.random().fork(), kOrigins, setting_->reliable);
  if (setting_->versions) apply(protocols_, features_.proxy);
  ledger_.cookies_hold = features_.cookies_hold;
  ledger_.most_arrivals = features_.most_arrivals;
  scope_.spawn(keep_changing_names(world_, features_, addresses_, world_.random().fork(),
                                   setting_->reliable));
  features_.proxy.modules = Random(mix(world_.seed() + 1)).chance(setting_->modules);
  features_.proxy.reliable_modules = setting_->reliable;
  if (setting_->icap) {
    features_.proxy.modules = false;
    ledger_.bodies_may_be_added = true;
    icap_ = std::make_unique<IcapFeatures>(origin_side_, ledger_, Random(mix(world_.seed() + 2)),
                                           setting_->reliable);
    icap_->apply(features_.proxy);
  }
  proxy_ = make_proxy(features_.proxy)(world_, origin_side_, addresses_);
  if (protocols_.worker_ends != Protocols::Ending::none) scope_.spawn(end_worker_in_between());
}

Report Simulation::run() {
  Report report;
  const TimePoint began = world_.now();
  scope_.spawn(start_clients());
  SimOutcome outcome = SimOutcome::idle;
  for (int minutes = 0; minutes < kMaxMinutes && !clients_done_; ++minutes) {
    outcome = world_.run_for(std::chrono::minutes(1));
    if (outcome == SimOutcome::step_limit) break;
  }
  expect(report, outcome != SimOutcome::step_limit, "tasks keep each other busy for nothing");
  expect(report, clients_done_, "the clients come to no end");
  settle(report);
  look_at_outcomes(report);
  look_for_leaks(report);
  report.summary =
      ledger_.summary() + ", " +
      std::to_string(std::chrono::floor<std::chrono::seconds>(world_.now() - began).count()) + " s";
  if (setting_->versions) report.summary += "; " + protocols_.text();
  if (setting_->features) report.summary += "; " + features_.text + " " + proxy_->text();
  if (icap_) report.summary += icap_->text();
  report.trace_hash = world_.trace_hash();
  return report;
}

Task<void> Simulation::start_clients() {
  const TaskContext& context = co_await this_context();
  Random& random = world_.random();
  while (ledger_.exchanges() < setting_->exchanges) {
    if (clients_running_ < kClientsAtOnce) {
      const Address to = proxy_ ? proxy_->address() : addresses_[random.below(kOrigins)];
      ++clients_running_;
      scope_.spawn(run_client(random.fork(), to));
    }
    const Duration pause = random.between(Duration{}, kMaxPause);
    if (!co_await sleep_until(context.executor().now() + pause)) co_return;
  }
  while (clients_running_ > 0) {
    if (!co_await sleep_until(context.executor().now() + std::chrono::seconds(1))) co_return;
  }
  clients_done_ = true;
}

Task<void> Simulation::end_worker_in_between() {
  const TaskContext& context = co_await this_context();
  const Duration wait = world_.random().between(Duration{}, kWorkersLife);
  if (!co_await sleep_until(context.executor().now() + wait)) co_return;
  proxy_->end_worker(protocols_.worker_ends == Protocols::Ending::gentle);
}

Task<void> Simulation::run_client(Random random, Address to) {
  if (random.chance(client_options_.http2)) {
    Http2Client client(client_side_, ledger_, random, client_options_);
    co_await client.run(to);
  } else {
    Client client(client_side_, ledger_, random, client_options_);
    co_await client.run(to);
  }
  --clients_running_;
}

void Simulation::settle(Report& report) {
  for (const auto& origin : origins_) origin->stop();
  if (icap_) icap_->stop();
  if (proxy_) proxy_->stop();
  scope_.cancel();
  expect(report, world_.run_until_idle() == SimOutcome::idle, "the world does not become idle");
  ledger_.finish();
}

void Simulation::look_at_outcomes(Report& report) const {
  for (const std::string& violation : ledger_.violations()) report.problems.push_back(violation);
  const std::size_t whole = ledger_.count(Outcome::whole);
  // Clients of HTTP/2 may send more at first than they learn that they may. The draw of a fresh
  // seed may be an unlucky one.
  const std::size_t most_parts = is_fixed(world_.seed()) ? 2 : 3;
  const std::size_t enough = ledger_.exchanges() / (setting_->features ? 4 : most_parts);
  // With features, names may be without an address all the time.
  const bool may_all_fail = setting_->features && !setting_->reliable;
  expect(report, may_all_fail || whole > enough, "too little succeeds");
  const bool must_be_asked = icap_ && setting_->reliable;
  expect(report, !must_be_asked || icap_->verdicts() > 0, "no ICAP service was asked");
  expect(report, setting_->may_time_out || ledger_.count(Outcome::timed_out) == 0,
         "clients were left waiting");
  if (!setting_->reliable) return;
  for (const std::string& failure : ledger_.failures()) report.problems.push_back(failure);
}

void Simulation::look_for_leaks(Report& report) const {
  expect(report, scope_.running() == 0, "clients are left");
  for (const auto& origin : origins_) {
    expect(report, origin->connections() == 0, "an origin's connections are left");
  }
  expect(report, !icap_ || icap_->connections() == 0, "connections to ICAP servers are left");
  expect(report, !proxy_ || proxy_->running() == 0, "tasks of the proxy are left");
  if (proxy_) {
    for (const std::string& problem : proxy_->problems()) report.problems.push_back(problem);
  }
  expect(report, world_.open_streams() == 0, "streams are left");
  expect(report, world_.pending_ops() == 0, "operations are left");
  expect(report, world_.bytes_in_flight() == 0, "bytes are left");
}

Report simulate(const Setting& setting, std::uint64_t seed) {
  const std::size_t slabs_before = SlabPool::bytes_in_use();
  Report report;
  {
    Simulation simulation(setting, seed);
    report = simulation.run();
  }
  expect(report, SlabPool::bytes_in_use() == slabs_before, "slabs are left");
  return report;
}

}  // namespace penstock::simulation

#include "tests/simulation_login_run.h"

#include <chrono>
#include <cstdlib>
#include <utility>

#include "async/sleep.h"
#include "base/slab.h"

namespace penstock::simulation {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

// Client connections that a user may need to be served as often as it wants.
constexpr std::size_t kMaxConnections = 80;
// How long the proxy may take to let go of a login whose client has gone: it may have to finish a
// request, on a slow network. Less than it keeps unused connections.
constexpr Duration kGrace = seconds(40);
constexpr int kMaxHours = 100;  // of virtual time

void expect(Report& report, bool condition, std::string problem) {
  if (!condition) report.problems.push_back(std::move(problem));
}

}  // namespace

LoginSimulation::LoginSimulation(const LoginSetting& setting, std::uint64_t seed)
    : setting_(setting),
      world_(seed),
      client_side_(world_, "198.51.100.1"),
      origin_side_(world_, "192.0.2.1"),
      ledger_(true),
      book_(ledger_),
      scope_(world_.executor()) {
  client_side_.set_faults(setting.client_side);
  origin_side_.set_faults(setting.origin_side);
  add_origins();
  if (setting_.features) draw_server_side();
  const ProxyFactory make = make_proxy(setting_.proxy);
  proxy_ = make(world_, origin_side_, addresses_);
  if (const char* path = std::getenv("PENSTOCK_SIM_TRACE")) trace_ = std::fopen(path, "w");
  world_.set_trace_file(trace_);
}

LoginSimulation::~LoginSimulation() {
  if (trace_ != nullptr) std::fclose(trace_);
}

void LoginSimulation::add_origins() {
  const bool forward = setting_.proxy.mode == ListenerMode::forward;
  ledger_.most_arrivals = kMostAttempts;
  for (std::size_t i = 0; i < setting_.origin_count; ++i) {
    const std::string ip = "192.0.2." + std::to_string(10 + i);
    const std::string host = "host" + std::to_string(i) + ".example";
    addresses_.push_back(Address::from_ip(ip, 80).value());
    if (forward) world_.set_name(host, {.ips = {ip}});
    if (forward || i == 0) hosts_.push_back(host);
    origins_.push_back(std::make_unique<LoginOrigin>(world_.executor(), ledger_, book_,
                                                     world_.random().fork(), setting_.origins));
    listeners_.push_back(origin_side_.listen(addresses_.back(), *origins_.back()));
  }
}

// Whatever it is, nobody is turned away.
void LoginSimulation::draw_server_side() {
  features_ = draw_features(world_.random().fork(), addresses_.size(), true);
  scope_.spawn(keep_changing_names(world_, features_, addresses_, world_.random().fork(), true));
  setting_.proxy = features_.proxy;
  setting_.clients.patience = hours(3);
}

void LoginSimulation::spawn_users() {
  for (std::size_t i = 0; i < setting_.users; ++i) {
    spawn_user(LoginKind::connection, "user" + std::to_string(i));
    if (i % 2 == 0) spawn_user(LoginKind::basic, "basic" + std::to_string(i));
    if (i % 2 == 0) spawn_user(LoginKind::anonymous, "");
  }
}

void LoginSimulation::spawn_user(LoginKind kind, const std::string& name) {
  LoginClientOptions options = setting_.clients;
  options.kind = kind;
  options.user = name;
  options.hosts = hosts_;
  options.absolute_form = setting_.proxy.mode == ListenerMode::forward;
  for (std::size_t i = 0; i < setting_.connections; ++i) {
    ++users_left_;
    scope_.spawn(use(*this, options));
  }
}

Task<void> LoginSimulation::use(LoginSimulation& self, LoginClientOptions options) {
  const TaskContext& context = co_await this_context();
  Random random = self.world_.random().fork();
  std::size_t successes = 0;
  for (std::size_t i = 0; i < kMaxConnections && successes < self.setting_.goal; ++i) {
    const Duration pause = random.between(Duration{}, seconds(1));
    if (!co_await sleep_until(context.executor().now() + pause)) break;
    LoginClient client(self.client_side_, self.ledger_, self.book_, random.fork(), options);
    co_await client.run(self.proxy_->address());
    successes += client.successes();
  }
  if (successes < self.setting_.goal) {
    self.stuck_.push_back(options.user + " was served only " + std::to_string(successes) +
                          " times");
  }
  --self.users_left_;
}

Task<void> LoginSimulation::keep_auditing(LoginSimulation& self) {
  const TaskContext& context = co_await this_context();
  while (co_await sleep_until(context.executor().now() + seconds(1))) {
    self.book_.audit(context.executor().now(), kGrace);
  }
}

Report LoginSimulation::run() {
  Report report;
  spawn_users();
  scope_.spawn(keep_auditing(*this));
  let_users_finish(report);
  look_at_rest(report);
  settle(report);
  for (const std::string& violation : ledger_.violations()) report.problems.push_back(violation);
  for (const std::string& stuck : stuck_) report.problems.push_back(stuck);
  expect(report, ledger_.count(Outcome::timed_out) == 0, "clients were left waiting");
  if (setting_.reliable) {
    for (const std::string& failure : ledger_.failures()) report.problems.push_back(failure);
  }
  report.summary = ledger_.summary() + "; " + book_.summary();
  if (setting_.features) report.summary += "; " + features_.text;
  report.trace_hash = world_.trace_hash();
  return report;
}

void LoginSimulation::let_users_finish(Report& report) {
  SimOutcome outcome = SimOutcome::idle;
  for (int i = 0; i < kMaxHours * 3600 && users_left_ > 0; ++i) {
    outcome = world_.run_for(seconds(1));
    if (outcome == SimOutcome::step_limit) break;
  }
  expect(report, outcome != SimOutcome::step_limit, "tasks keep each other busy for nothing");
  expect(report, users_left_ == 0, "the users come to no end");
}

// All clients are gone: so are their logins. What is pooled now is nobody's.
void LoginSimulation::look_at_rest(Report& report) {
  for (const auto& origin : origins_) origin->calm_down();
  // Some connections that nobody owns, to be pooled.
  LoginClientOptions options = setting_.clients;
  options.leave = 0;
  for (int i = 0; i < 4; ++i) spawn_user(LoginKind::anonymous, "");
  let_users_finish(report);
  world_.run_for(kGrace + seconds(5));
  expect(report, book_.owned_visits() == 0, "logged-in connections are left");
  // One that the proxy has closed may still be open for the origin.
  expect(report, setting_.features || proxy_->pooled() > 0, "nothing is pooled");
  expect(report, proxy_->pooled() <= book_.free_visits(),
         std::to_string(proxy_->pooled()) + " connections are in the pool, of which only " +
             std::to_string(book_.free_visits()) + " are nobody's");
}

void LoginSimulation::settle(Report& report) {
  for (const auto& origin : origins_) origin->stop();
  proxy_->stop();
  scope_.cancel();
  expect(report, world_.run_until_idle() == SimOutcome::idle, "the world does not become idle");
  ledger_.finish();
  expect(report, scope_.running() == 0, "clients are left");
  for (const auto& origin : origins_) {
    expect(report, origin->connections() == 0, "an origin's connections are left");
  }
  expect(report, proxy_->running() == 0, "tasks of the proxy are left");
  expect(report, world_.open_streams() == 0, "streams are left");
  expect(report, world_.pending_ops() == 0, "operations are left");
  expect(report, world_.bytes_in_flight() == 0, "bytes are left");
}

Report simulate(const LoginSetting& setting, std::uint64_t seed) {
  const std::size_t slabs_before = SlabPool::bytes_in_use();
  Report report;
  {
    LoginSimulation simulation(setting, seed);
    report = simulation.run();
  }
  expect(report, SlabPool::bytes_in_use() == slabs_before, "slabs are left");
  return report;
}

}  // namespace penstock::simulation

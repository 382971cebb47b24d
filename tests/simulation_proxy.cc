#include "tests/simulation_proxy.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <list>
#include <string>
#include <utility>
#include <variant>

#include <gtest/gtest.h>

#include "base/log.h"
#include "base/log_file.h"
#include "icap/filter.h"
#include "icap/service.h"
#include "icap/service_share.h"
#include "proxy/background.h"
#include "proxy/proxy.h"
#include "server/server.h"
#include "tests/simulation_modules.h"

namespace penstock::simulation {
namespace {

constexpr Duration kPatience = std::chrono::minutes(10);

// For looking into a failure: where PENSTOCK_SIM_LOG says, the proxy writes its access log.
std::unique_ptr<LogFile> open_log() {
  const char* path = std::getenv("PENSTOCK_SIM_LOG");
  return path != nullptr ? std::make_unique<LogFile>(path) : nullptr;
}

// An exchange of a client connection that looks like one of another.
class BorrowedExchange final : public penstock::Exchange {
 public:
  BorrowedExchange(penstock::Exchange& real, ClientControl& control)
      : penstock::Exchange(real.client(), control), real_(&real) {
    request_ = std::move(real.request());
    body_framing_ = real.body_framing();
    problem_ = real.problem();
  }

  BodySource& body() override { return real_->body(); }
  const ClientTraffic& traffic() override { return real_->traffic(); }
  Task<Result<void>> inform(ResponseHead& head) override { return real_->inform(head); }
  Task<Result<void>> respond(ResponseHead& head, BodySource& body,
                             const Framing& framing) override {
    response_begun_ = true;
    return real_->respond(head, body, framing);
  }
  Task<Result<void>> open_tunnel(ResponseHead& head, std::string_view upgrade) override {
    response_begun_ = true;
    return real_->open_tunnel(head, upgrade);
  }
  ByteStream& tunnel_stream() override { return real_->tunnel_stream(); }
  InputBuffer& tunnel_input() override { return real_->tunnel_input(); }

 private:
  penstock::Exchange* real_;
};

// Lets the handler take all clients for one, or not.
class FlawedHandler final : public Handler {
 public:
  FlawedHandler(Handler& handler, bool flawed) : handler_(&handler), flawed_(flawed) {}
  Task<void> handle(penstock::Exchange& exchange) override {
    return flawed_ ? handle_as_one(exchange) : handler_->handle(exchange);
  }

 private:
  class Everybody final : public ClientControl {
   public:
    void end_if_idle() override {}
  };
  Task<void> handle_as_one(penstock::Exchange& exchange) {
    BorrowedExchange borrowed(exchange, everybody_);
    co_await handler_->handle(borrowed);
  }

  Handler* handler_;
  bool flawed_;
  Everybody everybody_;
};

// What a worker consists of, on the simulated network.
class Worker {
 public:
  Worker(SimWorld& world, const SimNetwork& network, const UpstreamSettings& upstream,
         UpstreamShare& share, const ProxySettings& settings, LogFile* log,
         const ListenerSettings& listener, const ProxyOptions& options, std::uint64_t seed,
         std::shared_ptr<FilterSet> filters, std::list<icap::ServiceShare>& services,
         Log* log_of_services)
      : network_(network),
        servers_(network_, upstream, share, seed),
        upkeep_(world.executor()),
        routes_(settings.routes, servers_),
        log_(world.executor(), log, AccessLogFormat::json),
        filters_{std::move(filters)},
        handler_(ProxyParts{servers_, routes_, log_, settings, own_, "sim", &filters_,
                            make_cache_part(world, options)}),
        flawed_(handler_, options.shared_logins),
        listener_(listener),
        server_settings_(make_settings(options)),
        listener_share_{.settings = &listener_, .entrance = make_entrance(listener_)},
        server_(world.executor(), server_settings_, listener_share_, Handlers{.http = &flawed_}),
        accepting_(network_.listen(Address::parse(listener_.addresses.front()).value(), server_)),
        stopping_(world.executor()) {
    server_.add_listener(*accepting_);
    if (cache_) cache_->background = &background_.emplace(handler_.parts());
    for (icap::ServiceShare& service : services) {
      ServerGroup* const group = servers_.group("icap:" + service.settings().name);
      services_.emplace_back(service, *group, servers_.pool(), log_of_services);
    }
    if (!services_.empty()) filters_.current = make_icap_filters(world, options, log_of_services);
  }

  void start(bool checks) {
    servers_.start(checks);
    for (icap::Service& service : services_) service.start(upkeep_);
  }
  [[nodiscard]] Address address() const { return accepting_->local_address(); }
  void drain() {
    server_.forget_listeners();
    accepting_.reset();
    server_.drain();
  }
  void cancel() {
    drain();
    server_.cancel();
    if (cache_) cache_->cancel();
  }
  void stop() {
    cancel();
    stopping_.spawn(stop_servers(*this));
  }
  [[nodiscard]] std::size_t running() const {
    return server_.connections() + pooled() + stopping_.running() + upkeep_.running();
  }
  [[nodiscard]] std::size_t pooled() const { return servers_.pool().idle_count(); }

 private:
  static ServerSettings make_settings(const ProxyOptions& options) {
    ServerSettings settings{.http2 = options.to_clients, .client_idle = options.client_idle};
    if (options.patient) settings.stall = settings.client_handshake = kPatience;
    return settings;
  }
  static Entrance make_entrance(const ListenerSettings& listener) {
    auto made = Entrance::create(listener);
    EXPECT_TRUE(made) << made.error();
    return made ? std::move(*made) : Entrance();
  }

  CachePart* make_cache_part(SimWorld& world, const ProxyOptions& options) {
    if (!options.cache) return nullptr;
    CacheWorker worker{
        .cache = options.cache.get(),
        .executor = &world.executor(),
        .gate = std::make_shared<WorkerGate>([](const std::function<void()>& f) { f(); }),
        .name = "sim",
        .counters = &options.cache->add_counters()};
    return &cache_.emplace(std::move(worker), &no_rules_);
  }

  static Task<void> stop_servers(Worker& worker) {
    worker.upkeep_.cancel();
    co_await worker.upkeep_.join();
    if (worker.background_) co_await worker.background_->stop();
    co_await worker.servers_.stop();
  }
  std::shared_ptr<FilterSet> make_icap_filters(SimWorld& world, const ProxyOptions& options,
                                               Log* log) {
    std::vector<FilterPlace> places;
    for (const FilterSettings& settings : options.icap_filters) {
      std::vector<icap::Service*> asked;
      for (icap::Service& service : services_) {
        const auto& names = std::get<IcapFilterSettings>(settings.work).services;
        const bool named = std::ranges::find(names, service.settings().name) != names.end();
        if (named) asked.push_back(&service);
      }
      places.push_back({.filter = std::make_unique<icap::IcapFilter>(
                            asked, icap::IcapFilterPlan{.side = settings.at,
                                                        .bypasses = settings.on_failure !=
                                                                    FailurePolicy::closed}),
                        .settings = &settings});
    }
    return std::make_shared<FilterSet>(nullptr, std::move(places), 0, world.executor(), log);
  }

  SimNetwork network_;
  OwnAddresses own_;
  ServerSide servers_;
  Scope upkeep_;
  std::list<icap::Service> services_;
  RouteTable routes_;
  AccessLog log_;
  FilterSlot filters_;
  const CacheRules no_rules_{{}};
  std::optional<CachePart> cache_;
  penstock::Proxy handler_;
  std::optional<BackgroundFetches> background_;
  FlawedHandler flawed_;
  ListenerSettings listener_;
  ServerSettings server_settings_;
  ListenerShare listener_share_;
  Server server_;
  std::unique_ptr<Listener> accepting_;
  Scope stopping_;
};

class RealProxy final : public Proxy {
 public:
  RealProxy(SimWorld& world, const SimNetwork& network, const std::vector<Address>& origins,
            const ProxyOptions& options)
      : options_(options),
        upstream_(upstream_settings(origins, options)),
        settings_(proxy_settings(options)),
        share_(upstream_),
        log_file_(open_log()) {
    if (log_file_) log_.emplace(*log_file_, LogLevel::warning);
    if (options.modules) {
      modules_ = std::make_unique<Modules>(world, Random(mix(world.seed())),
                                           options.reliable_modules, log_ ? &*log_ : nullptr);
    }
    for (const icap::ServiceSettings& service : options_.icap) {
      services_.emplace_back(service, mix(world.seed() + services_.size()));
    }
    for (std::size_t i = 0; i < options.workers; ++i) {
      const ListenerSettings listener{.addresses = {"192.0.2.1:" + std::to_string(8080 + i)},
                                      .mode = options.mode,
                                      .proxy_protocol_from = options.header_from,
                                      .tls = options.tls};
      workers_.emplace_back(world, network, upstream_, share_, settings_, log_file_.get(), listener,
                            options_, world.seed() + i,
                            modules_ ? modules_->make_set(static_cast<unsigned>(i)) : nullptr,
                            services_, log_ ? &*log_ : nullptr);
      workers_.back().start(i == 0);
    }
  }

  // The workers take turns.
  [[nodiscard]] Address address() override {
    next_ = (next_ + 1) % (workers_.size() - (last_ended_ ? 1 : 0));
    return std::next(workers_.begin(), static_cast<std::ptrdiff_t>(next_))->address();
  }
  void stop() override {
    for (Worker& worker : workers_) worker.stop();
  }
  void end_worker(bool gently) override {
    if (workers_.size() == 1) return;
    last_ended_ = true;
    gently ? workers_.back().drain() : workers_.back().cancel();
  }
  [[nodiscard]] std::size_t running() const override {
    std::size_t sum = 0;
    for (const Worker& worker : workers_) sum += worker.running();
    return sum;
  }
  [[nodiscard]] std::vector<std::string> problems() const override {
    return modules_ ? modules_->problems() : std::vector<std::string>();
  }
  [[nodiscard]] std::string text() const override {
    return modules_ ? "modules:" + modules_->text() : std::string();
  }
  [[nodiscard]] std::size_t pooled() const override {
    std::size_t sum = 0;
    for (const Worker& worker : workers_) sum += worker.pooled();
    return sum;
  }

 private:
  static ProxySettings proxy_settings(const ProxyOptions& options) {
    ProxySettings settings;
    if (options.mode == ListenerMode::reverse) settings.routes.push_back({.to = "origins"});
    return settings;
  }
  static UpstreamSettings upstream_settings(const std::vector<Address>& origins,
                                            const ProxyOptions& options) {
    UpstreamSettings settings;
    settings.target_retry = options.target_retry;
    settings.http2 = options.to_origins;
    if (options.patient) settings.stall = kPatience;
    for (const icap::ServiceSettings& service : options.icap) {
      settings.groups.push_back(icap::group_settings_of(service));
    }
    UpstreamGroupSettings& group = settings.groups.emplace_back(options.group);
    group.name = "origins";
    if (!group.servers.empty()) return settings;
    for (const Address& origin : origins) {
      group.servers.push_back({.address = origin.to_string()});
    }
    return settings;
  }

  const ProxyOptions options_;
  UpstreamSettings upstream_;
  ProxySettings settings_;
  UpstreamShare share_;
  std::unique_ptr<LogFile> log_file_;
  std::optional<Log> log_;
  std::unique_ptr<Modules> modules_;
  std::list<icap::ServiceShare> services_;
  std::list<Worker> workers_;
  std::size_t next_ = 0;
  bool last_ended_ = false;
};

}  // namespace

ProxyFactory make_proxy(const ProxyOptions& options) {
  return [options](SimWorld& world, SimNetwork& network, const std::vector<Address>& origins) {
    return std::make_unique<RealProxy>(world, network, origins, options);
  };
}

}  // namespace penstock::simulation

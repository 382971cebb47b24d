#include "icap/service.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "async/sleep.h"
#include "async/wait.h"
#include "icap/lookup.h"
#include "upstream/unavailable.h"

namespace penstock::icap {
namespace {

constexpr int kNotFound = 404;
constexpr int kMethodNotAllowed = 405;
constexpr int kRequestTimeout = 408;
constexpr int kServerError = 500;
// Who is not to wait waits at most so long for a connection that other workers have idle.
constexpr Duration kIdleElsewhere = std::chrono::milliseconds(50);

std::string with_port(const std::string& server, std::uint16_t port) {
  if (server.starts_with("unix:")) return server;
  const bool has_port = server.rfind(':') != std::string::npos && !server.ends_with(']');
  return has_port ? server : server + ':' + std::to_string(port);
}

Failure failure_of(const Error& error) {
  Failure failure{.fault = Fault::connection, .error = error};
  if (error.kind == ErrorKind::cancelled) failure.fault = Fault::cancelled;
  if (error.kind == ErrorKind::timed_out) failure.fault = Fault::timed_out;
  if (error.kind == ErrorKind::overloaded) failure.fault = Fault::overloaded;
  const bool no_server = error.cause == static_cast<int>(Unavailable::no_server);
  if (error.kind == ErrorKind::unavailable && !no_server) failure.fault = Fault::overloaded;
  return failure;
}

// Not where another message may fare better.
bool is_fault_of_service(const Failure& failure) {
  if (failure.was_stale) return false;
  switch (failure.fault) {
    case Fault::connection:
    case Fault::timed_out:
      return true;
    case Fault::malformed:
      return failure.problem != Problem::adapted_head_too_large &&
             failure.problem != Problem::adapted_head_refused &&
             failure.problem != Problem::adapted_status_interim &&
             failure.problem != Problem::adapted_length_without_body;
    case Fault::status:
      return failure.status < 400 || failure.status >= kServerError ||
             failure.status == kNotFound || failure.status == kMethodNotAllowed ||
             failure.status == kRequestTimeout;
    default:
      return false;
  }
}

bool is_fault_of_server(const Failure& failure) {
  return failure.fault != Fault::status && is_fault_of_service(failure);
}

bool asks_for_lookup(int status) { return status == kNotFound || status == kMethodNotAllowed; }

std::string words_of(const Failure& failure) {
  if (failure.fault != Fault::status) return std::string(to_string(failure));
  return fmt::format("{} {}", to_string(failure), failure.status);
}

}  // namespace

UpstreamGroupSettings group_settings_of(const ServiceSettings& service) {
  UpstreamGroupSettings group{
      .name = "icap:" + service.name,
      // By this it is also known how many of the connections are in use.
      .balance = {.algorithm = Balance::least_connections},
      .max_connections = service.max_connections,
      .pool = service.pool,
      .queue = service.queue,
  };
  // Never all of them, and so never the only one: the breaker sees to a service as a whole.
  group.ejection.max_share = 50;
  if (service.on_overload != OverloadPolicy::wait) {
    group.queue.timeout = std::min(group.queue.timeout, kIdleElsewhere);
  }
  const auto uri = parse_service_uri(service.url);
  const bool secure = uri && uri->secure;
  const std::uint16_t port = secure ? kDefaultTlsPort : kDefaultPort;
  for (const std::string& server : service.servers) {
    group.servers.push_back({.address = with_port(server, port)});
  }
  if (!uri) return group;
  if (group.servers.empty()) {
    const bool ipv6 = uri->host.contains(':');
    const std::string host = ipv6 ? '[' + uri->host + ']' : uri->host;
    group.servers.push_back({.address = with_port(host, uri->port)});
  }
  if (!secure) return group;
  group.tls = service.tls.value_or(TlsClientSettings{});
  // Whichever server it is, it is the service's name that it has to prove.
  if (group.tls->server_name.empty()) group.tls->server_name = uri->host;
  return group;
}

class Service::Bell final : public ServiceListener {
 public:
  explicit Bell(Service& service) : service_(&service) {}
  void on_change() override { service_->on_change(); }

 private:
  Service* service_;
};

Service::Service(ServiceShare& share, ServerGroup& group, ServerPool& pool, Log* log)
    : share_(&share),
      group_(&group),
      pool_(&pool),
      log_(log),
      field_texts_(settings().fields),
      bell_(std::make_shared<Bell>(*this)) {
  limits_.stall = settings().timeout;
  limits_.answer = settings().answer_timeout;
  share_->join(pool_->network(), bell_);
  refresh();
  std::vector<std::shared_ptr<const HopShare>> servers;
  for (const auto& hop : group_->hops()) servers.push_back(hop->share);
  share_->set_servers(std::move(servers));
}

Service::~Service() { share_->leave(pool_->network()); }

TimePoint Service::now() const { return pool_->executor().now(); }

void Service::start(Scope& scope) {
  asking_ = true;
  scope.spawn(keep_asking(*this));
}

void Service::on_change() {
  refresh();
  wake_.set();
  changed_.set();
  changed_.reset();
}

void Service::refresh() {
  const std::uint64_t generation = share_->generation();
  if (generation == generation_) return;
  generation_ = generation;
  options_ = std::make_shared<const Options>(*share_->options());
  // Connections that it can't bear, as far as they are at hand.
  for (const auto& hop : group_->hops()) {
    while (hop->share->beyond_bound() && hop->endpoint->idle_count() > 0) {
      pool_->close_oldest(*hop->share);
    }
  }
}

Task<std::expected<std::shared_ptr<const Options>, Failure>> Service::options() {
  TimePoint deadline = kNever;
  while (true) {
    if (share_->down()) co_return std::unexpected(Failure{.fault = Fault::down});
    refresh();
    if (options_) co_return options_;
    if (!asking_) co_return std::unexpected(Failure{.fault = Fault::down});
    if (deadline == kNever) {
      deadline = deadline_after(now(), pool_->settings().connect + settings().timeout);
    }
    const auto told = co_await wait_until(changed_, deadline);
    if (!told) co_return std::unexpected(failure_of(told.error()));
  }
}

// ---- Lookups.

Task<void> Service::keep_asking(Service& service) {
  TaskContext& context = co_await this_context();
  while (!context.cancelled()) {
    service.wake_.reset();
    const TimePoint when = service.share_->next_lookup();
    if (when > service.now() || !service.share_->begin_lookup(service.now())) {
      static_cast<void>(co_await wait_until(service.wake_, when));
      continue;
    }
    co_await service.look_up();
  }
  service.asking_ = false;
  service.changed_.set();
  service.changed_.reset();
}

// Until a server has answered, or none is left.
Task<void> Service::look_up() {
  Choice choice;
  bool fresh = share_->down();
  std::size_t failed = 0;
  Answer answer = co_await ask(choice, fresh);
  while (!answer) {
    const Failure why = answer.error();
    if (why.was_stale && !fresh) {
      fresh = true;
    } else {
      if (!is_fault_of_server(why) || !choice.hop) break;
      note_server(choice, true, false, to_string(why));
      if (++failed >= group_->hops().size()) break;
      choice.avoid_hop();
    }
    answer = co_await ask(choice, fresh);
  }
  if (answer) note_server(choice, false, false, {});
  end_lookup(std::move(answer));
}

Task<Service::Answer> Service::ask(Choice& choice, bool fresh) {
  auto lease = co_await acquire(choice, fresh);
  if (!lease) co_return std::unexpected(failure_of(lease.error()));
  const IcapRequest request{.method = IcapMethod::options,
                            .service = &uri(),
                            .allow_204 = settings().allow_204,
                            .allow_206 = settings().allow_206};
  ChildContext asking(co_await this_context());
  const CancelAt limit(asking, deadline_after(now(), settings().timeout));
  auto answer = co_await ask_options(std::move(*lease), request, limits_).in(asking);
  if (!answer && limit.fired()) answer = std::unexpected(Failure{.fault = Fault::timed_out});
  co_return answer;
}

void Service::end_lookup(Answer answer) {
  if (answer) {
    note_quirks(answer->quirks);
    if (answer->quirks.has(Quirk::methods_missing)) answer->reqmod = answer->respmod = true;
    bound_connections(*answer);
    say(share_->end_lookup(std::move(*answer), now()), {});
    return;
  }
  const Failure& why = answer.error();
  if (why.fault == Fault::cancelled || why.fault == Fault::overloaded) {
    share_->end_lookup_undecided(now());
  } else if (is_answer(why)) {
    say(share_->end_lookup_without_sense(now()), why);
  } else {
    say(share_->end_lookup_failed(now()), why);
  }
}

// All workers share the servers' bounds: it is enough that one sets them.
void Service::bound_connections(const Options& options) {
  if (settings().max_connections != 0) return;
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  const auto most =
      static_cast<std::uint32_t>(std::min(options.max_connections.value_or(0), kMost));
  for (const auto& hop : group_->hops()) hop->share->set_max_connections(most);
}

// ---- Connections.

Task<Result<Lease>> Service::acquire(Choice& choice, bool fresh) {
  if (!fresh && !choice.hop) {
    if (auto idle = group_->take_idle(choice)) co_return std::move(*idle);
  }
  std::size_t failed = 0;
  while (true) {
    auto lease = co_await group_->acquire(choice, fresh);
    if (lease) co_return lease;
    const Failure why = failure_of(lease.error());
    const bool others = ++failed < group_->hops().size();
    if (!others || !choice.hop || !is_fault_of_server(why)) co_return lease;
    note_server(choice, true, false, to_string(why));
    choice.avoid_hop();
  }
}

Task<std::expected<Lease, Failure>> Service::connect(Choice& choice, bool fresh) {
  const OverloadPolicy policy = settings().on_overload;
  if (policy == OverloadPolicy::wait || !all_in_use()) {
    auto lease = co_await acquire(choice, fresh);
    if (lease) co_return std::move(*lease);
    const Failure failure = failure_of(lease.error());
    const bool forces = policy == OverloadPolicy::force && failure.fault == Fault::overloaded &&
                        failure.error.kind == ErrorKind::unavailable;
    if (!forces) co_return std::unexpected(failure);
  }
  if (policy == OverloadPolicy::force) co_return co_await connect_beyond_bound(choice);
  co_return std::unexpected(Failure{.fault = Fault::overloaded});
}

// Counted as any other; it is closed afterwards as long as there are too many.
Task<std::expected<Lease, Failure>> Service::connect_beyond_bound(Choice& choice) {
  choice.hop = least_loaded(choice);
  if (!choice.hop) co_return std::unexpected(Failure{.fault = Fault::overloaded});
  choice.hop->share->open_beyond_bound();
  auto lease = co_await pool_->open(choice.hop->endpoint, ConnectionPlace(choice.hop->share), true);
  if (!lease) co_return std::unexpected(failure_of(lease.error()));
  group_->count_load(*lease);
  co_return std::move(*lease);
}

// No worker has an idle one, and none may be opened.
bool Service::all_in_use() const {
  bool any = false;
  for (const auto& hop : group_->hops()) {
    if (!hop->has_addresses() || !hop->share->available(now())) continue;
    const std::uint32_t most = hop->share->max_connections();
    if (most == 0 || hop->share->requests() < most) return false;
    any = true;
  }
  return any;
}

std::shared_ptr<NextHop> Service::least_loaded(const Choice& choice) const {
  std::shared_ptr<NextHop> best;
  for (const auto& hop : group_->hops()) {
    if (!hop->has_addresses() || !hop->share->available(now())) continue;
    if (std::ranges::find(choice.tried, hop) != choice.tried.end()) continue;
    if (!best || hop->share->connections() < best->share->connections()) best = hop;
  }
  return best;
}

// ---- What came of it.

void Service::note_server(const Choice& choice, bool failed, bool bad_response,
                          std::string_view why) {
  if (!choice.hop) return;
  HopShare& server = *choice.hop->share;
  if (!server.noted(failed, bad_response, now()) || log_ == nullptr) return;
  const auto time =
      std::chrono::duration_cast<std::chrono::milliseconds>(server.ejected_until() - now());
  log_->warning("{}: {} is left alone for {} ms: {}", group_->name(), server.identity(),
                time.count(), failed ? why : "error responses");
}

void Service::note_answer(const IcapResponse& response, const Choice& choice) {
  note_server(choice, false, response.status >= kServerError, {});
  share_->note_istag(response.istag);
  if (asks_for_lookup(response.status)) share_->want_lookup();
}

void Service::note_failure(const Failure& failure, const Choice& choice) {
  if (is_fault_of_server(failure)) note_server(choice, true, false, to_string(failure));
  if (failure.fault == Fault::status && !failure.was_stale) {
    note_server(choice, false, failure.status >= kServerError, {});
    if (asks_for_lookup(failure.status)) share_->want_lookup();
  }
  if (is_fault_of_service(failure)) say(share_->note_failure(now()), failure);
}

void Service::note_quirks(Quirks quirks) {
  const Quirks untold = share_->untold(quirks, now());
  if (untold.empty() || log_ == nullptr) return;
  log_->info("{}: tolerated in its answers: {}", group_->name(), to_string(untold));
}

void Service::say(ServiceEvent event, const Failure& why) {
  if (log_ == nullptr) return;
  switch (event) {
    case ServiceEvent::nothing:
      return;
    case ServiceEvent::went_down:
      log_->warning("{}: down ({}): it gets no messages until it answers OPTIONS", group_->name(),
                    words_of(why));
      return;
    case ServiceEvent::came_up:
      log_->info("{}: works again", group_->name());
      return;
    case ServiceEvent::tolerated:
      log_->warning("{}: no answer to OPTIONS that makes sense ({}): it gets no previews",
                    group_->name(), words_of(why));
      return;
    case ServiceEvent::kept:
      log_->warning("{}: OPTIONS failed ({}); what it said before stays in use", group_->name(),
                    words_of(why));
      return;
  }
}

}  // namespace penstock::icap

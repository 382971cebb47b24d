#include "app/worker.h"

#include <random>
#include <utility>

#include <malloc.h>

#include "async/sleep.h"

namespace penstock {
namespace {

std::uint64_t random_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

}  // namespace

Worker::Worker(Shared& shared, unsigned number, std::vector<ListeningSocket> sockets)
    : shared_(shared),
      number_(number),
      network_(loop_, shared.snapshot->dns),
      upstream_(network_, shared.snapshot->upstream, shared.upstream, random_seed(), shared.log),
      routes_(shared.snapshot->proxy.routes, upstream_),
      access_log_(loop_.executor(), shared.access_file, shared.snapshot->log.access_format),
      gate_(std::make_shared<WorkerGate>(
          [this](std::function<void()> f) { loop_.call(std::move(f)); })),
      icap_(*shared.icap, upstream_, shared.log),
      filter_worker_{.number = number,
                     .executor = &loop_.executor(),
                     .gate = gate_,
                     .network = &network_,
                     .loop = &loop_,
                     .icap = &icap_,
                     .slot = &shared.modules->watchdog.add_slot(),
                     .log = shared.log},
      filters_{make_filter_set(shared.generation, filter_worker_)},
      subrequests_(upstream_, shared.pseudonym),
      proxy_(ProxyParts{upstream_, routes_, access_log_, shared.snapshot->proxy,
                        shared.own_addresses, shared.pseudonym, &filters_, make_cache_part()}),
      tcp_proxy_(ProxyParts{upstream_, routes_, access_log_, shared.snapshot->proxy,
                            shared.own_addresses, shared.pseudonym}) {
  if (cache_) cache_->background = &background_.emplace(proxy_.parts());
  if (number == 0) {
    shared.modules->loop.attach({.gate = gate_,
                                 .port = &loop_port_,
                                 .subrequests = &subrequests_,
                                 .slot = filter_worker_.slot});
    shared.on_others_drained = [this] { loop_.call([this] { others_drained_.set(); }); };
  } else {
    ++shared.others_serving;
  }
  std::vector<Server*> of;
  for (ListenerShare& share : shared.listeners) {
    const Handlers handlers{.http = &proxy_, .streams = &tcp_proxy_};
    Server& server = servers_.emplace_back(loop_.executor(), shared.server_settings, share,
                                           handlers, shared.log);
    of.push_back(&server);
    seats_.push_back(nullptr);
    if (share.spread.size() == 0) continue;
    AcceptSeat& seat = share.spread.seat(number);
    seat.sit_down(loop_, server);
    server.set_seat(seat);
    seats_.back() = &seat;
  }
  for (ListeningSocket& opened : sockets) {
    Server& server = *of[opened.listener];
    opened.options.seat = seats_[opened.listener];
    listeners_.push_back(
        std::make_unique<SocketListener>(loop_, std::move(opened.socket), server, opened.options));
    server.add_listener(*listeners_.back());
  }
}

Worker::~Worker() { gate_->close(); }

CachePart* Worker::make_cache_part() {
  if (shared_.cache == nullptr) return nullptr;
  CacheWorker worker{.cache = shared_.cache,
                     .executor = &loop_.executor(),
                     .gate = gate_,
                     .name = shared_.pseudonym,
                     .counters = &shared_.cache->add_counters()};
  return &cache_.emplace(std::move(worker), shared_.cache_rules);
}

void Worker::Housekeeping::arm() {
  executor_->timers().arm(*this, executor_->now() + std::chrono::seconds(1));
}

void Worker::Housekeeping::on_timer() {
  constexpr std::size_t kWorthTrimming = 1024 * 1024;
  // The C library keeps what it is given back unless it is asked.
  if (pool_trim() + SlabPool::trim() >= kWorthTrimming) ::malloc_trim(0);
  worker_->let_filters_go();
  if (worker_->cache_ && worker_->number_ == 0)
    worker_->shared_.cache->sweep(worker_->cache_->worker.now());
  arm();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  upstream_.start(number_ == 0);
  icap_.start();
  loop_.run();
  if (number_ == 0) shared_.modules->loop.detach();
  filters_.current.reset();
  kept_filters_.clear();
  shared_.on_worker_done();
}

void Worker::drain(Duration limit) {
  loop_.call([this, limit] { begin_drain(limit); });
}

void Worker::adopt(std::shared_ptr<const AdaptGeneration> generation) {
  loop_.call([this, made = std::move(generation)] { exchange_filters(made); });
}

void Worker::exchange_filters(const std::shared_ptr<const AdaptGeneration>& generation) {
  if (filters_.current) filter_worker_.last_id = filters_.current->last_id();
  auto before = std::exchange(filters_.current, make_filter_set(generation, filter_worker_));
  if (number_ == 0 && before) kept_filters_.push_back(std::move(before));
}

void Worker::let_filters_go() {
  std::erase_if(kept_filters_, [](const std::shared_ptr<FilterSet>& set) {
    return set.use_count() == 1 && set->is_last_user();
  });
}

void Worker::join() { thread_.join(); }

void Worker::begin_drain(Duration limit) {
  if (drain_scope_) return;
  for (AcceptSeat* const seat : seats_) {
    if (seat != nullptr) seat->leave();
  }
  for (const auto& listener : listeners_) listener->accept_waiting();
  listeners_.clear();
  for (Server& server : servers_) {
    server.forget_listeners();
    server.drain();
  }
  upstream_.pool().close_idle();
  drain_scope_ = std::make_unique<Scope>(loop_.executor());
  drain_scope_->spawn(end_when_drained(*this, limit));
}

Task<void> Worker::end_when_drained(Worker& worker, Duration limit) {
  // At the limit what is left is broken off; it then ends by itself, being cancelled.
  struct Limit final : Timer {
    explicit Limit(Worker& of) : worker(of) {}
    void on_timer() override {
      for (Server& server : worker.servers_) server.cancel();
      if (worker.cache_) worker.cache_->cancel();
    }
    Worker& worker;
  } at_limit(worker);
  Executor& executor = worker.loop_.executor();
  executor.timers().arm(at_limit, deadline_after(executor.now(), limit));
  for (Server& server : worker.servers_) co_await server.drained();
  if (worker.number_ == 0) {
    if (worker.shared_.others_serving > 0) co_await worker.others_drained_.wait();
  } else if (--worker.shared_.others_serving == 0) {
    worker.shared_.on_others_drained();
  }
  if (worker.background_) co_await worker.background_->stop();
  co_await worker.subrequests_.stop();
  co_await worker.icap_.stop();
  co_await worker.upstream_.stop();
  worker.loop_.stop();
}

}  // namespace penstock

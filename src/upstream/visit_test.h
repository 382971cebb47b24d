// For tests: workers with groups of servers on the simulated network, and requests that stay on
// their connection for as long as the test wants.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/event.h"
#include "upstream/server_side.h"
#include "upstream/unavailable.h"
#include "upstream/upstream_test.h"

namespace penstock {

// One attempt of a GET at a group.
class Visit final : public InformationalSink {
 public:
  explicit Visit(std::string cookie = {}) : cookie_(std::move(cookie)) {
    head.method_text = "GET";
    head.method = Method::get;
    head.target = *parse_target("GET", "/");
    head.fields.add(FieldId::host, "a");
    if (!cookie_.empty()) head.fields.add(FieldId::cookie, cookie_);
  }
  ~Visit() {
    if (!scope_) return;
    scope_->cancel();
    Executor& executor = scope_->context().executor();
    while (executor.has_ready()) executor.run_ready();
  }
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;

  RequestHead head;
  Address client = Address::parse("192.0.2.7:4711").value();
  Choice choice;
  bool fresh = false;

  // What came of it.
  std::optional<Result<void>> acquired;
  std::string server;
  bool reused = false;
  int status = 0;  // 0: no answer
  TimePoint acquired_at{};
  TimePoint ended_at{};
  CloseReason fate = CloseReason::not_opened;
  bool done = false;

  // Why it was given no connection; none if it was, or for another reason.
  [[nodiscard]] std::optional<Unavailable> unavailable() const {
    if (!acquired || *acquired || acquired->error().kind != ErrorKind::unavailable) return {};
    return static_cast<Unavailable>(acquired->error().cause);
  }
  [[nodiscard]] bool failed_with(ErrorKind kind) const {
    return acquired && !*acquired && acquired->error().kind == kind;
  }
  [[nodiscard]] bool holds() const { return acquired && *acquired && !done; }

  // With `stay` it keeps its connection, answered, until leave().
  void begin(ServerSide& side, bool stay = false) {
    if (!stay) leave_.set();
    scope_.emplace(side.network().executor());
    scope_->spawn(run(*this, side));
  }
  void leave() { leave_.set(); }
  void cancel() { scope_->cancel(); }

 private:
  static Task<void> run(Visit& self, ServerSide& side) {
    co_await self.visit(side.pool(), *side.group("g"));
    self.ended_at = side.pool().executor().now();
    self.done = true;
  }

  Task<void> visit(ServerPool& pool, ServerGroup& group) {
    std::optional<Lease> lease;
    choice.key = group.key_of(head, &client);
    choice.cookie = group.take_cookie(head);
    if (!fresh) lease = group.take_idle(choice);
    if (!lease) {
      auto got = co_await group.acquire(choice, fresh);
      acquired_at = pool.executor().now();
      acquired = got ? Result<void>{} : fail(got.error());
      if (!got) co_return;
      lease.emplace(std::move(*got));
    }
    acquired = Result<void>{};
    acquired_at = pool.executor().now();
    server = lease->address().to_string();
    reused = lease->reused();
    co_await use(*lease);
  }

  Task<void> use(Lease& lease) {
    TextBody body("");
    const ServerRequest request{.head = &head, .body = &body, .framing = {}, .connection = {}};
    ResponseHead response;
    const auto answered = co_await lease.exchange(request, response, *this);
    status = answered ? response.status : 0;
    static_cast<void>(co_await leave_.wait());
    while (answered && !lease.response_body().at_end()) {
      const auto slice = co_await lease.response_body().next();
      if (!slice) break;
    }
    fate = co_await lease.settle(Settlement::reuse);
  }

  Task<Result<void>> on_informational(ResponseHead& /*head*/) override { co_return Result<void>{}; }

  std::string cookie_;
  std::optional<Scope> scope_;
  Event leave_;
};

// Answers each request that comes.
inline const ServerScript kAnswers(64,
                                   {.until = std::string(kHeadEnd), .answer = std::string(kOk)});

class GroupTest : public testing::Test {
 protected:
  GroupTest() { settings.groups.push_back({.name = "g"}); }
  ~GroupTest() override {
    for (auto& worker : workers_) {
      Scope stopping(world.executor());
      stopping.spawn(worker->side.stop());
      world.run_for({});
    }
    workers_.clear();
    share_.reset();
  }

  // The settings of the group; to be set before the first worker is made.
  UpstreamGroupSettings& group() { return settings.groups.front(); }
  void set_servers(const std::vector<std::string>& servers) {
    group().servers.clear();
    for (const std::string& address : servers) group().servers.push_back({.address = address});
  }
  // Worker number i; made, and started, at the first use. The first one checks servers.
  ServerSide& side(std::size_t i = 0) {
    if (!share_) share_.emplace(settings);
    while (workers_.size() <= i) {
      workers_.push_back(std::make_unique<Worker>(world, settings, *share_, workers_.size() + 1));
      workers_.back()->side.start(workers_.size() == 1);
    }
    return workers_[i]->side;
  }
  ServerGroup& server_group(std::size_t i = 0) { return *side(i).group("g"); }
  GroupShare& share() {
    side();
    return share_->groups().front();
  }
  HopShare& server(std::size_t i) { return *server_group().hops()[i]->share; }
  std::size_t idle(std::size_t worker = 0) { return side(worker).pool().idle_count(); }
  void wait(Duration time) { world.run_for(time); }

  // A request that stays until it is told to leave.
  std::unique_ptr<Visit> stay(std::size_t worker = 0, const std::string& cookie = {}) {
    auto visit = std::make_unique<Visit>(cookie);
    visit->begin(side(worker), true);
    wait(std::chrono::milliseconds(10));
    return visit;
  }
  // One that leaves when it is answered, which may not be soon.
  std::unique_ptr<Visit> ask(std::size_t worker = 0, const std::string& cookie = {}) {
    auto visit = std::make_unique<Visit>(cookie);
    visit->begin(side(worker));
    wait(std::chrono::milliseconds(10));
    return visit;
  }
  // The server that answers such a one at once; empty: none.
  std::string served_by(const std::string& cookie = {}) {
    const auto visit = ask(0, cookie);
    return visit->status == 200 ? visit->server : std::string();
  }
  void leave(Visit& visit) {
    visit.leave();
    wait(std::chrono::milliseconds(10));
  }
  // Takes a server out as if requests had failed.
  void eject(std::size_t i) {
    const std::uint32_t failures = group().ejection.failures;
    for (std::uint32_t n = 0; n < failures; ++n) server(i).noted(true, false, world.now());
    EXPECT_FALSE(server(i).available(world.now()));
  }

  SimWorld world{1};
  SimNetwork network{world, "192.0.2.200"};  // of the servers
  UpstreamSettings settings;

 private:
  struct Worker {
    Worker(SimWorld& world, const UpstreamSettings& settings, UpstreamShare& share,
           std::uint64_t seed)
        : network(world), side(network, settings, share, seed) {}
    SimNetwork network;
    ServerSide side;
  };
  std::optional<UpstreamShare> share_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

}  // namespace penstock

#include "tests/simulation_features.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "async/sleep.h"

namespace penstock::simulation {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<Balance, 6> kBalances = {Balance::round_robin, Balance::least_connections,
                                              Balance::two_choices, Balance::random,
                                              Balance::hash,        Balance::first};
constexpr std::array<HashOn, 6> kHashOn = {HashOn::source, HashOn::uri,    HashOn::path,
                                           HashOn::header, HashOn::cookie, HashOn::host};

// Draws one feature after the other, and writes down which.
class Draw {
 public:
  Draw(Random random, bool reliable) : random_(random), reliable_(reliable) {}

  Features features;

  void balance() {
    BalanceSettings& balance = group().balance;
    balance.algorithm = random_.pick(kBalances);
    balance.hash_on = random_.pick(kHashOn);
    balance.hash_name = balance.hash_on == HashOn::cookie ? "other" : "X-Request-Token";
    note("balance", static_cast<std::uint64_t>(balance.algorithm));
    if (random_.chance(0.3)) group().slow_start = random_.between(seconds(1), seconds(30));
  }

  void servers(std::size_t origins) {
    const bool named = random_.chance(0.5);
    const bool drained = random_.chance(0.2);
    const bool backed_up = random_.chance(0.2);
    for (std::size_t i = 0; i < origins; ++i) {
      ServerEntry entry{.address = "192.0.2." + std::to_string(10 + i) + ":80",
                        .weight = static_cast<std::uint32_t>(random_.skewed(1, 20))};
      if (named) {
        features.names.push_back("server" + std::to_string(i) + ".sim");
        entry.address = features.names.back() + ":80";
      }
      entry.drain = drained && i == 0;
      entry.backup = backed_up && i + 1 == origins;
      group().servers.push_back(std::move(entry));
    }
    if (named) note("names");
    if (!named || !random_.chance(0.4)) return;
    features.service = group().service = "_http._tcp.servers.sim";
    group().servers.clear();
    note("service");
  }

  void limits() {
    if (random_.chance(0.5)) {
      group().max_connections = static_cast<std::uint32_t>(random_.between(1, 6));
      note("max_connections", group().max_connections);
    }
    if (random_.chance(0.3)) {
      group().breaker.connections = static_cast<std::uint32_t>(random_.between(2, 10));
      note("group_connections", group().breaker.connections);
    }
    if (random_.chance(0.3)) group().breaker.retries = 2;
    group().queue.timeout = hours(2);
    if (reliable_) return;
    group().queue.length = random_.between(1, 50);
    group().queue.timeout = random_.between(seconds(1), seconds(20));
  }

  void pool() {
    PoolSettings& pool = group().pool;
    pool.idle = random_.between(seconds(1), seconds(60));
    if (random_.chance(0.3)) pool.max_idle = random_.between(0, 5);
    if (random_.chance(0.3)) pool.max_age = random_.between(seconds(1), seconds(60));
    if (random_.chance(0.3)) pool.max_requests = random_.between(1, 10);
    if (random_.chance(0.3)) {
      pool.spare = random_.between(1, 3);
      note("spare", pool.spare);
    }
  }

  void retries() {
    RetrySettings& retry = group().retry;
    retry.count = static_cast<std::uint32_t>(random_.between(0, 5));
    retry.on_connect = random_.chance(0.8);
    retry.on_closed = random_.chance(0.8);
    retry.on_timeout = random_.chance(0.3);
    if (random_.chance(0.4)) retry.on_status = {500};
    retry.budget = static_cast<std::uint32_t>(random_.between(0, 100));
    retry.back_off = random_.between(milliseconds(0), milliseconds(200));
    note("retries", retry.count);
    if (random_.chance(0.4)) {
      group().hedge.percentile = static_cast<std::uint32_t>(random_.between(10, 99));
      group().hedge.least = random_.between(milliseconds(1), milliseconds(500));
      note("hedge", group().hedge.percentile);
    }
    if (!retry.on_status.empty()) note("on_status");
    const bool never_again = reliable_ && retry.on_status.empty() && group().hedge.percentile == 0;
    if (!never_again) features.most_arrivals = kMostAttempts;
  }

  void health() {
    EjectionSettings& ejection = group().ejection;
    ejection.failures = static_cast<std::uint32_t>(random_.between(0, 4));
    ejection.responses = static_cast<std::uint32_t>(random_.between(0, 3));
    ejection.time = random_.between(seconds(1), seconds(30));
    // A server that has been ejected may be the only one that is left in the records.
    if (reliable_ && !features.service.empty()) ejection.responses = ejection.failures = 0;
    if (!reliable_) ejection.max_share = static_cast<std::uint32_t>(random_.between(0, 70));
    if (ejection.responses > 0) note("eject_responses", ejection.responses);
    CheckSettings& check = group().check;
    if (random_.chance(0.5)) return;
    check.kind = random_.chance(0.5) ? CheckKind::tcp : CheckKind::http;
    check.path = kHealthPath;
    check.interval = random_.between(milliseconds(200), seconds(5));
    check.timeout = reliable_ ? hours(1) : random_.between(milliseconds(100), seconds(3));
    check.rise = static_cast<std::uint32_t>(random_.between(1, 3));
    check.fall = static_cast<std::uint32_t>(random_.between(1, 3));
    if (random_.chance(0.3)) check.body = "well";
    note(check.kind == CheckKind::tcp ? "tcp_checks" : "http_checks");
  }

  void sticky() {
    if (random_.chance(0.5)) return;
    group().sticky_cookie = kStickyCookie;
    note("sticky");
    features.cookies_hold = reliable_ && features.names.empty() &&
                            group().ejection.responses == 0 && group().retry.on_status.empty();
  }

  void workers() {
    features.proxy.workers = random_.between(1, 3);
    note("workers", features.proxy.workers);
  }

 private:
  UpstreamGroupSettings& group() { return features.proxy.group; }
  void note(std::string_view name) {
    if (!features.text.empty()) features.text += ' ';
    features.text += name;
  }
  void note(std::string_view name, std::uint64_t value) {
    note(name);
    features.text += '=' + std::to_string(value);
  }

  Random random_;
  bool reliable_;
};

// Some of the origins, at least one.
SimName draw_answer(Random& random, const std::vector<Address>& origins, bool reliable,
                    bool first) {
  // A server that has no address yet may be the only one that has not been ejected.
  const Duration delay = random.between(milliseconds(0), milliseconds(300));
  SimName name{.delay = first && reliable ? Duration{} : delay,
               .ttl = random.between(seconds(0), seconds(8))};
  if (!reliable && random.chance(0.1)) return name;
  name.answered = reliable || !random.chance(0.1);
  for (const Address& origin : origins) {
    if (random.chance(0.5)) name.ips.push_back(origin.host_text());
  }
  if (name.ips.empty()) name.ips.push_back(origins[random.below(origins.size())].host_text());
  return name;
}

SimService draw_targets(Random& random, const Features& features, bool reliable) {
  SimService service{.delay = random.between(milliseconds(0), milliseconds(300)),
                     .ttl = random.between(seconds(0), seconds(8))};
  service.answered = reliable || !random.chance(0.1);
  const auto add = [&](const std::string& host) {
    service.targets.push_back({.host = host,
                               .port = 80,
                               .priority = static_cast<std::uint16_t>(random.between(0, 1)),
                               .weight = static_cast<std::uint16_t>(random.between(0, 5))});
  };
  for (const std::string& host : features.names) {
    if (random.chance(0.6)) add(host);
  }
  if (service.targets.empty() && (reliable || random.chance(0.5))) add(features.names.front());
  return service;
}

}  // namespace

Features draw_features(Random random, std::size_t origins, bool reliable) {
  Draw draw(random, reliable);
  draw.balance();
  draw.servers(origins);
  draw.limits();
  draw.pool();
  draw.retries();
  draw.health();
  draw.sticky();
  draw.workers();
  return std::move(draw.features);
}

Task<void> keep_changing_names(SimWorld& world, const Features& features,
                               const std::vector<Address>& origins, Random random, bool reliable) {
  for (bool first = true;; first = false) {
    for (const std::string& name : features.names) {
      world.set_name(name, draw_answer(random, origins, reliable, first));
    }
    if (!features.service.empty()) {
      world.set_service(features.service, draw_targets(random, features, reliable));
    }
    const TimePoint next = world.now() + random.between(seconds(1), seconds(20));
    if (!co_await sleep_until(next)) co_return;
  }
}

}  // namespace penstock::simulation

// Many clients, a few resources that change, a cache between them and everything that can go wrong.
// Contents say of which version they are, and for whom; so whatever a client gets is judged by
// that.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "async/input_buffer.h"
#include "async/scope.h"
#include "async/sleep.h"
#include "base/slab.h"
#include "cache/cache.h"
#include "sim/network.h"
#include "sim/world.h"
#include "tests/simulation_harness.h"
#include "tests/simulation_proxy.h"
#include "tests/simulation_seeds.h"

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct CacheSetting {
  const char* name = "";
  Faults client_side = {};
  Faults origin_side = {};
  std::size_t workers = 2;
  std::uint64_t memory = std::uint64_t{8} << 20;
  double trouble = 0;  // of each answer of the origin: it breaks off, is slow, is an error
  bool reliable = false;
};

// How responses of a resource may be used.
enum class Policy : std::uint8_t { fresh, validated, stale_too, varied, personal, never };
constexpr std::size_t kPolicies = 6;
constexpr Duration kFresh = seconds(20);
constexpr Duration kStale = seconds(15);
// Ages are told in whole seconds, and bytes take a while.
constexpr Duration kSlack = seconds(3);
constexpr Duration kPatience = std::chrono::minutes(5);

struct Version {
  TimePoint since;
  std::uint64_t size;
};

struct Resource {
  Policy policy = Policy::fresh;
  std::vector<Version> versions;
  TimePoint purged{};  // the last time

  [[nodiscard]] TimePoint until(std::size_t version) const {
    return version + 1 < versions.size() ? versions[version + 1].since : TimePoint::max();
  }
};

std::string content(std::size_t resource, std::size_t version, std::string_view whom,
                    std::uint64_t size) {
  std::string text = fmt::format("{}/{}/{}:", resource, version, whom);
  const std::size_t head = text.size();
  text.resize(std::max<std::size_t>(head, size));
  const std::uint64_t salt = mix(resource * 1000 + version);
  for (std::size_t i = head; i < text.size(); ++i) {
    text[i] = static_cast<char>('a' + (mix(salt + i / 64) >> (i % 60)) % 26);
  }
  return text;
}

// --- HTTP as both sides here speak it ---

struct TextMessage {
  std::string start;
  std::vector<std::pair<std::string, std::string>> fields;  // names in lower case
  std::string body;
  bool whole = false;

  [[nodiscard]] std::string value(std::string_view name) const {
    for (const auto& [key, text] : fields) {
      if (key == name) return text;
    }
    return {};
  }
};

class TextWire {
 public:
  explicit TextWire(ByteStream& stream) : stream_(&stream) {}

  // False: the connection ended, in the midst of it or before.
  Task<bool> read_head(TextMessage& message) {
    std::size_t end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!co_await fill()) co_return false;
    }
    std::string head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    std::size_t at = head.find("\r\n");
    message.start = head.substr(0, at);
    while ((at += 2) < head.size()) {
      const std::size_t line_end = head.find("\r\n", at);
      const std::string line = head.substr(at, line_end - at);
      const std::size_t colon = line.find(':');
      std::string name = line.substr(0, colon);
      std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      });
      message.fields.emplace_back(std::move(name), line.substr(std::min(colon + 2, line.size())));
      at = line_end;
    }
    co_return true;
  }
  Task<void> read_body(TextMessage& message) {
    if (message.value("transfer-encoding") == "chunked") {
      message.whole = co_await read_chunks(message.body);
    } else if (const std::string length = message.value("content-length"); !length.empty()) {
      message.whole = co_await read_counted(message.body, number(length));
    } else {
      while (co_await fill()) continue;
      message.body = std::exchange(buffer_, {});
      message.whole = ended_;
    }
  }
  Task<bool> write(std::string text) {
    const TaskContext& context = co_await this_context();
    iovec part = to_iovec(text);
    const auto written =
        co_await write_all(*stream_, {&part, 1}, context.executor().now(), kPatience);
    co_return written.has_value();
  }
  static std::uint64_t number(std::string_view text, int base = 10) {
    std::uint64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
  }

 private:
  Task<bool> fill() {
    const TaskContext& context = co_await this_context();
    const auto got = co_await read_some(*stream_, input_, context.executor().now() + kPatience);
    ended_ = got && *got == 0;
    if (!got || *got == 0) co_return false;
    buffer_ += input_.unread();
    input_.consume(input_.size());
    co_return true;
  }
  Task<bool> read_counted(std::string& into, std::uint64_t length) {
    while (buffer_.size() < length) {
      if (!co_await fill()) co_return false;
    }
    into += buffer_.substr(0, length);
    buffer_.erase(0, length);
    co_return true;
  }
  Task<bool> read_chunks(std::string& into) {
    while (true) {
      std::size_t end = std::string::npos;
      while ((end = buffer_.find("\r\n")) == std::string::npos) {
        if (!co_await fill()) co_return false;
      }
      const std::uint64_t size = number(buffer_.substr(0, end), 16);
      buffer_.erase(0, end + 2);
      std::string chunk;
      if (!co_await read_counted(chunk, size + 2)) co_return false;
      if (size == 0) co_return true;
      into.append(chunk, 0, size);
    }
  }

  ByteStream* stream_;
  InputBuffer input_;
  std::string buffer_;
  bool ended_ = false;
};

// --- The run ---

class CacheSimulation final : private AcceptHandler {
 public:
  CacheSimulation(const CacheSetting& setting, std::uint64_t seed);
  Report run();

 private:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    origin_scope_.spawn(serve(*this, std::move(stream), random_.fork()));
  }
  static Task<void> serve(CacheSimulation& self, std::unique_ptr<ByteStream> stream, Random random);
  Task<bool> answer(TextWire& wire, ByteStream& stream, const TextMessage& request, Random& random);
  static Task<void> be_client(CacheSimulation& self, std::size_t number, Random random);
  Task<bool> ask(TextWire& wire, std::size_t client, Random& random);
  void judge(const TextMessage& response, std::size_t resource, const std::string& whom,
             bool insists, TimePoint asked);
  static Task<void> change_things(CacheSimulation& self, Random random);
  void purge(Random& random);
  void wrong(std::string problem) { report_.problems.push_back(std::move(problem)); }

  static constexpr std::size_t kResources = 12;
  static constexpr std::size_t kClients = 24;
  static constexpr std::size_t kRequests = 30;

  const CacheSetting setting_;
  SimWorld world_;
  SimNetwork client_side_;
  SimNetwork origin_side_;
  Random random_;
  std::shared_ptr<Cache> cache_;
  std::array<Resource, kResources> resources_;
  std::unique_ptr<Listener> listener_;
  Scope origin_scope_;
  Scope scope_;
  std::unique_ptr<Proxy> proxy_;
  Report report_;
  std::size_t clients_left_ = kClients;
  std::size_t answered_ = 0;
  std::size_t asked_origin_ = 0;
  std::size_t failed_ = 0;
};

CacheSimulation::CacheSimulation(const CacheSetting& setting, std::uint64_t seed)
    : setting_(setting),
      world_(seed),
      client_side_(world_, "198.51.100.1"),
      origin_side_(world_, "192.0.2.1"),
      random_(world_.random().fork()),
      origin_scope_(world_.executor()),
      scope_(world_.executor()) {
  client_side_.set_faults(setting.client_side);
  origin_side_.set_faults(setting.origin_side);
  CacheSettings settings;
  settings.memory = setting.memory;
  settings.max_object = setting.memory / 8;
  settings.collapse_wait = random_.between(seconds(1), seconds(20));
  settings.finish = random_.chance(0.5) ? 0 : std::uint64_t{1} << 20;
  cache_ = std::make_shared<Cache>(settings, HashKey{.low = seed, .high = 1});
  for (std::size_t i = 0; i < kResources; ++i) {
    resources_[i].policy = static_cast<Policy>(i % kPolicies);
    resources_[i].versions.push_back({.since = TimePoint{}, .size = random_.skewed(1, 200'000)});
  }
  const Address origin = Address::from_ip("192.0.2.10", 80).value();
  listener_ = origin_side_.listen(origin, *this);
  proxy_ = make_proxy({.workers = setting.workers, .patient = true, .cache = cache_})(
      world_, origin_side_, {origin});
}

// --- The origin ---

Task<void> CacheSimulation::serve(CacheSimulation& self, std::unique_ptr<ByteStream> stream,
                                  Random random) {
  TextWire wire(*stream);
  while (true) {
    TextMessage request;
    if (!co_await wire.read_head(request)) co_return;
    ++self.asked_origin_;
    if (!co_await self.answer(wire, *stream, request, random)) co_return;
  }
}

std::string_view control_of(Policy policy) {
  switch (policy) {
    case Policy::fresh:
    case Policy::varied:
      return "max-age=20";
    case Policy::validated:
      return "no-cache";
    case Policy::stale_too:
      return "max-age=20, stale-while-revalidate=15, stale-if-error=15";
    case Policy::personal:
      return "private, max-age=20";
    case Policy::never:
      break;
  }
  return "no-store";
}

Task<bool> CacheSimulation::answer(TextWire& wire, ByteStream& stream, const TextMessage& request,
                                   Random& random) {
  const Executor& executor = (co_await this_context()).executor();
  if (random.chance(0.3)) {
    co_await sleep_until(executor.now() + random.between(Duration{}, seconds(4)));
  }
  const std::size_t slash = request.start.find("/r/");
  const std::size_t number = TextWire::number(std::string_view(request.start).substr(slash + 3));
  const Resource& resource = resources_.at(number);
  if (request.start.starts_with("POST")) {
    co_return co_await wire.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  }
  if (random.chance(setting_.trouble)) {
    co_return co_await wire.write("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno");
  }
  const std::size_t version = resource.versions.size() - 1;
  std::string whom = "all";
  if (resource.policy == Policy::personal) whom = request.value("x-client");
  if (resource.policy == Policy::varied) whom = request.value("x-kind");
  const std::string tag = fmt::format("\"{}-{}-{}\"", number, version, whom);
  std::string fields = fmt::format("Cache-Control: {}\r\n", control_of(resource.policy));
  if (resource.policy != Policy::fresh) fields += "ETag: " + tag + "\r\n";
  if (resource.policy == Policy::varied) fields += "Vary: X-Kind\r\n";
  if (request.value("if-none-match").find(tag) != std::string::npos) {
    co_return co_await wire.write("HTTP/1.1 304 Not Modified\r\n" + fields + "\r\n");
  }
  const std::string body = content(number, version, whom, resource.versions[version].size);
  const bool chunked = random.chance(0.4);
  std::string text = "HTTP/1.1 200 OK\r\n" + fields;
  if (chunked) {
    text +=
        fmt::format("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", body.size(), body);
  } else {
    text += fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body);
  }
  if (random.chance(setting_.trouble)) {
    text.resize(random.between(1, text.size() - 1));
    static_cast<void>(co_await wire.write(std::move(text)));
    if (random.chance(0.5)) stream.set_abortive();
    co_return false;
  }
  const std::size_t half = random.chance(0.3) ? random.between(1, text.size() - 1) : 0;
  if (half > 0) {
    if (!co_await wire.write(text.substr(0, half))) co_return false;
    co_await sleep_until(executor.now() + random.between(Duration{}, seconds(6)));
  }
  co_return co_await wire.write(text.substr(half));
}

// --- Clients ---

Task<void> CacheSimulation::be_client(CacheSimulation& self, std::size_t number, Random random) {
  const Executor& executor = (co_await this_context()).executor();
  std::size_t left = kRequests;
  while (left > 0) {
    co_await sleep_until(executor.now() + random.between(Duration{}, seconds(2)));
    auto stream =
        co_await self.client_side_.connect(self.proxy_->address(), executor.now() + kPatience);
    if (!stream) continue;
    TextWire wire(**stream);
    while (left > 0) {
      --left;
      if (!co_await self.ask(wire, number, random)) break;
      if (random.chance(0.5)) {
        co_await sleep_until(executor.now() + random.between(Duration{}, seconds(3)));
      }
    }
  }
  --self.clients_left_;
}

Task<bool> CacheSimulation::ask(TextWire& wire, std::size_t client, Random& random) {
  const Executor& executor = (co_await this_context()).executor();
  // Some are asked for more than others.
  const std::size_t number = std::min(random.below(kResources), random.below(kResources));
  const std::string kind = random.chance(0.5) ? "one" : "two";
  const bool posts = random.chance(0.02);
  const bool insists = !posts && random.chance(0.05);
  std::string text = fmt::format(
      "{} /r/{} HTTP/1.1\r\nHost: a.example\r\nX-Client: {}\r\n"
      "X-Kind: {}\r\n",
      posts ? "POST" : "GET", number, client, kind);
  if (insists) text += "Cache-Control: no-cache\r\n";
  if (posts) text += "Content-Length: 0\r\n";
  const TimePoint asked = executor.now();
  if (!co_await wire.write(text + "\r\n")) co_return false;
  if (random.chance(0.05)) {  // leaves
    co_await sleep_until(executor.now() + random.between(Duration{}, seconds(3)));
    co_return false;
  }
  TextMessage response;
  if (!co_await wire.read_head(response)) {
    ++failed_;
    co_return false;
  }
  co_await wire.read_body(response);
  ++answered_;
  const std::string whom = resources_[number].policy == Policy::personal ? std::to_string(client)
                           : resources_[number].policy == Policy::varied ? kind
                                                                         : "all";
  if (!posts && response.start.starts_with("HTTP/1.1 200")) {
    judge(response, number, whom, insists, asked);
  } else if (setting_.reliable && !posts) {
    wrong(fmt::format("resource {}: {}", number, response.start));
  }
  co_return response.whole;
}

void CacheSimulation::judge(const TextMessage& response, std::size_t number,
                            const std::string& whom, bool insists, TimePoint asked) {
  const Resource& resource = resources_[number];
  const std::string where = fmt::format("resource {} ({})", number, response.value("cache-status"));
  std::size_t version = 0;
  const std::size_t slash = response.body.find('/');
  if (slash != std::string::npos) {
    version = TextWire::number(std::string_view(response.body).substr(slash + 1));
  } else if (response.whole) {
    return wrong(where + ": not a content of ours");
  }
  if (version >= resource.versions.size()) return wrong(where + ": a version nobody made");
  const std::string right = content(number, version, whom, resource.versions[version].size);
  const bool cut = !response.whole && right.starts_with(response.body);
  if (response.body != right && !cut) {
    return wrong(fmt::format("{}: {} bytes are not the {} of version {} for {}", where,
                             response.body.size(), right.size(), version, whom));
  }
  if (!response.whole) {
    if (setting_.reliable) wrong(where + ": cut");
    return;
  }
  const TimePoint until = resource.until(version);
  if (until == TimePoint::max()) return;
  Duration allowed = kSlack;
  const bool asks_each_time = insists || resource.policy == Policy::validated ||
                              resource.policy == Policy::personal ||
                              resource.policy == Policy::never;
  if (!asks_each_time) allowed += kFresh;
  if (!asks_each_time && resource.policy == Policy::stale_too) allowed += kStale;
  if (insists && resource.policy == Policy::stale_too) allowed += kFresh + kStale;  // on errors
  if (until + allowed < asked) {
    wrong(fmt::format("{}: version {} was over {} ms before it was asked for", where, version,
                      (asked - until) / milliseconds(1)));
  }
  if (resource.purged < asked && until < resource.purged) {
    wrong(fmt::format("{}: version {} from before a purge", where, version));
  }
}

// --- What changes ---

Task<void> CacheSimulation::change_things(CacheSimulation& self, Random random) {
  const Executor& executor = (co_await this_context()).executor();
  while (co_await sleep_until(executor.now() + random.between(milliseconds(100), seconds(8)))) {
    const std::size_t number = random.below(kResources);
    if (random.chance(0.7)) {
      self.resources_[number].versions.push_back(
          {.since = executor.now(), .size = random.skewed(1, 200'000)});
    } else {
      self.purge(random);
    }
    self.cache_->sweep(std::chrono::floor<seconds>(executor.wall_now()));
  }
}

void CacheSimulation::purge(Random& random) {
  const bool all = random.chance(0.2);
  const std::size_t number = random.below(kResources);
  cache_->invalidations().declare(
      {.what = all ? Invalidation::What::host : Invalidation::What::uri,
       .soft = false,
       .text = all ? "a.example" : fmt::format("http://a.example/r/{}", number),
       .expression = {}});
  for (std::size_t i = 0; i < kResources; ++i) {
    if (all || i == number) resources_[i].purged = world_.now();
  }
}

Report CacheSimulation::run() {
  for (std::size_t i = 0; i < kClients; ++i) scope_.spawn(be_client(*this, i, random_.fork()));
  Scope changing(world_.executor());
  changing.spawn(change_things(*this, random_.fork()));
  for (int i = 0; i < 2 * 3600 && clients_left_ > 0; ++i) world_.run_for(seconds(1));
  if (clients_left_ > 0) wrong(fmt::format("{} clients still wait", clients_left_));
  changing.cancel();
  world_.run_for(seconds(600));  // what goes on without its client
  if (cache_->account()->used() < cache_->memory().numbers().bytes) {
    wrong("what is stored is not all counted");
  }
  cache_->invalidations().declare(
      {.what = Invalidation::What::everything, .soft = false, .text = {}, .expression = {}});
  for (int i = 0; i < 64; ++i) cache_->sweep({});
  if (cache_->invalidations().size() != 0) wrong("invalidations are never forgotten");
  if (cache_->memory().numbers().objects != 0) wrong("a purge of everything leaves something");
  if (cache_->account()->used() != 0) {
    wrong(fmt::format("{} bytes are left", cache_->account()->used()));
  }
  proxy_->stop();
  scope_.cancel();
  world_.run_for(seconds(600));
  if (proxy_->running() != 0) wrong("tasks of the proxy are left");
  listener_.reset();
  origin_scope_.cancel();
  world_.run_until_idle();
  proxy_.reset();
  const auto counted = [this](CacheEvent event) { return cache_->counted(event); };
  report_.summary = fmt::format(
      "{} answers, {} failures, {} requests at the origin, {} hits, {} stale, {} collapsed, {} "
      "validated",
      answered_, failed_, asked_origin_, counted(CacheEvent::hit), counted(CacheEvent::stale_hit),
      counted(CacheEvent::collapsed), counted(CacheEvent::validated));
  if (counted(CacheEvent::hit) == 0) wrong("the cache was of no use");
  return std::move(report_);
}

Report simulate(const CacheSetting& setting, std::uint64_t seed) {
  return CacheSimulation(setting, seed).run();
}

TEST(CacheSimulation, NetworkThatWorks) {
  run_seeds(CacheSetting{.name = "works", .reliable = true}, 12);
}

TEST(CacheSimulation, LittleMemory) {
  run_seeds(CacheSetting{.name = "little", .memory = std::uint64_t{1} << 20, .reliable = true}, 8);
}

TEST(CacheSimulation, OriginInTrouble) {
  run_seeds(CacheSetting{.name = "trouble", .trouble = 0.1}, 12);
}

TEST(CacheSimulation, HostileNetworks) {
  run_seeds(CacheSetting{.name = "hostile",
                         .client_side = Faults::hostile(),
                         .origin_side = Faults::hostile(),
                         .trouble = 0.05},
            12);
}

}  // namespace
}  // namespace penstock::simulation

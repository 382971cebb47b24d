// What the choice of a server costs: each algorithm with 3, 30 and 300 members.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/hash.h"
#include "upstream/balancer.h"
#include "upstream/maglev.h"
#include "upstream/rendezvous.h"

namespace penstock {
namespace {

std::vector<std::string> make_texts(std::size_t count) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    texts.push_back("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":80");
  }
  return texts;
}

std::vector<MemberIdentity> make_identities(const std::vector<std::string>& texts) {
  std::vector<MemberIdentity> identities;
  for (const std::string& text : texts) identities.push_back({.text = text});
  return identities;
}

// How the members are when they are not all alike.
enum class Shape : std::uint8_t { equal, weighted, third_gone };

void pick(benchmark::State& state, Balance algorithm, Shape shape) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<std::string> texts = make_texts(count);
  Balancer balancer({.algorithm = algorithm}, 1);
  balancer.set_members(make_identities(texts));
  Random random(1);
  std::vector<Member> members(count, {.weight = 100});
  for (std::size_t i = 0; i < count; ++i) {
    members[i].load = static_cast<std::uint32_t>(random.below(8));
    if (shape == Shape::weighted) members[i].weight = i % 2 == 0 ? 100 : 10;
    if (shape == Shape::third_gone) members[i].available = i % 3 != 0;
  }
  std::uint64_t key = 0;
  for (auto _ : state) {
    key = mix(key);
    benchmark::DoNotOptimize(balancer.pick(members, key, random));
  }
}

#define PENSTOCK_PICK(name, shape) \
  BENCHMARK_CAPTURE(pick, name##_##shape, Balance::name, Shape::shape)->Arg(3)->Arg(30)->Arg(300)
#define PENSTOCK_PICKS(name)     \
  PENSTOCK_PICK(name, equal);    \
  PENSTOCK_PICK(name, weighted); \
  PENSTOCK_PICK(name, third_gone)

PENSTOCK_PICKS(round_robin);
PENSTOCK_PICKS(least_connections);
PENSTOCK_PICKS(two_choices);
PENSTOCK_PICKS(random);
PENSTOCK_PICKS(hash);
PENSTOCK_PICKS(first);

// One of hundred left: what the fallbacks cost.
void HashWithFewLeft(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<std::string> texts = make_texts(count);
  Balancer balancer({.algorithm = Balance::hash}, 1);
  balancer.set_members(make_identities(texts));
  Random random(1);
  std::vector<Member> members(count);
  for (std::size_t i = 0; i < count; ++i) members[i].available = i % 100 == 0;
  std::uint64_t key = 0;
  for (auto _ : state) {
    key = mix(key);
    benchmark::DoNotOptimize(balancer.pick(members, key, random));
  }
}
BENCHMARK(HashWithFewLeft)->Arg(300);

void BuildMaglev(benchmark::State& state) {
  const std::vector<std::string> texts = make_texts(static_cast<std::size_t>(state.range(0)));
  const std::vector<MemberIdentity> identities = make_identities(texts);
  for (auto _ : state) benchmark::DoNotOptimize(MaglevTable(identities));
}
BENCHMARK(BuildMaglev)->Arg(3)->Arg(30)->Arg(300)->Arg(1'000);

void StartRoundRobin(benchmark::State& state) {
  const std::vector<std::string> texts = make_texts(static_cast<std::size_t>(state.range(0)));
  const std::vector<MemberIdentity> identities = make_identities(texts);
  std::uint64_t seed = 0;
  for (auto _ : state) {
    RoundRobin order;
    order.set_members(identities, ++seed);
    benchmark::DoNotOptimize(order);
  }
}
BENCHMARK(StartRoundRobin)->Arg(3)->Arg(30)->Arg(300);

void RendezvousOrder(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<NodeIdentity> nodes;
  for (const std::string& text : make_texts(count)) nodes.push_back({.id = hash_key(text)});
  std::vector<std::uint32_t> order(count);
  std::uint64_t key = 0;
  for (auto _ : state) {
    rendezvous_order(nodes, ++key, order);
    benchmark::ClobberMemory();
  }
}
BENCHMARK(RendezvousOrder)->Arg(3)->Arg(30);

void HashKeyOf(benchmark::State& state) {
  const std::string text(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto _ : state) benchmark::DoNotOptimize(hash_key(text));
}
BENCHMARK(HashKeyOf)->Arg(15)->Arg(60)->Arg(500);

}  // namespace
}  // namespace penstock

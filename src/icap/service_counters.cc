#include "icap/service_counters.h"

namespace penstock::icap {
namespace {

void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) {
  if (n != 0) counter.fetch_add(n, std::memory_order_relaxed);
}

}  // namespace

void ServiceCounters::count(const Consulted& one) {
  Counters& to = methods_[index(one.method)];
  add(to.outcomes[static_cast<std::size_t>(one.outcome)], 1);
  add(to.repeats, one.repeats);
  add(to.sent, one.sent);
  add(to.received, one.received);
  if (one.decided == TimePoint{}) return;
  add(one.reused ? to.reused_connections : to.new_connections, 1);
  add(to.microseconds,
      static_cast<std::uint64_t>((one.decided - one.begun) / std::chrono::microseconds(1)));
}

ServiceCounters::Totals ServiceCounters::totals(IcapMethod method) const {
  const Counters& from = methods_[index(method)];
  Totals totals{.repeats = from.repeats.load(std::memory_order_relaxed),
                .sent = from.sent.load(std::memory_order_relaxed),
                .received = from.received.load(std::memory_order_relaxed),
                .new_connections = from.new_connections.load(std::memory_order_relaxed),
                .reused_connections = from.reused_connections.load(std::memory_order_relaxed),
                .microseconds = from.microseconds.load(std::memory_order_relaxed)};
  for (std::size_t i = 0; i < kOutcomes; ++i) {
    totals.outcomes[i] = from.outcomes[i].load(std::memory_order_relaxed);
  }
  return totals;
}

}  // namespace penstock::icap

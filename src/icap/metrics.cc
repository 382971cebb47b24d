#include "icap/metrics.h"

#include <array>
#include <iterator>

#include <fmt/format.h>

namespace penstock::icap {
namespace {

using Totals = ServiceCounters::Totals;

constexpr std::array kMethods{IcapMethod::reqmod, IcapMethod::respmod};
constexpr double kMicrosecondsInSecond = 1e6;

// One name with its numbers.
class Family {
 public:
  Family(std::string& out, std::string_view name, std::string_view type, std::string_view help)
      : out_(out), name_(name) {
    fmt::format_to(std::back_inserter(out_),
                   "# HELP penstock_icap_{0} {1}\n"
                   "# TYPE penstock_icap_{0} {2}\n",
                   name, help, type);
  }
  // `labels`: beyond that of the service, with a comma in front.
  template <class Number>
  void add(const ServiceShare& service, std::string_view labels, Number value) {
    fmt::format_to(std::back_inserter(out_), "penstock_icap_{}{{service=\"{}\"{}}} {}\n", name_,
                   service.settings().name, labels, value);
  }

 private:
  std::string& out_;
  std::string_view name_;
};

using Services = std::span<const ServiceShare* const>;

std::string label_of(IcapMethod method) { return fmt::format(",method=\"{}\"", to_string(method)); }

template <class Number>
void add_totals(std::string& out, std::string_view name, std::string_view help, Services services,
                Number number) {
  Family family(out, name, "counter", help);
  for (const ServiceShare* const service : services) {
    for (const IcapMethod method : kMethods) {
      family.add(*service, label_of(method), number(service->counters().totals(method)));
    }
  }
}

void add_messages(std::string& out, Services services) {
  Family family(out, "messages_total", "counter", "Messages, by what came of them.");
  for (const ServiceShare* const service : services) {
    for (const IcapMethod method : kMethods) {
      const Totals totals = service->counters().totals(method);
      for (std::size_t i = 0; i < kOutcomes; ++i) {
        family.add(
            *service,
            fmt::format("{},outcome=\"{}\"", label_of(method), to_string(static_cast<Outcome>(i))),
            totals.outcomes[i]);
      }
    }
  }
}

void add_gauges(std::string& out, Services services, TimePoint now) {
  Family up(out, "up", "gauge", "Whether the service works, as far as is known.");
  for (const ServiceShare* const service : services) up.add(*service, "", service->down() ? 0 : 1);
  Family connections(out, "connections", "gauge",
                     "Connections to the servers, those in use and idle.");
  for (const ServiceShare* const service : services) {
    connections.add(*service, "", service->connections());
  }
  Family age(out, "options_age_seconds", "gauge",
             "Since when what the service says of itself is known.");
  for (const ServiceShare* const service : services) {
    const auto since = service->options_since();
    if (since) age.add(*service, "", std::chrono::duration<double>(now - *since).count());
  }
}

}  // namespace

std::string metrics_text(Services services, TimePoint now) {
  std::string out;
  if (services.empty()) return out;
  add_messages(out, services);
  add_totals(out, "repeats_total", "Messages that were sent again after a failure.", services,
             [](const Totals& totals) { return totals.repeats; });
  add_totals(out, "sent_bytes_total", "Bytes sent with messages.", services,
             [](const Totals& totals) { return totals.sent; });
  add_totals(out, "received_bytes_total", "Bytes of heads and content received.", services,
             [](const Totals& totals) { return totals.received; });
  add_totals(out, "new_connection_total", "Messages that went by a new connection.", services,
             [](const Totals& totals) { return totals.new_connections; });
  add_totals(out, "reused_connection_total", "Messages that went by a connection used before.",
             services, [](const Totals& totals) { return totals.reused_connections; });
  add_totals(out, "seconds_total", "Time until the verdicts.", services, [](const Totals& totals) {
    return static_cast<double>(totals.microseconds) / kMicrosecondsInSecond;
  });
  add_gauges(out, services, now);
  return out;
}

}  // namespace penstock::icap

// One message at one ICAP service.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapt/filter.h"
#include "icap/exchange.h"
#include "icap/filter_state.h"
#include "icap/service.h"

namespace penstock::icap {

// What a service has to say of a message.
struct Advice {
  FilterOutcome outcome{};
  std::vector<std::string> next{};  // the services that it names as the next ones
  bool offered = true;              // it takes messages of that kind; else it was not asked
};

// Sends the message, again where that is safe, until there is a verdict, and does to the message
// what that says. Belongs to one thread.
class Consultation {
 public:
  // All must outlive it.
  Consultation(Service& service, AdaptedMessage& message, IcapState& state);

  // Adds what came of it to the state's records. The message is unchanged after a failure, and
  // whole if the state says so.
  Task<std::expected<Advice, Failure>> ask();

 private:
  using Said = std::expected<Advice, Failure>;

  // Whether it offers the method.
  [[nodiscard]] std::expected<bool, Failure> takes(const Options& offered) const;
  // Whether it does not have to see the message, or can't.
  [[nodiscard]] std::expected<bool, Failure> skips(Transfer transfer) const;
  [[nodiscard]] bool can_keep() const;
  [[nodiscard]] IcapRequest request_for(const Options& offered, Transfer transfer);
  Task<Said> send(const IcapRequest& request);
  // One try; a lease is there.
  Task<std::expected<Verdict, Failure>> exchange(Lease lease, const IcapRequest& request,
                                                 std::unique_ptr<Exchange>& exchange);
  Task<Said> take(std::unique_ptr<Exchange> exchange, Verdict verdict);
  Task<Said> keep(Exchange& exchange);
  Task<Said> replace(std::unique_ptr<Exchange> exchange);
  // What the answer's head says beyond the message.
  void read_fields(const IcapResponse& response);
  // The message goes on.
  Said go_on(Outcome outcome);
  std::unexpected<Failure> fails(const Failure& failure);
  [[nodiscard]] TimePoint now() const { return executor_->now(); }

  Service* service_;
  AdaptedMessage* message_;
  IcapState* state_;
  Executor* executor_ = nullptr;
  bool is_request_;
  std::optional<std::uint64_t> length_ = 0;
  TimePoint deadline_ = kNever;
  Consulted record_;
  std::vector<std::string> next_;                            // services that the answer names
  std::vector<std::pair<std::string, std::string>> passed_;  // fields for the message
  Choice choice_;
};

}  // namespace penstock::icap

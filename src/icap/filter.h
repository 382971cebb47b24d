// ICAP services as a filter: messages go to them, and what they make of these goes on (RFC 3507).
#pragma once

#include <expected>
#include <memory>
#include <string_view>
#include <vector>

#include "adapt/built_in.h"
#include "icap/exchange.h"
#include "icap/service.h"
#include "icap/virgin_body.h"

namespace penstock::icap {

// One place in the order of filters. Of several services the first one that can be asked is asked;
// the others take its place where it fails, as long as the message is whole.
class IcapFilter final : public Filter {
 public:
  // The services must outlive it; there is at least one.
  IcapFilter(std::vector<Service*> services, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;
  Task<FilterOutcome> look(AdaptedMessage& message, std::unique_ptr<FilterState>& state) override;

 private:
  class State;
  using Said = std::expected<FilterOutcome, Failure>;

  static Task<Said> consult(Service& service, AdaptedMessage& message, State& state);
  // The message is sent, again where that is safe, until there is a verdict.
  static Task<Said> send(Service& service, const IcapRequest& request, AdaptedMessage& message,
                         State& state);
  static Task<Said> take(std::unique_ptr<Exchange> exchange, Verdict verdict,
                         AdaptedMessage& message, State& state);
  static FilterOutcome settle(const Failure& failure, const AdaptedMessage& message, State& state);

  std::vector<Service*> services_;
  Interests interests_ = 0;
};

}  // namespace penstock::icap

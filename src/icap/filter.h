// ICAP services as a filter: messages go to them, and what they make of these goes on (RFC 3507).
#pragma once

#include <deque>
#include <expected>
#include <memory>
#include <vector>

#include "adapt/built_in.h"
#include "icap/filter_state.h"
#include "icap/service.h"
#include "icap/service_directory.h"

namespace penstock::icap {

// What is not a service's own.
struct IcapFilterPlan {
  FilterSide side = FilterSide::client;
  bool bypasses = false;  // after a failure messages go on, as far as they are whole
  // Services that answers name as the next ones (X-Next-Services) are asked; null: they are not.
  ServiceDirectory* directory = nullptr;
};

// One place in the order of filters. Of several services the first one that can be asked is asked;
// the others take its place where it fails, as long as the message is whole.
class IcapFilter final : public Filter {
 public:
  // The services and the directory must outlive it; there is at least one service.
  IcapFilter(std::vector<Service*> services, const IcapFilterPlan& plan);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;
  Task<FilterOutcome> look(AdaptedMessage& message, std::unique_ptr<FilterState>& state) override;
  void on_logged(const LoggedMessages& messages, const RecordView& record,
                 std::unique_ptr<FilterState>& state) override;

 private:
  Task<FilterOutcome> ask_all(AdaptedMessage& message, IcapState& state) const;
  // Those that an answer names, one after the other, and those that their answers name.
  Task<FilterOutcome> ask_next(std::deque<Service*> next, AdaptedMessage& message,
                               IcapState& state) const;
  void find_all(const std::vector<std::string>& names, bool of_request,
                std::deque<Service*>& services) const;
  // What clients get meanwhile; null where they wait.
  [[nodiscard]] const TrickleSettings* trickle_of(const AdaptedMessage& message) const;
  Task<FilterOutcome> look_patiently(const TrickleSettings& trickle, AdaptedMessage& message,
                                     IcapState& state);
  static Task<void> ask_apart(const IcapFilter& filter, IcapState& state);
  FilterOutcome settle(const Failure& failure, IcapState& state) const;

  std::vector<Service*> services_;
  IcapFilterPlan plan_;
  Interests interests_ = kLogInterest;
};

}  // namespace penstock::icap

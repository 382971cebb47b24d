// A module as a filter: its callbacks are called for the events of transactions, and what they
// return is done.
#pragma once

#include <memory>

#include "adapt/filter.h"
#include "module/transaction.h"

namespace penstock {

class ModuleFilter final : public Filter {
 public:
  // `caller`: shared by the filters of that instance. `side`: at which of the points it works.
  ModuleFilter(std::shared_ptr<ModuleCaller> caller, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;
  Task<FilterOutcome> finish(AdaptedMessage& message, std::unique_ptr<FilterState>& state) override;
  Task<FilterOutcome> look(AdaptedMessage& message, std::unique_ptr<FilterState>& state) override;
  Task<Result<bool>> on_connection(const ClientInfo& client,
                                   std::unique_ptr<FilterState>& state) override;
  MaybeTask<FilterOutcome> on_lookup(const AdaptedMessage& message, std::string_view result,
                                     std::unique_ptr<FilterState>& state) override;
  MaybeTask<FilterOutcome> on_connect(const AdaptedMessage& message, ConnectChoice& choice,
                                      std::unique_ptr<FilterState>& state) override;
  void on_logged(const LoggedMessages& messages, const RecordView& record,
                 std::unique_ptr<FilterState>& state) override;

 private:
  ModuleTransaction& transaction_of(Adaptation& adaptation, std::unique_ptr<FilterState>& state);
  // What a callback for a head has returned; nothing: the one for the end takes time.
  std::optional<FilterOutcome> settle_head(ModuleTransaction& transaction, Moment& moment,
                                           AdaptedMessage& message, int returned);
  // For a message without content, which is complete with its head.
  std::optional<FilterOutcome> show_end(ModuleTransaction& transaction, Moment& moment,
                                        AdaptedMessage& message, bool head_held);
  FilterOutcome settle_end(ModuleTransaction& transaction, Moment& moment, AdaptedMessage& message,
                           int returned);
  FilterOutcome answer(ModuleTransaction& transaction, Moment& moment, AdaptedMessage& message);
  static void put_around(ModuleTransaction& transaction, Moment& moment, AdaptedMessage& message,
                         bool may_change);
  // Of events that are about a choice, not about a message.
  MaybeTask<FilterOutcome> ask(ModuleTransaction& transaction, Moment& moment);
  Task<FilterOutcome> finish_asking(ModuleTransaction& transaction, Moment& moment);
  [[nodiscard]] FilterOutcome settle_choice(int returned) const;
  [[nodiscard]] bool wants_content(AdaptPoint point) const;

  std::shared_ptr<ModuleCaller> caller_;
  Interests interests_ = 0;
};

}  // namespace penstock

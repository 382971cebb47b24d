// Callbacks on the worker's own thread, between its other work.
#pragma once

#include <array>
#include <memory>

#include "module/transaction.h"
#include "module/watchdog.h"

namespace penstock {

class InlineCaller final : public ModuleCaller {
 public:
  // `slot`: the worker's, of the watchdog; null: nobody watches. It must outlive this.
  InlineCaller(std::shared_ptr<ModuleInstance> of, std::uint64_t hold_limit,
               std::shared_ptr<WorkerGate> gate, WatchdogSlot* slot);

  std::optional<int> start(ModuleTransaction& transaction, Moment& moment) override;
  Task<int> finish(ModuleTransaction& transaction, Moment& moment) override;
  void free(ModuleTransaction& transaction) override;
  Task<Result<bool>> begin(ModuleConnection& connection) override;
  void free(ModuleConnection& connection) override;
  [[nodiscard]] std::string_view failure() const override { return failure_; }

 private:
  int call(ModuleTransaction& transaction, Moment& moment, bool resumed);

  using Callback = int (*)(penstock_call*);
  const penstock_module* module_;
  // By their events; those that get content have another form.
  std::array<Callback, kTransactionEvents> callbacks_{};
  const WatchedInstance* watched_;
  WatchdogSlot* slot_;
  std::string_view failure_;
};

}  // namespace penstock

// Callbacks on the worker's own thread, between its other work.
#pragma once

#include <memory>

#include "module/transaction.h"
#include "module/watchdog.h"

namespace penstock {

class InlineCaller final : public ModuleCaller {
 public:
  // `slot`: the worker's, of the watchdog; null: nobody watches. It must outlive this.
  InlineCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit,
               std::shared_ptr<WorkerGate> gate, WatchdogSlot* slot);

  [[nodiscard]] ModuleInstance& instance() override { return *instance_; }
  [[nodiscard]] std::uint64_t hold_limit() const override { return hold_limit_; }
  [[nodiscard]] const std::shared_ptr<WorkerGate>& gate() const override { return gate_; }
  std::optional<int> start(ModuleTransaction& transaction, Moment& moment) override;
  Task<int> finish(ModuleTransaction& transaction, Moment& moment) override;
  void free(ModuleTransaction& transaction) override;
  Task<Result<bool>> begin(ModuleConnection& connection) override;
  void free(ModuleConnection& connection) override;
  [[nodiscard]] std::string_view failure() const override { return failure_; }

 private:
  int call(ModuleTransaction& transaction, Moment& moment, bool resumed);

  std::shared_ptr<ModuleInstance> instance_;
  std::uint64_t hold_limit_;
  std::shared_ptr<WorkerGate> gate_;
  WatchdogSlot* slot_;
  std::string_view failure_;
};

}  // namespace penstock

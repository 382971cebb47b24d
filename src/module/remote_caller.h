// Callbacks beside the worker: on threads, or in another process.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "module/channel.h"
#include "module/process_services.h"
#include "module/transaction.h"
#include "module/wire.h"

namespace penstock {

// Writes calls down and sends them; does what comes back to the transaction. Belongs to one worker.
class RemoteCaller final : public ModuleCaller, private ChannelSink {
 public:
  // `channel`: its own; what has to outlive the channel has to outlive this.
  RemoteCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit,
               std::shared_ptr<WorkerGate> gate, std::unique_ptr<Channel> channel);
  // What the helper asks for beside transactions is done, by the instance's services: for helpers
  // in another process.
  void serve_helper();
  ~RemoteCaller() override;

  [[nodiscard]] ModuleInstance& instance() override { return *instance_; }
  [[nodiscard]] std::uint64_t hold_limit() const override { return hold_limit_; }
  [[nodiscard]] const std::shared_ptr<WorkerGate>& gate() const override { return gate_; }
  std::optional<int> start(ModuleTransaction& transaction, Moment& moment) override;
  Task<int> finish(ModuleTransaction& transaction, Moment& moment) override;
  void free(ModuleTransaction& transaction) override;
  Task<bool> begin(ModuleConnection& connection) override;
  void free(ModuleConnection& connection) override;
  [[nodiscard]] std::string_view failure() const override { return failure_; }

 private:
  // A call that may be resumed: the helper knows it by its number.
  class Waiting;

  [[nodiscard]] std::string write_call(WireKind kind, ModuleTransaction& transaction,
                                       Moment& moment, bool resumed, std::uint64_t wait_id);
  // Does what the result says; the result itself, or PENSTOCK_ERROR where it can't be understood.
  int apply(std::string_view result, ModuleTransaction& transaction, Moment& moment);
  bool apply_edit(WireEdit edit, WireReader& in, ModuleCall& call);
  // Sends what nobody answers, now or when there is room.
  void tell(std::string message, std::uint64_t affinity);
  void tell_waiting();
  void on_message(std::string_view bytes) override;
  void on_down() override;

  struct Message {
    std::string bytes;
    std::uint64_t affinity;
  };
  std::shared_ptr<ModuleInstance> instance_;
  std::uint64_t hold_limit_;
  std::shared_ptr<WorkerGate> gate_;
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<HelperRequests> helper_requests_;  // null where they are not served
  std::unordered_map<std::uint64_t, Waiting*> waiting_;
  std::uint64_t last_wait_id_ = 0;
  std::deque<Message> unsent_;
  std::string_view failure_;
};

}  // namespace penstock

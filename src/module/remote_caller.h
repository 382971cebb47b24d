// Callbacks beside the worker: on threads, or in another process.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "helper/channel.h"
#include "module/process_services.h"
#include "module/transaction.h"
#include "module/wire.h"

namespace penstock {

// Writes calls down and sends them; does what comes back to the transaction. Belongs to one worker,
// which has one for each instance.
//
// Transactions and connections are known to the helpers by numbers, which no other worker gives:
// one of a filter, as there may be several of an instance. What was told to a helper that died is
// not known to the next one; transactions that had begun are left out then.
class RemoteCaller final : public ModuleCaller, private ChannelSink {
 public:
  // `worker`: its number. `channel`: its own; what has to outlive the channel has to outlive this.
  RemoteCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit, unsigned worker,
               std::shared_ptr<WorkerGate> gate, std::unique_ptr<Channel> channel);
  // What the helper asks for beside transactions is done, by the instance's services: for helpers
  // in another process.
  void serve_helper();
  ~RemoteCaller() override;

  std::optional<int> start(ModuleTransaction& transaction, Moment& moment) override;
  Task<int> finish(ModuleTransaction& transaction, Moment& moment) override;
  void free(ModuleTransaction& transaction) override;
  Task<Result<bool>> begin(ModuleConnection& connection) override;
  void free(ModuleConnection& connection) override;
  [[nodiscard]] std::string_view failure() const override { return failure_; }

 private:
  // A call that may be resumed: the helper knows it by its number.
  class Waiting;

  [[nodiscard]] std::string write_call(WireKind kind, ModuleTransaction& transaction,
                                       Moment& moment, bool resumed, std::uint64_t wait_id);
  // The connection as the present helper knows it; null: it does not.
  [[nodiscard]] ModuleConnection* known_connection(const ModuleTransaction& transaction) const;
  void note_called(ModuleTransaction& transaction);
  // Nothing was sent, after all.
  void note_not_called(ModuleTransaction& transaction);
  // The helper that knew of it has died.
  [[nodiscard]] bool is_lost(const ModuleTransaction& transaction) const {
    return transaction.called && transaction.helper != helper_;
  }
  int lose(ModuleTransaction& transaction);
  Task<Result<int>> call(ModuleTransaction& transaction, Moment& moment, bool resumed,
                         Waiting& waiting);
  // Does what the result says; the result itself, or PENSTOCK_ERROR where it can't be understood.
  int apply(std::string_view result, ModuleTransaction& transaction, Moment& moment);
  bool apply_edit(WireEdit edit, WireReader& in, ModuleTransaction& transaction, ModuleCall& call);
  static bool apply_hold(WireEdit edit, WireReader& in, ModuleTransaction& transaction,
                         ModuleCall& call);
  // Sends what nobody answers, now or when there is room.
  void tell(std::string message, std::uint64_t affinity);
  // The same for what may be left out where the helper does not keep up, which is said in the log.
  void tell_if_there_is_room(std::string message, std::uint64_t affinity);
  void tell_waiting();
  void on_message(std::string_view bytes) override;
  void on_down() override;

  struct Message {
    std::string bytes;
    std::uint64_t affinity;
  };
  std::unique_ptr<Channel> channel_;
  std::unique_ptr<HelperRequests> helper_requests_;  // null where they are not served
  std::unordered_map<std::uint64_t, Waiting*> waiting_;
  std::uint64_t last_wait_id_ = 0;
  std::uint64_t last_number_;
  std::uint64_t helper_ = 1;  // which one of those that were there one after the other
  std::deque<Message> unsent_;
  std::size_t unsent_bytes_ = 0;
  std::uint64_t left_out_ = 0;  // since that was last said
  std::string_view failure_;
};

}  // namespace penstock

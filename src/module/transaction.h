// What an instance of a module keeps for one transaction.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "adapt/filter.h"
#include "async/worker_gate.h"
#include "module/instance.h"
#include "module/moment.h"

// Content that a module keeps back.
struct penstock_held {
  penstock::Slice slice;
};

namespace penstock {

class ModuleCaller;
class ModuleConnection;

// Lives as long as the transaction; what it is made of must outlive it.
class ModuleTransaction final : public FilterState {
 public:
  // `filter`: the one that it is kept for.
  ModuleTransaction(const Filter& filter, ModuleCaller& caller, Adaptation& adaptation);
  ~ModuleTransaction() override;
  ModuleTransaction(const ModuleTransaction&) = delete;
  ModuleTransaction& operator=(const ModuleTransaction&) = delete;

  [[nodiscard]] ModuleInstance& instance() const;
  [[nodiscard]] Adaptation& adaptation() const { return *adaptation_; }
  [[nodiscard]] const TransactionFacts& facts() const { return adaptation_->facts(); }
  [[nodiscard]] ModuleCaller& caller() const { return *caller_; }
  [[nodiscard]] Moment& moment(ModuleEvent event) {
    if (event < ModuleEvent::cache_lookup || !is_uploading_) return first_moment_;
    auto& moment = event >= ModuleEvent::response_head ? response_moment_ : way_moment_;
    if (!moment) moment = std::make_unique<Moment>(*this);
    return *moment;
  }

  // The heads, from their events on. Null when the last callback is called: they may be gone by
  // then.
  RequestHead* request = nullptr;
  ResponseHead* response = nullptr;
  Framing request_framing;  // as the module found it; else as the client sent it
  Framing response_framing;
  std::string_view lookup_result = {};  // of cache_lookup, once it has been asked

  void* opaque = nullptr;  // what the module has left for its next call
  bool called = false;     // at least once: it is going to be told of the end
  // Of the filter that it is kept for; null: there is none.
  [[nodiscard]] ModuleConnection* connection() const { return connection_; }

  // For callbacks beside the worker: its number there, which helper knows it, and what of it.
  std::uint64_t known_as = 0;
  std::uint64_t helper = 0;
  bool told_request = false;
  bool told_response = false;

  std::uint64_t held_bytes = 0;
  std::list<penstock_held> held;
  std::vector<std::pair<std::uint64_t, penstock_held*>> held_by_number;  // as helpers name them

  // PENSTOCK_DONE: nothing but `free` is called any more.
  void leave() { adaptation_->leave(*this); }
  // The same for a failure: what it has changed or holds of content is not to be had any more.
  void drop() { adaptation_->drop(*this); }

  // The call as C code sees it, ready for `moment`.
  [[nodiscard]] ModuleCall& call_for(Moment& moment, bool resumed) {
    call_.face = &moment;
    call_.opaque = opaque;
    call_.resumed = resumed ? 1 : 0;
    return call_;
  }

 private:
  ModuleCaller* caller_;
  Adaptation* adaptation_;
  ModuleConnection* connection_ = nullptr;
  // Of a request with content events go on beside those that come after it.
  bool is_uploading_;
  ModuleCall call_;
  Moment first_moment_{*this};
  std::unique_ptr<Moment> way_moment_;  // between request and response
  std::unique_ptr<Moment> response_moment_;
};

// Where the callbacks of an instance run, as one worker sees it.
class ModuleCaller {
 public:
  // `hold_limit`: how much content a transaction may hold, in bytes. `gate`: to the worker's own
  // thread, for those who resume.
  ModuleCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit,
               std::shared_ptr<WorkerGate> gate);
  virtual ~ModuleCaller() = default;
  ModuleCaller(const ModuleCaller&) = delete;
  ModuleCaller& operator=(const ModuleCaller&) = delete;

  [[nodiscard]] ModuleInstance& instance() const { return *instance_; }
  [[nodiscard]] std::uint64_t hold_limit() const { return hold_limit_; }
  [[nodiscard]] const std::shared_ptr<WorkerGate>& gate() const { return gate_; }
  // Whether the module has a callback for an event of a transaction.
  [[nodiscard]] bool calls(ModuleEvent event) const {
    return (events_ >> static_cast<unsigned>(event) & 1U) != 0;
  }

  // Calls the callback of the event; the moment has been made ready. What the callback returns,
  // but PENSTOCK_WAIT; nothing: it takes time, and finish() is to be awaited.
  virtual std::optional<int> start(ModuleTransaction& transaction, Moment& moment) = 0;
  // Errors (the side that runs callbacks is gone, cancelled) are PENSTOCK_ERROR.
  virtual Task<int> finish(ModuleTransaction& transaction, Moment& moment) = 0;
  // The last call of a transaction that has something to free.
  virtual void free(ModuleTransaction& transaction) = 0;
  // A client's connection begins; false: it is to be closed. Errors: the side that runs callbacks
  // could not be asked. And it has ended.
  virtual Task<Result<bool>> begin(ModuleConnection& connection) = 0;
  virtual void free(ModuleConnection& connection) = 0;
  // Why the last PENSTOCK_ERROR: a short name, static text.
  [[nodiscard]] virtual std::string_view failure() const { return "error"; }

 private:
  std::shared_ptr<ModuleInstance> instance_;
  std::uint64_t hold_limit_;
  std::shared_ptr<WorkerGate> gate_;
  std::uint32_t events_ = 0;  // that have callbacks, by their bits
};

}  // namespace penstock

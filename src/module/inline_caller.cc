#include "module/inline_caller.h"

#include <utility>

#include "base/check.h"
#include "module/connection.h"

namespace penstock {

InlineCaller::InlineCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit,
                           std::shared_ptr<WorkerGate> gate, WatchdogSlot* slot)
    : instance_(std::move(instance)),
      hold_limit_(hold_limit),
      gate_(std::move(gate)),
      slot_(slot) {}

int InlineCaller::call(ModuleTransaction& transaction, Moment& moment, bool resumed) {
  const penstock_module& module = instance_->callbacks();
  ModuleCall& call = transaction.call_for(moment, resumed);
  transaction.called = true;
  const WatchedCall watched(slot_, instance_->watched, moment.event);
  const auto run = [&call](int (*callback)(penstock_call*)) {
    return callback != nullptr ? callback(&call) : PENSTOCK_CONTINUE;
  };
  const auto run_body = [&call, &moment](int (*callback)(penstock_call*, const char*, size_t)) {
    return callback(&call, moment.content.data(), moment.content.size());
  };
  int returned = PENSTOCK_CONTINUE;
  switch (moment.event) {
    case ModuleEvent::request_head:
      returned = run(module.request_head);
      break;
    case ModuleEvent::request_body:
      returned = run_body(module.request_body);
      break;
    case ModuleEvent::request_complete:
      returned = run(module.request_complete);
      break;
    case ModuleEvent::cache_lookup:
      returned = run(module.cache_lookup);
      break;
    case ModuleEvent::before_connect:
      returned = run(module.before_connect);
      break;
    case ModuleEvent::response_head:
      returned = run(module.response_head);
      break;
    case ModuleEvent::response_body:
      returned = run_body(module.response_body);
      break;
    case ModuleEvent::response_complete:
      returned = run(module.response_complete);
      break;
    case ModuleEvent::answer_body:
      returned = run(module.answer_body);
      break;
    case ModuleEvent::logged:
      returned = run(module.logged);
      break;
    default:
      PENSTOCK_CHECK(false);
  }
  transaction.opaque = call.opaque;
  return returned;
}

std::optional<int> InlineCaller::start(ModuleTransaction& transaction, Moment& moment) {
  failure_ = "error";
  const int returned = call(transaction, moment, false);
  if (returned != PENSTOCK_WAIT) return returned;
  if (moment.event == ModuleEvent::logged) return PENSTOCK_CONTINUE;
  return std::nullopt;
}

Task<int> InlineCaller::finish(ModuleTransaction& transaction, Moment& moment) {
  while (true) {
    // Kept here, too: it may be exchanged for another one when this one was waited for in vain.
    const std::shared_ptr<Moment::WaitPoint> point = moment.waiting;
    if (!point) {
      failure_ = "waits for nothing";
      co_return PENSTOCK_ERROR;
    }
    const bool woken = co_await point->event.wait();
    moment.waiting.reset();
    failure_ = "cancelled";
    if (!woken) co_return PENSTOCK_ERROR;
    // It has said in the other direction that it wants nothing more.
    if (transaction.left) co_return PENSTOCK_CONTINUE;
    failure_ = "error";
    const int returned = call(transaction, moment, true);
    if (returned != PENSTOCK_WAIT) co_return returned;
  }
}

void InlineCaller::free(ModuleTransaction& transaction) {
  const auto callback = instance_->callbacks().free;
  if (transaction.opaque == nullptr || callback == nullptr) return;
  const WatchedCall watched(slot_, instance_->watched, ModuleEvent::free);
  callback(&transaction.call_for(transaction.moment(ModuleEvent::free), false));
}

Task<Result<bool>> InlineCaller::begin(ModuleConnection& connection) {
  const auto callback = instance_->callbacks().connection;
  if (callback == nullptr) co_return true;
  const WatchedCall watched(slot_, instance_->watched, ModuleEvent::connection);
  ModuleCall& call = connection.call();
  const int returned = callback(&call);
  co_return returned == PENSTOCK_CONTINUE || returned == PENSTOCK_DONE;
}

void InlineCaller::free(ModuleConnection& connection) {
  const auto callback = instance_->callbacks().connection_free;
  if (callback == nullptr || connection.call().opaque == nullptr) return;
  const WatchedCall watched(slot_, instance_->watched, ModuleEvent::connection_free);
  callback(&connection.call());
}

}  // namespace penstock

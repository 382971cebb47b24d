#include "module/inline_caller.h"

#include <utility>

#include "base/check.h"
#include "module/connection.h"

namespace penstock {

InlineCaller::InlineCaller(std::shared_ptr<ModuleInstance> of, std::uint64_t hold_limit,
                           std::shared_ptr<WorkerGate> gate, WatchdogSlot* slot)
    : ModuleCaller(std::move(of), hold_limit, std::move(gate)),
      module_(&instance().callbacks()),
      watched_(&instance().watched),
      slot_(slot) {
  const auto put = [this](ModuleEvent event, Callback callback) {
    callbacks_[static_cast<std::size_t>(event)] = callback;
  };
  put(ModuleEvent::request_head, module_->request_head);
  put(ModuleEvent::request_complete, module_->request_complete);
  put(ModuleEvent::cache_lookup, module_->cache_lookup);
  put(ModuleEvent::before_connect, module_->before_connect);
  put(ModuleEvent::response_head, module_->response_head);
  put(ModuleEvent::response_complete, module_->response_complete);
  put(ModuleEvent::answer_body, module_->answer_body);
  put(ModuleEvent::logged, module_->logged);
}

// Only events that the module has a callback for get here.
[[gnu::always_inline]] inline int InlineCaller::call(ModuleTransaction& transaction, Moment& moment,
                                                     bool resumed) {
  ModuleCall& call = transaction.call_for(moment, resumed);
  transaction.called = true;
  const WatchedCall watched(slot_, *watched_, moment.event);
  const Callback callback = callbacks_[static_cast<std::size_t>(moment.event)];
  int returned = PENSTOCK_ERROR;
  if (callback != nullptr) {
    returned = callback(&call);
  } else {
    const bool request = moment.event == ModuleEvent::request_body;
    PENSTOCK_CHECK(request || moment.event == ModuleEvent::response_body);
    const auto on_body = request ? module_->request_body : module_->response_body;
    returned = on_body(&call, moment.content.data(), moment.content.size());
  }
  transaction.opaque = call.opaque;
  return returned;
}

std::optional<int> InlineCaller::start(ModuleTransaction& transaction, Moment& moment) {
  const int returned = call(transaction, moment, false);
  if (returned == PENSTOCK_CONTINUE) return returned;
  failure_ = "error";
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
  const auto callback = module_->free;
  if (transaction.opaque == nullptr || callback == nullptr) return;
  const WatchedCall watched(slot_, *watched_, ModuleEvent::free);
  callback(&transaction.call_for(transaction.moment(ModuleEvent::free), false));
}

Task<Result<bool>> InlineCaller::begin(ModuleConnection& connection) {
  const auto callback = module_->connection;
  if (callback == nullptr) co_return true;
  const WatchedCall watched(slot_, *watched_, ModuleEvent::connection);
  ModuleCall& call = connection.call();
  const int returned = callback(&call);
  co_return returned == PENSTOCK_CONTINUE || returned == PENSTOCK_DONE;
}

void InlineCaller::free(ModuleConnection& connection) {
  const auto callback = module_->connection_free;
  if (callback == nullptr || connection.call().opaque == nullptr) return;
  const WatchedCall watched(slot_, *watched_, ModuleEvent::connection_free);
  callback(&connection.call());
}

}  // namespace penstock

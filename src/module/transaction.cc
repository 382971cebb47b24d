#include "module/transaction.h"

#include "adapt/connection.h"
#include "module/connection.h"

namespace penstock {

ModuleTransaction::ModuleTransaction(const Filter& filter, ModuleCaller& caller,
                                     Adaptation& adaptation)
    : caller_(&caller),
      adaptation_(&adaptation),
      is_uploading_(adaptation.facts().request_framing.kind != BodyKind::none) {
  const TransactionFacts& facts = adaptation.facts();
  request_framing = facts.request_framing;
  call_.size = sizeof(penstock_call);
  call_.api = &module_api();
  call_.instance = &caller.instance();
  call_.data = call_.instance->data;
  call_.opaque = nullptr;
  call_.connection_opaque = nullptr;
  if (facts.connection != nullptr) {
    connection_ = static_cast<ModuleConnection*>(facts.connection->state_of(filter));
    if (connection_ != nullptr) call_.connection_opaque = connection_->opaque();
  }
  call_.transaction = facts.id;
  call_.connection = facts.client->connection_id;
  call_.client = facts.client->peer.as_sockaddr(call_.client_size);
  call_.resumed = 0;
}

ModuleTransaction::~ModuleTransaction() {
  request = nullptr;
  response = nullptr;
  moment(ModuleEvent::free).begin(ModuleEvent::free);
  caller_->free(*this);
}

ModuleCaller::ModuleCaller(std::shared_ptr<ModuleInstance> instance, std::uint64_t hold_limit,
                           std::shared_ptr<WorkerGate> gate)
    : instance_(std::move(instance)), hold_limit_(hold_limit), gate_(std::move(gate)) {
  const penstock_module& module = instance_->callbacks();
  const auto note = [this](ModuleEvent event, bool is_there) {
    if (is_there) events_ |= std::uint32_t{1} << static_cast<unsigned>(event);
  };
  note(ModuleEvent::request_head, module.request_head != nullptr);
  note(ModuleEvent::request_body, module.request_body != nullptr);
  note(ModuleEvent::request_complete, module.request_complete != nullptr);
  note(ModuleEvent::cache_lookup, module.cache_lookup != nullptr);
  note(ModuleEvent::before_connect, module.before_connect != nullptr);
  note(ModuleEvent::response_head, module.response_head != nullptr);
  note(ModuleEvent::response_body, module.response_body != nullptr);
  note(ModuleEvent::response_complete, module.response_complete != nullptr);
  note(ModuleEvent::answer_body, module.answer_body != nullptr);
  note(ModuleEvent::logged, module.logged != nullptr);
  note(ModuleEvent::free, module.free != nullptr);
}

ModuleInstance& ModuleTransaction::instance() const { return caller_->instance(); }

}  // namespace penstock

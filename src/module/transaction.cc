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
  Moment& last = moment(ModuleEvent::free);
  last.clear_call();
  last.event = ModuleEvent::free;
  caller_->free(*this);
}

ModuleInstance& ModuleTransaction::instance() const { return caller_->instance(); }

ModuleCall& ModuleTransaction::call_for(Moment& moment, bool resumed) {
  call_.face = &moment;
  call_.opaque = opaque;
  call_.resumed = resumed ? 1 : 0;
  return call_;
}

}  // namespace penstock

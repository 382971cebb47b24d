#include "module/remote_connection.h"

#include <cstring>

namespace penstock {

RemoteConnection::RemoteConnection(ModuleInstance& instance, std::uint64_t id)
    : instance_(&instance) {
  call_.size = sizeof(penstock_call);
  call_.api = &module_api();
  call_.instance = instance_;
  call_.data = instance.data;
  call_.opaque = nullptr;
  call_.connection_opaque = nullptr;
  call_.transaction = 0;
  call_.connection = id;
  call_.client = reinterpret_cast<const sockaddr*>(&client_);
  call_.client_size = 0;
  call_.resumed = 0;
  call_.face = this;
}

std::int32_t RemoteConnection::begin(WireReader& in) {
  const std::string_view client = in.take_text();
  if (client.size() > sizeof client_) return PENSTOCK_ERROR;
  std::memcpy(&client_, client.data(), client.size());
  call_.client_size = static_cast<socklen_t>(client.size());
  if (!take_facts(in, facts_)) return PENSTOCK_ERROR;
  const auto callback = instance_->callbacks().connection;
  return callback != nullptr ? callback(&call_) : static_cast<std::int32_t>(PENSTOCK_CONTINUE);
}

void RemoteConnection::free() {
  const auto callback = instance_->callbacks().connection_free;
  if (callback != nullptr && call_.opaque != nullptr) callback(&call_);
}

int RemoteConnection::get_text(int text, penstock_str& value) {
  if (text < 0 || static_cast<std::size_t>(text) >= facts_.texts.size()) return PENSTOCK_NOT_FOUND;
  const auto& found = facts_.texts[static_cast<std::size_t>(text)];
  if (!found) return PENSTOCK_NOT_NOW;
  value = {found->data(), found->size()};
  return PENSTOCK_OK;
}

int RemoteConnection::get_number(int number, std::int64_t& value) {
  if (number < 0 || static_cast<std::size_t>(number) >= facts_.numbers.size()) {
    return PENSTOCK_NOT_FOUND;
  }
  const auto& found = facts_.numbers[static_cast<std::size_t>(number)];
  if (!found) return PENSTOCK_NOT_NOW;
  value = *found;
  return PENSTOCK_OK;
}

}  // namespace penstock

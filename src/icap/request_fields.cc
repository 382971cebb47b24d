#include "icap/request_fields.h"

#include <string>

#include "adapt/adaptation.h"

namespace penstock::icap {

RequestFields::RequestFields(const IcapFieldSettings& settings, const AdaptedMessage& message) {
  const ClientInfo& client = *message.facts().client;
  if (!client.peer.is_unix()) {
    if (!settings.client_ip.empty()) add(settings.client_ip, client.peer.host_text());
    if (!settings.client_port.empty())
      add(settings.client_port, std::to_string(client.peer.port()));
  }
  const Address* const server = message.adaptation().server_address();
  if (server != nullptr && !server->is_unix() && !settings.server_ip.empty()) {
    add(settings.server_ip, server->host_text());
  }
  for (const auto& [name, value] : settings.set) add(name, value);
  // What services before have said of the transaction.
  for (const auto& [name, value] : message.adaptation().notes()) add(name, value);
}

void RequestFields::add(std::string_view name, std::string_view value) {
  fields_.push_back({.name = name, .value = texts_.copy(value)});
}

}  // namespace penstock::icap

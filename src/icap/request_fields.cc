#include "icap/request_fields.h"

#include <string>

#include "adapt/adaptation.h"
#include "adapt/built_in.h"
#include "message/base64.h"

namespace penstock::icap {
FieldTexts::FieldTexts(const IcapFieldSettings& settings)
    : settings_(&settings), user_(settings.user_is), groups_(settings.groups_are) {
  for (const auto& [name, value] : settings.set) set_.push_back({name, TextTemplate(value)});
}

RequestFields::RequestFields(const FieldTexts& texts, const AdaptedMessage& message) {
  const IcapFieldSettings& settings = *texts.settings_;
  add_addresses(settings, message);
  const VariableContext context = variables_of(message);
  add_user(settings.user, texts.user_, context, settings.user_coding);
  add_user(settings.groups, texts.groups_, context, settings.user_coding);
  for (const FieldTexts::Text& text : texts.set_) {
    const std::string_view value = text.value.expand(context, arena_);
    if (!value.empty() || !text.value.has_variables()) add(text.name, value);
  }
  if (settings.proxy_logins) add_logins(message);
  // What services before have said of the transaction.
  for (const Note& note : message.adaptation().notes()) {
    if (note.told) add(note.name, note.text);
  }
}

void RequestFields::add_addresses(const IcapFieldSettings& settings,
                                  const AdaptedMessage& message) {
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
}

void RequestFields::add_user(std::string_view name, const TextTemplate& text,
                             const VariableContext& context, UserCoding coding) {
  if (name.empty() || !text.says_something(context)) return;
  const std::string_view value = text.expand(context, arena_);
  if (value.empty()) return;
  add(name, coding == UserCoding::base64 ? to_base64(value) : value);
}

// They are of one connection each in HTTP, and so not in the messages (RFC 3507 section 4.4.2).
void RequestFields::add_logins(const AdaptedMessage& message) {
  const std::string_view login = message.facts().login;
  if (!login.empty()) add(field_name(FieldId::proxy_authorization), login);
  if (message.response() == nullptr) return;
  for (const Field& field : message.response()->fields) {
    if (field.id == FieldId::proxy_authenticate) add(field.name, field.value);
  }
}

void RequestFields::add(std::string_view name, std::string_view value) {
  // Notes that names are of may move while the request waits for a connection.
  fields_.push_back({.name = arena_.copy(name), .value = arena_.copy(value)});
}

}  // namespace penstock::icap

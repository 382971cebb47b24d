#include "module/connection.h"

namespace penstock {

std::string_view connection_text(const ClientInfo& client, int text) {
  if (text == PENSTOCK_LISTENER) {
    return client.listener != nullptr ? std::string_view(client.listener->name)
                                      : std::string_view();
  }
  const TlsClientFacts* const tls = client.tls();
  if (tls == nullptr) return {};
  switch (text) {
    case PENSTOCK_TLS_VERSION:
      return to_string(tls->version);
    case PENSTOCK_TLS_SERVER_NAME:
      return tls->server_name;
    case PENSTOCK_TLS_CLIENT_SUBJECT:
      return tls->subject;
    default:
      return {};
  }
}

ModuleConnection::ModuleConnection(ModuleCaller& caller, const ClientInfo& client)
    : caller_(&caller), client_(&client) {
  call_.size = sizeof(penstock_call);
  call_.api = &module_api();
  call_.instance = &caller.instance();
  call_.data = call_.instance->data;
  call_.opaque = nullptr;
  call_.connection_opaque = nullptr;
  call_.transaction = 0;
  call_.connection = client.connection_id;
  call_.client = client.peer.as_sockaddr(call_.client_size);
  call_.resumed = 0;
  call_.face = this;
}

ModuleConnection::~ModuleConnection() { caller_->free(*this); }

int ModuleConnection::get_text(int text, penstock_str& value) {
  std::string_view found;
  if (text == PENSTOCK_CLIENT_IP) {
    scratch_ = client_->peer.host_text();
    found = scratch_;
  } else if (text == PENSTOCK_LISTENER ||
             (text >= PENSTOCK_TLS_VERSION && text <= PENSTOCK_TLS_CLIENT_SUBJECT)) {
    found = connection_text(*client_, text);
  } else {
    return PENSTOCK_NOT_NOW;
  }
  value = {found.data(), found.size()};
  return PENSTOCK_OK;
}

int ModuleConnection::get_number(int number, std::int64_t& value) {
  if (number == PENSTOCK_CLIENT_PORT) {
    value = client_->peer.port();
  } else if (number == PENSTOCK_INTERCEPTED) {
    value = client_->intercepted ? 1 : 0;
  } else {
    return PENSTOCK_NOT_NOW;
  }
  return PENSTOCK_OK;
}

}  // namespace penstock

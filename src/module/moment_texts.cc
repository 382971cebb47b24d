// What callbacks read and set by get_text(), set_text(), get_number() and set_number().
#include <algorithm>

#include "adapt/content_fields.h"
#include "adapt/retarget.h"
#include "message/target.h"
#include "module/connection.h"
#include "module/moment.h"
#include "module/transaction.h"

namespace penstock {
namespace {

std::string_view view_of(penstock_str text) { return {text.data, text.size}; }

// Empty text has an address, too: C code may hand it on.
penstock_str str_of(std::string_view text) {
  return text.empty() ? penstock_str{"", 0} : penstock_str{text.data(), text.size()};
}

std::int64_t length_of(const Framing& framing) {
  if (framing.kind == BodyKind::none) return 0;
  return framing.kind == BodyKind::length ? static_cast<std::int64_t>(framing.length) : -1;
}

}  // namespace

// Views of text that lives as long as the transaction, or at least the call.
std::string_view Moment::request_text(int text) {
  RequestHead& request = *of_->request;
  const bool secure = of_->facts().client->secure();
  const Target& target = request.target;
  switch (text) {
    case PENSTOCK_METHOD:
      return request.method_text;
    case PENSTOCK_SCHEME:
      return !target.scheme.empty() ? target.scheme : secure ? "https" : "http";
    case PENSTOCK_HOST:
      return target.authority.empty() ? request.fields.value(FieldId::host) : target.authority;
    case PENSTOCK_PATH:
      if (!target.needs_slash) return target.path_and_query;
      return texts_.join("/", target.path_and_query);
    case PENSTOCK_URL:
      return texts_.copy(url_of(request, secure));
    default:
      return to_string(request.version);
  }
}

int Moment::get_text(int text, penstock_str& value) {
  std::string_view found;
  const bool has_request = of_->request != nullptr;
  if (text >= PENSTOCK_METHOD && text <= PENSTOCK_VERSION && text != PENSTOCK_REASON) {
    if (!has_request) return PENSTOCK_NOT_NOW;
    found = request_text(text);
  } else if (text == PENSTOCK_REASON) {
    if (of_->response == nullptr) return PENSTOCK_NOT_NOW;
    found = of_->response->reason;
  } else if (text == PENSTOCK_CLIENT_IP) {
    found = texts_.copy(of_->facts().client->peer.host_text());
  } else if (text == PENSTOCK_UPSTREAM || text == PENSTOCK_SERVER || text == PENSTOCK_TARGET_HOST) {
    if (choice == nullptr) return PENSTOCK_NOT_NOW;
    found = text == PENSTOCK_UPSTREAM ? choice->upstream
            : text == PENSTOCK_SERVER ? choice->server
                                      : choice->host;
  } else if (text == PENSTOCK_SERVER_ADDRESS) {
    const Address* const server = of_->adaptation().server_address();
    if (server == nullptr) return PENSTOCK_NOT_NOW;
    found = texts_.copy(server->to_string());
  } else if (text == PENSTOCK_CACHE_RESULT) {
    if (of_->lookup_result.empty()) return PENSTOCK_NOT_NOW;
    found = of_->lookup_result;
  } else if (text >= PENSTOCK_LISTENER && text <= PENSTOCK_TLS_CLIENT_SUBJECT) {
    found =
        text == PENSTOCK_ROUTE ? of_->facts().route : connection_text(*of_->facts().client, text);
  } else {
    return PENSTOCK_NOT_FOUND;
  }
  value = str_of(found);
  return PENSTOCK_OK;
}

int Moment::set_choice_text(int text, std::string_view value) {
  if (choice == nullptr) return PENSTOCK_NOT_NOW;
  FieldSection& memory = of_->request->fields;
  if (text == PENSTOCK_UPSTREAM) {
    choice->upstream = memory.keep(value);
    choice->upstream_changed = true;
  } else if (text == PENSTOCK_SERVER) {
    choice->server = memory.keep(value);
    choice->server_changed = true;
  } else {
    const bool bare_v6 = value.contains(':') && !value.starts_with('[');
    const std::string authority = bare_v6 ? "[" + std::string(value) + "]" : std::string(value);
    const auto parsed = parse_authority(authority);
    if (!parsed || parsed->port != 0) return PENSTOCK_INVALID;
    choice->host = memory.keep(parsed->host);
    choice->target_changed = true;
  }
  return PENSTOCK_OK;
}

int Moment::set_text(int text, penstock_str text_value) {
  const std::string_view value = view_of(text_value);
  switch (text) {
    case PENSTOCK_METHOD:
    case PENSTOCK_HOST:
    case PENSTOCK_PATH: {
      const bool at_request = message != nullptr && event <= ModuleEvent::request_complete;
      if (!at_request || !may_change_head()) return PENSTOCK_NOT_NOW;
      if (text == PENSTOCK_METHOD) {
        return set_method(*of_->request, value) ? PENSTOCK_OK : PENSTOCK_INVALID;
      }
      const bool set = text == PENSTOCK_HOST ? set_authority(*of_->request, value)
                                             : set_path(*of_->request, value);
      if (set) message->retarget();
      return set ? PENSTOCK_OK : PENSTOCK_INVALID;
    }
    case PENSTOCK_REASON: {
      if (!may_change_head() || of_->response == nullptr) return PENSTOCK_NOT_NOW;
      const auto is_plain = [](char c) {
        return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
      };
      if (!std::ranges::all_of(value, is_plain)) return PENSTOCK_INVALID;
      of_->response->reason = of_->response->fields.keep(value);
      return PENSTOCK_OK;
    }
    case PENSTOCK_UPSTREAM:
    case PENSTOCK_SERVER:
    case PENSTOCK_TARGET_HOST:
      return set_choice_text(text, value);
    default:
      return PENSTOCK_NOT_NOW;
  }
}

int Moment::get_number(int number, std::int64_t& value) {
  const ClientInfo& client = *of_->facts().client;
  switch (number) {
    case PENSTOCK_STATUS:
      if (of_->response == nullptr) return PENSTOCK_NOT_NOW;
      value = of_->response->status;
      return PENSTOCK_OK;
    case PENSTOCK_REQUEST_LENGTH:
      value = length_of(of_->request_framing);
      return PENSTOCK_OK;
    case PENSTOCK_RESPONSE_LENGTH:
      if (of_->response == nullptr) return PENSTOCK_NOT_NOW;
      value = length_of(of_->response_framing);
      return PENSTOCK_OK;
    case PENSTOCK_CLIENT_PORT:
      value = client.peer.port();
      return PENSTOCK_OK;
    case PENSTOCK_TARGET_PORT:
      if (choice == nullptr) return PENSTOCK_NOT_NOW;
      value = choice->port;
      return PENSTOCK_OK;
    case PENSTOCK_REQUEST_NUMBER:
      value = static_cast<std::int64_t>(of_->facts().request);
      return PENSTOCK_OK;
    case PENSTOCK_INTERCEPTED:
      value = client.intercepted ? 1 : 0;
      return PENSTOCK_OK;
    case PENSTOCK_NO_TRANSFORM: {
      const FieldSection* const present =
          fields(event >= ModuleEvent::response_head ? PENSTOCK_RESPONSE : PENSTOCK_REQUEST, false);
      if (present == nullptr) return PENSTOCK_NOT_NOW;
      value = forbids_transform(*present) ? 1 : 0;
      return PENSTOCK_OK;
    }
    default:
      return PENSTOCK_NOT_FOUND;
  }
}

int Moment::set_number(int number, std::int64_t value) {
  if (number == PENSTOCK_STATUS) {
    if (!may_change_head() || event < ModuleEvent::response_head) return PENSTOCK_NOT_NOW;
    // Whether there is content depends on these.
    const auto has_none = [](std::int64_t status) { return status == 204 || status == 304; };
    if (value < 200 || value > 599 || has_none(value) != has_none(of_->response->status)) {
      return PENSTOCK_INVALID;
    }
    of_->response->status = static_cast<int>(value);
    of_->response->reason = {};
    return PENSTOCK_OK;
  }
  if (number == PENSTOCK_TARGET_PORT) {
    if (choice == nullptr) return PENSTOCK_NOT_NOW;
    if (value < 1 || value > 65535) return PENSTOCK_INVALID;
    choice->port = static_cast<std::uint16_t>(value);
    choice->target_changed = true;
    return PENSTOCK_OK;
  }
  return PENSTOCK_NOT_NOW;
}

}  // namespace penstock

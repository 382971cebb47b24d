#include "http2/field_block.h"

#include <algorithm>
#include <array>
#include <utility>

#include "message/characters.h"
#include "message/method.h"
#include "message/status.h"
#include "message/websocket.h"

namespace penstock::http2 {
namespace {

// What HPACK counts for a line beside its texts (RFC 7541 section 4.1).
constexpr std::size_t kLineOverhead = 32;
// A section that is refused is decoded on, up to so many times its limit: what is sent in good
// faith ends before.
constexpr std::uint64_t kDecodedBeyond = 4;

// A field name as RFC 9113 section 8.2.1 wants it: a token without capital letters.
bool is_lower_token(std::string_view name) {
  unsigned wrong = 0;
  for (const char c : name) {
    wrong |= is_token_char(c) ? 0U : 1U;
    wrong |= c >= 'A' && c <= 'Z' ? 1U : 0U;
  }
  return wrong == 0 && !name.empty();
}

// RFC 9113 section 8.2.2.
bool is_connection_field(FieldId id) {
  switch (id) {
    case FieldId::connection:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::transfer_encoding:
    case FieldId::upgrade:
      return true;
    default:
      return false;
  }
}

int parse_status(std::string_view text) {
  if (text.size() != 3 || !all_of_class(text, characters::kDigit)) return 0;
  const int status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  return status >= 100 && status <= 599 ? status : 0;
}

struct PseudoName {
  std::string_view name;
  FieldBlock::Pseudo bit;
  FieldBlock::Kind kind;
};
constexpr std::array kPseudoNames = {
    PseudoName{":method", FieldBlock::kMethod, FieldBlock::Kind::request},
    PseudoName{":path", FieldBlock::kPath, FieldBlock::Kind::request},
    PseudoName{":scheme", FieldBlock::kScheme, FieldBlock::Kind::request},
    PseudoName{":authority", FieldBlock::kAuthority, FieldBlock::Kind::request},
    PseudoName{":protocol", FieldBlock::kProtocol, FieldBlock::Kind::request},
    PseudoName{":status", FieldBlock::kStatus, FieldBlock::Kind::response},
};

}  // namespace

bool FieldBlock::add(std::string_view name, std::string_view value, const FieldLimits& limits) {
  bytes_ += name.size() + value.size() + kLineOverhead;
  if (bytes_ > kDecodedBeyond * limits.bytes) return false;
  if (refusal_ != Refusal::none) return true;
  if (bytes_ > limits.bytes) {
    refusal_ = kind_ == Kind::trailers ? Refusal::trailer_too_large : Refusal::head_too_large;
  } else if (name.starts_with(':')) {
    refusal_ = add_pseudo(name, value, limits);
  } else {
    refusal_ = add_regular(name, value, limits);
  }
  return true;
}

Refusal FieldBlock::add_pseudo(std::string_view name, std::string_view value,
                               const FieldLimits& limits) {
  const PseudoName* known = nullptr;
  for (const PseudoName& pseudo : kPseudoNames) {
    if (pseudo.name == name && pseudo.kind == kind_) known = &pseudo;
  }
  if (known == nullptr || regular_seen_ || has(known->bit)) return Refusal::pseudo_field_malformed;
  present_ |= known->bit;
  switch (known->bit) {
    case kMethod: {
      if (!is_token(value)) return Refusal::method_invalid;
      const std::string_view registered = to_string(method_of(value));
      method_ = registered.empty() ? fields_.keep(value) : registered;
      return Refusal::none;
    }
    case kPath:
      if (value.size() > limits.path) return Refusal::start_line_too_long;
      if (value.empty() || !all_of_class(value, characters::kUri)) return Refusal::target_malformed;
      path_ = fields_.keep(value);
      return Refusal::none;
    case kScheme:
      scheme_ = fields_.keep(value);
      return value.empty() ? Refusal::target_malformed : Refusal::none;
    case kAuthority: {
      const auto parsed = parse_authority(value);
      if (!parsed) return parsed.error();
      authority_ = fields_.keep(value);
      return Refusal::none;
    }
    case kProtocol:
      if (!is_token(value)) return Refusal::pseudo_field_malformed;
      protocol_ = fields_.keep(value);
      return Refusal::none;
    case kStatus:
      status_ = parse_status(value);
      return status_ == 0 ? Refusal::status_code_invalid : Refusal::none;
  }
  return Refusal::none;
}

std::string_view FieldBlock::keep_name(FieldId id, std::string_view name) {
  return id != FieldId::other ? field_name(id) : fields_.keep(name);
}

Refusal FieldBlock::add_regular(std::string_view name, std::string_view value,
                                const FieldLimits& limits) {
  regular_seen_ = true;
  if (++lines_ > limits.fields) {
    return kind_ == Kind::trailers ? Refusal::trailer_too_large : Refusal::too_many_fields;
  }
  if (!is_lower_token(name)) return Refusal::field_name_invalid;
  if (!is_field_value(value)) return Refusal::field_value_invalid;
  const FieldId id = field_id(name);
  if (is_connection_field(id)) return Refusal::connection_field;
  if (id == FieldId::te && !equals_ignoring_case(value, "trailers")) {
    return Refusal::connection_field;
  }
  const std::string_view kept = fields_.keep(value);
  fields_.add(id, keep_name(id, name), kept);
  if (kind_ == Kind::request && name == "priority") priority_ = kept;
  return Refusal::none;
}

namespace {

std::uint16_t effective_port(const HostPort& host, std::string_view scheme) {
  if (host.port != 0) return host.port;
  if (equals_ignoring_case(scheme, "https")) return 443;
  return equals_ignoring_case(scheme, "http") ? 80 : 0;
}

// The authority of a request, which afterwards is the value of its one Host line too.
Refusal settle_authority(const FieldBlock& block, FieldSection& fields,
                         std::string_view& authority) {
  const Field* const host = fields.find(FieldId::host);
  authority = block.authority();
  if (host != nullptr) {
    if (fields.count(FieldId::host) > 1) return Refusal::host_repeated;
    const auto parsed = parse_authority(host->value);
    if (!parsed) return Refusal::host_invalid;
    if (authority.empty()) {
      authority = host->value;
      return Refusal::none;
    }
    const auto named = parse_authority(authority);
    if (!equals_ignoring_case(named->host, parsed->host) ||
        named->ipv6_literal != parsed->ipv6_literal ||
        effective_port(*named, block.scheme()) != effective_port(*parsed, block.scheme())) {
      return Refusal::authority_conflict;
    }
  }
  if (authority.empty()) return Refusal::host_missing;
  fields.set(FieldId::host, authority);
  return Refusal::none;
}

Refusal set_target(RequestHead& head, std::string_view text) {
  head.target_text = text;
  const auto target = parse_target(head.method_text, text);
  if (!target) return target.error();
  head.target = *target;
  return Refusal::none;
}

Refusal make_connect(const FieldBlock& block, RequestHead& head) {
  if (block.has(FieldBlock::kScheme) || block.has(FieldBlock::kPath) ||
      !block.has(FieldBlock::kAuthority)) {
    return Refusal::pseudo_field_malformed;
  }
  if (const Refusal refusal = set_target(head, block.authority()); refusal != Refusal::none) {
    return refusal;
  }
  std::string_view authority;
  return settle_authority(block, head.fields, authority);
}

// RFC 8441 section 5: what the handshake of HTTP/1.1 has and that of HTTP/2 does not.
Refusal make_upgrade(const FieldBlock& block, RequestHead& head) {
  if (head.method != Method::connect || !block.has(FieldBlock::kAuthority)) {
    return Refusal::pseudo_field_malformed;
  }
  head.method = Method::get;
  head.method_text = to_string(Method::get);
  if (!equals_ignoring_case(block.protocol(), "websocket")) return Refusal::protocol_unknown;
  const WebSocketKey key = make_websocket_key();
  head.fields.set(kWebSocketKeyField, head.fields.keep({key.data(), key.size()}));
  head.fields.add(FieldId::connection, "Upgrade");
  head.fields.add(FieldId::upgrade, "websocket");
  return Refusal::none;
}

void join_cookies(FieldSection& fields) {
  constexpr std::string_view kBetween = "; ";
  if (fields.count(FieldId::cookie) < 2) return;
  std::size_t size = 0;
  for (const Field& field : fields) {
    if (field.id == FieldId::cookie) size += field.value.size() + kBetween.size();
  }
  char* const start = fields.arena().allocate(size);
  char* to = start;
  for (const Field& field : fields) {
    if (field.id != FieldId::cookie) continue;
    if (to != start) to = std::ranges::copy(kBetween, to).out;
    to = std::ranges::copy(field.value, to).out;
  }
  fields.set(FieldId::cookie, {start, static_cast<std::size_t>(to - start)});
}

Refusal make_ordinary(const FieldBlock& block, bool absolute, RequestHead& head) {
  if (!block.has(FieldBlock::kScheme) || !block.has(FieldBlock::kPath)) {
    return Refusal::pseudo_field_malformed;
  }
  const std::string_view path = block.path();
  const bool asterisk = path == "*" && head.method == Method::options;
  if (!path.starts_with('/') && !asterisk) return Refusal::target_malformed;
  std::string_view authority;
  if (const Refusal refusal = settle_authority(block, head.fields, authority);
      refusal != Refusal::none) {
    return refusal;
  }
  if (!absolute) {
    const bool web = equals_ignoring_case(block.scheme(), "https") ||
                     equals_ignoring_case(block.scheme(), "http");
    return web ? set_target(head, path) : Refusal::target_malformed;
  }
  const std::string_view target = head.fields.arena().join(block.scheme(), "://", authority,
                                                           asterisk ? std::string_view() : path);
  if (const Refusal refusal = set_target(head, target); refusal != Refusal::none) return refusal;
  // Something in the scheme or the authority must not have become a part of the path.
  const bool as_sent = head.target.form == TargetForm::absolute &&
                       head.target.scheme == block.scheme() && head.target.authority == authority &&
                       head.target.path_and_query == path;
  return as_sent ? Refusal::none : Refusal::target_malformed;
}

}  // namespace

Refusal make_request(FieldBlock& block, bool absolute, RequestHead& head) {
  head.version = Version::http2;
  head.method_text = block.method();
  head.method = method_of(head.method_text);
  head.target_text = block.path().empty() ? block.authority() : block.path();
  head.fields = std::move(block.fields());
  if (block.refusal() != Refusal::none) return block.refusal();
  if (!block.has(FieldBlock::kMethod)) return Refusal::pseudo_field_malformed;
  join_cookies(head.fields);
  if (block.has(FieldBlock::kProtocol)) {
    if (const Refusal refusal = make_upgrade(block, head); refusal != Refusal::none) return refusal;
  } else if (head.method == Method::connect) {
    return make_connect(block, head);
  }
  return make_ordinary(block, absolute, head);
}

Refusal make_response(FieldBlock& block, ResponseHead& head) {
  head.version = Version::http2;
  head.status = block.status();
  head.reason = reason_phrase(head.status);
  head.fields = std::move(block.fields());
  if (block.refusal() != Refusal::none) return block.refusal();
  if (!block.has(FieldBlock::kStatus)) return Refusal::pseudo_field_malformed;
  // RFC 9113 section 8.6: there is no such switch.
  return head.status == 101 ? Refusal::status_code_invalid : Refusal::none;
}

std::expected<Framing, Refusal> message_framing(const FieldSection& fields, bool ended) {
  const auto length = content_length(fields);
  if (!length) return length;
  if (ended && length->has_body()) return std::unexpected(Refusal::content_length_mismatch);
  if (!ended && length->kind == BodyKind::none) return Framing{.kind = BodyKind::chunked};
  return length;
}

}  // namespace penstock::http2

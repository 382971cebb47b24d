#include "adapt/variables.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "adapt/client_user.h"
#include "base/frame_pool.h"
#include "message/characters.h"

namespace penstock {
namespace {

using Text = std::basic_string<char, std::char_traits<char>, PoolAllocator<char>>;

void append_number(Text& out, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// Certificates and ClientHellos may hold anything.
void append_harmless(Text& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += '\\';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
}

void append_host(Text& out, const Address& address) {
  if (!address.is_unix()) out += address.host_text();
}

void append_port(Text& out, const Address& address) {
  if (!address.is_unix()) append_number(out, address.port());
}

void append_tls(Text& out, Variable variable, const TlsClientFacts& tls) {
  switch (variable) {
    case Variable::tls_version:
      out += to_string(tls.version);
      break;
    case Variable::tls_cipher:
      append_harmless(out, tls.cipher);
      break;
    case Variable::tls_server_name:
      append_harmless(out, tls.server_name);
      break;
    case Variable::tls_alpn:
      append_harmless(out, tls.alpn);
      break;
    case Variable::tls_resumed:
      out += tls.resumed ? "true" : "false";
      break;
    case Variable::tls_client_subject:
      append_harmless(out, tls.subject);
      break;
    case Variable::tls_client_issuer:
      append_harmless(out, tls.issuer);
      break;
    case Variable::tls_client_serial:
      append_harmless(out, tls.serial);
      break;
    case Variable::tls_client_fingerprint:
      append_harmless(out, tls.fingerprint);
      break;
    case Variable::tls_client_certificate:
      append_harmless(out, tls.certificate);
      break;
    default:
      break;
  }
}

// As in a URL.
void append_asked_host(Text& out, std::string_view host) {
  const bool literal = host.find(':') != std::string_view::npos;
  if (literal) out += '[';
  append_harmless(out, host);
  if (literal) out += ']';
}

// Of the request's target.
void append_target(Text& out, Variable variable, const RequestHead& head) {
  const Target& target = head.target;
  const std::string_view whole = target.path_and_query;
  const std::size_t mark = std::min(whole.find('?'), whole.size());
  if (variable == Variable::query) {
    if (mark < whole.size()) append_harmless(out, whole.substr(mark + 1));
    return;
  }
  if (target.form != TargetForm::authority && !whole.starts_with('/') && whole != "*") out += '/';
  append_harmless(out, variable == Variable::path ? whole.substr(0, mark) : whole);
}

void append_field(Text& out, std::string_view name, const FieldSection& fields) {
  const Field* const field = fields.find(name);
  if (field != nullptr) append_harmless(out, field->value);
}

void append_variable(Text& out, const NamedVariable& named, const VariableContext& context) {
  const ClientInfo& client = context.client;
  const Variable variable = named.variable;
  switch (variable) {
    case Variable::client_ip:
      return append_host(out, client.peer);
    case Variable::client_port:
      return append_port(out, client.peer);
    case Variable::server_ip:
      return append_host(out, client.local);
    case Variable::server_port:
      return append_port(out, client.local);
    case Variable::scheme:
      out += client.secure() ? "https" : "http";
      return;
    case Variable::listener:
      if (client.listener != nullptr) append_harmless(out, client.listener->name);
      return;
    case Variable::connection_id:
      return append_number(out, client.connection_id);
    case Variable::request_id:
      append_number(out, client.connection_id);
      out += '-';
      return append_number(out, context.request);
    case Variable::method:
      if (context.head != nullptr) append_harmless(out, context.head->method_text);
      return;
    case Variable::host:
      return append_asked_host(out, context.host);
    case Variable::path:
    case Variable::query:
    case Variable::path_and_query:
      if (context.head != nullptr) append_target(out, variable, *context.head);
      return;
    case Variable::route:
      return append_harmless(out, context.route);
    case Variable::status:
      if (context.status != 0) append_number(out, static_cast<std::uint64_t>(context.status));
      return;
    case Variable::user:
      return append_harmless(out, user_of(context.login));
    case Variable::field:
      if (context.head != nullptr) append_field(out, named.field, context.head->fields);
      return;
    case Variable::noted:
      if (const Note* const note = find_note(context.notes, named.field)) {
        append_harmless(out, note->text);
      }
      return;
    default:
      if (client.tls() != nullptr) append_tls(out, variable, *client.tls());
  }
}

void append_escaped(std::string& out, std::string_view text, Escaping escaping) {
  for (const char c : text) {
    if (escaping == Escaping::none ||
        std::string_view("&<>\"'").find(c) == std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("&#{};", static_cast<int>(c));
    }
  }
}

}  // namespace

TextTemplate::TextTemplate(std::string_view text) {
  while (!text.empty()) {
    const TextPart part = take_part(text);
    if (part.kind == TextPart::Kind::variable) {
      const auto variable = variable_of(part.text);
      if (!variable) continue;  // refused when the configuration was read
      parts_.push_back({.text = {}, .variable = *variable, .is_variable = true});
      has_variables_ = true;
    } else {
      parts_.push_back({.text = part.text});
    }
  }
  if (has_variables_) return;
  for (const Part& part : parts_) plain_ += part.text;
  parts_.clear();
}

std::string_view TextTemplate::expand(const VariableContext& context, Arena& arena) const {
  if (!has_variables_) return plain_;
  Text text;
  for (const Part& part : parts_) {
    if (part.is_variable) {
      append_variable(text, part.variable, context);
    } else {
      text += part.text;
    }
  }
  const std::string_view trimmed = trim_whitespace(text);
  return trimmed.empty() ? std::string_view() : arena.copy(trimmed);
}

bool TextTemplate::says_something(const VariableContext& context) const {
  return !has_variables_ || std::ranges::any_of(parts_, [&context](const Part& part) {
    Text text;
    if (part.is_variable) append_variable(text, part.variable, context);
    return !text.empty();
  });
}

std::string TextTemplate::fill(const VariableContext& context, Escaping escaping) const {
  std::string out = plain_;
  for (const Part& part : parts_) {
    if (!part.is_variable) {
      out += part.text;
      continue;
    }
    Text text;
    append_variable(text, part.variable, context);
    append_escaped(out, text, escaping);
  }
  return out;
}

}  // namespace penstock

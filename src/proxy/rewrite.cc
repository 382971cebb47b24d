#include "proxy/rewrite.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "message/challenge.h"
#include "message/hop.h"
#include "message/status.h"

namespace penstock {
namespace {

// The protocols of an Upgrade field that may be passed on: all but h2c, whose switch would let the
// two sides speak what we do not see (RFC 9113 section 3.1 has withdrawn it anyway). None with a
// request that has a body: a tunnel must not begin while its bytes are still on their way.
std::string_view wanted_upgrade(const RequestHead& head, const ConnectionOptions& options,
                                const Framing& framing) {
  if (!options.upgrade || head.version == Version::http10 || framing.has_body()) return {};
  std::string_view wanted = head.fields.value(FieldId::upgrade);
  bool h2c = false;
  for_each_element(wanted, [&h2c](std::string_view protocol) {
    h2c = h2c || equals_ignoring_case(protocol, "h2c");
  });
  return h2c ? std::string_view() : wanted;
}

void set_trailer_field(FieldSection& fields, std::string_view announced, const Framing& framing) {
  if (!announced.empty() && framing.kind == BodyKind::chunked) {
    fields.add(FieldId::trailer, announced);
  }
}

}  // namespace

RequestHop take_hop(RequestHead& head, const Framing& framing) {
  FieldSection& fields = head.fields;
  const ConnectionOptions options = connection_options(fields);
  RequestHop hop;
  hop.upgrade = wanted_upgrade(head, options, framing);
  hop.trailers = accepts_trailers(fields);
  hop.announced = fields.value(FieldId::trailer);
  hop.login = fields.value(FieldId::proxy_authorization);
  if (hop.trailers && !hop.upgrade.empty()) {
    hop.connection = "te, upgrade";
  } else if (hop.trailers) {
    hop.connection = "te";
  } else if (!hop.upgrade.empty()) {
    hop.connection = "upgrade";
  }
  remove_hop_by_hop(fields, options);
  return hop;
}

void prepare_request(RequestHead& head, const Framing& framing, std::string_view host,
                     std::string_view pseudonym, const RequestHop& hop) {
  FieldSection& fields = head.fields;
  fields.remove(FieldId::content_length);
  // An expectation is for a body, and from a client that knows of it (RFC 9110 section 10.1.1).
  if (head.version == Version::http10 || !framing.has_body()) fields.remove(FieldId::expect);
  if (fields.value(FieldId::host) != host || fields.count(FieldId::host) != 1) {
    fields.set(FieldId::host, host);
  }
  set_trailer_field(fields, hop.announced, framing);
  if (hop.trailers) fields.add(FieldId::te, "trailers");
  if (!hop.upgrade.empty()) fields.add(FieldId::upgrade, hop.upgrade);
  append_via(fields, head.version, pseudonym);
}

void add_forwarding_fields(RequestHead& head, const Exchange& exchange,
                           std::string_view original_host, const ProxySettings& settings) {
  FieldSection& fields = head.fields;
  Arena& arena = fields.arena();
  const Address& peer = exchange.client().peer;
  const std::string_view scheme = exchange.client().secure() ? "https" : "http";
  const std::string client = peer.is_unix() ? std::string("unknown") : peer.host_text();
  if (settings.x_forwarded) {
    const std::string_view before = fields.value(FieldId::x_forwarded_for);
    const bool several = fields.count(FieldId::x_forwarded_for) > 1;
    if (before.empty() && !several) {
      fields.set(FieldId::x_forwarded_for, arena.copy(client));
    } else {
      fields.add(FieldId::x_forwarded_for, arena.copy(client));  // one more line of the list
    }
    fields.set(FieldId::x_forwarded_proto, scheme);
    if (!original_host.empty()) fields.set(FieldId::x_forwarded_host, original_host);
  }
  if (settings.forwarded) {
    const bool v6 = client.find(':') != std::string::npos;
    std::string value = v6 ? "for=\"[" + client + "]\"" : "for=" + client;
    if (!original_host.empty()) value.append(";host=\"").append(original_host).append("\"");
    value.append(";proto=").append(scheme);
    fields.add(FieldId::forwarded, arena.copy(value));
  }
}

void announce_session_login(ResponseHead& head) {
  const bool asks = std::ranges::any_of(head.fields, [](const Field& field) {
    return field.id == FieldId::www_authenticate && is_connection_bound(scheme_of(field.value));
  });
  if (asks) head.fields.set(FieldId::proxy_support, "Session-Based-Authentication");
}

void prepare_response(ResponseHead& head, const Framing& framing, std::string_view pseudonym) {
  FieldSection& fields = head.fields;
  const std::string_view announced = fields.value(FieldId::trailer);
  std::vector<Field> challenge;
  if (head.status == 407) {
    std::ranges::copy_if(fields, std::back_inserter(challenge), [](const Field& field) {
      return field.id == FieldId::proxy_authenticate;
    });
  }
  remove_hop_by_hop(fields, connection_options(fields));
  for (const Field& field : challenge) fields.add(field.id, field.name, field.value);
  set_trailer_field(fields, announced, framing);
  append_via(fields, head.version, pseudonym);
}

}  // namespace penstock

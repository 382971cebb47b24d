// How a message changes on its way through: what ends at this hop, what this hop adds.
#pragma once

#include <string_view>

#include "message/head.h"
#include "proxy/settings.h"
#include "server/exchange.h"

namespace penstock {

// What was found in a request's hop-by-hop fields and still matters after they are gone.
struct RequestHop {
  std::string_view upgrade;     // protocols the client wants to switch to, empty for none
  bool trailers = false;        // the client takes trailers
  std::string_view announced;   // trailer fields, empty for none
  std::string_view login;       // at a proxy, empty for none
  std::string_view connection;  // value of Connection for the next hop, empty for none
};

// Takes the hop-by-hop fields away (RFC 9110 section 7.6.1).
RequestHop take_hop(RequestHead& head, const Framing& framing);
// Readies a request without them for the server: Via comes; an Upgrade asked for and TE: trailers
// are set anew for the next hop. Content-Length goes: the codec writes it. `host` becomes the Host
// field.
void prepare_request(RequestHead& head, const Framing& framing, std::string_view host,
                     std::string_view pseudonym, const RequestHop& hop);
// X-Forwarded-For, -Proto (how the client came: http or https), -Host and Forwarded (RFC 7239), as
// configured. What the client sent is appended to where the fields are lists, and replaced where
// they are not.
void add_forwarding_fields(RequestHead& head, const Exchange& exchange,
                           std::string_view original_host, const ProxySettings& settings);
// Tells the client that NTLM and Negotiate work through us, where the response asks for one of them
// (RFC 4559 section 6). Proxy-Support is for this hop only, so Connection has to name it.
void announce_session_login(ResponseHead& head);
// Readies a response for the client. `framing` is how it came from the server. A
// peer's challenge (407) stays: only where the client logs in there does it get this far.
void prepare_response(ResponseHead& head, const Framing& framing, std::string_view pseudonym);

}  // namespace penstock

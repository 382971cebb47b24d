// What ends at this hop and what this hop adds (RFC 9110 section 7.6).
#pragma once

#include <string_view>

#include "message/fields.h"
#include "message/framing.h"
#include "message/head.h"

namespace penstock {

// Removes every hop-by-hop field: the well-known ones and all that Connection names (RFC 9110
// section 7.6.1). `options` is what connection_options() said of the same fields.
//
// Connection options that name an end-to-end field of the table in fields.h are not obeyed for it.
// A sender must not nominate a field meant for all recipients (section 7.6.1), and one that does is
// likely after the next hop's view of the message: dropping Host or Content-Length changes where it
// goes or ends; dropping X-Forwarded-For, Forwarded or Via hides its way; dropping Authorization,
// Cookie, Cache-Control or Set-Cookie changes whose answer it is and who may keep it.
//
// The number of names obeyed is bounded; a message that nominates more loses all fields whose names
// are not in the table.
void remove_hop_by_hop(FieldSection& fields, const ConnectionOptions& options);

// Appends "1.1 pseudonym" or the like (the version received) to Via (RFC 9110 section 7.6.3), as a
// line of its own, which means the same as joining it to the last one.
void append_via(FieldSection& fields, Version received, std::string_view pseudonym);

// True when a Via line of the message names `pseudonym` as a received-by: the message went through
// this proxy before.
[[nodiscard]] bool via_names(const FieldSection& fields, std::string_view pseudonym);

// The value of TE says the sender takes trailers (RFC 9110 section 10.1.4).
[[nodiscard]] bool accepts_trailers(const FieldSection& fields);

}  // namespace penstock

// Tunnels through an HTTP proxy: CONNECT (RFC 9110 section 9.3.6).
#pragma once

#include <string_view>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "http1/head_parser.h"
#include "message/head.h"
#include "upstream/tunnel_target.h"

namespace penstock {

// Asks the HTTP proxy at the other end of `stream` (`input` is its buffer) for a tunnel to the
// target. `proxy_authorization` is the value of that field, empty for none. Gives the status of the
// final response, whose head is in `response` (a new one); up to 64 informational ones before it
// are skipped. What is given must stay until the task is done; it is done by `deadline`, or soon
// after being cancelled.
//
// 2xx: the stream is the tunnel, and `input` has what of it came already. Such a response has no
// content whatever it says: Content-Length and Transfer-Encoding in it are ignored, as
// section 9.3.6 demands, so response_framing() must not be asked about it. Any other status: there
// is no tunnel, and the content of the response is still to be read.
// response_framing(Method::connect, response) tells how long it is. Once it is read, the connection
// can be used again (after a 407: for a new attempt with a login) if that framing and
// wants_persistence() allow it; a caller who does not read it closes the connection.
//
// Errors are of side `server` and retryable: those of the connection, timed_out at the deadline,
// closed when the proxy hangs up, protocol with its Refusal for a response that is none, limit for
// too many informational responses; and with a PeerFailure a target, or login, that cannot be sent,
// or a 101. After an error the connection is of no more use.
Task<Result<int>> http_connect(ByteStream& stream, InputBuffer& input, const TunnelTarget& target,
                               std::string_view proxy_authorization,
                               const http1::HeadLimits& limits, TimePoint deadline,
                               ResponseHead& response);

// What a final status other than 2xx says, as an error like those of http_connect(): 407 is
// PeerFailure::login_refused (a login is missing or wrong); 403 and 405 are not_allowed; 502 and
// 503 host_unreachable; 504 ttl_expired; all others general_failure.
[[nodiscard]] Error connect_refusal(int status);

}  // namespace penstock

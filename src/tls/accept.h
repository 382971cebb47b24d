// The server's side of a TLS connection, from its first byte.
#pragma once

#include <memory>
#include <string>

#include "async/stream.h"
#include "tls/client_facts.h"
#include "tls/server_context.h"
#include "tls/stream.h"

namespace penstock {

// Makes a TLS connection with a client over `below`, from which `input` was read already (it may be
// empty). Returns when the handshake is complete, with the client's certificate verified, where one
// is asked for. Early data (0-RTT) is not accepted. No memory of OpenSSL's is taken before the
// client's first bytes are there.
//
// `facts` is filled as far as things got: on failure, too, it has the name asked for if that was
// heard. It has to stay until this is done.
//
// Errors are of the client's side; tls_accept_reason() says in words what was wrong:
// - tls_protocol: nothing in common, a rule broken, or something other than TLS;
// - tls_certificate: the client's certificate is not accepted;
// - tls_alert: the client ended it;
// - closed: the client ended the stream meanwhile; timed_out at the deadline; those of `below`.
// A client that is refused is told why by an alert, and given a moment to read it.
Task<Result<std::unique_ptr<TlsStream>>> accept_tls(std::unique_ptr<ByteStream> below,
                                                    InputBuffer input,
                                                    std::shared_ptr<const TlsServerContext> context,
                                                    TimePoint deadline, TlsClientFacts& facts);

// Why accept_tls() failed, for a line in a log: lower case, no dot at the end, never empty.
[[nodiscard]] std::string tls_accept_reason(const Error& error);

// The same of an error of a connection whose handshake was complete.
[[nodiscard]] std::string tls_break_reason(const Error& error);

// Reads the client's certificate (RFC 2253 names, RFC 5280) into the facts; nothing if it is null.
void fill_certificate_facts(const X509* certificate, TlsClientFacts& facts);

}  // namespace penstock

// What goes wrong in TLS, as errors and as words.
#pragma once

#include <string_view>

#include <openssl/ssl.h>

#include "base/error.h"

namespace penstock {

// What OpenSSL says of the call on `ssl` that just failed; empties its queue of errors.
// - tls_certificate: the peer's certificate is not accepted;
// - tls_alert: the peer sent a fatal alert;
// - tls_protocol: all else.
[[nodiscard]] Error take_tls_error(const SSL* ssl);

// A few lower-case words on the cause of an error of TLS, such as "certificate has expired"; empty
// for other errors, and where there is nothing to say. Static text.
[[nodiscard]] std::string_view tls_cause_text(const Error& error);

}  // namespace penstock

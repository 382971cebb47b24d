// Responses on whether a certificate was revoked, from files, to be shown along with it.
#pragma once

#include <expected>
#include <string>

#include "tls/identity.h"

namespace penstock {

// Reads a response in DER form (RFC 6960) that must be a good one for `certificate`. Its issuer is
// the first of `chain`; without it, only the issuer's name is compared and not its key. The
// response's signature is the client's business. The error is a sentence that names the file.
[[nodiscard]] std::expected<OcspStaple, std::string> load_ocsp_staple(const std::string& path,
                                                                      X509& certificate,
                                                                      STACK_OF(X509) * chain);

}  // namespace penstock

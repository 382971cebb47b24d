// What was wrong with TLS to a server, in words.
#pragma once

#include <string_view>

#include "base/error.h"

namespace penstock {

// OpenSSL's words, such as "certificate has expired" or "hostname mismatch"; static text. Empty for
// errors of other kinds, and where nothing is known.
[[nodiscard]] std::string_view tls_failure_text(const Error& error);

}  // namespace penstock

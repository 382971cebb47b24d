// Why a request of `penstock fetch` failed, in words.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "upstream/delivery.h"

namespace penstock {

// "TLS failed: certificate has expired": which step failed, and why. `body`: what the request's
// body is called.
[[nodiscard]] std::string failure_text(const Error& error, DeliveryStep step,
                                       std::string_view body);

// Of a response whose body ended early, after so many bytes.
[[nodiscard]] std::string cut_text(const Error& error, std::uint64_t received);

}  // namespace penstock

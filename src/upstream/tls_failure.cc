#include "upstream/tls_failure.h"

#include "tls/error.h"

namespace penstock {

std::string_view tls_failure_text(const Error& error) {
  return error.cause != 0 ? tls_cause_text(error) : std::string_view();
}

}  // namespace penstock

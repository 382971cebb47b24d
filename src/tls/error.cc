#include "tls/error.h"

#include <openssl/err.h>
#include <openssl/x509.h>

namespace penstock {
namespace {

std::string_view text_or_nothing(const char* text) {
  return text != nullptr ? std::string_view(text) : std::string_view{};
}

}  // namespace

Error take_tls_error(const SSL* ssl) {
  Error error{.kind = ErrorKind::tls_protocol};
  while (const unsigned long code = ERR_get_error()) {
    const int reason = ERR_GET_REASON(code);
    const bool of_tls = ERR_GET_LIB(code) == ERR_LIB_SSL;
    if (error.kind != ErrorKind::tls_protocol) continue;
    if (of_tls && reason >= SSL_AD_REASON_OFFSET) {
      error = {.kind = ErrorKind::tls_alert, .cause = reason - SSL_AD_REASON_OFFSET};
    } else if (of_tls && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      const auto why = static_cast<int>(SSL_get_verify_result(ssl));
      error = {.kind = ErrorKind::tls_certificate, .cause = why};
    } else if (error.cause == 0) {
      error.cause = static_cast<int>(code);  // 31 bits, but for errnos
    }
  }
  return error;
}

std::string_view tls_cause_text(const Error& error) {
  switch (error.kind) {
    case ErrorKind::tls_certificate:
      return text_or_nothing(X509_verify_cert_error_string(error.cause));
    case ErrorKind::tls_alert:
      // OpenSSL 3.0 has no words for it.
      if (error.cause == SSL_AD_CERTIFICATE_REQUIRED) return "certificate required";
      return text_or_nothing(SSL_alert_desc_string_long(error.cause));
    case ErrorKind::tls_protocol:
      if (error.cause == 0) return {};
      return text_or_nothing(ERR_reason_error_string(static_cast<unsigned long>(error.cause)));
    default:
      return {};
  }
}

}  // namespace penstock

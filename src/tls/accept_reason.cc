// Why the server's side of a handshake failed, in words.
#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>
#include <openssl/err.h>

#include "tls/accept.h"
#include "tls/error.h"

namespace penstock {
namespace {

struct Words {
  int number;
  std::string_view text;
};

// OpenSSL's reasons, where its own words are not those of a server's administrator.
constexpr std::array kProtocolWords{
    Words{SSL_R_HTTP_REQUEST, "HTTP request on a TLS port"},
    Words{SSL_R_HTTPS_PROXY_REQUEST, "HTTP request on a TLS port"},
    Words{SSL_R_WRONG_VERSION_NUMBER, "not TLS"},
    Words{SSL_R_UNKNOWN_PROTOCOL, "not TLS"},
    Words{SSL_R_UNSUPPORTED_PROTOCOL, "no TLS version in common"},
    Words{SSL_R_VERSION_TOO_LOW, "no TLS version in common"},
    Words{SSL_R_NO_SHARED_CIPHER, "no cipher in common"},
    Words{SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "no signature algorithm in common"},
    Words{SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "no signature algorithm in common"},
    Words{SSL_R_NO_SUITABLE_KEY_SHARE, "no key exchange group in common"},
    Words{SSL_R_NO_SHARED_GROUPS, "no key exchange group in common"},
    Words{SSL_R_NO_APPLICATION_PROTOCOL, "no protocol in common (ALPN)"},
    Words{SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the client shows no certificate"},
    // The only callback of ours that refuses: strict names.
    Words{SSL_R_CALLBACK_FAILED,
          "there is no certificate for the name asked for, or none was asked for"},
};

constexpr std::array kAlertWords{
    Words{SSL_AD_UNKNOWN_CA, "the client does not trust our certificate (alert unknown_ca)"},
    Words{SSL_AD_BAD_CERTIFICATE, "the client refuses our certificate (alert bad_certificate)"},
    Words{SSL_AD_CERTIFICATE_UNKNOWN,
          "the client refuses our certificate (alert certificate_unknown)"},
    Words{SSL_AD_CERTIFICATE_EXPIRED,
          "the client finds our certificate expired (alert certificate_expired)"},
    Words{SSL_AD_CERTIFICATE_REVOKED,
          "the client finds our certificate revoked (alert certificate_revoked)"},
    Words{SSL_AD_UNSUPPORTED_CERTIFICATE,
          "the client does not know our kind of certificate (alert unsupported_certificate)"},
    Words{SSL_AD_USER_CANCELLED, "the client gave up (alert user_canceled)"},
    Words{SSL_AD_NO_RENEGOTIATION, "the client wanted to renegotiate (alert no_renegotiation)"},
};

template <std::size_t N>
std::string_view find_words(const std::array<Words, N>& words, int number) {
  const auto found = std::ranges::find(words, number, &Words::number);
  return found != words.end() ? found->text : std::string_view{};
}

std::string protocol_reason(const Error& error) {
  const auto code = static_cast<unsigned long>(error.cause);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    const std::string_view words = find_words(kProtocolWords, ERR_GET_REASON(code));
    if (!words.empty()) return std::string(words);
  }
  const std::string_view text = tls_cause_text(error);
  return text.empty() ? "the handshake broke the rules of TLS"
                      : fmt::format("the handshake failed: {}", text);
}

std::string_view alert_text(const Error& error) {
  const std::string_view text = tls_cause_text(error);
  return text.empty() ? "unknown" : text;
}

}  // namespace

std::string tls_break_reason(const Error& error) {
  const std::string_view text = tls_cause_text(error);
  if (error.kind == ErrorKind::tls_alert) {
    return fmt::format("the client ended it: alert {}, {}", error.cause, alert_text(error));
  }
  if (error.kind != ErrorKind::tls_protocol) return std::string(to_string(error.kind));
  if (ERR_GET_REASON(static_cast<unsigned long>(error.cause)) == SSL_R_NO_RENEGOTIATION) {
    return "the client wanted to renegotiate, which is refused";
  }
  return std::string(text.empty() ? "the client broke the rules of TLS" : text);
}

std::string tls_accept_reason(const Error& error) {
  const std::string_view text = tls_cause_text(error);
  switch (error.kind) {
    case ErrorKind::tls_protocol:
      return protocol_reason(error);
    case ErrorKind::tls_certificate:
      return fmt::format("the client's certificate is not accepted: {}", text);
    case ErrorKind::tls_alert: {
      const std::string_view words = find_words(kAlertWords, error.cause);
      if (!words.empty()) return std::string(words);
      return fmt::format("the client ended the handshake: alert {}, {}", error.cause, text);
    }
    case ErrorKind::timed_out:
      return "the handshake took too long";
    case ErrorKind::closed:
      return "the client closed before the handshake was complete";
    case ErrorKind::reset:
      return "the connection broke before the handshake was complete";
    default:
      return std::string(to_string(error.kind));
  }
}

}  // namespace penstock

// A certificate that a server shows, read from its files.
#pragma once

#include <cstdint>
#include <ctime>
#include <expected>
#include <limits>
#include <string>
#include <vector>

#include "tls/openssl.h"
#include "tls/settings.h"

namespace penstock {

// Seconds of the wall clock, both included.
struct ValidTime {
  std::time_t from = 0;
  std::time_t to = std::numeric_limits<std::time_t>::max();

  [[nodiscard]] bool contains(std::time_t now) const { return from <= now && now <= to; }
};

// An OCSP response to be stapled (RFC 6960).
struct OcspStaple {
  std::vector<unsigned char> der;
  ValidTime valid;  // thisUpdate to nextUpdate
};

struct X509StackFree {
  void operator()(STACK_OF(X509) * stack) const { sk_X509_pop_free(stack, X509_free); }
};
using X509StackPtr = std::unique_ptr<STACK_OF(X509), X509StackFree>;

// Never changes once it was read; shared by all threads.
struct TlsIdentity {
  TlsCertificateSettings files;
  X509Ptr certificate;
  X509StackPtr chain;  // what is shown behind it; may be empty
  PkeyPtr key;
  int key_type = 0;  // EVP_PKEY_RSA and the like: OpenSSL uses one certificate of each
  // DNS names it is for (subjectAltName), lower case; wildcards as "*.example".
  std::vector<std::string> names;
  ValidTime valid;
  std::vector<OcspStaple> staple;  // one or none
  // Sentences on what is odd, but no reason not to use it.
  std::vector<std::string> warnings;

  // The error is a sentence that names the file. An OCSP response that can't be used is only worth
  // a warning: all goes on without it.
  static std::expected<std::shared_ptr<const TlsIdentity>, std::string> load(
      const TlsCertificateSettings& files);
};

// All certificates of a PEM file, which is called `what` in the sentence that is the error. It is
// an error if there are none, or if one is broken.
[[nodiscard]] std::expected<X509StackPtr, std::string> load_certificates(std::string_view what,
                                                                         const std::string& path);

}  // namespace penstock

// What is told of a client's certificate.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "tls/accept.h"

namespace penstock {
namespace {

std::string text_of(const X509_NAME* name) {
  const BioPtr text(BIO_new(BIO_s_mem()));
  if (!text || X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string hex_of(const ASN1_INTEGER* number) {
  const std::unique_ptr<BIGNUM, OpensslFree<BN_free>> big(ASN1_INTEGER_to_BN(number, nullptr));
  char* const digits = big ? BN_bn2hex(big.get()) : nullptr;
  std::string text = digits != nullptr ? digits : "";
  OPENSSL_free(digits);
  return text;
}

std::string fingerprint_of(const X509* certificate) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4U];
    text += kDigits[digest[i] & 15U];
  }
  return text;
}

std::string base64_of(const X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size <= 0) return {};
  std::string text(static_cast<std::size_t>((size + 2) / 3 * 4 + 1), '\0');
  const int written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), der, size);
  OPENSSL_free(der);
  text.resize(static_cast<std::size_t>(written));
  return text;
}

}  // namespace

void fill_certificate_facts(const X509* certificate, TlsClientFacts& facts) {
  if (certificate == nullptr) return;
  facts.subject = text_of(X509_get_subject_name(certificate));
  facts.issuer = text_of(X509_get_issuer_name(certificate));
  facts.serial = hex_of(X509_get0_serialNumber(certificate));
  facts.fingerprint = fingerprint_of(certificate);
  facts.certificate = base64_of(certificate);
  ERR_clear_error();
}

}  // namespace penstock

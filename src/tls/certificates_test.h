// For tests: keys and certificates, made when they are needed.
#pragma once

#include <cstddef>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include "tls/openssl.h"

namespace penstock {

using ExtensionPtr = std::unique_ptr<X509_EXTENSION, OpensslFree<X509_EXTENSION_free>>;

struct Credentials {
  PkeyPtr key;
  X509Ptr certificate;
};

struct CertificateSpec {
  std::string common_name;
  std::string alternative_names;  // as OpenSSL writes them: "DNS:a.example, IP:192.0.2.1"
  bool authority = false;
  std::string key = "ED25519";  // or "EC", "RSA"
  long from = -3600;            // seconds from now
  long to = 86400;
};

inline void add_extension(X509& certificate, int id, const std::string& value) {
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, id, value.c_str()));
  EXPECT_TRUE(extension) << value;
  X509_add_ext(&certificate, extension.get(), -1);
}

inline PkeyPtr make_key(const std::string& type) {
  if (type == "EC") return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  // Weaker than what OpenSSL takes.
  if (type == "RSA-512")
    return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{512}));
  if (type == "RSA") return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}));
  return PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, type.c_str()));
}

// Signed by the issuer, or by itself. The sizes of Ed25519 signatures never change, so that a
// simulated history is the same each time.
inline Credentials make_credentials(const CertificateSpec& spec,
                                    const Credentials* issuer = nullptr) {
  Credentials made{make_key(spec.key), X509Ptr(X509_new())};
  X509& certificate = *made.certificate;
  X509_set_version(&certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(&certificate), issuer != nullptr ? 2 : 1);
  X509_gmtime_adj(X509_getm_notBefore(&certificate), spec.from);
  X509_gmtime_adj(X509_getm_notAfter(&certificate), spec.to);
  X509_NAME* const name = X509_get_subject_name(&certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(spec.common_name.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(&certificate,
                       issuer != nullptr ? X509_get_subject_name(issuer->certificate.get()) : name);
  X509_set_pubkey(&certificate, made.key.get());
  add_extension(certificate, NID_basic_constraints,
                spec.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!spec.alternative_names.empty()) {
    add_extension(certificate, NID_subject_alt_name, spec.alternative_names);
  }
  EVP_PKEY* const signer = issuer != nullptr ? issuer->key.get() : made.key.get();
  const bool edwards = EVP_PKEY_get_base_id(signer) == EVP_PKEY_ED25519;
  EXPECT_GT(X509_sign(&certificate, signer, edwards ? nullptr : EVP_sha256()), 0);
  return made;
}

inline std::string text_of(BIO& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(&bio, &data);
  return {data, static_cast<std::size_t>(size)};
}
inline std::string certificate_pem(const Credentials& credentials) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), credentials.certificate.get());
  return text_of(*bio);
}
// Encrypted, if there is a passphrase.
inline std::string key_pem(const Credentials& credentials, const std::string& passphrase = {}) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  const EVP_CIPHER* const cipher = passphrase.empty() ? nullptr : EVP_aes_128_cbc();
  PEM_write_bio_PKCS8PrivateKey(bio.get(), credentials.key.get(), cipher, passphrase.data(),
                                static_cast<int>(passphrase.size()), nullptr, nullptr);
  return text_of(*bio);
}

// A file that is gone with the test.
class TestFile {
 public:
  explicit TestFile(std::string_view content) {
    path_ = testing::TempDir() + "penstock_tls_XXXXXX";
    const int descriptor = ::mkstemp(path_.data());
    EXPECT_GE(descriptor, 0);
    EXPECT_EQ(::write(descriptor, content.data(), content.size()),
              static_cast<ssize_t>(content.size()));
    ::close(descriptor);
  }
  ~TestFile() { std::remove(path_.c_str()); }
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  // Another file in its place.
  void replace(std::string_view content) {
    const TestFile next(content);
    EXPECT_EQ(std::rename(next.path().c_str(), path_.c_str()), 0);
  }

 private:
  std::string path_;
};

// A server's certificate and key in files, and the authority that clients have to trust for it.
struct ServedCertificate {
  explicit ServedCertificate(const std::string& alternative_names)
      : server(make_credentials({.common_name = "server", .alternative_names = alternative_names},
                                &authority)) {}

  Credentials authority = make_credentials({.common_name = "Test CA", .authority = true});
  Credentials server;
  TestFile authority_file{certificate_pem(authority)};
  TestFile certificate_file{certificate_pem(server)};
  TestFile key_file{key_pem(server)};
};

}  // namespace penstock

#include "tls/identity.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "tls/files.h"
#include "tls/ocsp.h"

namespace penstock {
namespace {

using Checked = std::expected<void, std::string>;

std::time_t to_time(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
}

Checked load_key(TlsIdentity& identity) {
  const std::string& path = identity.files.key;
  if (const Checked readable = check_readable("key", path); !readable) return readable;
  const BioPtr file(BIO_new_file(path.c_str(), "rb"));
  if (file) {
    identity.key.reset(PEM_read_bio_PrivateKey(file.get(), nullptr, no_passphrase, nullptr));
  }
  if (!identity.key) {
    return std::unexpected(
        fmt::format("The file {} has no usable key in PEM form (without a passphrase){}", path,
                    openssl_reason()));
  }
  identity.key_type = EVP_PKEY_get_base_id(identity.key.get());
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) == 1) return {};
  ERR_clear_error();
  return std::unexpected(fmt::format("The key {} does not belong to the certificate {}", path,
                                     identity.files.certificate));
}

struct GeneralNamesFree {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

void read_names(TlsIdentity& identity) {
  const std::unique_ptr<GENERAL_NAMES, GeneralNamesFree> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(identity.certificate.get(), NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_DNS) continue;
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                     static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    std::ranges::transform(text, text.begin(), lower);
    if (text.ends_with('.')) text.pop_back();
    if (!text.empty()) identity.names.push_back(std::move(text));
  }
}

void load_staple(TlsIdentity& identity) {
  if (identity.files.ocsp.empty()) return;
  auto staple = load_ocsp_staple(identity.files.ocsp, *identity.certificate, identity.chain.get());
  if (!staple) {
    identity.warnings.push_back(std::move(staple.error()));
  } else {
    identity.staple.push_back(std::move(*staple));
  }
}

}  // namespace

std::expected<X509StackPtr, std::string> load_certificates(std::string_view what,
                                                           const std::string& path) {
  if (Checked readable = check_readable(what, path); !readable) {
    return std::unexpected(std::move(readable.error()));
  }
  ERR_clear_error();
  X509StackPtr all(sk_X509_new_null());
  const BioPtr file(BIO_new_file(path.c_str(), "rb"));
  PENSTOCK_CHECK(all);
  while (file) {
    X509Ptr one(PEM_read_bio_X509_AUX(file.get(), nullptr, no_passphrase, nullptr));
    if (!one) break;
    sk_X509_push(all.get(), one.release());
  }
  const unsigned long code = ERR_peek_last_error();
  const bool at_end =
      ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (!at_end || sk_X509_num(all.get()) == 0) {
    return std::unexpected(
        fmt::format("The file {} has no usable certificate in PEM form{}", path, openssl_reason()));
  }
  ERR_clear_error();
  return all;
}

std::expected<std::shared_ptr<const TlsIdentity>, std::string> TlsIdentity::load(
    const TlsCertificateSettings& files) {
  auto identity = std::make_shared<TlsIdentity>();
  identity->files = files;
  auto certificates = load_certificates("certificate", files.certificate);
  if (!certificates) return std::unexpected(std::move(certificates.error()));
  identity->chain = std::move(*certificates);
  identity->certificate.reset(sk_X509_shift(identity->chain.get()));
  if (Checked loaded = load_key(*identity); !loaded) {
    return std::unexpected(std::move(loaded.error()));
  }
  identity->valid = {.from = to_time(X509_get0_notBefore(identity->certificate.get())),
                     .to = to_time(X509_get0_notAfter(identity->certificate.get()))};
  read_names(*identity);
  load_staple(*identity);
  return identity;
}

}  // namespace penstock

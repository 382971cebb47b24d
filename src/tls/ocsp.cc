#include "tls/ocsp.h"

#include <array>
#include <cstdio>
#include <string_view>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "base/check.h"
#include "tls/files.h"

namespace penstock {
namespace {

// They are a few hundred bytes, or two kilobytes with a certificate in them.
constexpr std::size_t kMaxResponse = 64 * 1024;

using ResponsePtr = std::unique_ptr<OCSP_RESPONSE, OpensslFree<OCSP_RESPONSE_free>>;
using BasicPtr = std::unique_ptr<OCSP_BASICRESP, OpensslFree<OCSP_BASICRESP_free>>;

std::vector<unsigned char> read_file(const std::string& path) {
  std::vector<unsigned char> bytes(kMaxResponse);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             std::fclose);
  bytes.resize(file ? std::fread(bytes.data(), 1, bytes.size(), file.get()) : 0);
  return bytes;
}

std::string_view to_text(const ASN1_OCTET_STRING* bytes) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(bytes)),
          static_cast<std::size_t>(ASN1_STRING_length(bytes))};
}

// Of a name or a key, the hashes by which a response says who issued the certificate.
struct IssuerHash {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  [[nodiscard]] bool is(const ASN1_OCTET_STRING* other) const {
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), size) == to_text(other);
  }
};

bool is_for(const OCSP_CERTID* id, X509& certificate, X509* issuer) {
  ASN1_OCTET_STRING* name = nullptr;
  ASN1_OBJECT* algorithm = nullptr;
  ASN1_OCTET_STRING* key = nullptr;
  ASN1_INTEGER* serial = nullptr;
  // It gives out what is inside without changing anything.
  OCSP_id_get0_info(&name, &algorithm, &key, &serial, const_cast<OCSP_CERTID*>(id));
  const EVP_MD* const digest = EVP_get_digestbyobj(algorithm);
  if (digest == nullptr) return false;
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(&certificate)) != 0) return false;
  IssuerHash hash;
  if (X509_NAME_digest(X509_get_issuer_name(&certificate), digest, hash.bytes.data(), &hash.size) !=
          1 ||
      !hash.is(name)) {
    return false;
  }
  if (issuer == nullptr) return true;
  return X509_pubkey_digest(issuer, digest, hash.bytes.data(), &hash.size) == 1 && hash.is(key);
}

std::time_t to_time(const ASN1_GENERALIZEDTIME* time, std::time_t otherwise) {
  std::tm parts{};
  return time != nullptr && ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : otherwise;
}

OCSP_SINGLERESP* find_single(OCSP_BASICRESP* basic, X509& certificate, X509* issuer) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic, i);
    if (is_for(OCSP_SINGLERESP_get0_id(single), certificate, issuer)) return single;
  }
  return nullptr;
}

}  // namespace

std::expected<OcspStaple, std::string> load_ocsp_staple(const std::string& path, X509& certificate,
                                                        STACK_OF(X509) * chain) {
  if (auto readable = check_readable("OCSP response", path); !readable) {
    return std::unexpected(std::move(readable.error()));
  }
  OcspStaple staple{.der = read_file(path), .valid = {}};
  const unsigned char* begin = staple.der.data();
  const ResponsePtr response(
      d2i_OCSP_RESPONSE(nullptr, &begin, static_cast<long>(staple.der.size())));
  const bool good =
      response && OCSP_response_status(response.get()) == OCSP_RESPONSE_STATUS_SUCCESSFUL;
  const BasicPtr basic(good ? OCSP_response_get1_basic(response.get()) : nullptr);
  ERR_clear_error();
  if (!basic || begin != staple.der.data() + staple.der.size()) {
    return std::unexpected(
        fmt::format("The file {} has no usable OCSP response in DER form", path));
  }
  X509* const issuer = sk_X509_num(chain) > 0 ? sk_X509_value(chain, 0) : nullptr;
  OCSP_SINGLERESP* const single = find_single(basic.get(), certificate, issuer);
  if (single == nullptr) {
    return std::unexpected(fmt::format("The OCSP response {} is for another certificate", path));
  }
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* to = nullptr;
  const int status = OCSP_single_get0_status(single, nullptr, nullptr, &from, &to);
  if (status != V_OCSP_CERTSTATUS_GOOD) {
    return std::unexpected(fmt::format("The OCSP response {} says that its certificate is {}", path,
                                       OCSP_cert_status_str(status)));
  }
  staple.valid = {.from = to_time(from, 0), .to = to_time(to, staple.valid.to)};
  return staple;
}

}  // namespace penstock

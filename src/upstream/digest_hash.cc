#include "upstream/digest_hash.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/check.h"

namespace penstock {
namespace {

struct Free {
  void operator()(EVP_MD* function) const { EVP_MD_free(function); }
  void operator()(EVP_MD_CTX* state) const { EVP_MD_CTX_free(state); }
};
using Function = std::unique_ptr<EVP_MD, Free>;
using State = std::unique_ptr<EVP_MD_CTX, Free>;

// What fails here must not be found in the thread's error queue by whoever uses TLS next.
class OwnErrors {
 public:
  OwnErrors() { ERR_set_mark(); }
  ~OwnErrors() { ERR_pop_to_mark(); }
  OwnErrors(const OwnErrors&) = delete;
  OwnErrors& operator=(const OwnErrors&) = delete;
};

Function fetch(DigestHash hash) {
  const char* const name = hash == DigestHash::md5          ? "MD5"
                           : hash == DigestHash::sha512_256 ? "SHA512-256"
                                                            : "SHA256";
  return Function(EVP_MD_fetch(nullptr, name, nullptr));
}

}  // namespace

std::string_view to_string(DigestHash hash) {
  switch (hash) {
    case DigestHash::md5:
      return "MD5";
    case DigestHash::sha512_256:
      return "SHA-512-256";
    case DigestHash::sha256:
      return "SHA-256";
  }
  return {};
}

HexText::HexText(const unsigned char* bytes, std::size_t size) : size_(2 * size) {
  PENSTOCK_CHECK(size_ <= text_.size());
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < size; ++i) {
    text_[2 * i] = kDigits[bytes[i] >> 4];
    text_[2 * i + 1] = kDigits[bytes[i] & 15];
  }
}

bool is_available(DigestHash hash) {
  const OwnErrors errors;
  return fetch(hash) != nullptr;
}

std::optional<HexText> hash_joined(DigestHash hash, std::initializer_list<std::string_view> parts) {
  const OwnErrors errors;
  const Function function = fetch(hash);
  const State state(EVP_MD_CTX_new());
  if (!function || !state) return std::nullopt;
  bool good = EVP_DigestInit_ex2(state.get(), function.get(), nullptr) == 1;
  bool first = true;
  for (const std::string_view part : parts) {
    if (!first) good = good && EVP_DigestUpdate(state.get(), ":", 1) == 1;
    first = false;
    good = good && EVP_DigestUpdate(state.get(), part.data(), part.size()) == 1;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
  good = good && EVP_DigestFinal_ex(state.get(), bytes.data(), &size) == 1;
  if (!good) return std::nullopt;
  return HexText(bytes.data(), size);
}

}  // namespace penstock

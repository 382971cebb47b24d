#include "tls/ticket_keys.h"

#include <algorithm>
#include <cstring>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/check.h"

namespace penstock {
namespace {

// Without good random numbers there is no TLS at all.
void fill_random(void* bytes, std::size_t size) {
  PENSTOCK_CHECK(RAND_priv_bytes(static_cast<unsigned char*>(bytes), static_cast<int>(size)) == 1);
}

}  // namespace

TlsTicketKeys::Key::Key() {
  PENSTOCK_CHECK(RAND_bytes(name.data(), static_cast<int>(name.size())) == 1);
  fill_random(cipher.data(), cipher.size());
  fill_random(mac.data(), mac.size());
}

TlsTicketKeys::Key::~Key() {
  OPENSSL_cleanse(cipher.data(), cipher.size());
  OPENSSL_cleanse(mac.data(), mac.size());
}

TlsTicketKeys::TlsTicketKeys(Duration lifetime)
    : lifetime_(lifetime), cipher_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)), keys_(1) {
  PENSTOCK_CHECK(cipher_);
  fill_random(&secret_, sizeof secret_);
}

TlsTicketKeys::Key TlsTicketKeys::newest() const {
  const std::lock_guard lock(mutex_);
  return keys_.back().key;
}

std::optional<TlsTicketKeys::Found> TlsTicketKeys::find(const unsigned char* name) const {
  const std::lock_guard lock(mutex_);
  for (const Kept& kept : keys_) {
    if (std::memcmp(kept.key.name.data(), name, kept.key.name.size()) != 0) continue;
    return Found{kept.key, &kept == &keys_.back()};
  }
  return std::nullopt;
}

void TlsTicketKeys::rotate(TimePoint now) {
  const std::lock_guard lock(mutex_);
  if (!keys_.back().born) keys_.back().born = now;
  if (lifetime_ <= Duration::zero() || now - *keys_.back().born < lifetime_ / 2) return;
  keys_.push_back({.key = Key(), .born = now});
  std::erase_if(keys_, [&](const Kept& kept) { return now - *kept.born >= lifetime_; });
}

std::size_t TlsTicketKeys::size() const {
  const std::lock_guard lock(mutex_);
  return keys_.size();
}

bool TlsTicketKeys::set_up(const Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, bool make) const {
  // OpenSSL takes what it is to change and what it only reads in the same form.
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY,
                                        const_cast<unsigned char*>(key.mac.data()), key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0),
      OSSL_PARAM_construct_end()};
  if (EVP_MAC_CTX_set_params(mac, params) != 1) return false;
  return EVP_CipherInit_ex2(cipher, cipher_.get(), key.cipher.data(), iv, make ? 1 : 0, nullptr) ==
         1;
}

int TlsTicketKeys::serve(const SSL* ssl, unsigned char* name, unsigned char* iv,
                         EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool make) const {
  if (make) {
    const Key key = newest();
    if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher_.get())) != 1) return -1;
    std::memcpy(name, key.name.data(), key.name.size());
    return set_up(key, iv, cipher, mac, true) ? 1 : -1;
  }
  const std::optional<Found> found = find(name);
  if (!found) return 0;
  if (!set_up(found->key, iv, cipher, mac, false)) return -1;
  // 2: with a new ticket. In TLS 1.3 each ticket is used once (RFC 8446 appendix C.4).
  return found->newest && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2;
}

}  // namespace penstock

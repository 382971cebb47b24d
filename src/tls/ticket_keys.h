// The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): what a server has to remember of
// its sessions, as the clients keep all else.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/time.h"
#include "tls/openssl.h"

namespace penstock {

// Random, never stored, shared by all threads. A key makes tickets for the first half of its life
// and reads them for all of it, so that what is not older than half a lifetime can be resumed, and
// nobody can decrypt what is older than a lifetime: the key is gone.
class TlsTicketKeys {
 public:
  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};  // AES-256
    std::array<unsigned char, 32> mac{};     // HMAC-SHA256
    Key();
    Key(const Key&) = default;
    Key& operator=(const Key&) = default;
    ~Key();  // leaves nothing in memory
  };

  explicit TlsTicketKeys(Duration lifetime);

  // The key for new tickets.
  [[nodiscard]] Key newest() const;
  struct Found {
    Key key;
    bool newest;
  };
  // The key of a ticket that came back, if it is there still. The name is 16 bytes.
  [[nodiscard]] std::optional<Found> find(const unsigned char* name) const;
  // To be called now and then, by one thread: drops keys and makes new ones.
  void rotate(TimePoint now);
  [[nodiscard]] std::size_t size() const;

  // A secret of the same age as the whole, for what tells sessions apart.
  [[nodiscard]] const HashKey& secret() const { return secret_; }
  // For OpenSSL's callback for tickets, whose arguments and result these are.
  [[nodiscard]] int serve(const SSL* ssl, unsigned char* name, unsigned char* iv,
                          EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, bool make) const;

 private:
  struct Kept {
    Key key;
    std::optional<TimePoint> born;  // seen first by rotate()
  };
  [[nodiscard]] bool set_up(const Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                            EVP_MAC_CTX* mac, bool make) const;

  Duration lifetime_;
  HashKey secret_;
  std::unique_ptr<EVP_CIPHER, OpensslFree<EVP_CIPHER_free>> cipher_;  // looked up once
  mutable std::mutex mutex_;
  std::vector<Kept> keys_;  // oldest first
};

}  // namespace penstock

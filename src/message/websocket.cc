#include "message/websocket.h"

#include <cstring>
#include <string>

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "base/check.h"

namespace penstock {
namespace {
// RFC 6455 section 1.3.
constexpr std::string_view kSuffix = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// EVP_EncodeBlock() writes a NUL behind the text.
template <std::size_t N, std::size_t M>
std::array<char, N> base64(const std::array<unsigned char, M>& bytes) {
  static_assert(N == (M + 2) / 3 * 4);
  std::array<unsigned char, N + 1> text{};
  EVP_EncodeBlock(text.data(), bytes.data(), static_cast<int>(M));
  std::array<char, N> result;
  std::memcpy(result.data(), text.data(), N);
  return result;
}

}  // namespace

WebSocketKey make_websocket_key() {
  std::array<unsigned char, 16> random{};
  PENSTOCK_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1);
  return base64<24>(random);
}

WebSocketAccept websocket_accept(std::string_view key) {
  const std::string text = std::string(key).append(kSuffix);
  std::array<unsigned char, SHA_DIGEST_LENGTH> hash{};
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  return base64<28>(hash);
}

}  // namespace penstock

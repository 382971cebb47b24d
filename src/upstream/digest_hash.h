// The hash functions of Digest authentication (RFC 7616 section 3.2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

namespace penstock {

enum class DigestHash : std::uint8_t {
  md5,
  sha512_256,  // SHA-512/256 of FIPS 180-4, as erratum 4897 has it
  sha256,
};

// "MD5" and so on, as challenges write it.
[[nodiscard]] std::string_view to_string(DigestHash hash);

// At most 32 bytes in lower-case hexadecimal digits.
class HexText {
 public:
  HexText(const unsigned char* bytes, std::size_t size);
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 64> text_{};
  std::size_t size_;
};

// False where the library does without it: MD5 under FIPS rules.
[[nodiscard]] bool is_available(DigestHash hash);

// The hash of the parts with ":" between them; none where it is not available.
[[nodiscard]] std::optional<HexText> hash_joined(DigestHash hash,
                                                 std::initializer_list<std::string_view> parts);

}  // namespace penstock

#include "net/address_prefix.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace penstock {

int AddressPrefix::bytes_of(const Address& address, Bytes& bytes) {
  bytes = {};
  sockaddr_storage storage;
  address.to_sockaddr(storage);
  if (address.family() == AF_INET) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, 4);
  } else if (address.family() == AF_INET6) {
    const in6_addr& ip = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&ip);
    std::memcpy(bytes.data(), &ip.s6_addr[mapped ? 12 : 0], mapped ? 4 : 16);
    if (mapped) return AF_INET;
  }
  return address.family();
}

std::optional<AddressPrefix> AddressPrefix::parse(std::string_view text) {
  AddressPrefix prefix;
  if (text == "unix") {
    prefix.family_ = AF_UNIX;
    return prefix;
  }
  const std::size_t slash = text.find('/');
  const auto address = Address::from_ip(text.substr(0, slash), 0);
  if (!address) return std::nullopt;
  prefix.family_ = bytes_of(*address, prefix.bytes_);
  const unsigned written = address->family() == AF_INET ? 32 : 128;
  // "::ffff:192.0.2.0/120" is an IPv4 network.
  const unsigned most = prefix.family_ == AF_INET ? 32 : 128;
  unsigned bits = written;
  if (slash != std::string_view::npos) {
    const std::string_view number = text.substr(slash + 1);
    const char* const end = number.data() + number.size();
    const auto parsed = std::from_chars(number.data(), end, bits);
    if (parsed.ec != std::errc{} || parsed.ptr != end || bits > written) return std::nullopt;
    if (number.size() > 1 && number.front() == '0') return std::nullopt;
  }
  if (bits < written - most) return std::nullopt;
  prefix.bits_ = bits - (written - most);
  for (unsigned bit = prefix.bits_; bit < most; ++bit) {
    if ((prefix.bytes_[bit / 8] >> (7 - bit % 8) & 1) != 0) return std::nullopt;
  }
  return prefix;
}

bool AddressPrefix::contains(const Address& address) const {
  Bytes bytes;
  if (bytes_of(address, bytes) != family_) return false;
  const std::size_t whole = bits_ / 8;
  if (!std::equal(bytes.begin(), bytes.begin() + whole, bytes_.begin())) return false;
  const unsigned rest = bits_ % 8;
  return rest == 0 || (bytes[whole] ^ bytes_[whole]) >> (8 - rest) == 0;
}

const std::string* AddressPrefixes::add(const std::vector<std::string>& texts) {
  for (const std::string& text : texts) {
    const auto prefix = AddressPrefix::parse(text);
    if (!prefix) return &text;
    prefixes_.push_back(*prefix);
  }
  return nullptr;
}

bool AddressPrefixes::contains(const Address& address) const {
  return std::ranges::any_of(
      prefixes_, [&address](const AddressPrefix& prefix) { return prefix.contains(address); });
}

}  // namespace penstock

#include "net/proxy_header.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <span>
#include <utility>

#include <netinet/in.h>
#include <sys/un.h>

namespace penstock {
namespace {

using Problem = ProxyHeaderProblem;
using Parsed = std::expected<std::size_t, Problem>;

constexpr std::string_view kStartV1 = "PROXY ";
constexpr std::string_view kStartV2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kMaxV1 = 107;
constexpr std::size_t kFixedV2 = 16;  // bytes of version 2 before the addresses
constexpr std::size_t kUnixPath = 108;

// Version and command, family and transport.
constexpr unsigned char kLocalV2 = 0x20;
constexpr unsigned char kProxyV2 = 0x21;
constexpr unsigned char kUnspecified = 0x00;
constexpr unsigned char kTcp4 = 0x11;
constexpr unsigned char kTcp6 = 0x21;
constexpr unsigned char kUnixStream = 0x31;

// Types of version 2's fields.
constexpr unsigned char kAlpn = 0x01;
constexpr unsigned char kAuthority = 0x02;
constexpr unsigned char kChecksum = 0x03;
constexpr unsigned char kTls = 0x20;
constexpr unsigned char kTlsVersion = 0x21;
constexpr unsigned char kTlsCommonName = 0x22;
constexpr unsigned char kTlsCipher = 0x23;
// Bits of kTls.
constexpr unsigned char kClientTls = 0x01;
constexpr unsigned char kClientCertificate = 0x02;         // on this connection
constexpr unsigned char kClientSessionCertificate = 0x04;  // on one whose session went on

unsigned char byte_at(std::string_view bytes, std::size_t i) {
  return static_cast<unsigned char>(bytes[i]);
}

std::size_t size_at(std::string_view bytes, std::size_t i) {
  return static_cast<std::size_t>(byte_at(bytes, i) << 8 | byte_at(bytes, i + 1));
}

bool is_text(std::string_view bytes) {
  return std::ranges::none_of(bytes, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

// ---- Version 1.

std::string_view next_word(std::string_view& line) {
  const std::size_t end = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

std::optional<std::uint16_t> port_of(std::string_view word) {
  if (word.empty() || (word.size() > 1 && word.front() == '0')) return std::nullopt;
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), port);
  if (parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size()) return std::nullopt;
  return port;
}

// `line`: behind "PROXY ", without its end.
bool parse_line(std::string_view line, ProxyHeaderFields& fields) {
  // What else stands there is to be ignored.
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) {
    fields.local = true;
    return true;
  }
  // Exactly one space between the words, and none at the end.
  if (std::ranges::count(line, ' ') != 4 || line.ends_with(' ')) return false;
  const std::string_view protocol = next_word(line);
  const std::string_view source = next_word(line);
  const std::string_view destination = next_word(line);
  const auto source_port = port_of(next_word(line));
  const auto destination_port = port_of(line);
  if (protocol != "TCP4" && protocol != "TCP6") return false;
  if (!source_port || !destination_port) return false;
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const auto from = Address::from_ip(source, *source_port);
  const auto to = Address::from_ip(destination, *destination_port);
  if (!from || !to || from->family() != family || to->family() != family) return false;
  fields.source = *from;
  fields.destination = *to;
  return true;
}

Parsed parse_v1(std::string_view bytes, ProxyHeaderFields& fields) {
  const std::string_view window = bytes.substr(0, kMaxV1);
  const std::size_t end = window.find('\n');
  if (end == std::string_view::npos) {
    if (bytes.size() < kMaxV1) return 0;
    return std::unexpected(Problem::bad_line);
  }
  std::string_view line = window.substr(kStartV1.size(), end - kStartV1.size());
  if (!line.ends_with('\r')) return std::unexpected(Problem::bad_line);
  line.remove_suffix(1);
  const bool one_line = line.find('\r') == std::string_view::npos;
  if (!one_line || !parse_line(line, fields)) return std::unexpected(Problem::bad_line);
  return end + 1;
}

// ---- Version 2.

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

// CRC32C (RFC 3720 appendix B.4) of the bytes, the four at `hole` taken for zeros.
std::uint32_t checksum_of(std::string_view bytes, std::size_t hole) {
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const bool inside = i >= hole && i < hole + 4;
    const unsigned char byte = inside ? static_cast<unsigned char>(0) : byte_at(bytes, i);
    crc = (crc >> 8) ^ kCrcTable[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

struct Tlv {
  unsigned char type = 0;
  std::string_view value;
};

// Takes one off the front.
std::optional<Tlv> next_tlv(std::string_view& rest) {
  if (rest.size() < 3) return std::nullopt;
  const std::size_t length = size_at(rest, 1);
  if (rest.size() - 3 < length) return std::nullopt;
  const Tlv tlv{.type = byte_at(rest, 0), .value = rest.substr(3, length)};
  rest.remove_prefix(3 + length);
  return tlv;
}

// False when it was there before, or has control characters.
bool take_text(std::string_view value, std::string& into) {
  if (!into.empty() || !is_text(value)) return false;
  into = value;
  return true;
}

bool parse_tls(std::string_view value, ProxyHeaderFields& fields) {
  if (fields.tls || value.size() < 5) return false;
  const unsigned char client = byte_at(value, 0);
  ProxyHeaderTls tls;
  tls.certificate = (client & (kClientCertificate | kClientSessionCertificate)) != 0;
  const bool zero = value.substr(1, 4) == std::string_view("\0\0\0\0", 4);
  tls.verified = tls.certificate && zero;
  value.remove_prefix(5);
  while (!value.empty()) {
    const auto tlv = next_tlv(value);
    if (!tlv) return false;
    if (tlv->type == kTlsVersion && !take_text(tlv->value, tls.version)) return false;
    if (tlv->type == kTlsCipher && !take_text(tlv->value, tls.cipher)) return false;
    if (tlv->type == kTlsCommonName && !take_text(tlv->value, tls.common_name)) return false;
  }
  if ((client & kClientTls) != 0) fields.tls = std::move(tls);
  return true;
}

// `header`: all of it, whose fields begin at `at`.
std::expected<void, Problem> parse_tlvs(std::string_view header, std::size_t at,
                                        ProxyHeaderFields& fields) {
  std::string_view rest = header.substr(at);
  bool checked = false;
  while (!rest.empty()) {
    const auto tlv = next_tlv(rest);
    if (!tlv) return std::unexpected(Problem::bad_field);
    bool good = true;
    if (tlv->type == kAlpn) good = take_text(tlv->value, fields.alpn);
    if (tlv->type == kAuthority) good = take_text(tlv->value, fields.authority);
    if (tlv->type == kTls) good = parse_tls(tlv->value, fields);
    if (tlv->type == kChecksum) {
      good = !checked && tlv->value.size() == 4;
      checked = true;
      const auto hole = static_cast<std::size_t>(tlv->value.data() - header.data());
      if (good &&
          checksum_of(header, hole) != (size_at(tlv->value, 0) << 16 | size_at(tlv->value, 2))) {
        return std::unexpected(Problem::bad_checksum);
      }
    }
    if (!good) return std::unexpected(Problem::bad_field);
  }
  return {};
}

std::uint16_t port_at(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(size_at(bytes, at));
}

Address v4_at(std::string_view bytes, std::size_t at, std::size_t port) {
  sockaddr_in raw{};
  raw.sin_family = AF_INET;
  raw.sin_port = htons(port_at(bytes, port));
  std::memcpy(&raw.sin_addr, bytes.data() + at, sizeof raw.sin_addr);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
}

Address v6_at(std::string_view bytes, std::size_t at, std::size_t port) {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(port_at(bytes, port));
  std::memcpy(&raw.sin6_addr, bytes.data() + at, sizeof raw.sin6_addr);
  return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw), sizeof raw);
}

// Up to the first NUL; an abstract name begins with one and is shown as none.
Address unix_at(std::string_view bytes, std::size_t at) {
  const std::string_view path = bytes.substr(at, kUnixPath);
  return Address::unix_socket(std::string(path.substr(0, path.find('\0'))));
}

// The length of the addresses of a family.
std::optional<std::size_t> address_size(unsigned char family) {
  switch (family) {
    case kTcp4:
      return 12;
    case kTcp6:
      return 36;
    case kUnixStream:
      return 2 * kUnixPath;
    default:
      return std::nullopt;
  }
}

void parse_addresses(unsigned char family, std::string_view bytes, ProxyHeaderFields& fields) {
  if (family == kTcp4) {
    fields.source = v4_at(bytes, 0, 8);
    fields.destination = v4_at(bytes, 4, 10);
  } else if (family == kTcp6) {
    fields.source = v6_at(bytes, 0, 32);
    fields.destination = v6_at(bytes, 16, 34);
  } else {
    fields.source = unix_at(bytes, 0);
    fields.destination = unix_at(bytes, kUnixPath);
  }
}

Parsed parse_v2(std::string_view bytes, ProxyHeaderFields& fields) {
  if (bytes.size() < kFixedV2) return 0;
  const unsigned char command = byte_at(bytes, 12);
  const unsigned char family = byte_at(bytes, 13);
  const std::size_t length = kFixedV2 + size_at(bytes, 14);
  if (command != kLocalV2 && command != kProxyV2) return std::unexpected(Problem::bad_version);
  if (length > kMaxProxyHeader) return std::unexpected(Problem::too_long);
  // Whatever else it says does not count then.
  const bool local = command == kLocalV2 || family == kUnspecified;
  const auto addresses = local ? std::size_t{0} : address_size(family);
  if (!addresses) return std::unexpected(Problem::bad_family);
  if (length < kFixedV2 + *addresses) return std::unexpected(Problem::bad_length);
  if (bytes.size() < length) return 0;
  if (local) {
    fields.local = true;
    return length;
  }
  parse_addresses(family, bytes.substr(kFixedV2), fields);
  const auto rest = parse_tlvs(bytes.substr(0, length), kFixedV2 + *addresses, fields);
  if (!rest) return std::unexpected(rest.error());
  return length;
}

// ---- Writing.

// Both as one family: IPv4 if both can be, else IPv6 if both can be.
struct Pair {
  int family = AF_UNSPEC;
  std::array<in6_addr, 2> ips{};  // IPv4 addresses are mapped
};

bool as_v6(const Address& address, in6_addr& ip) {
  sockaddr_storage storage;
  address.to_sockaddr(storage);
  if (address.family() == AF_INET6) {
    ip = reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr;
    return true;
  }
  if (address.family() != AF_INET) return false;
  ip = {};
  ip.s6_addr[10] = ip.s6_addr[11] = 0xff;
  std::memcpy(&ip.s6_addr[12], &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, 4);
  return true;
}

Pair pair_of(const ProxyHeaderFields& fields) {
  Pair pair;
  if (fields.local) return pair;
  if (fields.source.is_unix() && fields.destination.is_unix()) {
    pair.family = AF_UNIX;
    return pair;
  }
  if (!as_v6(fields.source, pair.ips[0]) || !as_v6(fields.destination, pair.ips[1])) return pair;
  const bool mapped = std::ranges::all_of(
      pair.ips, [](const in6_addr& ip) { return IN6_IS_ADDR_V4MAPPED(&ip) != 0; });
  pair.family = mapped ? AF_INET : AF_INET6;
  return pair;
}

std::string ip_text(const in6_addr& ip, int family) {
  if (family == AF_INET) {
    sockaddr_in raw{};
    raw.sin_family = AF_INET;
    std::memcpy(&raw.sin_addr, &ip.s6_addr[12], 4);
    return Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw), sizeof raw).host_text();
  }
  // An IPv4 address among IPv6 ones keeps its prefix.
  std::string text;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) text = "::ffff:";
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_addr = ip;
  return text +
         Address::from_sockaddr(reinterpret_cast<const sockaddr*>(&raw), sizeof raw).host_text();
}

void add_size(std::string& to, std::size_t size) {
  to += static_cast<char>(size >> 8 & 0xff);
  to += static_cast<char>(size & 0xff);
}

void add_tlv(std::string& to, unsigned char type, std::string_view value) {
  to += static_cast<char>(type);
  add_size(to, value.size());
  to += value;
}

void add_text(std::string& to, unsigned char type, std::string_view value) {
  constexpr std::size_t kMaxText = 255;
  if (!value.empty()) add_tlv(to, type, value.substr(0, kMaxText));
}

std::string tls_value(const ProxyHeaderTls& tls) {
  unsigned char client = kClientTls;
  if (tls.certificate) client |= kClientCertificate | kClientSessionCertificate;
  std::string value(1, static_cast<char>(client));
  value.append(3, '\0');
  value += tls.certificate && tls.verified ? '\0' : '\1';
  add_text(value, kTlsVersion, tls.version);
  add_text(value, kTlsCommonName, tls.common_name);
  add_text(value, kTlsCipher, tls.cipher);
  return value;
}

void add_path(std::string& to, const Address& address) {
  std::string path = address.path().substr(0, kUnixPath);
  path.resize(kUnixPath, '\0');
  to += path;
}

}  // namespace

std::string_view to_string(ProxyHeaderProblem problem) {
  switch (problem) {
    case Problem::not_a_header:
      return "the connection begins with something else";
    case Problem::bad_line:
      return "its line is malformed";
    case Problem::bad_version:
      return "it is of an unknown version, or has an unknown command";
    case Problem::bad_family:
      return "its addresses are of a kind that no stream has";
    case Problem::too_long:
      return "it is too long";
    case Problem::bad_length:
      return "it is too short for its addresses";
    case Problem::bad_field:
      return "one of its fields is malformed, or there twice";
    case Problem::bad_checksum:
      return "its checksum is wrong";
  }
  return {};
}

Parsed parse_proxy_header(std::string_view bytes, ProxyHeaderFields& fields) {
  for (const std::string_view start : {kStartV1, kStartV2}) {
    const std::size_t both = std::min(bytes.size(), start.size());
    if (bytes.substr(0, both) != start.substr(0, both)) continue;
    if (bytes.size() < start.size()) return 0;
    return start == kStartV1 ? parse_v1(bytes, fields) : parse_v2(bytes, fields);
  }
  return std::unexpected(Problem::not_a_header);
}

std::string proxy_header_v1(const ProxyHeaderFields& fields) {
  const Pair pair = pair_of(fields);
  if (pair.family != AF_INET && pair.family != AF_INET6) return "PROXY UNKNOWN\r\n";
  std::string line = pair.family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ";
  line += ip_text(pair.ips[0], pair.family) + ' ' + ip_text(pair.ips[1], pair.family) + ' ';
  line += std::to_string(fields.source.port()) + ' ' + std::to_string(fields.destination.port());
  return line + "\r\n";
}

std::string proxy_header_v2(const ProxyHeaderFields& fields) {
  std::string header(kStartV2);
  if (fields.local) return header.append({static_cast<char>(kLocalV2), '\0', '\0', '\0'});
  header += static_cast<char>(kProxyV2);
  const Pair pair = pair_of(fields);
  std::string rest;
  if (pair.family == AF_UNIX) {
    header += static_cast<char>(kUnixStream);
    add_path(rest, fields.source);
    add_path(rest, fields.destination);
  } else if (pair.family == AF_UNSPEC) {
    header += static_cast<char>(kUnspecified);
  } else {
    const bool v4 = pair.family == AF_INET;
    header += static_cast<char>(v4 ? kTcp4 : kTcp6);
    for (const in6_addr& ip : pair.ips) {
      const std::string_view bytes(reinterpret_cast<const char*>(&ip), sizeof ip);
      rest += v4 ? bytes.substr(12) : bytes;
    }
    add_size(rest, fields.source.port());
    add_size(rest, fields.destination.port());
  }
  add_text(rest, kAlpn, fields.alpn);
  add_text(rest, kAuthority, fields.authority);
  if (fields.tls) add_tlv(rest, kTls, tls_value(*fields.tls));
  add_size(header, rest.size());
  return header + rest;
}

Task<Result<ProxyHeaderFields>> read_proxy_header(ByteStream& stream, InputBuffer& input,
                                                  TimePoint deadline) {
  ProxyHeaderFields fields;
  while (true) {
    const auto length = parse_proxy_header(input.unread(), fields);
    if (!length) co_return fail(ErrorKind::protocol, static_cast<int>(length.error()));
    if (*length > 0) {
      input.consume(*length);
      co_return std::move(fields);
    }
    const auto got = co_await read_some(stream, input, deadline);
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(ErrorKind::closed);
  }
}

}  // namespace penstock

// Headers of the PROXY protocol, versions 1 and 2: by them a proxy tells at the start of a
// connection whose connection it stands for (HAProxy's proxy-protocol.txt). A codec without I/O,
// and reading one from a stream.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "net/address.h"

namespace penstock {

// The TLS connection that the client made (PP2_TYPE_SSL).
struct ProxyHeaderTls {
  std::string version = {};      // "TLSv1.3"
  std::string cipher = {};       // OpenSSL's name
  bool certificate = false;      // the client has shown one
  bool verified = false;         // and it was found good
  std::string common_name = {};  // its subject's; may be empty

  friend bool operator==(const ProxyHeaderTls&, const ProxyHeaderTls&) = default;
};

// What a header says. Texts have no control characters.
struct ProxyHeaderFields {
  // Nothing: the sender speaks for itself, for instance in a health check, or does not know for
  // whom (LOCAL, UNKNOWN). The connection's own addresses count, and all else here is empty.
  bool local = false;
  Address source = {};         // the client
  Address destination = {};    // where it had connected to
  std::string alpn = {};       // the protocol agreed on there; may be empty
  std::string authority = {};  // the name it asked for (SNI); may be empty
  std::optional<ProxyHeaderTls> tls = {};

  friend bool operator==(const ProxyHeaderFields&, const ProxyHeaderFields&) = default;
};

// Why bytes are no header that can be used.
enum class ProxyHeaderProblem : std::uint8_t {
  not_a_header,  // they begin in another way
  bad_line,      // version 1: too long, or not of the form it has to have
  bad_version,   // version 2: of another version, or an unknown command
  bad_family,    // version 2: an address family or transport that no stream has
  too_long,      // version 2: longer than kMaxProxyHeader
  bad_length,    // version 2: shorter than its addresses
  bad_field,     // version 2: a type-length-value that is malformed, or there twice
  bad_checksum,  // version 2: CRC32C
};
// For the log: what is wrong with it.
[[nodiscard]] std::string_view to_string(ProxyHeaderProblem problem);

// Of version 2; one of version 1 has at most 107 bytes.
inline constexpr std::size_t kMaxProxyHeader = 4096;

// Reads a header of either version at the start of `bytes`; what follows it makes no difference.
// Its length, and what it says in `fields` (a new one); 0 while more bytes are needed. What begins
// in another way is refused at its first byte that differs. Fields of version 2 that are not named
// here are skipped.
[[nodiscard]] std::expected<std::size_t, ProxyHeaderProblem> parse_proxy_header(
    std::string_view bytes, ProxyHeaderFields& fields);

// As version 1: the addresses. UNKNOWN where these are not both IP addresses. An IPv4-mapped
// address is written as IPv4 unless the other one is IPv6.
[[nodiscard]] std::string proxy_header_v1(const ProxyHeaderFields& fields);
// As version 2: all of it. Texts are cut after 255 bytes.
[[nodiscard]] std::string proxy_header_v2(const ProxyHeaderFields& fields);

// Reads a header, and consumes exactly that; bytes behind it that have come already are left in
// `input`. Errors are those of the stream, `closed` when it ends before, and `protocol` with a
// ProxyHeaderProblem as cause; without a side.
Task<Result<ProxyHeaderFields>> read_proxy_header(ByteStream& stream, InputBuffer& input,
                                                  TimePoint deadline);

}  // namespace penstock

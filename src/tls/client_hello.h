// What can be learned from the beginning of a TLS connection without taking part in it: for passing
// connections on as they are, chosen by the name the client asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/stream.h"

namespace penstock {

// The bytes looked at for a ClientHello, at most, with all that is around it. They are some 500
// bytes, or 2 KiB with keys that withstand quantum computers.
inline constexpr std::size_t kMaxClientHello = 18 * 1024;

struct ClientHello {
  // The host name asked for (SNI, RFC 6066 section 3), lower case, without a dot at the end; empty
  // if there is none. Made of letters, digits, hyphens, underscores and dots, with no empty label,
  // at most 253 bytes; it may look like an IPv4 address.
  std::string server_name;
  std::vector<std::string> alpn;  // protocols offered (RFC 7301), in the client's order

  friend bool operator==(const ClientHello&, const ClientHello&) = default;
};

enum class HelloOutcome : std::uint8_t {
  need_more,  // so far it is the beginning of one
  not_tls,    // something else, an SSLv2 hello too, or one that breaks the rules or is too large
  found,
};

struct HelloLook {
  HelloOutcome outcome = HelloOutcome::not_tls;
  // With need_more: how many bytes there have to be, at least, before looking again is of use.
  std::size_t wanted = 0;
  ClientHello hello;
};

// Looks at the bytes that a connection begins with. The ClientHello (RFC 8446 section 4.1.2,
// RFC 5246 section 7.4.1.2) may lie in several records; what follows it is not looked at. Its parts
// are checked as far as their lengths go.
[[nodiscard]] HelloLook look_at_client_hello(std::string_view bytes);

// The text as a name like that in ClientHello; nothing where it is no host name.
[[nodiscard]] std::optional<std::string> as_server_name(std::string_view text);
// The name in the content of a server_name extension of a ClientHello, as in ClientHello; nothing
// where it is malformed or no host name.
[[nodiscard]] std::optional<std::string> read_server_name(std::string_view extension);

// Reads into `input` up to where a ClientHello is complete, and consumes nothing; what is in there
// already counts. The outcome is never need_more. Fails where reading does, with `closed` when the
// client ends its direction, timed_out at the deadline.
Task<Result<HelloLook>> peek_client_hello(ByteStream& stream, InputBuffer& input,
                                          TimePoint deadline);

}  // namespace penstock

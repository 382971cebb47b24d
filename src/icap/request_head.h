// What is sent to an ICAP server in front of a body: the head of the request and the HTTP heads in
// it (RFC 3507 sections 4.3.2, 4.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string_view>

#include "base/slab.h"
#include "icap/encapsulated.h"
#include "icap/problem.h"
#include "icap/service_uri.h"
#include "message/fields.h"
#include "message/head.h"

namespace penstock::icap {

enum class IcapMethod : std::uint8_t { options, reqmod, respmod };

// "OPTIONS", "REQMOD", "RESPMOD".
[[nodiscard]] std::string_view to_string(IcapMethod method);

// A request to be written. What it points to must outlive it.
struct IcapRequest {
  IcapMethod method = IcapMethod::options;
  const ServiceUri* service = nullptr;
  // Fields of the ICAP head beyond those that are written here: X-Client-IP, Proxy-Authorization,
  // Connection. Only name and value of each count.
  std::span<const Field> fields = {};
  // What may be answered (Allow). Who sets these must be able to do what they promise: with
  // allow_204 to keep the whole body, with allow_206 what is previewed, with both the whole body.
  bool allow_204 = false;
  bool allow_206 = false;
  // Preview: how many bytes of the body come first. None: no preview.
  std::optional<std::uint64_t> preview;
  // REQMOD: the request to be adapted. RESPMOD: the request that was answered, or null.
  const RequestHead* request = nullptr;
  // RESPMOD: the response to be adapted.
  const ResponseHead* response = nullptr;
  // The request's target is written in absolute form: with https where it says no scheme itself.
  bool secure = false;
  // A body follows in chunks; else nothing follows. Of OPTIONS: none.
  bool has_body = false;
  // How long the body is, where that is known: Content-Length says so, even where the head of the
  // message does not (any more).
  std::optional<std::uint64_t> length;
};

// The bytes that write_request() needs at most.
[[nodiscard]] std::size_t request_size_bound(const IcapRequest& request);

// Writes the head of the request and the HTTP heads in it to `to`, of at least request_size_bound()
// bytes. What was written may begin behind the beginning of `to`, and is viewed by the result.
//
// An HTTP head is written as http1/head_writer.h does: as HTTP/1.1, Host first, the target in
// absolute form (authority form for CONNECT, origin form where no host is known); without its
// hop-by-hop fields, of which Proxy-Authorization and Proxy-Authenticate are two, and without
// Transfer-Encoding. Content-Length stays as it is, or is that of `length`, also where no body
// follows, except in a 1xx or 204. Encapsulated is made of the lengths that the heads have then.
//
// Nothing that is refused can be smuggled in: field_not_allowed for a field of `fields` that has no
// token as name, a control byte in its value or whitespace at its ends, or that is written here or
// has no place in ICAP (Host, Allow, Preview, Encapsulated, Transfer-Encoding, Content-Length);
// text_not_allowed for a control byte anywhere in an HTTP head, a field name or method that is no
// token, and a space in the target.
[[nodiscard]] std::expected<std::string_view, Problem> write_request(const IcapRequest& request,
                                                                     std::span<char> to);

// The same in a slab of its own. Fails with request_too_large when it is larger than any slab.
[[nodiscard]] std::expected<Slice, Problem> serialise(const IcapRequest& request);

}  // namespace penstock::icap

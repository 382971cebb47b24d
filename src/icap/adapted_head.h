// The HTTP head in an answer of an ICAP server: input, not truth (RFC 3507 sections 4.4.2, 4.8,
// 4.9).
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>
#include <variant>

#include "http1/head_parser.h"
#include "icap/encapsulated.h"
#include "icap/problem.h"
#include "icap/quirks.h"
#include "icap/response_head.h"
#include "message/head.h"
#include "message/method.h"
#include "message/refusal.h"

namespace penstock::icap {

// The bytes of HTTP heads that follow the head of an answer: to be read as a whole, and then given
// to parse_adapted_head(). Fails where Encapsulated is missing, where it announces no HTTP head,
// and where it announces one larger than `limits.head` (of a request and a response, each may be as
// large). An answer that announces nothing at all is for the caller to tell apart first:
// Encapsulated::empty().
[[nodiscard]] std::expected<std::size_t, Problem> adapted_head_size(
    const IcapResponse& response, const http1::HeadLimits& limits);

struct AdaptedHead {
  // Without hop-by-hop fields, those that Connection names among them, and as HTTP/1.1 whatever it
  // said. Views point into the bytes parsed; the caller sets `bytes` to keep them alive. A request
  // may have another method, target and Host than the one that was sent.
  std::variant<RequestHead, ResponseHead> head;
  // The value of Content-Length, if there is one. What follows has to be compared with it.
  std::optional<std::uint64_t> content_length;
  // False where the message has no content whatever is encapsulated (RFC 9112 section 6.3): a
  // response to HEAD, 204, 304, 2xx to CONNECT, and a CONNECT request. A body that follows must be
  // skipped then.
  bool may_have_body = true;
  Quirks quirks;

  [[nodiscard]] bool is_request() const { return std::holds_alternative<RequestHead>(head); }
};

struct AdaptedHeadFault {
  Problem problem;
  Refusal refusal = Refusal::none;  // for adapted_head_refused
};

// Parses the heads that `encapsulated` announces from exactly their bytes (another number fails a
// check). Of a request and a response the response counts, and the request is only looked at to end
// where it should. They are read as strictly as any HTTP/1 head. `request_method` is that of the
// HTTP request that was adapted, or whose response was. Refused as well: 1xx, and a Content-Length
// other than 0 where no body follows and the message could have one.
[[nodiscard]] std::expected<AdaptedHead, AdaptedHeadFault> parse_adapted_head(
    std::string_view bytes, const Encapsulated& encapsulated, Method request_method,
    const http1::HeadLimits& limits);

}  // namespace penstock::icap

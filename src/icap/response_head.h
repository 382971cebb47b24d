// The heads of answers of ICAP servers (RFC 3507 section 4.3.3): incremental, without I/O. Unlike
// HTTP/1 heads they are read tolerantly: what cannot be misunderstood is taken, and noted as a
// Quirk.
#pragma once

#include <cstddef>
#include <expected>
#include <optional>
#include <string_view>
#include <vector>

#include "base/slab.h"
#include "http1/head_parser.h"
#include "icap/encapsulated.h"
#include "icap/problem.h"
#include "icap/quirks.h"
#include "message/fields.h"

namespace penstock::icap {

// Finds where a head ends in bytes that arrive in any split, as http1::HeadScanner does, but with
// lines that end in CRLF or LF. Refuses early what can never become a head: any other beginning
// than "ICAP/", control bytes, more bytes than the limits allow. The result does not depend on the
// split. One object serves one head; reset() for the next.
class ResponseScanner {
 public:
  // Of `limits`, which must outlive the scanner, only `head` counts here.
  explicit ResponseScanner(const http1::HeadLimits& limits) : limits_(&limits) {}
  // `bytes` is everything of this head so far: each call passes the same bytes and more (they may
  // have moved in memory). done: size() is the length of the head with its empty line, and what
  // follows has not been looked at. Once refused, it stays so.
  http1::Progress scan(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return scanned_; }
  [[nodiscard]] Problem problem() const { return problem_; }
  void reset() { *this = ResponseScanner(*limits_); }

 private:
  http1::Progress refuse(Problem problem);

  const http1::HeadLimits* limits_;
  std::size_t scanned_ = 0;  // all before it is in order
  std::size_t line_ = 0;     // where the line being scanned begins
  Problem problem_ = Problem::none;
};

// Views point into the bytes parsed, whose slab `bytes` keeps alive, or into the fields' arena.
struct IcapResponse {
  int status = 0;           // 100 to 599
  std::string_view reason;  // may be empty
  FieldSection fields;      // those known to HTTP by their FieldId, all others by name
  // The value of ISTag without its quotes; empty: there is none. Opaque, to be compared byte by
  // byte, and of the server's length.
  std::string_view istag;
  std::optional<Encapsulated> encapsulated;  // none: the field is not there
  bool close = false;                        // Connection: close
  Quirks quirks;
  Slice bytes;

  // 200, or the 201 that some send in its place: an adapted message follows.
  [[nodiscard]] bool is_adapted() const { return status == 200 || status == 201; }
  // Service-ID, or empty.
  [[nodiscard]] std::string_view service_id() const;
  // X-Next-Services: the services that the message is to go through next, in that order; an empty
  // list says that there is none. Nothing when the field is not there.
  [[nodiscard]] std::optional<std::vector<std::string_view>> next_services() const;
};

// Parses a complete head, as found by a ResponseScanner (another text fails a check); the caller
// sets `bytes` of the result. Taken, and noted among the quirks: LF as line end, values that go on
// in the next line (joined by one space), whitespace before colons, odd spaces in the status line,
// ICAP/1.x, 201, an ISTag without quotes, a 2xx without ISTag, a 204 without Encapsulated. An
// Encapsulated that is there must be legal whatever the status is.
[[nodiscard]] std::expected<IcapResponse, Problem> parse_response_head(
    std::string_view bytes, const http1::HeadLimits& limits);

}  // namespace penstock::icap

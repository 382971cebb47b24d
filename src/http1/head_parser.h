// Parsing of HTTP/1 heads: strict, incremental, without I/O (RFC 9112 sections 2 to 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "message/head.h"
#include "message/refusal.h"

namespace penstock::http1 {

struct HeadLimits {
  std::size_t head = std::size_t{64} * 1024;        // bytes of the whole head
  std::size_t start_line = std::size_t{16} * 1024;  // bytes of the start line
  std::size_t fields = 200;                         // field lines
};

// Empty lines skipped before a request line; one more is refused.
inline constexpr std::size_t kLeadingEmptyLines = 2;

enum class Progress : std::uint8_t { need_more, done, refused };

enum class HeadKind : std::uint8_t { request, response };

// Finds where a head ends in bytes that arrive in any split, and refuses early what can never
// become a head: a first byte that no method starts with (or, of a response, anything but "HTTP/"),
// control bytes, line ends other than CRLF, more bytes than the limits allow. No byte is looked at
// twice but a CR at the end of what is there. The result does not depend on the split. One object
// serves one head; reset() for the next.
class HeadScanner {
 public:
  // `limits` must outlive the scanner.
  explicit HeadScanner(const HeadLimits& limits, HeadKind kind = HeadKind::request)
      : limits_(&limits), kind_(kind) {}
  // `bytes` is everything of this head so far: each call passes the same bytes and more (they may
  // have moved in memory). done: size() is the length of the head with its empty line, and what
  // follows has not been looked at. Up to kLeadingEmptyLines CRLF before a request line are skipped
  // (RFC 9112 section 2.2): they count in size(), and start() tells where the start line begins.
  // Once refused, it stays so.
  Progress scan(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return scanned_; }
  [[nodiscard]] std::size_t start() const { return start_; }
  [[nodiscard]] Refusal refusal() const { return refusal_; }
  void reset();

 private:
  Progress refuse(Refusal refusal);
  Refusal check_start(std::string_view bytes);

  const HeadLimits* limits_;
  std::size_t scanned_ = 0;  // all before it is in order
  std::size_t start_ = 0;    // of the start line
  std::size_t line_ = 0;     // of the line being scanned
  HeadKind kind_;
  Refusal refusal_ = Refusal::none;
};

// Parses a complete head (as found by a HeadScanner, from start() on, empty line included; another
// text fails a check) into `head`, a new one, whose views then point into `bytes`; the caller sets
// head.bytes to keep them alive. The result is Refusal::none, or why the head is refused; then
// `head` holds what was understood up to there (method, version), so that an answer can be framed.
//
// For a request this includes the target's form and the rules for Host (RFC 9112 section 3.2): a
// missing (HTTP/1.1), repeated or invalid one is refused. Where the target has an authority
// (absolute form, CONNECT) that is the one that counts: Host is checked for being single and valid,
// then its value is replaced by the target's authority (section 3.2.2).
// A version HTTP/1.x with x above 1 is taken as HTTP/1.1 (RFC 9110 section 6.2).
[[nodiscard]] Refusal parse_request_head(std::string_view bytes, const HeadLimits& limits,
                                         RequestHead& head);
[[nodiscard]] Refusal parse_response_head(std::string_view bytes, const HeadLimits& limits,
                                          ResponseHead& head);
// Parses field lines up to and including the empty line, as in a trailer section, and adds them to
// `fields`. Whitespace around values is left out; one that begins a line is refused (obs-fold).
[[nodiscard]] Refusal parse_fields(std::string_view bytes, const HeadLimits& limits,
                                   FieldSection& fields);

}  // namespace penstock::http1

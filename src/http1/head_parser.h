// Parsing of HTTP/1 heads: strict, incremental, without I/O (RFC 9112 sections 2 to 5).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "message/head.h"
#include "message/refusal.h"

namespace penstock::http1 {

struct HeadLimits {
  std::size_t head = 64 * 1024;        // bytes of the whole head
  std::size_t start_line = 16 * 1024;  // bytes of the start line
  std::size_t fields = 200;            // field lines
};

enum class Progress : std::uint8_t { need_more, done, refused };

// Finds where a head ends in bytes that arrive in any split, without looking at a byte twice, and
// refuses early what can never become a head. One object serves one head; reset() for the next.
class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits) : limits_(&limits) {}
  // `bytes` is everything of this head so far: each call passes the same bytes and more (they may
  // have moved in memory). done: size() is the length of the head with its empty line. Up to
  // `kLeadingEmptyLines` CRLF before a request line are skipped (RFC 9112 section 2.2): they count
  // in size(), and start() tells where the start line begins.
  Progress scan(std::string_view bytes);
  [[nodiscard]] std::size_t size() const { return scanned_; }
  [[nodiscard]] std::size_t start() const { return start_; }
  [[nodiscard]] Refusal refusal() const { return refusal_; }
  void reset();

 private:
  const HeadLimits* limits_;
  std::size_t scanned_ = 0;
  std::size_t start_ = 0;
  std::size_t start_line_end_ = 0;
  Refusal refusal_ = Refusal::none;
};

// Parses a complete head (as found by a HeadScanner, from start() on, empty line included) into
// `head`, whose views then point into `bytes`; the caller sets head.bytes to keep them alive. The
// result is Refusal::none, or why the head is refused; then `head` holds what was understood up to
// there (method, version), so that an answer can be framed.
//
// For a request this includes the target's form and the rules for Host (RFC 9112 section 3.2): a
// missing (HTTP/1.1), repeated or invalid one is refused; in absolute form the target's authority
// is the one that counts and Host is only checked for being single and valid.
[[nodiscard]] Refusal parse_request_head(std::string_view bytes, const HeadLimits& limits,
                                         RequestHead& head);
[[nodiscard]] Refusal parse_response_head(std::string_view bytes, const HeadLimits& limits,
                                          ResponseHead& head);
// Parses field lines up to and including the empty line, as in a trailer section.
[[nodiscard]] Refusal parse_fields(std::string_view bytes, const HeadLimits& limits,
                                   FieldSection& fields);

}  // namespace penstock::http1

#include <algorithm>

#include "http1/head_parser.h"
#include "message/characters.h"

namespace penstock::http1 {
namespace {

constexpr std::string_view kProtocol = "HTTP/";

}  // namespace

void HeadScanner::reset() { *this = HeadScanner(*limits_, kind_); }

Progress HeadScanner::refuse(Refusal refusal) {
  refusal_ = refusal;
  return Progress::refused;
}

// What the first bytes of the start line say already. Control bytes are left to the scan.
Refusal HeadScanner::check_start(std::string_view bytes) {
  if (kind_ == HeadKind::response) {
    const std::string_view begin = bytes.substr(start_, kProtocol.size());
    if (kProtocol.starts_with(begin)) return Refusal::none;
    const std::size_t differs =
        static_cast<std::size_t>(std::ranges::mismatch(begin, kProtocol).in1 - begin.begin());
    return has_class(begin[differs], characters::kControl) ? Refusal::none
                                                           : Refusal::version_malformed;
  }
  const char first = bytes[start_];
  if (is_token_char(first) || has_class(first, characters::kControl)) return Refusal::none;
  return is_whitespace(first) ? Refusal::request_line_malformed : Refusal::method_invalid;
}

Progress HeadScanner::scan(std::string_view bytes) {
  if (refusal_ != Refusal::none) return Progress::refused;
  // Bytes beyond the limit are not looked at, so that their arriving together with others or later
  // makes no difference.
  const std::string_view seen = bytes.substr(0, limits_->head);
  const char* const begin = seen.data();

  while (scanned_ < seen.size()) {
    const bool in_start_line = line_ == start_;
    std::size_t window = seen.size();
    if (in_start_line) {
      if (const Refusal refusal = check_start(seen); refusal != Refusal::none)
        return refuse(refusal);
      if (limits_->start_line < window - start_) window = start_ + limits_->start_line + 1;
    }
    const char* const found = find_control(begin + scanned_, begin + window);
    scanned_ = static_cast<std::size_t>(found - begin);
    if (scanned_ == window) {
      if (in_start_line && scanned_ - start_ > limits_->start_line) {
        return refuse(Refusal::start_line_too_long);
      }
      break;
    }
    if (*found != '\r') {
      return refuse(*found == '\n' ? Refusal::bare_lf : Refusal::control_byte);
    }
    if (scanned_ + 1 == seen.size()) break;
    if (found[1] != '\n') return refuse(Refusal::bare_cr);

    const bool empty = scanned_ == line_;
    scanned_ += 2;
    if (empty && !in_start_line) return Progress::done;
    line_ = scanned_;
    if (empty) {
      if (kind_ == HeadKind::response) return refuse(Refusal::status_line_malformed);
      if (scanned_ > 2 * kLeadingEmptyLines) return refuse(Refusal::request_line_malformed);
      start_ = scanned_;
    }
  }
  if (bytes.size() >= limits_->head) return refuse(Refusal::head_too_large);
  return Progress::need_more;
}

}  // namespace penstock::http1

#include "http1/chunk_decoder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "message/characters.h"

namespace penstock::http1 {
namespace {

// Sixteen digits are all a 64-bit number has; more are refused also when they are zeros, so that a
// line has an end.
constexpr std::uint8_t kDigitsMax = 16;
constexpr std::uint64_t kLargestChunk =
    static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

constexpr std::string_view kEmptyLine = "\r\n";

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::next(std::string_view input) {
  const std::size_t size = input.size();
  const auto step = [&](Event event, std::string_view data = {}) {
    return Step{event, size - input.size(), data};
  };
  if (state_ == State::failed) return step(Event::refused);
  if (state_ == State::done) return step(Event::end);

  while (!input.empty()) {
    Refusal refusal = Refusal::none;
    switch (state_) {
      case State::data:
        if (remaining_ > 0) {
          const std::string_view data = input.substr(0, std::min<std::uint64_t>(remaining_, size));
          remaining_ -= data.size();
          input.remove_prefix(data.size());
          return step(Event::data, data);
        }
        state_ = State::data_cr;
        [[fallthrough]];
      case State::data_cr:
      case State::data_lf:
        if (input.front() != (state_ == State::data_cr ? '\r' : '\n')) {
          refusal = Refusal::chunk_data_not_terminated;
          break;
        }
        input.remove_prefix(1);
        state_ = state_ == State::data_cr ? State::data_lf : State::size_start;
        break;
      case State::trailers:
        refusal = take_trailers(input);
        if (refusal == Refusal::none && state_ == State::done) return step(Event::end);
        break;
      default:
        refusal = take_line(input);
        break;
    }
    if (refusal != Refusal::none) {
      refusal_ = refusal;
      state_ = State::failed;
      return step(Event::refused);
    }
  }
  return step(Event::need_more);
}

Refusal ChunkDecoder::take_line(std::string_view& input) {
  while (!input.empty() && state_ < State::data) {
    if (const Refusal refusal = line_byte(input.front()); refusal != Refusal::none) return refusal;
    input.remove_prefix(1);
  }
  return Refusal::none;
}

// One byte of the line before the data: size, extensions, CRLF.
Refusal ChunkDecoder::line_byte(char c) {
  if (state_ == State::size_lf) {
    if (c != '\n') return Refusal::bare_cr;
    size_line_ended();
    return Refusal::none;
  }
  if (c == '\n') return Refusal::bare_lf;
  return state_ <= State::size ? size_byte(c) : extension_byte(c);
}

void ChunkDecoder::size_line_ended() {
  digits_ = 0;
  state_ = remaining_ == 0 ? State::trailers : State::data;
}

Refusal ChunkDecoder::size_byte(char c) {
  if (const int digit = hex_digit(c); digit >= 0) {
    if (++digits_ > kDigitsMax || remaining_ > kLargestChunk >> 4) {
      return Refusal::chunk_size_overflow;
    }
    remaining_ = remaining_ << 4 | static_cast<std::uint64_t>(digit);
    state_ = State::size;
    return Refusal::none;
  }
  if (state_ == State::size_start) return Refusal::chunk_size_malformed;
  if (c == '\r') {
    state_ = State::size_lf;
    return Refusal::none;
  }
  if (c != ';' && !is_whitespace(c)) return Refusal::chunk_size_malformed;
  return extension_byte(c);
}

// What may follow a size or a complete extension.
Refusal ChunkDecoder::extension_separator(char c) {
  if (c == ';') {
    state_ = State::ext_name_start;
  } else if (is_whitespace(c)) {
    state_ = State::before_ext;
  } else if (c == '\r' && state_ != State::before_ext) {
    state_ = State::size_lf;
  } else {
    return Refusal::chunk_extension_malformed;
  }
  return Refusal::none;
}

// A byte between the size and the line end.
Refusal ChunkDecoder::extension_byte(char c) {
  // The CR is not counted as one of the extension's bytes.
  if (c != '\r') {
    if (++extension_bytes_ > limits_->extensions) return Refusal::chunk_extension_too_long;
    // The size is known by now: of the last chunk it is 0.
    if (limits_->keep_last_extensions && remaining_ == 0) last_extensions_.push_back(c);
  }
  return extension_part(c);
}

// What may stand where in an extension.
Refusal ChunkDecoder::extension_part(char c) {
  constexpr Refusal kMalformed = Refusal::chunk_extension_malformed;
  switch (state_) {
    case State::ext_name_start:
      if (is_whitespace(c)) return Refusal::none;
      state_ = State::ext_name;
      return is_token_char(c) ? Refusal::none : kMalformed;
    case State::ext_name:
      if (is_token_char(c)) return Refusal::none;
      if (c == '=') {
        state_ = State::ext_value_start;
        return Refusal::none;
      }
      if (!is_whitespace(c)) return extension_separator(c);
      state_ = State::after_ext_name;
      return Refusal::none;
    case State::after_ext_name:
      if (is_whitespace(c)) return Refusal::none;
      if (c != '=' && c != ';') return kMalformed;
      state_ = c == '=' ? State::ext_value_start : State::ext_name_start;
      return Refusal::none;
    case State::ext_value_start:
      if (is_whitespace(c)) return Refusal::none;
      state_ = c == '"' ? State::ext_quoted : State::ext_token;
      return c == '"' || is_token_char(c) ? Refusal::none : kMalformed;
    case State::ext_token:
      return is_token_char(c) ? Refusal::none : extension_separator(c);
    case State::ext_quoted:
      if (has_class(c, characters::kControl)) return kMalformed;
      if (c == '\\') state_ = State::ext_escaped;
      if (c == '"') state_ = State::ext_quoted_end;
      return Refusal::none;
    case State::ext_escaped:
      state_ = State::ext_quoted;
      return has_class(c, characters::kControl) ? kMalformed : Refusal::none;
    default:
      return extension_separator(c);
  }
}

Refusal ChunkDecoder::take_trailers(std::string_view& input) {
  // The empty line that ends a body without trailer section fits any limit.
  const std::size_t limit = std::max(limits_->trailers.head, kEmptyLine.size());
  while (!input.empty()) {
    const std::size_t lf = input.find('\n');
    const std::string_view part = input.substr(0, lf == std::string_view::npos ? lf : lf + 1);
    if (part.size() > limit - trailer_text_.size()) return Refusal::trailer_too_large;
    trailer_text_.append(part);
    input.remove_prefix(part.size());
    if (lf == std::string_view::npos) return Refusal::none;
    if (!trailer_text_.ends_with(kEmptyLine)) return Refusal::bare_lf;
    if (trailer_text_.size() - trailer_line_ == kEmptyLine.size()) return trailers_ended();
    trailer_line_ = trailer_text_.size();
  }
  return Refusal::none;
}

Refusal ChunkDecoder::trailers_ended() {
  state_ = State::done;
  if (trailer_text_ == kEmptyLine) return Refusal::none;
  const std::string_view text = trailers_.keep(trailer_text_);
  trailer_text_ = {};
  switch (parse_fields(text, limits_->trailers, trailers_)) {
    case Refusal::none:
      return Refusal::none;
    case Refusal::head_too_large:
    case Refusal::too_many_fields:
      return Refusal::trailer_too_large;
    default:
      return Refusal::trailer_malformed;
  }
}

}  // namespace penstock::http1

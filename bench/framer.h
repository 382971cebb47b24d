// Finds where HTTP/1 messages end. For trusted programs on one machine: nothing is validated.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::bench {

// Follows one message at a time, in whatever pieces its bytes arrive.
class Framer {
 public:
  // Takes the bytes of the current message at the front of `data`; returns how many there are.
  // Stops at the end of the head, so that the caller can look at it before it goes on.
  std::size_t feed(std::string_view data);
  // Takes `n` bytes of a body with a length without looking at them; n <= body_left().
  void skip(std::size_t n);
  // Prepares for the next message. A message without body is the answer to a CONNECT.
  void next(bool bodiless = false);

  [[nodiscard]] bool done() const { return state_ == State::kDone; }
  [[nodiscard]] bool in_head() const { return state_ == State::kHead; }
  // What is missing of a body with a length; 0 anywhere else.
  [[nodiscard]] std::size_t body_left() const { return state_ == State::kLength ? left_ : 0; }
  // The bytes of bodies announced so far in this message.
  [[nodiscard]] std::uint64_t body_bytes() const { return body_bytes_; }
  // The whole head. Valid from the feed() that completed it while that data is there.
  [[nodiscard]] std::string_view head() const { return head_; }
  // The line "Connection: close" with its line end, inside head(); empty when there is none.
  [[nodiscard]] std::string_view close_line() const { return close_line_; }
  // The status of a response.
  [[nodiscard]] std::string_view status() const { return head_.substr(9, 3); }

 private:
  enum class State { kHead, kLength, kChunkSize, kChunkData, kTrailer, kDone };

  std::size_t feed_head(std::string_view data);
  std::size_t feed_body(std::string_view data);
  std::size_t feed_chunk_size(std::string_view data);
  std::size_t feed_trailer(std::string_view data);
  void head_complete();
  void read_field(std::string_view line);

  State state_ = State::kHead;
  bool bodiless_ = false;
  bool chunked_ = false;
  bool in_extension_ = false;    // of a chunk, after its size
  std::size_t left_ = 0;         // of a body with a length or of a chunk with its line end
  std::size_t line_length_ = 0;  // of the trailer line being read
  std::uint64_t body_bytes_ = 0;
  std::string partial_;  // a head that came in several pieces
  std::string_view head_;
  std::string_view close_line_;
};

inline constexpr std::string_view kHeadEnd = "\r\n\r\n";

// Whether the line starts with this, which is in lower case, whatever the case of the line.
inline bool is_field(std::string_view line, std::string_view start) {
  return line.size() > start.size() && std::ranges::equal(line.substr(0, start.size()), start, {},
                                                          [](char c) { return c | 0x20; });
}

inline std::size_t parse_length(std::string_view value) {
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  std::size_t length = 0;
  std::from_chars(value.data(), value.data() + value.size(), length);
  return length;
}

inline int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const int letter = (c | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

inline std::size_t Framer::feed(std::string_view data) {
  if (in_head()) return feed_head(data);
  std::size_t used = 0;
  while (used < data.size() && !done()) used += feed_body(data.substr(used));
  return used;
}

inline void Framer::skip(std::size_t n) {
  left_ -= n;
  if (left_ == 0) state_ = State::kDone;
}

inline void Framer::next(bool bodiless) {
  state_ = State::kHead;
  bodiless_ = bodiless;
  chunked_ = in_extension_ = false;
  left_ = line_length_ = 0;
  body_bytes_ = 0;
  partial_.clear();
  head_ = close_line_ = {};
}

inline std::size_t Framer::feed_head(std::string_view data) {
  if (partial_.empty()) {
    const std::size_t end = data.find(kHeadEnd);
    if (end == std::string_view::npos) {
      partial_ = data;
      return data.size();
    }
    head_ = data.substr(0, end + kHeadEnd.size());
    head_complete();
    return head_.size();
  }
  const std::size_t before = partial_.size();
  partial_ += data;
  const std::size_t end = partial_.find(kHeadEnd, before < 3 ? 0 : before - 3);
  if (end == std::string::npos) return data.size();
  partial_.resize(end + kHeadEnd.size());
  head_ = partial_;
  head_complete();
  return head_.size() - before;
}

inline void Framer::head_complete() {
  std::size_t start = head_.find('\n') + 1;
  while (start + 2 < head_.size()) {
    const std::size_t end = head_.find('\n', start) + 1;
    read_field(head_.substr(start, end - start));
    start = end;
  }
  if (bodiless_) {
    state_ = State::kDone;
  } else if (chunked_) {
    state_ = State::kChunkSize;
  } else {
    body_bytes_ = left_;
    state_ = left_ == 0 ? State::kDone : State::kLength;
  }
}

inline void Framer::read_field(std::string_view line) {
  const char first = static_cast<char>(line.front() | 0x20);
  if (first == 't') {
    if (is_field(line, "transfer-encoding:")) chunked_ = true;
  } else if (first == 'c') {
    constexpr std::string_view kLength = "content-length:";
    if (is_field(line, kLength)) left_ = parse_length(line.substr(kLength.size()));
    if (is_field(line, "connection: close")) close_line_ = line;
  }
}

inline std::size_t Framer::feed_body(std::string_view data) {
  switch (state_) {
    case State::kLength: {
      const std::size_t n = std::min(left_, data.size());
      skip(n);
      return n;
    }
    case State::kChunkData: {
      const std::size_t n = std::min(left_, data.size());
      left_ -= n;
      if (left_ == 0) state_ = State::kChunkSize;
      return n;
    }
    case State::kChunkSize:
      return feed_chunk_size(data);
    case State::kTrailer:
      return feed_trailer(data);
    case State::kHead:
    case State::kDone:
      break;
  }
  return 0;
}

inline std::size_t Framer::feed_chunk_size(std::string_view data) {
  std::size_t used = 0;
  while (used < data.size()) {
    const char c = data[used++];
    if (c == '\n') {
      body_bytes_ += left_;
      state_ = left_ == 0 ? State::kTrailer : State::kChunkData;
      if (left_ != 0) left_ += 2;  // The line end after the data.
      in_extension_ = false;
      break;
    }
    const int digit = hex_digit(c);
    if (digit < 0) in_extension_ = true;
    if (!in_extension_) left_ = left_ * 16 + static_cast<std::size_t>(digit);
  }
  return used;
}

inline std::size_t Framer::feed_trailer(std::string_view data) {
  std::size_t used = 0;
  while (used < data.size() && !done()) {
    const char c = data[used++];
    if (c == '\n') {
      if (line_length_ == 0) state_ = State::kDone;
      line_length_ = 0;
    } else if (c != '\r') {
      ++line_length_;
    }
  }
  return used;
}

}  // namespace penstock::bench

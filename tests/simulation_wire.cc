#include "tests/simulation_wire.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "async/sleep.h"

namespace penstock::simulation {
namespace {

constexpr std::size_t kMaxLine = 64 * 1024;
constexpr int kMaxExtensions = 50;  // of one body
constexpr Duration kLongestDawdle = std::chrono::milliseconds(500);

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::unexpected<Error> malformed() { return fail(ErrorKind::protocol); }

// The number a text consists of, to that base.
Result<std::uint64_t> to_number(std::string_view text, int base) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return malformed();
  return number;
}

bool split_words(std::string_view line, std::array<std::string, 3>& words) {
  const std::size_t first = line.find(' ');
  if (first == std::string_view::npos) return false;
  const std::size_t second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return false;
  words = {std::string(line.substr(0, first)),
           std::string(line.substr(first + 1, second - first - 1)),
           std::string(line.substr(second + 1))};
  return !words[0].empty() && !words[1].empty();
}

}  // namespace

std::string Head::value(std::string_view name) const {
  for (const auto& [field, value] : fields) {
    if (field == name) return value;
  }
  return {};
}

std::size_t Head::count(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(
      fields.begin(), fields.end(), [name](const auto& field) { return field.first == name; }));
}

bool Head::lists(std::string_view name, std::string_view item) const {
  for (const auto& [field, value] : fields) {
    if (field != name) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      if (lower(trim(rest.substr(0, comma))) == item) return true;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return false;
}

Result<BodyFraming> framing_of(const Head& head, Framing otherwise) {
  const std::size_t codings = head.count("transfer-encoding");
  const std::size_t lengths = head.count("content-length");
  if (codings + lengths > 1) return malformed();
  if (codings == 1) {
    if (lower(head.value("transfer-encoding")) != "chunked") return malformed();
    return BodyFraming{Framing::chunked, 0};
  }
  if (lengths == 0) return BodyFraming{otherwise, 0};
  const Result<std::uint64_t> length = to_number(head.value("content-length"), 10);
  if (!length) return fail(length.error());
  return BodyFraming{Framing::length, *length};
}

std::string encode_chunked(Random& random, std::string_view body, Token token) {
  const std::size_t largest = random.skewed(1, 20'000) + body.size() / 200;
  // Not so many that a recipient may refuse them (RFC 9112 section 7.1.1).
  int extensions = random.chance(0.2) ? kMaxExtensions : 0;
  std::string text;
  while (!body.empty()) {
    const std::size_t size = std::min<std::size_t>(body.size(), random.between(1, largest));
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), size, 16).ptr;
    if (random.chance(0.1)) text += "00";
    text.append(digits.data(), end);
    if (extensions > 0 && random.chance(0.5)) {
      text += R"(;a=b;quoted="x;\"y\"")";
      --extensions;
    }
    text += "\r\n";
    text += body.substr(0, size);
    text += "\r\n";
    body.remove_prefix(size);
  }
  text += "0\r\n";
  if (random.chance(0.3)) text += "X-Trailer-Token: " + to_text(token) + "\r\n";
  return text + "\r\n";
}

// ---- Reading.

void Wire::give(InputBuffer& input) {
  buffer_ += input.unread();
  input.consume(input.size());
}

Task<Result<void>> Wire::fill(Duration patience) {
  const TaskContext& context = co_await this_context();
  if (dawdles_.left > 0 && random_->chance(dawdles_.chance)) {
    --dawdles_.left;
    const Duration pause = random_->between(Duration{}, kLongestDawdle);
    if (!co_await sleep_until(context.executor().now() + pause))
      co_return fail(ErrorKind::cancelled);
  }
  InputBuffer input;
  const TimePoint deadline = deadline_after(context.executor().now(), patience);
  const Result<std::size_t> got = co_await read_some(*stream_, input, deadline);
  if (!got) co_return fail(got.error());
  if (*got == 0) co_return fail(ErrorKind::closed);
  buffer_.erase(0, begin_);
  used_ += std::exchange(begin_, 0);
  buffer_ += input.unread();
  input.consume(input.size());
  co_return Result<void>{};
}

Task<Result<std::string>> Wire::read_line(Duration patience) {
  std::size_t looked = 0;
  while (true) {
    if (begin_ < buffer_.size()) begun_ = true;
    const std::size_t end = buffer_.find('\n', begin_ + looked);
    if (end != std::string::npos) {
      const std::string line = buffer_.substr(begin_, end - begin_);
      begin_ = end + 1;
      if (!line.ends_with('\r')) co_return malformed();
      co_return line.substr(0, line.size() - 1);
    }
    looked = buffer_.size() - begin_;
    if (looked > kMaxLine) co_return malformed();
    const Result<void> filled = co_await fill(begun_ ? patience_ : patience);
    if (!filled) co_return fail(filled.error());
  }
}

Task<Result<void>> Wire::read_fields(Head& head) {
  while (true) {
    const Result<std::string> line = co_await read_line(patience_);
    if (!line) co_return fail(line.error());
    if (line->empty()) co_return Result<void>{};
    const std::size_t colon = line->find(':');
    if (colon == std::string::npos || colon == 0) co_return malformed();
    const std::string_view name = std::string_view(*line).substr(0, colon);
    if (name.find_first_of(" \t") != std::string_view::npos) co_return malformed();
    head.fields.emplace_back(lower(name), trim(std::string_view(*line).substr(colon + 1)));
  }
}

Task<Result<Head>> Wire::read_head(Duration first_byte_patience) {
  begun_ = false;
  Head head;
  const Result<std::string> line = co_await read_line(first_byte_patience);
  if (!line) co_return fail(line.error());
  if (!split_words(*line, head.line)) co_return malformed();
  const Result<void> fields = co_await read_fields(head);
  if (!fields) co_return fail(fields.error());
  co_return head;
}

Task<Result<void>> Wire::read_counted(std::uint64_t length, BodyCheck& check) {
  while (length > 0) {
    if (begin_ == buffer_.size()) {
      const Result<void> filled = co_await fill(patience_);
      if (!filled) co_return fail(filled.error());
    }
    const std::size_t n = std::min<std::size_t>(length, buffer_.size() - begin_);
    check.feed(std::string_view(buffer_).substr(begin_, n));
    begin_ += n;
    length -= n;
  }
  co_return Result<void>{};
}

Task<Result<void>> Wire::read_chunks(BodyCheck& check, Head& head) {
  while (true) {
    const Result<std::string> line = co_await read_line(patience_);
    if (!line) co_return fail(line.error());
    const Result<std::uint64_t> size = to_number(line->substr(0, line->find(';')), 16);
    if (!size) co_return fail(size.error());
    if (*size == 0) {
      last_extensions_ = line->substr(std::min(line->find(';'), line->size()));
      co_return co_await read_fields(head);
    }
    const Result<void> data = co_await read_counted(*size, check);
    if (!data) co_return fail(data.error());
    const Result<std::string> end = co_await read_line(patience_);
    if (!end) co_return fail(end.error());
    if (!end->empty()) co_return malformed();
  }
}

Task<Result<void>> Wire::read_body(BodyFraming framing, BodyCheck& check, Head& head) {
  if (framing.framing == Framing::length) co_return co_await read_counted(framing.length, check);
  if (framing.framing == Framing::chunked) co_return co_await read_chunks(check, head);
  if (framing.framing == Framing::none) co_return Result<void>{};
  while (true) {
    const std::uint64_t there = buffer_.size() - begin_;
    const Result<void> taken = co_await read_counted(there, check);
    const Result<void> filled = co_await fill(patience_);
    if (!filled && filled.error().kind == ErrorKind::closed) co_return taken;
    if (!filled) co_return fail(filled.error());
  }
}

Task<std::uint64_t> Wire::drain(Duration limit) {
  const TaskContext& context = co_await this_context();
  const TimePoint end = deadline_after(context.executor().now(), limit);
  std::uint64_t bytes = buffer_.size() - begin_;
  begin_ = buffer_.size();
  while (context.executor().now() < end) {
    const Result<void> filled = co_await fill(end - context.executor().now());
    if (!filled) break;
    bytes += buffer_.size() - begin_;
    begin_ = buffer_.size();
  }
  co_return bytes;
}

// ---- Writing.

Task<Result<void>> Wire::write(std::string_view bytes) {
  const TaskContext& context = co_await this_context();
  const bool in_pieces = bytes.size() > 1 && random_->chance(0.2);
  while (!bytes.empty()) {
    const std::size_t n = in_pieces ? random_->skewed(1, bytes.size()) : bytes.size();
    std::array<iovec, 1> parts = {to_iovec(bytes.substr(0, n))};
    const Result<std::size_t> done =
        co_await write_all(*stream_, parts, context.executor().now(), patience_);
    if (!done) co_return fail(done.error());
    bytes.remove_prefix(n);
    if (bytes.empty() || !random_->chance(0.5)) continue;
    const Duration pause = random_->between(Duration{}, std::chrono::milliseconds(50));
    if (!co_await sleep_until(context.executor().now() + pause))
      co_return fail(ErrorKind::cancelled);
  }
  co_return Result<void>{};
}

}  // namespace penstock::simulation

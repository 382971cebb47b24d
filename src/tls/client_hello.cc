#include "tls/client_hello.h"

#include <algorithm>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kRecordHeader = 5;
constexpr std::size_t kMessageHeader = 4;
constexpr std::size_t kMaxFragment = 16 * 1024;
constexpr std::uint8_t kHandshakeRecord = 22;
constexpr std::uint8_t kClientHelloMessage = 1;
constexpr std::uint16_t kServerNameExtension = 0;
constexpr std::uint16_t kAlpnExtension = 16;
constexpr std::size_t kMaxName = 253;
constexpr std::size_t kMaxLabel = 63;

// Takes parts from the front. One that is not there as a whole makes it bad, and all that follow
// empty.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  // Bad unless there is something left: for what can't be empty.
  void expect_more() { good_ = good_ && !at_end(); }
  // Good, and nothing is left over.
  [[nodiscard]] bool complete() const { return good_ && at_end(); }

  std::string_view take(std::size_t n) {
    if (n > bytes_.size()) {
      good_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view part = bytes_.substr(0, n);
    bytes_.remove_prefix(n);
    return part;
  }
  std::size_t number(std::size_t size) {
    std::size_t value = 0;
    for (const char c : take(size)) value = value << 8U | static_cast<std::uint8_t>(c);
    return value;
  }
  // What stands behind its length, a number of `size` bytes.
  std::string_view vector(std::size_t size) { return take(number(size)); }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_host_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxName) return false;
  std::size_t label = 0;
  for (const char c : name) {
    if (c == '.' ? label == 0 : !is_host_byte(c)) return false;
    label = c == '.' ? 0 : label + 1;
    if (label > kMaxLabel) return false;
  }
  return label > 0;
}

bool read_alpn(std::string_view extension, std::vector<std::string>& into) {
  Reader outer(extension);
  Reader list(outer.vector(2));
  list.expect_more();
  while (list.good() && !list.at_end()) {
    const std::string_view protocol = list.vector(1);
    if (protocol.empty()) return false;
    into.emplace_back(protocol);
  }
  return list.good() && outer.complete();
}

bool read_extension(std::size_t type, std::string_view content, ClientHello& hello) {
  if (type == kAlpnExtension) return hello.alpn.empty() && read_alpn(content, hello.alpn);
  if (type != kServerNameExtension) return true;
  auto name = read_server_name(content);
  if (!name || !hello.server_name.empty()) return false;
  hello.server_name = std::move(*name);
  return true;
}

bool read_message(std::string_view message, ClientHello& hello) {
  Reader reader(message);
  if (reader.number(1) != 3) return false;  // of the version; TLS 1.3 says 3.3 too
  reader.take(1 + 32);                      // the rest of it, random
  const std::string_view session = reader.vector(1);
  const std::string_view ciphers = reader.vector(2);
  const std::string_view compressions = reader.vector(1);
  if (!reader.good() || session.size() > 32 || compressions.empty()) return false;
  if (ciphers.empty() || ciphers.size() % 2 != 0) return false;
  if (reader.at_end()) return true;  // TLS 1.2 without extensions
  Reader extensions(reader.vector(2));
  if (!reader.complete()) return false;
  while (extensions.good() && !extensions.at_end()) {
    const std::size_t type = extensions.number(2);
    const std::string_view content = extensions.vector(2);
    if (!extensions.good() || !read_extension(type, content, hello)) return false;
  }
  return extensions.good();
}

HelloLook need(std::size_t wanted) {
  if (wanted > kMaxClientHello) return {};
  return {.outcome = HelloOutcome::need_more, .wanted = wanted, .hello = {}};
}

// The handshake messages that several records carry, as one text; only when needed.
class Fragments {
 public:
  void add(std::string_view fragment) {
    if (first_.empty()) {
      first_ = fragment;
      return;
    }
    if (all_.empty()) all_ = first_;
    all_ += fragment;
  }
  [[nodiscard]] std::string_view bytes() const { return all_.empty() ? first_ : all_; }

 private:
  std::string_view first_;
  std::string all_;
};

// Type, version and length of a record, or as much of them as is there.
bool may_be_record(std::string_view header) {
  Reader reader(header);
  if (!reader.at_end() && reader.number(1) != kHandshakeRecord) return false;
  return reader.at_end() || reader.number(1) == 3;
}

}  // namespace

std::optional<std::string> as_server_name(std::string_view text) {
  std::string name(text);
  std::ranges::transform(name, name.begin(), lower);
  if (name.ends_with('.')) name.pop_back();  // against the rules, but there is no doubt about it
  if (!is_host_name(name)) return std::nullopt;
  return name;
}

std::optional<std::string> read_server_name(std::string_view extension) {
  Reader outer(extension);
  Reader list(outer.vector(2));
  // There may be but one name of each type, and no type other than host_name was ever defined.
  const std::size_t type = list.number(1);
  const std::string_view name = list.vector(2);
  if (!list.complete() || !outer.complete() || type != 0) return std::nullopt;
  return as_server_name(name);
}

HelloLook look_at_client_hello(std::string_view bytes) {
  Fragments fragments;
  std::size_t message_end = kMessageHeader;  // as far as it is known
  std::size_t at = 0;
  while (true) {
    const std::string_view rest = bytes.substr(at);
    if (!may_be_record(rest.substr(0, kRecordHeader))) return {};
    const std::size_t missing = message_end - fragments.bytes().size();
    if (rest.size() < kRecordHeader) return need(at + kRecordHeader + missing);
    const std::size_t length = Reader(rest.substr(3, 2)).number(2);
    if (length == 0 || length > kMaxFragment) return {};
    const std::string_view fragment = rest.substr(kRecordHeader, length);
    fragments.add(fragment);
    const std::string_view message = fragments.bytes();
    if (!message.empty() && static_cast<std::uint8_t>(message[0]) != kClientHelloMessage) return {};
    if (message.size() >= kMessageHeader) {
      message_end = kMessageHeader + Reader(message.substr(1, 3)).number(3);
    }
    at += kRecordHeader + fragment.size();
    if (message.size() >= kMessageHeader && message.size() >= message_end) break;
    const std::size_t still = message_end - message.size();
    // The next record's header comes in between if this one does not have it all.
    const std::size_t in_this = length - fragment.size();
    if (in_this > 0) return need(at + still + (still > in_this ? kRecordHeader : 0));
    if (at + kRecordHeader + still > kMaxClientHello) return {};
  }
  HelloLook look;
  const std::string_view body =
      fragments.bytes().substr(kMessageHeader, message_end - kMessageHeader);
  if (read_message(body, look.hello)) {
    look.outcome = HelloOutcome::found;
  } else {
    look.hello = {};
  }
  return look;
}

Task<Result<HelloLook>> peek_client_hello(ByteStream& stream, InputBuffer& input,
                                          TimePoint deadline) {
  while (true) {
    HelloLook look = look_at_client_hello(input.unread());
    if (look.outcome != HelloOutcome::need_more) co_return look;
    while (input.size() < look.wanted) {
      input.expect(look.wanted);
      const auto got = co_await read_some(stream, input, deadline);
      if (!got) co_return fail(got.error());
      if (*got == 0) co_return fail(ErrorKind::closed);
    }
  }
}

}  // namespace penstock

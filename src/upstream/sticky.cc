#include "upstream/sticky.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "message/characters.h"

namespace penstock {
namespace {

constexpr std::string_view kBetweenPairs = "; ";

// Takes the next pair off the front of a Cookie field's value.
std::string_view take_pair(std::string_view& rest) {
  const std::size_t end = std::min(rest.find(';'), rest.size());
  const std::string_view pair = trim_whitespace(rest.substr(0, end));
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return pair;
}

// The value of a pair if it has that name.
std::optional<std::string_view> value_if_named(std::string_view pair, std::string_view name) {
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  if (trim_whitespace(pair.substr(0, equals)) != name) return std::nullopt;
  std::string_view value = trim_whitespace(pair.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
    value = value.substr(1, value.size() - 2);
  }
  return value;
}

// Calls f(pair) for each pair that is not empty in all Cookie lines, as long as it returns true.
template <class F>
void for_each_pair(const FieldSection& fields, F f) {
  if (!fields.has(FieldId::cookie)) return;
  for (const Field& field : fields) {
    if (field.id != FieldId::cookie) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::string_view pair = take_pair(rest);
      if (!pair.empty() && !f(pair)) return;
    }
  }
}

class Writer {
 public:
  explicit Writer(char* at) : begin_(at), at_(at) {}

  void add(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  [[nodiscard]] bool empty() const { return at_ == begin_; }
  [[nodiscard]] std::string_view text() const {
    return {begin_, static_cast<std::size_t>(at_ - begin_)};
  }

 private:
  char* begin_;
  char* at_;
};

}  // namespace

StickyId make_sticky_id(const HashKey& key, std::string_view identity) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::uint64_t hash = keyed_hash(key, identity);
  StickyId id;
  for (char& digit : id) {
    digit = kDigits[hash >> 60];
    hash <<= 4;
  }
  return id;
}

std::optional<std::size_t> find_sticky_member(std::span<const StickyId> ids,
                                              std::string_view value) {
  const auto found = std::ranges::find(ids, value, text_of);
  if (found == ids.end()) return std::nullopt;
  return static_cast<std::size_t>(found - ids.begin());
}

std::optional<std::string_view> find_cookie(const FieldSection& fields, std::string_view name) {
  std::optional<std::string_view> value;
  for_each_pair(fields, [&](std::string_view pair) {
    value = value_if_named(pair, name);
    return !value;
  });
  return value;
}

bool remove_cookie(FieldSection& fields, std::string_view name) {
  bool found = false;
  std::size_t size = 0;
  for_each_pair(fields, [&](std::string_view pair) {
    const bool named = value_if_named(pair, name).has_value();
    found = found || named;
    if (!named) size += pair.size() + kBetweenPairs.size();
    return true;
  });
  if (!found) return false;
  Writer writer(fields.arena().allocate(size));
  for_each_pair(fields, [&](std::string_view pair) {
    if (value_if_named(pair, name)) return true;
    if (!writer.empty()) writer.add(kBetweenPairs);
    writer.add(pair);
    return true;
  });
  if (writer.empty()) {
    fields.remove(FieldId::cookie);
  } else {
    fields.set(FieldId::cookie, writer.text());
  }
  return true;
}

std::string_view set_cookie_value(Arena& arena, const StickyCookie& cookie) {
  constexpr std::string_view kAttributes = "; Path=/; HttpOnly; SameSite=Lax";
  constexpr std::string_view kSecure = "; Secure";
  constexpr std::string_view kMaxAge = "; Max-Age=";
  std::array<char, 20> digits;
  std::string_view age;
  if (cookie.max_age > std::chrono::seconds(0)) {
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), cookie.max_age.count());
    age = {digits.data(), static_cast<std::size_t>(end.ptr - digits.data())};
  }
  Writer writer(arena.allocate(cookie.name.size() + 1 + cookie.id.size() + kAttributes.size() +
                               kSecure.size() + kMaxAge.size() + age.size()));
  writer.add(cookie.name);
  writer.add("=");
  writer.add(cookie.id);
  writer.add(kAttributes);
  if (!age.empty()) {
    writer.add(kMaxAge);
    writer.add(age);
  }
  if (cookie.secure) writer.add(kSecure);
  return writer.text();
}

}  // namespace penstock

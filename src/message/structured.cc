#include "message/structured.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "message/characters.h"

namespace penstock::structured {
namespace {

constexpr std::int64_t kMaxInteger = 999'999'999'999'999;

constexpr bool is_alpha(char c) { return has_class(c, characters::kAlpha); }
constexpr bool is_lower_alpha(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool is_printable(char c) { return c >= 0x20 && c <= 0x7e; }
constexpr bool begins_key(char c) { return is_lower_alpha(c) || c == '*'; }
constexpr bool is_key_char(char c) {
  return begins_key(c) || is_digit(c) || c == '_' || c == '-' || c == '.';
}
constexpr bool begins_token(char c) { return is_alpha(c) || c == '*'; }
constexpr bool is_token_rest(char c) { return is_token_char(c) || c == ':' || c == '/'; }

int lower_hex(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Whether octets that come one by one are UTF-8 (RFC 3629).
class Utf8Check {
 public:
  // False for an octet that can't come here.
  bool add(unsigned octet) {
    if (left_ == 0) return begin(octet);
    if (octet < low_ || octet > high_) return false;
    low_ = 0x80;
    high_ = 0xbf;
    --left_;
    return true;
  }
  [[nodiscard]] bool complete() const { return left_ == 0; }

 private:
  bool begin(unsigned octet) {
    if (octet < 0x80) return true;
    if (octet < 0xc2 || octet > 0xf4) return false;
    left_ = octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
    // No longer forms than needed, no surrogates, nothing above U+10FFFF.
    if (octet == 0xe0) low_ = 0xa0;
    if (octet == 0xed) high_ = 0x9f;
    if (octet == 0xf0) low_ = 0x90;
    if (octet == 0xf4) high_ = 0x8f;
    return true;
  }

  int left_ = 0;
  unsigned low_ = 0x80;
  unsigned high_ = 0xbf;
};

// Base64 with its padding, or without.
bool is_base64(std::string_view text) {
  std::size_t padding = 0;
  while (padding < 2 && text.ends_with('=')) {
    text.remove_suffix(1);
    ++padding;
  }
  const auto is_digit64 = [](char c) { return is_alpha(c) || is_digit(c) || c == '+' || c == '/'; };
  if (!std::ranges::all_of(text, is_digit64) || text.size() % 4 == 1) return false;
  return padding == 0 || (text.size() + padding) % 4 == 0;
}

// Takes what it reads off the front of a text, which may be invalid. Functions say false where it
// is; what they leave then means nothing.
class Parser {
 public:
  explicit Parser(std::string_view& rest) : rest_(rest) {}

  bool member(Kind kind, Member& member) {
    member = Member{};
    if (kind == Kind::list) return item_or_inner_list(member);
    if (!key(member.key)) return false;
    if (skip('=')) return item_or_inner_list(member);
    return parameters(member.item.parameters);  // the value is true
  }

  bool item(Item& item) {
    item = Item{};
    return value(item.value) && parameters(item.parameters);
  }

  // ";key=value;key", of which the first has this key and value. For valid text, as long as there
  // is some.
  void parameter(std::string_view& name, Value& content) {
    skip(';');
    skip_spaces();
    content = Value{};
    if (key(name) && skip('=')) static_cast<void>(value(content));
  }

  bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void skip_spaces() {
    while (skip(' ')) continue;
  }
  void skip_whitespace() {
    while (skip(' ') || skip('\t')) continue;
  }

 private:
  [[nodiscard]] char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view take(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(taken.size());
    return taken;
  }
  template <class Predicate>
  std::string_view take_while(Predicate predicate) {
    const auto end = std::ranges::find_if_not(rest_, predicate);
    return take(static_cast<std::size_t>(end - rest_.begin()));
  }

  bool item_or_inner_list(Member& member) {
    if (!skip('(')) return item(member.item);
    member.is_inner_list = true;
    return inner_list(member.inner_list) && parameters(member.item.parameters);
  }

  bool inner_list(std::string_view& inside) {
    const std::string_view from_here = rest_;
    while (true) {
      skip_spaces();
      if (next() == ')') break;
      Item item;
      if (!this->item(item) || (next() != ' ' && next() != ')')) return false;
    }
    inside = from_here.substr(0, from_here.size() - rest_.size());
    return skip(')');
  }

  bool parameters(Parameters& parameters) {
    const std::string_view from_here = rest_;
    while (skip(';')) {
      skip_spaces();
      std::string_view name;
      Value content;
      if (!key(name) || (skip('=') && !value(content))) return false;
    }
    parameters = Parameters(from_here.substr(0, from_here.size() - rest_.size()));
    return true;
  }

  bool key(std::string_view& name) {
    if (!begins_key(next())) return false;
    name = take_while(is_key_char);
    return true;
  }

  bool value(Value& value) {
    const char c = next();
    if (c == '-' || is_digit(c)) return number(value);
    if (begins_token(c)) {
      value.type = Type::token;
      value.text = take_while(is_token_rest);
      return true;
    }
    if (skip('"')) return string(value);
    if (skip(':')) return bytes(value);
    if (skip('?')) return boolean(value);
    if (skip('@')) {
      if (!number(value) || value.type != Type::integer) return false;
      value.type = Type::date;
      return true;
    }
    return skip('%') && skip('"') && display_string(value);
  }

  bool number(Value& value) {
    const bool negative = skip('-');
    const std::string_view whole = take_while(is_digit);
    value.type = Type::integer;
    if (whole.empty() || whole.size() > 15) return false;
    value.number = 0;
    for (const char c : whole) value.number = value.number * 10 + (c - '0');
    if (skip('.')) {
      const std::string_view part = take_while(is_digit);
      value.type = Type::decimal;
      if (whole.size() > 12 || part.empty() || part.size() > 3) return false;
      for (std::size_t i = 0; i < 3; ++i) {
        value.number = value.number * 10 + (i < part.size() ? part[i] - '0' : 0);
      }
    }
    if (negative) value.number = -value.number;
    return true;
  }

  bool string(Value& value) {
    value.type = Type::string;
    for (std::size_t at = 0; at < rest_.size(); ++at) {
      const char c = rest_[at];
      if (c == '"') {
        value.text = take(at);
        return skip('"');
      }
      if (!is_printable(c)) return false;
      if (c != '\\') continue;
      value.escaped = true;
      ++at;
      if (at == rest_.size() || (rest_[at] != '"' && rest_[at] != '\\')) return false;
    }
    return false;  // not closed
  }

  bool bytes(Value& value) {
    value.type = Type::bytes;
    value.text = take_while([](char c) { return c != ':'; });
    return skip(':') && is_base64(value.text);
  }

  bool boolean(Value& value) {
    value.type = Type::boolean;
    value.number = next() == '1' ? 1 : 0;
    return skip('0') || skip('1');
  }

  bool display_string(Value& value) {
    value.type = Type::display_string;
    Utf8Check utf8;
    for (std::size_t at = 0; at < rest_.size(); ++at) {
      const char c = rest_[at];
      if (c == '"') {
        value.text = take(at);
        return skip('"') && utf8.complete();
      }
      if (!is_printable(c)) return false;
      unsigned octet = static_cast<unsigned char>(c);
      if (c == '%') {
        if (rest_.size() - at < 3) return false;
        const int high = lower_hex(rest_[at + 1]);
        const int low = lower_hex(rest_[at + 2]);
        if (high < 0 || low < 0) return false;
        octet = static_cast<unsigned>(high * 16 + low);
        at += 2;
      }
      if (!utf8.add(octet)) return false;
    }
    return false;  // not closed
  }

  std::string_view& rest_;
};

bool is_of(const Field& field, FieldId id, std::string_view name) {
  return field.id == id && (id != FieldId::other || equals_ignoring_case(field.name, name));
}

}  // namespace

std::string unescaped(const Value& string) {
  std::string text;
  text.reserve(string.text.size());
  for (std::size_t at = 0; at < string.text.size(); ++at) {
    if (string.escaped && string.text[at] == '\\' && at + 1 < string.text.size()) ++at;
    text.push_back(string.text[at]);
  }
  return text;
}

std::optional<Value> Parameters::find(std::string_view key) const {
  std::optional<Value> found;
  std::string_view rest = text_;
  Parser parser(rest);
  while (!rest.empty()) {
    std::string_view name;
    Value value;
    parser.parameter(name, value);
    if (name == key) found = value;
  }
  return found;
}

bool next_item(std::string_view& inner_list, Item& item) {
  Parser parser(inner_list);
  parser.skip_spaces();
  return !inner_list.empty() && parser.item(item);
}

bool is_valid(Kind kind, std::string_view line) {
  if (line.size() > kMaxLine) return false;
  Parser parser(line);
  parser.skip_spaces();
  if (line.empty()) return true;
  while (true) {
    Member member;
    if (!parser.member(kind, member)) return false;
    parser.skip_whitespace();
    if (line.empty()) return true;
    if (!parser.skip(',')) return false;
    parser.skip_whitespace();
  }
}

bool next_member(Kind kind, std::string_view& line, Member& member) {
  Parser parser(line);
  parser.skip_whitespace();
  if (line.empty() || !parser.member(kind, member)) return false;
  parser.skip_whitespace();
  parser.skip(',');
  return true;
}

std::optional<Item> parse_item(std::string_view line) {
  if (line.size() > kMaxLine) return std::nullopt;
  Parser parser(line);
  parser.skip_spaces();
  Item item;
  if (!parser.item(item)) return std::nullopt;
  parser.skip_spaces();
  if (!line.empty()) return std::nullopt;
  return item;
}

Presence presence(Kind kind, const FieldSection& fields, std::string_view name) {
  const FieldId id = field_id(name);
  std::size_t lines = 0;
  std::size_t empty = 0;
  for (const Field& field : fields) {
    if (!is_of(field, id, name)) continue;
    ++lines;
    if (trim_whitespace(field.value).empty()) ++empty;
    if (!is_valid(kind, field.value)) return Presence::invalid;
  }
  if (lines == 0) return Presence::absent;
  if (empty == 0) return Presence::present;
  // Joined, an empty line leaves a comma that has nothing on one side.
  return lines == 1 ? Presence::empty : Presence::invalid;
}

bool is_token(std::string_view text) {
  return !text.empty() && begins_token(text.front()) && std::ranges::all_of(text, is_token_rest);
}

bool is_key(std::string_view text) {
  return !text.empty() && begins_key(text.front()) && std::ranges::all_of(text, is_key_char);
}

bool is_string(std::string_view text) { return std::ranges::all_of(text, is_printable); }

void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(is_printable(c) ? c : '?');
  }
  out.push_back('"');
}

void append_token_or_string(std::string& out, std::string_view text) {
  if (is_token(text)) {
    out.append(text);
  } else {
    append_string(out, text);
  }
}

void append_integer(std::string& out, std::int64_t number) {
  out.append(std::to_string(std::clamp(number, -kMaxInteger, kMaxInteger)));
}

}  // namespace penstock::structured

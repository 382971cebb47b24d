// Structured fields (RFC 9651, which includes RFC 8941): lists, dictionaries and items.
//
// Parsing is strict: a field is valid as a whole, or nothing of it counts. It takes no memory: what
// it gives are views into the field's lines, valid as long as these. A field of several lines is
// one value, joined by commas (section 4.2); only a string that is cut by the end of its line,
// which the standard leaves open, is not put together again, and makes the field invalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "message/fields.h"

namespace penstock::structured {

// A line that is longer is not valid.
inline constexpr std::size_t kMaxLine = 32UL * 1024;

enum class Type : std::uint8_t {
  integer,         // number: -999,999,999,999,999 to 999,999,999,999,999
  decimal,         // number: in thousandths
  string,          // text: between the quotes, escapes as written; see unescaped()
  token,           // text
  bytes,           // text: the Base64 between the colons; see from_base64() in message/base64.h
  boolean,         // number: 0 or 1
  date,            // number: seconds since 1970
  display_string,  // text: between the quotes, percent-encoded as written; valid UTF-8 when decoded
};

// A bare item (section 3.3).
struct Value {
  Type type = Type::boolean;
  bool escaped = false;  // a string with escapes in it
  std::int64_t number = 1;
  std::string_view text;

  [[nodiscard]] bool is_true() const { return type == Type::boolean && number != 0; }
};

// The text of a string with its escapes undone.
[[nodiscard]] std::string unescaped(const Value& string);

// The parameters of an item, inner list or member (section 3.1.2), of valid text.
class Parameters {
 public:
  Parameters() = default;
  explicit Parameters(std::string_view text) : text_(text) {}

  [[nodiscard]] bool empty() const { return text_.empty(); }
  // The value of that key; of several the last.
  [[nodiscard]] std::optional<Value> find(std::string_view key) const;
  // As written, with the ";" before each.
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

struct Item {
  Value value;
  Parameters parameters;
};

// A member of a list or of a dictionary: an item, or an inner list of items.
struct Member {
  std::string_view key;  // of a dictionary
  bool is_inner_list = false;
  Item item;                    // if it is not an inner list; of both the parameters
  std::string_view inner_list;  // between the parentheses; see next_item()
};

// Takes the first item off the text of an inner list; false when there is none left.
[[nodiscard]] bool next_item(std::string_view& inner_list, Item& item);

enum class Kind : std::uint8_t { list, dictionary };

// Whether one line is a valid list or dictionary; so is an empty one.
[[nodiscard]] bool is_valid(Kind kind, std::string_view line);
// Takes the first member off a valid line; false when there is none left.
[[nodiscard]] bool next_member(Kind kind, std::string_view& line, Member& member);

// The item that a line is (section 4.2, for fields that are one item).
[[nodiscard]] std::optional<Item> parse_item(std::string_view line);

enum class Presence : std::uint8_t { absent, invalid, empty, present };

// What there is of the field of that name, all its lines.
[[nodiscard]] Presence presence(Kind kind, const FieldSection& fields, std::string_view name);

// Calls f(const Member&) for each member of a valid field, in the order written, and says what
// presence() says; where that is not `present`, there are no calls. A dictionary may have a key
// more than once: the last one counts, so that whoever stores values by key overwrites.
template <class F>
Presence for_each_member(Kind kind, const FieldSection& fields, std::string_view name, F f) {
  const Presence found = presence(kind, fields, name);
  if (found != Presence::present) return found;
  const FieldId id = field_id(name);
  for (const Field& field : fields) {
    if (field.id != id || (id == FieldId::other && !equals_ignoring_case(field.name, name))) {
      continue;
    }
    std::string_view line = field.value;
    for (Member member; next_member(kind, line, member);) f(member);
  }
  return found;
}

// --- Writing (section 4.1) ---

// Whether the text can be written as it is: as a token, as a key.
[[nodiscard]] bool is_token(std::string_view text);
[[nodiscard]] bool is_key(std::string_view text);
// Whether the text can be a string: printable ASCII.
[[nodiscard]] bool is_string(std::string_view text);

// Appends `text` as a string. Characters that a string can't have become "?".
void append_string(std::string& out, std::string_view text);
// Appends `text` as a token if it is one, else as a string.
void append_token_or_string(std::string& out, std::string_view text);
// Appends an integer; what is out of range becomes the nearest one that is in it.
void append_integer(std::string& out, std::int64_t number);

}  // namespace penstock::structured

#include "message/challenge.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "message/characters.h"

namespace penstock {
namespace {

bool has_control(std::string_view text) {
  const char* const end = text.data() + text.size();
  return find_control(text.data(), end) != end;
}

bool is_token68_char(char c) {
  using namespace characters;
  return has_class(c, kAlpha | kDigit) || std::string_view("-._~+/").contains(c);
}

// Reads one line from front to back.
class Reader {
 public:
  Reader(std::string_view line, Arena& text) : rest_(line), text_(&text) {}

  // Goes to the next list element that is not empty; false when there is none.
  bool next_element() {
    while (!rest_.empty() && (is_whitespace(rest_.front()) || rest_.front() == ',')) {
      rest_.remove_prefix(1);
    }
    return !rest_.empty();
  }
  // True when nothing but white space is left of the element.
  bool at_element_end() {
    skip_whitespace();
    return rest_.empty() || rest_.front() == ',';
  }
  // Goes to the comma that ends the element.
  void skip_element() {
    bool quoted = false;
    std::size_t at = 0;
    for (; at < rest_.size() && (quoted || rest_[at] != ','); ++at) {
      if (rest_[at] == '"') quoted = !quoted;
      if (quoted && rest_[at] == '\\') ++at;
    }
    take(at);
  }

  // Empty when there is none.
  std::string_view token() { return take_while(is_token_char); }
  // White space, and true when there was some.
  bool skip_whitespace() { return !take_while(is_whitespace).empty(); }
  // "=" with the white space around it (BWS), or nothing.
  bool skip_equals() {
    const std::string_view before = rest_;
    skip_whitespace();
    if (rest_.empty() || rest_.front() != '=') {
      rest_ = before;
      return false;
    }
    take(1);
    skip_whitespace();
    return true;
  }
  // A token68 that is all there is of the element, else nothing and the place stays.
  std::string_view token68() {
    const std::string_view before = rest_;
    std::size_t size = take_while(is_token68_char).size();
    if (size != 0) size += take_while([](char c) { return c == '='; }).size();
    if (size != 0 && at_element_end()) return before.substr(0, size);
    rest_ = before;
    return {};
  }
  // What stands behind "=": a quoted string or a token, or what should have been quoted.
  std::optional<std::string_view> value() {
    if (!rest_.empty() && rest_.front() == '"') return quoted_string();
    const std::string_view text =
        take_while([](char c) { return c != ',' && c != '"' && !is_whitespace(c); });
    if (text.empty() || has_control(text)) return std::nullopt;
    return text;
  }

 private:
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

  std::optional<std::string_view> quoted_string() {
    bool escapes = false;
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') {
      if (rest_[end] == '\\') {
        escapes = true;
        ++end;
      }
      ++end;
    }
    if (end >= rest_.size()) return std::nullopt;  // not closed
    const std::string_view inside = take(end + 1).substr(1, end - 1);
    if (has_control(inside)) return std::nullopt;
    return escapes ? unescaped(inside) : inside;
  }

  std::string_view unescaped(std::string_view inside) {
    char* const copy = text_->allocate(inside.size());
    std::size_t size = 0;
    for (std::size_t at = 0; at < inside.size(); ++at) {
      if (inside[at] == '\\') ++at;
      copy[size++] = inside[at];
    }
    return {copy, size};
  }

  std::string_view rest_;
  Arena* text_;
};

// False when the name is there already, or there are too many.
bool add_parameter(AuthParameters& parameters, std::string_view name, std::string_view value) {
  if (parameters.size() == kMaxAuthParameters || find_parameter(parameters, name) != nullptr) {
    return false;
  }
  parameters.push_back({name, value});
  return true;
}

// Puts the elements of the lines together to challenges.
class ChallengeParser {
 public:
  explicit ChallengeParser(Arena& text) : text_(&text) {}

  void read_line(std::string_view line) {
    Reader reader(line, *text_);
    while (!full_ && reader.next_element()) {
      if (read_element(reader) && reader.at_element_end()) continue;
      broken_ = true;
      reader.skip_element();
    }
  }

  std::vector<Challenge> finish() {
    keep_current();
    return std::move(challenges_);
  }

 private:
  bool read_element(Reader& reader) {
    const std::string_view name = reader.token();
    if (name.empty()) return false;
    if (reader.skip_equals()) return read_parameter(reader, name);

    keep_current();
    if (full_) return true;
    current_ = Challenge{.scheme = name, .token68 = {}, .parameters = {}};
    open_ = true;
    broken_ = false;
    if (!reader.skip_whitespace() || reader.at_element_end()) return true;
    current_.token68 = reader.token68();
    if (!current_.token68.empty()) return true;
    const std::string_view parameter = reader.token();
    return !parameter.empty() && reader.skip_equals() && read_parameter(reader, parameter);
  }

  bool read_parameter(Reader& reader, std::string_view name) {
    const std::optional<std::string_view> value = reader.value();
    return value && open_ && current_.token68.empty() &&
           add_parameter(current_.parameters, name, *value);
  }

  void keep_current() {
    if (open_ && !broken_) challenges_.push_back(std::move(current_));
    open_ = false;
    full_ = challenges_.size() == kMaxChallenges;
  }

  Arena* text_;
  std::vector<Challenge> challenges_;
  Challenge current_;
  bool open_ = false;    // there is a current challenge
  bool broken_ = false;  // it can't be used
  bool full_ = false;
};

// Calls f(value) for the lines of a field, as far as the limit goes.
template <class F>
void for_each_line(const FieldSection& fields, FieldId id, F f) {
  if (!fields.has(id)) return;
  std::size_t left = kMaxChallengeText;
  for (const Field& field : fields) {
    if (field.id != id) continue;
    if (field.value.size() > left) return;
    left -= field.value.size();
    f(field.value);
  }
}

}  // namespace

const AuthParameter* find_parameter(const AuthParameters& parameters, std::string_view name) {
  const auto named = [name](const AuthParameter& parameter) {
    return equals_ignoring_case(parameter.name, name);
  };
  const auto found = std::ranges::find_if(parameters, named);
  return found != parameters.end() ? &*found : nullptr;
}

std::vector<Challenge> parse_challenges(const FieldSection& fields, FieldId id, Arena& text) {
  ChallengeParser parser(text);
  for_each_line(fields, id, [&](std::string_view line) { parser.read_line(line); });
  return parser.finish();
}

std::vector<Challenge> parse_challenges(std::string_view value, Arena& text) {
  ChallengeParser parser(text);
  if (value.size() <= kMaxChallengeText) parser.read_line(value);
  return parser.finish();
}

AuthParameters parse_auth_info(const FieldSection& fields, FieldId id, Arena& text) {
  AuthParameters parameters;
  bool understood = true;
  for_each_line(fields, id, [&](std::string_view line) {
    Reader reader(line, text);
    while (understood && reader.next_element()) {
      const std::string_view name = reader.token();
      understood = !name.empty() && reader.skip_equals();
      if (!understood) return;
      const std::optional<std::string_view> value = reader.value();
      understood = value && reader.at_element_end() && add_parameter(parameters, name, *value);
    }
  });
  if (!understood) parameters.clear();
  return parameters;
}

std::string_view scheme_of(std::string_view credentials) {
  const std::string_view scheme = credentials.substr(0, credentials.find_first_of(" \t"));
  return is_token(scheme) ? scheme : std::string_view{};
}

bool is_connection_bound(std::string_view scheme) {
  return equals_ignoring_case(scheme, "NTLM") || equals_ignoring_case(scheme, "Negotiate") ||
         equals_ignoring_case(scheme, "Kerberos");
}

void append_quoted(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  out.push_back('"');
}

}  // namespace penstock

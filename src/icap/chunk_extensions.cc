#include "icap/chunk_extensions.h"

#include <cstddef>

#include "icap/decimal.h"
#include "message/characters.h"
#include "message/fields.h"

namespace penstock::icap {
namespace {

using std::unexpected;

struct Extension {
  std::string_view name;
  std::optional<std::string_view> value;  // of a quoted string what is between the quotes
};

// Takes extensions off a text, one after the other (RFC 9112 section 7.1.1).
class Extensions {
 public:
  explicit Extensions(std::string_view text) : rest_(trim_whitespace(text)) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  // The next one. None where the text is malformed.
  std::optional<Extension> next() {
    if (!take(';')) return std::nullopt;
    Extension extension{.name = take_token(), .value = {}};
    if (extension.name.empty()) return std::nullopt;
    if (take('=')) {
      extension.value = take_value();
      if (!extension.value) return std::nullopt;
    }
    skip_whitespace();
    return extension;
  }

 private:
  void skip_whitespace() {
    while (!rest_.empty() && is_whitespace(rest_.front())) rest_.remove_prefix(1);
  }
  // The character, with whitespace around it, if it is there.
  bool take(char c) {
    skip_whitespace();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    skip_whitespace();
    return true;
  }
  std::string_view take_token() {
    std::size_t size = 0;
    while (size < rest_.size() && is_token_char(rest_[size])) ++size;
    return take_bytes(size);
  }
  std::optional<std::string_view> take_value() {
    if (rest_.starts_with('"')) return take_quoted();
    const std::string_view token = take_token();
    if (token.empty()) return std::nullopt;
    return token;
  }
  std::optional<std::string_view> take_quoted() {
    std::size_t end = 1;
    while (end < rest_.size() && rest_[end] != '"') end += rest_[end] == '\\' ? 2 : 1;
    if (end >= rest_.size()) return std::nullopt;
    const std::string_view quoted = take_bytes(end + 1);
    return quoted.substr(1, quoted.size() - 2);
  }
  std::string_view take_bytes(std::size_t size) {
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
};

}  // namespace

std::expected<std::optional<std::uint64_t>, Problem> use_original_body(
    std::string_view extensions) {
  std::optional<std::uint64_t> offset;
  for (Extensions rest(extensions); !rest.at_end();) {
    const auto extension = rest.next();
    if (!extension) return unexpected(Problem::chunk_extension_malformed);
    if (!equals_ignoring_case(extension->name, "use-original-body")) continue;
    if (offset || !extension->value) return unexpected(Problem::use_original_body_malformed);
    offset = parse_decimal(*extension->value);
    if (!offset) return unexpected(Problem::use_original_body_malformed);
  }
  return offset;
}

std::expected<bool, Problem> has_ieof(std::string_view extensions) {
  bool found = false;
  for (Extensions rest(extensions); !rest.at_end();) {
    const auto extension = rest.next();
    if (!extension) return unexpected(Problem::chunk_extension_malformed);
    if (equals_ignoring_case(extension->name, "ieof") && !extension->value) found = true;
  }
  return found;
}

}  // namespace penstock::icap

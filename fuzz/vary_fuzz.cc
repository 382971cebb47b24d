// Any fields of a request under any Vary: a request selects what was selected by it, by the same
// key that another pass makes; a normal form is its own; and what selects has the same key.
//
// The first line of the input is Vary, the others are fields of two requests, "name:value", of
// which those after an empty line are of the second.
#include "cache/rfc9111/vary.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "message/characters.h"

namespace {

using namespace penstock;
using namespace penstock::rfc9111;

std::string_view take_line(std::string_view& rest) {
  const std::size_t size = std::min(rest.find('\n'), rest.size());
  const std::string_view line = rest.substr(0, size);
  rest.remove_prefix(std::min(size + 1, rest.size()));
  return line;
}

// As heads are: names are tokens, values have no controls and no spaces around them.
FieldSection take_request(std::string_view& rest) {
  FieldSection fields;
  while (!rest.empty()) {
    const std::string_view line = take_line(rest);
    if (line.empty()) break;
    const std::size_t colon = std::min(line.find(':'), line.size());
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = trim_whitespace(line.substr(std::min(colon + 1, line.size())));
    if (is_token(name) && is_field_value(value)) fields.add(field_id(name), name, value);
  }
  return fields;
}

// A request that has what stands in a key; nothing where no one line can have that, as an empty
// line has been joined to a quoted string that is not closed.
std::optional<FieldSection> request_of(std::string_view key) {
  FieldSection fields;
  while (!key.empty()) {
    const std::string_view line = take_line(key);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    if (!is_field_value(line.substr(colon + 1))) return std::nullopt;
    fields.add(field_id(name), name, line.substr(colon + 1));
  }
  return fields;
}

void check(const VaryNames& vary, const FieldSection& a, const FieldSection& b,
           const VaryRules& rules) {
  const auto key = variant_key(vary.text, a, rules);
  const auto other = variant_key(vary.text, b, rules);
  if (other) PENSTOCK_CHECK(selects(*other, b, rules));
  if (!key) return;
  PENSTOCK_CHECK(key->size() <= kMaxVariantKey);
  PENSTOCK_CHECK(names_of_key(*key) == vary.text);
  PENSTOCK_CHECK(selects(*key, a, rules));
  PENSTOCK_CHECK(selects(*key, b, rules) == (other && *other == *key));
  // Of codings that matter, what is left says less than what was read.
  if (!rules.codings.empty()) return;
  const auto again = request_of(*key);
  PENSTOCK_CHECK(!again || variant_key(vary.text, *again, rules) == key);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  FieldSection response;
  const std::string_view value = take_line(rest);
  response.add(FieldId::vary, value);
  const VaryNames vary = parse_vary(response);
  PENSTOCK_CHECK((vary.kind == VaryKind::names) == !vary.text.empty());
  PENSTOCK_CHECK(vary.text.size() <= kMaxVaryText);
  if (vary.kind == VaryKind::names) {
    FieldSection again;
    again.add(FieldId::vary, vary.text);
    PENSTOCK_CHECK(parse_vary(again) == vary);
  }
  const FieldSection a = take_request(rest);
  const FieldSection b = take_request(rest);
  constexpr std::array<std::string_view, 2> kCodings{"br", "gzip"};
  check(vary, a, b, {});
  check(vary, a, b, {.by_meaning = false});
  check(vary, a, b, {.codings = kCodings});
  static_cast<void>(prefers_language(a, "de"));
  return 0;
}

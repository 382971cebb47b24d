// Any text as a list of entity tags and as one: what is read are parts of it, comparison is what it
// has to be, and If-None-Match as it is written for validation is read as the same tags.
//
// The first line is the ETag of a stored response, the second that of another one, the third the
// client's If-None-Match.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "cache/rfc9111/conditions.h"
#include "cache/rfc9111/validators.h"
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

void check_tag(const EntityTag& tag) {
  PENSTOCK_CHECK(!tag.text.empty() && tag.text.ends_with(tag.opaque));
  PENSTOCK_CHECK(matches_weakly(tag, tag));
  PENSTOCK_CHECK(matches_strongly(tag, tag) == tag.strong());
  if (!tag.well_formed()) return;
  PENSTOCK_CHECK(tag.opaque.size() >= 2 && tag.opaque.front() == '"' && tag.opaque.back() == '"');
  PENSTOCK_CHECK(std::ranges::count(tag.opaque, '"') == 2);
  PENSTOCK_CHECK(tag.text.size() == tag.opaque.size() + (tag.weak ? 2U : 0U));
}

void check_pair(const EntityTag& a, const EntityTag& b) {
  PENSTOCK_CHECK(matches_weakly(a, b) == matches_weakly(b, a));
  PENSTOCK_CHECK(matches_strongly(a, b) == matches_strongly(b, a));
  PENSTOCK_CHECK(!matches_strongly(a, b) || matches_weakly(a, b));
}

std::vector<EntityTag> tags_of(std::string_view list) {
  std::vector<EntityTag> tags;
  while (const auto tag = next_entity_tag(list)) tags.push_back(*tag);
  return tags;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::array<FieldSection, 2> stored;
  std::array<Validators, 2> validators;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    stored[i].add(FieldId::etag, trim_whitespace(take_line(rest)));
    validators[i] = validators_of(stored[i]);
    if (validators[i].etag) check_tag(*validators[i].etag);
  }
  const std::string_view list = take_line(rest);
  for (const EntityTag& tag : tags_of(list)) {
    check_tag(tag);
    if (validators[0].etag) check_pair(tag, *validators[0].etag);
    PENSTOCK_CHECK(any_matches_weakly(list, tag));
  }

  FieldSection request;
  const bool written = write_validation(request, validators, list);
  PENSTOCK_CHECK(written == request.has(FieldId::if_none_match));
  if (!written) return 0;
  const std::string_view sent = request.value(FieldId::if_none_match);
  const std::vector<EntityTag> tags = tags_of(sent);
  PENSTOCK_CHECK(!tags.empty() && tags.size() <= kMaxSentTags);
  const bool all = std::ranges::all_of(tags, &EntityTag::well_formed);
  PENSTOCK_CHECK(all || sent == validators[0].etag->text);
  if (validators[0].etag && sent.size() < kMaxSentTagText) {
    PENSTOCK_CHECK(validators[0].etag->text.size() > kMaxSentTagText - 2 ||
                   any_matches_weakly(sent, *validators[0].etag));
  }
  return 0;
}

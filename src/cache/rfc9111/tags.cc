#include "cache/rfc9111/tags.h"

#include <algorithm>

namespace penstock::rfc9111 {

std::string_view next_tag(std::string_view& text, char separator) {
  const auto separates = [separator](char c) {
    return c == separator || (separator == ' ' && c == '\t');
  };
  while (!text.empty()) {
    const auto end = std::ranges::find_if(text, separates);
    const auto size = static_cast<std::size_t>(end - text.begin());
    const std::string_view tag = trim_whitespace(text.substr(0, size));
    text.remove_prefix(std::min(size + 1, text.size()));
    if (!tag.empty() && tag.size() <= kMaxTagLength) return tag;
  }
  return {};
}

}  // namespace penstock::rfc9111

#include "message/match.h"

#include <algorithm>
#include <cstddef>

#include "message/characters.h"
#include "message/fields.h"

namespace penstock {
namespace {

constexpr int kLeastStatus = 100;
constexpr int kMostStatus = 599;

std::optional<int> status_code(std::string_view text) {
  if (text.size() != 3 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  const int code = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  if (code < kLeastStatus || code > kMostStatus) return std::nullopt;
  return code;
}

}  // namespace

HostPattern::HostPattern(std::string_view text) : text_(text == "*" ? "" : text) {
  if (text_.starts_with("*.")) {
    wildcard_ = true;
    text_.erase(0, 1);
  }
}

bool HostPattern::matches(std::string_view host) const {
  if (text_.empty()) return true;
  if (!wildcard_) return equals_ignoring_case(text_, host);
  return host.size() > text_.size() &&
         equals_ignoring_case(text_, host.substr(host.size() - text_.size()));
}

bool path_begins_with(std::string_view path_and_query, std::string_view prefix) {
  if (!path_and_query.starts_with(prefix)) return prefix == "/" && path_and_query == "*";
  if (prefix.ends_with('/') || path_and_query.size() == prefix.size()) return true;
  const char next = path_and_query[prefix.size()];
  return next == '/' || next == '?';
}

std::optional<StatusRange> StatusRange::parse(std::string_view text) {
  if (text.size() == 3 && text.ends_with("xx")) {
    if (text[0] < '1' || text[0] > '5') return std::nullopt;
    const int first = (text[0] - '0') * 100;
    return StatusRange{.first = first, .last = first + 99};
  }
  const std::size_t dash = text.find('-');
  const auto first = status_code(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : status_code(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return StatusRange{.first = *first, .last = *last};
}

bool is_media_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view type = text.substr(0, slash);
  const std::string_view subtype = text.substr(slash + 1);
  // "*" is a character of tokens.
  const auto is_part = [](std::string_view part) {
    return is_token(part) && (part == "*" || part.find('*') == std::string_view::npos);
  };
  return is_part(type) && is_part(subtype) && (type != "*" || subtype == "*");
}

std::string_view media_type_of(std::string_view content_type) {
  return trim_whitespace(content_type.substr(0, content_type.find(';')));
}

bool media_range_contains(std::string_view range, std::string_view media_type) {
  if (media_type.empty()) return false;
  if (range == "*/*") return true;
  if (!range.ends_with("/*")) return equals_ignoring_case(range, media_type);
  const std::string_view type = range.substr(0, range.size() - 1);  // with its slash
  return media_type.size() > type.size() &&
         equals_ignoring_case(type, media_type.substr(0, type.size()));
}

}  // namespace penstock

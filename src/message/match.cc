#include "message/match.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <vector>

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

// The byte that a "%XX" stands for; nothing where that is none.
std::optional<char> decoded_byte(std::string_view text) {
  unsigned char byte = 0;
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + 3, byte, 16);
  if (error != std::errc() || end != text.data() + 3) return std::nullopt;
  return static_cast<char>(byte);
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
  if (host.size() > 1 && host.ends_with('.')) host.remove_suffix(1);
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

std::string plain_path(std::string_view path_and_query) {
  const std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  std::string decoded;
  bool in_parameters = false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (const auto byte = decoded_byte(path.substr(i))) {
      c = *byte;
      i += 2;
    }
    if (c == '\\') c = '/';
    if (c == ';') in_parameters = true;
    if (c == '/') in_parameters = false;
    if (!in_parameters) decoded += c;
  }
  std::vector<std::string_view> segments;
  bool ends_in_slash = false;
  for (std::size_t at = 0; at <= decoded.size();) {
    const std::size_t end = std::min(decoded.find('/', at), decoded.size());
    const std::string_view segment = std::string_view(decoded).substr(at, end - at);
    at = end + 1;
    ends_in_slash = segment.empty() || segment == "." || segment == "..";
    if (segment == ".." && !segments.empty()) segments.pop_back();
    if (!ends_in_slash) segments.push_back(segment);
  }
  std::string plain;
  for (const std::string_view segment : segments) plain.append("/").append(segment);
  if (ends_in_slash || plain.empty()) plain += '/';
  return plain;
}

bool is_plain_path(std::string_view path_and_query) {
  const std::string_view path = path_and_query.substr(0, path_and_query.find('?'));
  return path.find_first_of("%\\;") == std::string_view::npos &&
         path.find("//") == std::string_view::npos && path.find("/.") == std::string_view::npos;
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

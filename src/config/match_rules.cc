#include "config/match_rules.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "base/text.h"
#include "base/wording.h"
#include "config/field_rules.h"
#include "message/match.h"
#include "message/method.h"

namespace penstock::config {
namespace {

bool has_control(std::string_view text) {
  return std::ranges::any_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

char to_upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool is_name_char(char c) {
  return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || is_digit(c) || c == '_' || c == '-';
}

Complaint check_plain_name(std::string_view text, std::string_view whose) {
  if (text.empty()) return fmt::format("{} needs a name", whose);
  const auto bad = std::ranges::find_if_not(text, is_name_char);
  if (bad == text.end()) return {};
  return fmt::format("the name of {} has letters, digits, \"_\" and \"-\", not {}", whose,
                     quoted(std::string_view(&*bad, 1)));
}

}  // namespace

Complaint check_path_prefix(std::string_view text) {
  if (!text.starts_with('/')) {
    return fmt::format("a path begins with \"/\": write {}", quoted("/" + std::string(text)));
  }
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x20 && byte < 0x7f && c != '?' && c != '#') continue;
    return fmt::format("{} cannot stand in a path prefix{}", quoted(std::string_view(&c, 1)),
                       byte <= 0x20 || byte >= 0x7f ? ": write it percent-encoded" : "");
  }
  return {};
}

Complaint check_named_listener(std::string_view text) {
  return text.empty() ? "expected the name of a listener, found an empty text" : Complaint{};
}

Complaint check_named_route(std::string_view text) {
  return text.empty() ? "expected the name of a route, found an empty text" : Complaint{};
}

Complaint check_given_name(std::string_view text) {
  return has_control(text) ? "a name cannot contain control characters" : Complaint{};
}

Complaint check_method(std::string_view text) {
  if (Complaint complaint = check_token(text); !complaint.empty()) return complaint;
  std::string upper(text);
  std::ranges::transform(upper, upper.begin(), to_upper);
  if (upper == text || method_of(upper) == Method::other) return {};
  return fmt::format("methods are case-sensitive: write {}", quoted(upper));
}

Complaint check_status_range(std::string_view text) {
  if (StatusRange::parse(text)) return {};
  return fmt::format(R"(expected a status such as 404, "5xx" or "200-299", found {})",
                     quoted(text));
}

Complaint check_media_range(std::string_view text) {
  if (is_media_range(text)) return {};
  const std::string_view bare = media_type_of(text);
  if (bare != text && is_media_range(bare)) {
    return fmt::format("parameters of content types are not looked at: write {}", quoted(bare));
  }
  return fmt::format(R"(expected a content type such as "text/html" or "text/*", found {})",
                     quoted(text));
}

Complaint check_content_type(std::string_view text) {
  const std::string_view bare = media_type_of(text);
  if (is_media_range(bare) && bare.find('*') == std::string_view::npos && !has_control(text)) {
    return {};
  }
  return fmt::format(R"(expected a content type such as "text/html; charset=utf-8", found {})",
                     quoted(text));
}

Complaint check_module_name(std::string_view text) { return check_plain_name(text, "a module"); }

Complaint check_icap_name(std::string_view text) {
  return check_plain_name(text, "an ICAP service");
}

}  // namespace penstock::config

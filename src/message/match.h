// Whether a message is one of those that a part of the configuration is about: by host, path,
// status or media type.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace penstock {

// "www.example.com", "*.example.com" for every host below that one, "*" for every host; also an
// empty text is for every host. Upper and lower case are the same.
class HostPattern {
 public:
  explicit HostPattern(std::string_view text);

  // `host` is without port, and an IPv6 address without brackets. A dot at its end makes no
  // difference: it is the same host (RFC 1034 section 3.1).
  [[nodiscard]] bool matches(std::string_view host) const;

 private:
  std::string text_;  // empty for every host; of a wildcard: from its dot
  bool wildcard_ = false;
};

// Whether the path begins with the prefix, in whole segments: "/app" covers "/app", "/app/..." and
// "/app?...", but not "/application". "/" also covers "*" (of OPTIONS).
[[nodiscard]] bool path_begins_with(std::string_view path_and_query, std::string_view prefix);

// The path as servers may understand it, for who must not be got round by another spelling of it:
// percent-encodings undone (once), backslashes and several slashes made one slash, "." and ".."
// segments resolved, parameters of segments (";x=1") and the query left out.
[[nodiscard]] std::string plain_path(std::string_view path_and_query);
// Whether it is spelled like that, but for a query.
[[nodiscard]] bool is_plain_path(std::string_view path_and_query);

// Status codes: "404", "5xx", "200-299".
struct StatusRange {
  int first = 0;
  int last = 0;

  // Nothing for other texts, codes outside 100 to 599, and ranges that go downwards.
  [[nodiscard]] static std::optional<StatusRange> parse(std::string_view text);
  [[nodiscard]] bool contains(int status) const { return status >= first && status <= last; }
};

// "text/html", "text/*" or "*/*" (a media-range of RFC 9110 section 12.5.1 without parameters).
[[nodiscard]] bool is_media_range(std::string_view text);
// The media type of a Content-Type field: without parameters and whitespace; case as it came.
[[nodiscard]] std::string_view media_type_of(std::string_view content_type);
// Whether the type is in the range; upper and lower case are the same. An empty type is in none.
[[nodiscard]] bool media_range_contains(std::string_view range, std::string_view media_type);

}  // namespace penstock

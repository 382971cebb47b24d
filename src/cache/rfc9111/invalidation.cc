#include "cache/rfc9111/invalidation.h"

#include <algorithm>
#include <array>

namespace penstock::rfc9111 {

bool is_known_safe(std::string_view method) {
  constexpr std::array<std::string_view, 4> kOthers{"PROPFIND", "QUERY", "REPORT", "SEARCH"};
  return is_safe(method_of(method)) || std::ranges::find(kOthers, method) != kOthers.end();
}

bool invalidates(std::string_view method, int status) {
  return status >= 200 && status < 400 && method != "CONNECT" && !is_known_safe(method);
}

std::vector<Url> invalidated_uris(const Url& target, const FieldSection& answer) {
  std::vector<Url> uris{target};
  uris.front().login.reset();
  const std::string origin = target.origin();
  for (const Field& field : answer) {
    const bool names_uri =
        field.id == FieldId::location || equals_ignoring_case(field.name, "Content-Location");
    if (!names_uri || uris.size() == kMaxInvalidated) continue;
    const auto uri = resolve_reference(target, field.value);
    if (!uri || uri->origin() != origin) continue;
    if (std::ranges::find(uris, uri->path, &Url::path) == uris.end()) uris.push_back(*uri);
  }
  return uris;
}

}  // namespace penstock::rfc9111

#include "cache/rfc9111/cache_status.h"

#include <array>
#include <cstddef>

#include "message/structured.h"

namespace penstock::rfc9111 {

std::string_view to_string(ForwardReason reason) {
  constexpr std::array<std::string_view, 9> kTokens{
      "", "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"};
  return kTokens[static_cast<std::size_t>(reason)];
}

void append_cache_status(std::string& value, std::string_view cache, const CacheStatus& status) {
  if (!value.empty()) value += ", ";
  structured::append_token_or_string(value, cache);
  if (status.hit()) {
    value += "; hit";
  } else {
    value.append("; fwd=").append(to_string(status.forward));
    if (status.forward_status != 0)
      value += "; fwd-status=" + std::to_string(status.forward_status);
  }
  if (status.ttl) {
    value += "; ttl=";
    structured::append_integer(value, status.ttl->count());
  }
  if (!status.hit() && status.stored) value += "; stored";
  if (!status.hit() && status.collapsed) value += "; collapsed";
  if (!status.key.empty() && structured::is_string(status.key)) {
    value += "; key=";
    structured::append_string(value, status.key);
  }
  if (!status.detail.empty() && structured::is_string(status.detail)) {
    value += "; detail=";
    structured::append_token_or_string(value, status.detail);
  }
}

void set_cache_status(FieldSection& response, std::string_view cache, const CacheStatus& status) {
  constexpr std::string_view kName = "Cache-Status";
  std::string value;
  for (const Field& field : response) {
    if (!equals_ignoring_case(field.name, kName) || field.value.empty()) continue;
    if (!value.empty()) value += ", ";
    value += field.value;
  }
  append_cache_status(value, cache, status);
  response.set(kName, response.keep(value));
}

}  // namespace penstock::rfc9111

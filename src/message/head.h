// The heads of requests and responses (RFC 9110 section 6), the same for every HTTP version.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/slab.h"
#include "message/fields.h"
#include "message/method.h"
#include "message/target.h"

namespace penstock {

// HTTP/1.x by its minor number, and HTTP/2; the HTTP/1 codec refuses other major versions than 1.
enum class Version : std::uint8_t { http10, http11, http2 };

// "HTTP/1.1", "HTTP/2".
[[nodiscard]] constexpr std::string_view to_string(Version version) {
  constexpr std::array<std::string_view, 3> kNames{"HTTP/1.0", "HTTP/1.1", "HTTP/2"};
  return kNames[static_cast<std::size_t>(version)];
}

// Views point into `bytes` (the received head, whose slab they keep alive) or into the fields'
// arena.
struct RequestHead {
  Method method = Method::other;
  std::string_view method_text;
  std::string_view target_text;  // as received
  Target target;                 // parsed from it
  Version version = Version::http11;
  FieldSection fields;
  Slice bytes;
};

struct ResponseHead {
  Version version = Version::http11;
  int status = 0;
  std::string_view reason;
  FieldSection fields;
  Slice bytes;
};

}  // namespace penstock

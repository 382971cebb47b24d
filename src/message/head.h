// The heads of requests and responses (RFC 9110 section 6), the same for every HTTP version.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/slab.h"
#include "message/fields.h"
#include "message/method.h"
#include "message/target.h"

namespace penstock {

// HTTP/1.x by its minor number; major versions other than 1 are refused by the codec.
enum class Version : std::uint8_t { http10, http11 };

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

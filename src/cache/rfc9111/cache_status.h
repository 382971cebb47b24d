// Cache-Status (RFC 9211): how a cache handled a request, for those who read responses.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "message/fields.h"

namespace penstock::rfc9111 {

// Why a request went to the next hop (section 2.2); of several reasons the most specific one.
enum class ForwardReason : std::uint8_t {
  none,       // it did not
  bypass,     // the cache was configured not to handle it
  method,     // its method does not allow an answer from a cache
  uri_miss,   // nothing is stored for the URI
  vary_miss,  // of what is stored for the URI, the request selects nothing
  miss,       // nothing usable is stored
  request,    // something usable is, but the request asked not to use it
  stale,      // what is stored is stale
  partial     // what is stored is only a part of what is wanted
};

// "uri-miss" and so on; empty for `none`.
[[nodiscard]] std::string_view to_string(ForwardReason reason);

// Answered without going to the next hop: `forward` is none (section 2.1).
struct CacheStatus {
  ForwardReason forward = ForwardReason::none;
  int forward_status = 0;                   // of the next hop's response; 0: not said
  std::optional<std::chrono::seconds> ttl;  // how long still fresh; negative: how long stale
  bool stored = false;                      // with `forward`: the response was stored
  bool collapsed = false;                   // with `forward`: it waited for another's request
  std::string_view key = {};                // empty: not said
  std::string_view detail = {};             // empty: not said

  [[nodiscard]] bool hit() const { return forward == ForwardReason::none; }
};

// Appends the member of a cache of that name to the value of a field (empty: none yet), behind
// those of caches nearer the origin: `penstock; hit; ttl=30`. The name and `detail` are written as
// tokens where they are such, else as strings. Texts that no string of RFC 9651 can hold (controls,
// not ASCII) are left out; the name is one that can.
void append_cache_status(std::string& value, std::string_view cache, const CacheStatus& status);

// Makes it the one Cache-Status line of the response; the text is copied.
void set_cache_status(FieldSection& response, std::string_view cache, const CacheStatus& status);

}  // namespace penstock::rfc9111

// Whether a response may be stored, and what of it (RFC 9111 section 3), by a shared cache.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cache/rfc9111/directives.h"
#include "cache/rfc9111/freshness.h"
#include "message/fields.h"
#include "message/head.h"

namespace penstock::rfc9111 {

// Why a response is not stored, in the order in which it is looked for: the first one that holds is
// the reason.
enum class StoreReason : std::uint8_t {
  stored,            // it is
  method,            // neither GET nor a POST whose answer stands for a GET
  request_content,   // a GET with content, whose answer may depend on it
  unkeyed_input,     // the request has a field that may change the answer and is not in the key
  request_no_store,  // no-store in the request
  status,            // it must not be, or we do not know how (304, 206 where that is switched off)
  must_understand,   // must-understand, and we do not know the status code
  malformed,         // Cache-Control has a quoted string that is not closed
  no_store,
  private_,
  authorization,  // the request has Authorization, and nothing allows it (section 3.5)
  vary_any,       // Vary: *
  set_cookie,
  partial,       // a 206 that says not, or not in one Content-Range, what it is part of
  no_freshness,  // nothing allows it: no freshness, no `public`, no status that is cacheable as
                 // such
  useless,       // it can neither be used as it is nor be validated
};
// A token: "stored", "method", "request-content", "unkeyed-input", "request-no-store", "status",
// "must-understand", "malformed", "no-store", "private", "authorization", "vary-any", "set-cookie",
// "partial", "no-freshness", "useless".
[[nodiscard]] std::string_view to_string(StoreReason reason);

// What becomes of a response with Set-Cookie. A Set-Cookie that private="" or no-cache="" names is
// never stored, and no reason to refuse.
enum class SetCookiePolicy : std::uint8_t {
  refuse,  // It is not stored.
  // It is stored, with the cookie, only if Cache-Control has `public` or s-maxage or a targeted
  // field gives its lifetime: the origin then says that it is meant for shared caches.
  if_public,
  strip,  // It is stored without the field.
  store,  // It is stored with the field, as RFC 9111 section 7.3 leaves it.
};

// Request fields that make origins and frameworks answer for another method or path than the ones
// in the key.
[[nodiscard]] std::span<const std::string_view> usual_unkeyed_fields();

struct StoreOptions {
  SetCookiePolicy set_cookie = SetCookiePolicy::refuse;
  // Answers to requests with one of these fields are not stored, unless Vary names the field.
  std::span<const std::string> unkeyed_fields;
  bool honour_request = true;  // no-store of requests counts
  bool partial = true;         // 206 is understood
  // POST whose answer has explicit freshness, by the origin, and Content-Location of its own
  // target.
  bool post = true;
};

// What is known when the response's head is there.
struct StoreInput {
  const RequestHead& request;  // as the origin got it
  const ResponseHead& response;
  const Directives& request_directives;
  const Directives& directives;  // those of the response that count
  bool targeted = false;         // they are of a targeted field
  Lifetime lifetime;
  bool request_has_content = false;
  // The target URI (RFC 9110 section 7.1), "http://host:port/path?query". Used for POST only.
  std::string_view target_uri;
};

struct StoreVerdict {
  StoreReason reason = StoreReason::stored;
  bool strip_set_cookie = false;  // Set-Cookie and Set-Cookie2 are not stored

  [[nodiscard]] bool store() const { return reason == StoreReason::stored; }
};

// Whether the response may be stored. To be kept once it is complete, or is known to be a part
// (section 3.3), which is not looked at here. A response to POST may be used for GET.
[[nodiscard]] StoreVerdict may_store(const StoreInput& input, const StoreOptions& options = {});

// Whether a field of the response is stored (section 3.1): not those of the connection and of
// proxies, not those that no-cache="" and private="" name, not cookies that are stripped. What the
// Connection field names is the business of message/hop.h.
[[nodiscard]] bool is_stored(const Field& field, const Directives& directives,
                             const StoreVerdict& verdict);

// Whether the requirements of a status code are known and met, so that must-understand is obeyed
// (section 5.2.2.3).
[[nodiscard]] bool understands_status(int status, const StoreOptions& options = {});

// The first field of the request that is in the list, or null: such a request is not answered from
// the cache either.
[[nodiscard]] const Field* find_unkeyed_field(const FieldSection& request,
                                              std::span<const std::string> unkeyed_fields);

}  // namespace penstock::rfc9111

#include "cache/rfc9111/storing.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "message/characters.h"
#include "message/date.h"

namespace penstock::rfc9111 {
namespace {

constexpr std::string_view kSetCookie2 = "Set-Cookie2";

// Answers about one request, connection or user alone, or that are no answers: never stored,
// whatever they say about it. 428, 429, 431 and 511 must not be (RFC 6585), 304 freshens what is
// stored, 412 and 416 are about conditions and ranges that are not in the key.
constexpr std::array kNeverStored = {304, 401, 407, 408, 412, 416, 417,
                                     421, 425, 426, 428, 429, 431, 511};

// Final statuses that need nothing special of a cache (RFC 9110 section 15), but for 206.
constexpr std::array kUnderstood = {200, 203, 204, 300, 301, 302, 303, 307, 308, 400,
                                    402, 403, 404, 405, 406, 409, 410, 411, 413, 414,
                                    415, 422, 424, 451, 500, 501, 502, 503, 504, 505};

template <class Array>
bool contains(const Array& values, int value) {
  return std::ranges::find(values, value) != values.end();
}

bool may_store_status(int status, const StoreOptions& options) {
  return status >= 200 && status <= 599 && !contains(kNeverStored, status) &&
         (status != 206 || options.partial);
}

// Calls f(name) for each member of Vary, "*" included.
template <class F>
void for_each_varied(const FieldSection& response, F f) {
  if (!response.has(FieldId::vary)) return;
  for (const Field& field : response) {
    if (field.id == FieldId::vary) for_each_element(field.value, f);
  }
}

bool varies_on(const FieldSection& response, std::string_view name) {
  bool found = false;
  for_each_varied(response, [&](std::string_view varied) {
    found = found || equals_ignoring_case(varied, name);
  });
  return found;
}

// --- URIs ---

struct UriParts {
  std::string_view scheme;
  std::string_view authority;  // without the scheme's own port
  std::string_view rest;       // path and query, "/" if there is none
};

// Parts of "scheme://authority/path"; an empty scheme for other texts.
UriParts split_uri(std::string_view uri) {
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return {};
  UriParts parts{.scheme = uri.substr(0, colon), .authority = uri.substr(colon + 3), .rest = "/"};
  const std::size_t slash = parts.authority.find_first_of("/?#");
  if (slash != std::string_view::npos) {
    parts.rest = parts.authority.substr(slash);
    parts.authority = parts.authority.substr(0, slash);
  }
  const std::string_view port = equals_ignoring_case(parts.scheme, "https") ? ":443" : ":80";
  if (parts.authority.ends_with(port)) parts.authority.remove_suffix(port.size());
  return parts;
}

// Whether a reference, as a whole URI or an absolute path, is the target. Others are taken for
// another resource, which costs no more than an answer that is not stored.
bool names_target(std::string_view reference, std::string_view target_uri) {
  const UriParts target = split_uri(target_uri);
  if (target.scheme.empty()) return false;
  if (reference.starts_with('/') && !reference.starts_with("//")) return reference == target.rest;
  const UriParts named = split_uri(reference);
  return equals_ignoring_case(named.scheme, target.scheme) &&
         equals_ignoring_case(named.authority, target.authority) && named.rest == target.rest;
}

// A POST whose answer is what a GET of the same target would get (RFC 9110 section 9.3.3).
bool stands_for_get(const StoreInput& input) {
  const Field* const location = input.response.fields.find("Content-Location");
  const bool said_by_origin =
      input.lifetime.is_explicit() && input.lifetime.source != LifetimeSource::override_;
  return said_by_origin && input.lifetime.value > seconds(0) && location != nullptr &&
         names_target(location->value, input.target_uri);
}

// --- The questions, in the order of StoreReason ---

StoreReason judge_request(const StoreInput& input, const StoreOptions& options) {
  const RequestHead& request = input.request;
  const bool post = request.method == Method::post && options.post && stands_for_get(input);
  if (request.method != Method::get && !post) return StoreReason::method;
  if (input.request_has_content && !post) return StoreReason::request_content;
  for (const std::string& name : options.unkeyed_fields) {
    if (request.fields.find(name) != nullptr && !varies_on(input.response.fields, name)) {
      return StoreReason::unkeyed_input;
    }
  }
  if (options.honour_request && input.request_directives.no_store) {
    return StoreReason::request_no_store;
  }
  return StoreReason::stored;
}

StoreReason judge_directives(const StoreInput& input, const StoreOptions& options) {
  const Directives& directives = input.directives;
  const int status = input.response.status;
  const bool understood = understands_status(status, options);
  if (!may_store_status(status, options)) return StoreReason::status;
  if (directives.must_understand && !understood) return StoreReason::must_understand;
  if (directives.malformed) return StoreReason::malformed;
  // must-understand takes the place of no-store for who understands it.
  if (directives.no_store && !directives.must_understand) return StoreReason::no_store;
  if (directives.is_private) return StoreReason::private_;
  const bool shared =
      directives.is_public || directives.must_revalidate || directives.s_maxage.has_value();
  if (input.request.fields.has(FieldId::authorization) && !shared) {
    return StoreReason::authorization;
  }
  if (varies_on(input.response.fields, "*")) return StoreReason::vary_any;
  return StoreReason::stored;
}

bool has_cookie_to_keep(const StoreInput& input) {
  const FieldSection& fields = input.response.fields;
  const auto kept = [&](std::string_view name) {
    return fields.find(name) != nullptr && !input.directives.private_fields.contains(name) &&
           !input.directives.no_cache_fields.contains(name);
  };
  return kept(field_name(FieldId::set_cookie)) || kept(kSetCookie2);
}

bool is_meant_for_shared_caches(const StoreInput& input) {
  const Directives& directives = input.directives;
  return directives.is_public || directives.s_maxage.has_value() ||
         (input.targeted && directives.max_age.has_value());
}

// One part of known place. That of several ranges is multipart/byteranges, without Content-Range.
bool is_answerable_part(const StoreInput& input) {
  return input.request.method == Method::get && input.request.fields.has(FieldId::range) &&
         input.response.fields.find("Content-Range") != nullptr;
}

bool has_validator(const FieldSection& response) {
  if (!response.value(FieldId::etag).empty()) return true;
  // Only whether it is a date matters, not which: any `now` will do.
  return parse_http_date(response.value(FieldId::last_modified), sys_seconds{}).has_value();
}

// It may be stale at times.
bool allows_stale(const Directives& directives) {
  const auto positive = [](const std::optional<seconds>& time) {
    return time.value_or(seconds(0)) > seconds(0);
  };
  return positive(directives.stale_while_revalidate) || positive(directives.stale_if_error);
}

StoreReason judge_use(const StoreInput& input) {
  const Directives& directives = input.directives;
  const bool allowed = input.lifetime.source != LifetimeSource::none || directives.is_public ||
                       is_heuristically_cacheable(input.response.status);
  if (!allowed) return StoreReason::no_freshness;
  if (has_validator(input.response.fields)) return StoreReason::stored;
  if (directives.no_cache) return StoreReason::useless;
  if (input.lifetime.value > seconds(0)) return StoreReason::stored;
  if (input.lifetime.source == LifetimeSource::none) return StoreReason::no_freshness;
  return allows_stale(directives) ? StoreReason::stored : StoreReason::useless;
}

}  // namespace

std::string_view to_string(StoreReason reason) {
  constexpr std::array<std::string_view, 16> kNames = {
      "stored",           "method",  "request-content", "unkeyed-input",
      "request-no-store", "status",  "must-understand", "malformed",
      "no-store",         "private", "authorization",   "vary-any",
      "set-cookie",       "partial", "no-freshness",    "useless"};
  return kNames[static_cast<std::size_t>(reason)];
}

std::span<const std::string_view> usual_unkeyed_fields() {
  static constexpr std::array<std::string_view, 5> kFields = {"X-HTTP-Method-Override",
                                                              "X-HTTP-Method", "X-Method-Override",
                                                              "X-Original-URL", "X-Rewrite-URL"};
  return kFields;
}

StoreVerdict may_store(const StoreInput& input, const StoreOptions& options) {
  StoreVerdict verdict;
  verdict.strip_set_cookie = options.set_cookie == SetCookiePolicy::strip;
  verdict.reason = judge_request(input, options);
  if (!verdict.store()) return verdict;
  verdict.reason = judge_directives(input, options);
  if (!verdict.store()) return verdict;
  const bool refuses =
      options.set_cookie == SetCookiePolicy::refuse ||
      (options.set_cookie == SetCookiePolicy::if_public && !is_meant_for_shared_caches(input));
  if (refuses && has_cookie_to_keep(input)) {
    verdict.reason = StoreReason::set_cookie;
  } else if (input.response.status == 206 && !is_answerable_part(input)) {
    verdict.reason = StoreReason::partial;
  } else {
    verdict.reason = judge_use(input);
  }
  return verdict;
}

bool is_stored(const Field& field, const Directives& directives, const StoreVerdict& verdict) {
  if (is_hop_by_hop(field.id) || field.id == FieldId::proxy_authorization) return false;
  const bool cookie = field.id == FieldId::set_cookie ||
                      (field.id == FieldId::other && equals_ignoring_case(field.name, kSetCookie2));
  if (cookie && verdict.strip_set_cookie) return false;
  return !directives.private_fields.contains(field.name) &&
         !directives.no_cache_fields.contains(field.name);
}

bool understands_status(int status, const StoreOptions& options) {
  return contains(kUnderstood, status) || (status == 206 && options.partial);
}

const Field* find_unkeyed_field(const FieldSection& request,
                                std::span<const std::string> unkeyed_fields) {
  for (const std::string& name : unkeyed_fields) {
    if (const Field* const field = request.find(name)) return field;
  }
  return nullptr;
}

}  // namespace penstock::rfc9111

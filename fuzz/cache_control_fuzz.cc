// Any lines as Cache-Control, as a targeted field and as Surrogate-Control: times are in range,
// names are names, and what is read of several lines is what is read of one. Then the decisions,
// which have to hold together whatever they are asked.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cache/rfc9111/directives.h"
#include "cache/rfc9111/freshness.h"
#include "cache/rfc9111/reuse.h"
#include "cache/rfc9111/storing.h"
#include "cache/rfc9111/targeted.h"
#include "message/characters.h"
#include "message/fields.h"
#include "message/head.h"

namespace {

using namespace penstock;
using namespace penstock::rfc9111;

void check_names(const FieldNames& names) {
  bool some = false;
  names.for_each([&](std::string_view name) {
    some = true;
    PENSTOCK_CHECK(is_token(name) && names.contains(name));
  });
  PENSTOCK_CHECK(some == !names.empty());
}

void check_directives(const Directives& directives) {
  for (const std::optional<seconds>& time :
       {directives.max_age, directives.s_maxage, directives.min_fresh, directives.max_stale,
        directives.stale_while_revalidate, directives.stale_if_error}) {
    PENSTOCK_CHECK(!time || (*time >= seconds(0) && *time <= kMaxDelta));
  }
  check_names(directives.no_cache_fields);
  check_names(directives.private_fields);
}

void check_same(const Directives& a, const Directives& b) {
  PENSTOCK_CHECK(a.max_age == b.max_age && a.s_maxage == b.s_maxage);
  PENSTOCK_CHECK(a.no_cache == b.no_cache && a.no_store == b.no_store);
  PENSTOCK_CHECK(a.is_private == b.is_private && a.is_public == b.is_public);
  PENSTOCK_CHECK(a.must_understand == b.must_understand && a.immutable == b.immutable);
}

FieldSection lines_of(FieldId id, std::string_view name, std::string_view input) {
  FieldSection fields;
  for (std::size_t start = 0; start <= input.size();) {
    const std::size_t end = std::min(input.find('\n', start), input.size());
    fields.add(id, name, input.substr(start, end - start));
    start = end + 1;
  }
  return fields;
}

void check_reuse(const Directives& response, const Directives& request) {
  const Lifetime lifetime = freshness_lifetime(200, {}, response, false, {});
  const ReusePolicy policy = reuse_policy(response, lifetime);
  for (const int age : {0, 1, 60, 3600}) {
    const ReuseVerdict verdict = may_reuse(policy, seconds(age), request);
    const bool fresh = seconds(age) < lifetime.value;
    PENSTOCK_CHECK(verdict.reuse != Reuse::fresh || fresh);
    PENSTOCK_CHECK(verdict.reuse == Reuse::validate || !response.no_cache);
    const bool stale =
        verdict.reuse == Reuse::stale_by_request || verdict.reuse == Reuse::stale_while_revalidate;
    PENSTOCK_CHECK(!stale || (!fresh && !response.must_revalidate && !response.proxy_revalidate));
    const StaleVerdict failed =
        may_serve_on_error(policy, seconds(age), request, OriginFailure::unreachable);
    PENSTOCK_CHECK(!failed.serve || fresh || !response.must_revalidate);
    PENSTOCK_CHECK(!failed.serve || !response.no_cache);
  }
}

void check_storing(const FieldSection& cache_control, const Directives& directives) {
  RequestHead request;
  ResponseHead response;
  request.method = Method::get;
  response.status = 200;
  for (const Field& field : cache_control) response.fields.add(field.id, field.value);
  response.fields.add(FieldId::etag, "\"a\"");
  const Directives none;
  const Lifetime lifetime = freshness_lifetime(200, response.fields, directives, false, {});
  PENSTOCK_CHECK(lifetime.value >= seconds(0) && lifetime.value <= kMaxDelta);
  const StoreVerdict verdict = may_store({.request = request,
                                          .response = response,
                                          .request_directives = none,
                                          .directives = directives,
                                          .lifetime = lifetime});
  const bool refused = directives.is_private || directives.malformed ||
                       (directives.no_store && !directives.must_understand);
  PENSTOCK_CHECK(verdict.store() == !refused);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const FieldSection fields = lines_of(FieldId::cache_control, "Cache-Control", input);
  const Directives response = response_directives(fields);
  const Directives request = request_directives(fields);
  check_directives(response);
  check_same(response, request);
  check_reuse(response, request);
  check_reuse(response, {});
  check_storing(fields, response);

  // Several lines are one list, unless a quoted string is cut.
  std::string joined(input);
  std::ranges::replace(joined, '\n', ',');
  if (!input.contains('"')) {
    check_same(response, response_directives(lines_of(FieldId::cache_control, "", joined)));
  }

  for (const std::string_view name : {"CDN-Cache-Control", "Surrogate-Control"}) {
    const std::array<std::string, 1> list = {std::string(name)};
    const FieldSection lines = lines_of(FieldId::other, name, input);
    const auto targeted = targeted_directives(lines, list, {.token = "a", .remote = true});
    if (targeted) check_directives(targeted->directives);
  }
  return 0;
}

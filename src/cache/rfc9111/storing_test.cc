#include "cache/rfc9111/storing.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "cache/rfc9111/targeted.h"
#include "message/date.h"

namespace penstock::rfc9111 {
namespace {

using namespace std::chrono_literals;

constexpr sys_seconds kNow{1'790'000'000s};

using Lines = std::vector<std::pair<std::string_view, std::string_view>>;

constexpr std::pair<std::string_view, std::string_view> kFresh = {"Cache-Control", "max-age=3600"};
constexpr std::pair<std::string_view, std::string_view> kTag = {"ETag", "\"abcd\""};

void add_lines(FieldSection& fields, const Lines& lines) {
  for (const auto& [name, value] : lines) fields.add(field_id(name), name, value);
}

struct Exchange {
  Method method = Method::get;
  int status = 200;
  Lines request = {};
  Lines response = {};
  bool content = false;
  std::string_view uri = "http://example.com/a?b";
};

StoreVerdict verdict_of(const Exchange& exchange, const StoreOptions& options = {},
                        const LifetimeOptions& lifetimes = {}) {
  RequestHead request;
  request.method = exchange.method;
  add_lines(request.fields, exchange.request);
  ResponseHead response;
  response.status = exchange.status;
  add_lines(response.fields, exchange.response);
  const std::vector<std::string> list = {"CDN-Cache-Control"};
  const auto targeted = targeted_directives(response.fields, list);
  const Directives asked = request_directives(request.fields);
  const Directives said = targeted ? targeted->directives : response_directives(response.fields);
  const Lifetime lifetime =
      freshness_lifetime(response.status, response.fields, said, targeted.has_value(),
                         response_times(response.fields, kNow, kNow).date_value, lifetimes);
  return may_store({.request = request,
                    .response = response,
                    .request_directives = asked,
                    .directives = said,
                    .targeted = targeted.has_value(),
                    .lifetime = lifetime,
                    .request_has_content = exchange.content,
                    .target_uri = exchange.uri},
                   options);
}

std::string reason(const Exchange& exchange, const StoreOptions& options = {}) {
  return std::string(to_string(verdict_of(exchange, options).reason));
}

// A GET with 200.
std::string response(const Lines& lines, const StoreOptions& options = {}) {
  return reason({.response = lines}, options);
}

TEST(Storing, Methods) {  // RFC 9111 section 3
  EXPECT_EQ(reason({.response = {kFresh}}), "stored");
  for (const Method method : {Method::head, Method::post, Method::put, Method::delete_,
                              Method::options, Method::patch, Method::trace, Method::other}) {
    EXPECT_EQ(reason({.method = method, .response = {kFresh}}), "method");
  }
  EXPECT_EQ(reason({.response = {kFresh}, .content = true}), "request-content");
}

TEST(Storing, PostThatStandsForGet) {  // RFC 9110 section 9.3.3
  const auto post = [](std::string_view location, Lines lines = {kFresh}) {
    lines.emplace_back("Content-Location", location);
    return reason({.method = Method::post, .response = lines, .content = true});
  };
  for (const std::string_view same :
       {"/a?b", "http://example.com/a?b", "HTTP://Example.com:80/a?b"}) {
    EXPECT_EQ(post(same), "stored") << same;
  }
  for (const std::string_view other :
       {"", "/a", "/a?c", "//example.com/a?b", "https://example.com/a?b", "http://example.com/A?b",
        "http://example.org/a?b", "http://example.com:8080/a?b", "a?b"}) {
    EXPECT_EQ(post(other), "method") << other;
  }
  EXPECT_EQ(post("/a?b", {}), "method");
  EXPECT_EQ(post("/a?b", {{"Cache-Control", "max-age=0"}, kTag}), "method");
  EXPECT_EQ(post("/a?b", {{"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}}), "method");
  EXPECT_EQ(post("/a?b", {{"Cache-Control", "max-age=5, no-store"}}), "no-store");
  const Exchange unsaid = {.method = Method::post, .response = {{"Content-Location", "/a?b"}}};
  EXPECT_EQ(verdict_of(unsaid, {}, {.override_lifetime = 5s}).reason, StoreReason::method);
  const Exchange exchange = {.method = Method::post,
                             .response = {kFresh, {"Content-Location", "/a?b"}}};
  EXPECT_EQ(reason(exchange, {.post = false}), "method");
  EXPECT_EQ(reason({.method = Method::post,
                    .response = {kFresh, {"Content-Location", "/"}},
                    .uri = "https://example.com:443"}),
            "stored");
}

TEST(Storing, UnkeyedInputs) {
  const std::vector<std::string> unkeyed = {"X-HTTP-Method-Override", "X-Original-URL"};
  const StoreOptions options{.unkeyed_fields = unkeyed};
  Exchange exchange{.request = {{"x-original-url", "/admin"}}, .response = {kFresh}};
  EXPECT_EQ(reason(exchange), "stored");
  EXPECT_EQ(reason(exchange, options), "unkeyed-input");
  exchange.response.emplace_back("Vary", "Accept, X-Original-Url");
  EXPECT_EQ(reason(exchange, options), "stored");

  FieldSection request;
  EXPECT_EQ(find_unkeyed_field(request, unkeyed), nullptr);
  add_lines(request, {{"Accept", "*/*"}, {"X-HTTP-method-override", "PUT"}});
  ASSERT_NE(find_unkeyed_field(request, unkeyed), nullptr);
  EXPECT_EQ(find_unkeyed_field(request, unkeyed)->value, "PUT");
  EXPECT_FALSE(usual_unkeyed_fields().empty());
}

TEST(Storing, RequestNoStore) {  // section 5.2.1.5
  const Exchange exchange{.request = {{"Cache-Control", "no-store"}}, .response = {kFresh}};
  EXPECT_EQ(reason(exchange), "request-no-store");
  EXPECT_EQ(reason(exchange, {.honour_request = false}), "stored");
}

TEST(Storing, Statuses) {
  for (const int status : {200, 203, 204, 299, 301, 302, 303, 307, 308, 400,
                           403, 404, 410, 451, 499, 500, 502, 503, 504, 599}) {
    EXPECT_EQ(reason({.status = status, .response = {kFresh}}), "stored") << status;
  }
  for (const int status :
       {100, 101, 103, 304, 401, 407, 412, 416, 425, 428, 429, 431, 511, 600, 999}) {
    EXPECT_EQ(reason({.status = status, .response = {kFresh}}), "status") << status;
  }
}

TEST(Storing, MustUnderstand) {  // section 5.2.2.3
  const Lines lines = {{"Cache-Control", "max-age=3600, must-understand, no-store"}};
  EXPECT_EQ(reason({.status = 200, .response = lines}), "stored");
  EXPECT_EQ(reason({.status = 599, .response = lines}), "must-understand");
  EXPECT_EQ(reason({.status = 599, .response = {{"Cache-Control", "max-age=5, must-understand"}}}),
            "must-understand");
  EXPECT_FALSE(understands_status(206, {.partial = false}));
  EXPECT_TRUE(understands_status(206));
}

TEST(Storing, Directives) {  // section 5.2.2
  EXPECT_EQ(response({{"Cache-Control", "max-age=10000, No-Store"}}), "no-store");
  EXPECT_EQ(response({{"Cache-Control", "private, max-age=3600"}}), "private");
  EXPECT_EQ(response({{"Cache-Control", "private=\"\", max-age=3600"}}), "private");
  EXPECT_EQ(response({{"Cache-Control", "private=\"a\", max-age=3600"}}), "stored");
  EXPECT_EQ(response({{"Cache-Control", "no-cache=\"a\", max-age=3600"}}), "stored");
  EXPECT_EQ(response({{"Cache-Control", "max-age=3600, foo=\"bar, no-store"}}), "malformed");
  EXPECT_EQ(response({kFresh, {"Pragma", "no-cache"}}), "stored");
}

TEST(Storing, Authorization) {  // section 3.5
  const auto authorized = [](std::string_view cache_control) {
    return reason({.request = {{"Authorization", "Basic eDp5"}},
                   .response = {{"Cache-Control", cache_control}}});
  };
  EXPECT_EQ(authorized("max-age=3600"), "authorization");
  EXPECT_EQ(authorized("max-age=3600, proxy-revalidate"), "authorization");
  EXPECT_EQ(authorized("max-age=3600, public"), "stored");
  EXPECT_EQ(authorized("max-age=3600, must-revalidate"), "stored");
  EXPECT_EQ(authorized("s-maxage=3600"), "stored");
  EXPECT_EQ(authorized("private, public, max-age=1"), "private");
  EXPECT_EQ(reason({.request = {{"Cookie", "a=b"}}, .response = {kFresh}}), "stored");
}

TEST(Storing, VaryAny) {  // section 4.1
  EXPECT_EQ(response({kFresh, {"Vary", "Accept, *"}}), "vary-any");
  EXPECT_EQ(response({kFresh, {"Vary", "Accept"}, {"Vary", "*"}}), "vary-any");
  EXPECT_EQ(response({kFresh, {"Vary", "Accept"}}), "stored");
}

TEST(Storing, SetCookie) {  // section 7.3
  const std::pair<std::string_view, std::string_view> cookie = {"Set-Cookie", "a=b"};
  using enum SetCookiePolicy;
  EXPECT_EQ(response({kFresh, cookie}), "set-cookie");
  EXPECT_EQ(response({kFresh, {"Set-Cookie2", "a=b"}}), "set-cookie");
  EXPECT_EQ(response({{"Cache-Control", "max-age=3600, public"}, cookie}), "set-cookie");
  EXPECT_EQ(response({kFresh, cookie}, {.set_cookie = if_public}), "set-cookie");
  EXPECT_EQ(
      response({{"Cache-Control", "max-age=3600, public"}, cookie}, {.set_cookie = if_public}),
      "stored");
  EXPECT_EQ(response({{"Cache-Control", "s-maxage=3600"}, cookie}, {.set_cookie = if_public}),
            "stored");
  EXPECT_EQ(response({{"CDN-Cache-Control", "max-age=3600"}, cookie}, {.set_cookie = if_public}),
            "stored");
  EXPECT_EQ(response({{"CDN-Cache-Control", "foo"}, kTag, cookie}, {.set_cookie = if_public}),
            "set-cookie");
  EXPECT_EQ(response({{"Cache-Control", "max-age=5, private=Set-Cookie"}, cookie}), "stored");
  EXPECT_EQ(response({{"Cache-Control", "max-age=5, no-cache=\"set-cookie\""}, cookie}), "stored");
  // A lifetime of our own takes nothing away from what the origin says, and adds nothing.
  const LifetimeOptions ours{.override_lifetime = 5s};
  EXPECT_TRUE(verdict_of({.response = {{"CDN-Cache-Control", "max-age=3600"}, cookie}},
                         {.set_cookie = if_public}, ours)
                  .store());
  EXPECT_FALSE(verdict_of({.response = {kFresh, cookie}}, {.set_cookie = if_public}, ours).store());
  EXPECT_EQ(response({kFresh, cookie}, {.set_cookie = store}), "stored");
  EXPECT_EQ(response({kFresh, cookie}, {.set_cookie = strip}), "stored");
}

TEST(Storing, Parts) {  // section 3.3
  const std::pair<std::string_view, std::string_view> range = {"Content-Range", "bytes 0-1/9"};
  Exchange exchange{
      .status = 206, .request = {{"Range", "bytes=0-1"}}, .response = {kFresh, range}};
  EXPECT_EQ(reason(exchange), "stored");
  EXPECT_EQ(reason(exchange, {.partial = false}), "status");
  exchange.response = {kFresh, {"Content-Type", "multipart/byteranges; boundary=a"}};
  EXPECT_EQ(reason(exchange), "partial");
  EXPECT_EQ(reason({.status = 206, .response = {kFresh, range}}), "partial");  // not asked for
  EXPECT_EQ(reason({.request = {{"Range", "bytes=0-1"}}, .response = {kFresh}}), "stored");
}

TEST(Storing, WhatIsOfUse) {
  const std::pair<std::string_view, std::string_view> modified = {"Last-Modified",
                                                                  "Sun, 06 Nov 1994 08:49:37 GMT"};
  EXPECT_EQ(response({}), "no-freshness");
  EXPECT_EQ(response({{"Cache-Control", "public"}}), "no-freshness");
  EXPECT_EQ(response({kTag}), "stored");
  EXPECT_EQ(response({modified}), "stored");
  EXPECT_EQ(response({{"Last-Modified", "foo"}}), "no-freshness");
  EXPECT_EQ(response({{"Expires", "0"}, modified}), "stored");
  EXPECT_EQ(response({{"Expires", "0"}}), "useless");
  EXPECT_EQ(response({{"Cache-Control", "max-age=0"}}), "useless");
  EXPECT_EQ(response({{"Cache-Control", "max-age=0"}, kTag}), "stored");
  EXPECT_EQ(response({{"Cache-Control", "max-age=0, stale-while-revalidate=5"}}), "stored");
  EXPECT_EQ(response({{"Cache-Control", "max-age=0, stale-if-error=5"}}), "stored");
  EXPECT_EQ(response({{"Cache-Control", "max-age=3600, no-cache"}}), "useless");
  EXPECT_EQ(response({{"Cache-Control", "no-cache"}, kTag}), "stored");
  // Stale when it comes, but it may serve who takes it stale.
  EXPECT_EQ(response({{"Cache-Control", "max-age=1500"}, {"Age", "2000"}}), "stored");
  // A status that is not cacheable as such needs somebody to say so.
  EXPECT_EQ(reason({.status = 202, .response = {kTag, modified}}), "no-freshness");
  EXPECT_EQ(reason({.status = 599, .response = {modified, {"Cache-Control", "public"}}}), "stored");
  EXPECT_EQ(reason({.status = 503, .response = {kTag}}), "no-freshness");
}

TEST(Storing, Fields) {  // section 3.1
  const auto stored = [](std::string_view name, std::string_view cache_control = {},
                         bool strip = false) {
    Directives directives;
    directives.add_line(cache_control);
    return is_stored({.id = field_id(name), .name = name, .value = "x"}, directives,
                     {.strip_set_cookie = strip});
  };
  for (const std::string_view name :
       {"Connection", "Keep-Alive", "Proxy-Connection", "TE", "Transfer-Encoding", "Upgrade",
        "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization"}) {
    EXPECT_FALSE(stored(name)) << name;
  }
  for (const std::string_view name : {"Set-Cookie", "Set-Cookie2", "Content-Length", "X-Test",
                                      "Content-Security-Policy", "Age", "Cache-Control"}) {
    EXPECT_TRUE(stored(name)) << name;
  }
  EXPECT_FALSE(stored("Set-Cookie", "", true));
  EXPECT_FALSE(stored("set-cookie2", "", true));
  EXPECT_FALSE(stored("A", "no-cache=\"a, b\""));
  EXPECT_FALSE(stored("b", "private=\"a, b\""));
  EXPECT_TRUE(stored("c", "private=\"a, b\""));
  EXPECT_EQ(
      verdict_of({.response = {kFresh}}, {.set_cookie = SetCookiePolicy::strip}).strip_set_cookie,
      true);
}

}  // namespace
}  // namespace penstock::rfc9111

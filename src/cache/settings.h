// What configuration sets in this room: [cache].
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "cache/rfc9111/storing.h"

namespace penstock {

// What holds for some requests and responses in place of what they say: a [[cache.rule]].
struct CacheRule {
  enum class Mode : std::uint8_t {
    standard,  // as the responses say
    never,     // neither stored nor answered from the cache
    always,    // stored also where the response says no-store, private, or nothing at all
  };
  Mode mode = Mode::standard;
  std::optional<Duration> lifetime;      // whatever the response says
  std::optional<Duration> lifetime_min;  // bounds of what it says
  std::optional<Duration> lifetime_max;
  std::optional<Duration> stale_while_revalidate;
  std::optional<Duration> stale_if_error;
  std::optional<rfc9111::SetCookiePolicy> set_cookie;
  // The key.
  bool ignore_query = false;
  bool sort_query = false;
  std::vector<std::string> ignored_parameters;  // names; "utm_*"
  std::vector<std::string> key_fields;          // request fields that are part of it
  std::vector<std::string> key_cookies;         // cookies that are
};

struct CacheSettings {
  std::uint64_t memory = 0;                            // bytes of it in all, 0: there is no cache
  std::uint64_t max_object = std::uint64_t{32} << 20;  // bytes of content, in memory
  std::size_t max_variants = 64;                       // of one URI
  std::uint64_t host_objects = 0;                      // of one host, 0: any number
  std::uint64_t host_memory = 0;                       // bytes, the same

  // What responses are taken to say.
  // Fields in place of Cache-Control, the first that counts.
  std::vector<std::string> targeted = {"Penstock-Cache-Control", "CDN-Cache-Control"};
  int heuristic_percent = 10;
  Duration heuristic_max = std::chrono::hours(24);
  Duration error_max = std::chrono::seconds(60);  // lifetime of responses from 500 on, at most
  rfc9111::SetCookiePolicy set_cookie = rfc9111::SetCookiePolicy::refuse;
  std::vector<std::string> unkeyed_fields = {
      "X-Forwarded-Scheme", "X-Host",          "X-HTTP-Method",  "X-HTTP-Method-Override",
      "X-Method-Override",  "X-Original-Host", "X-Original-URL", "X-Rewrite-URL"};

  bool honour_request = true;  // what requests ask for counts

  // How long a response may be stale that says nothing about it, where the origin can't be reached
  // or answers with an error.
  Duration stale_if_unreachable{0};
  Duration stale_if_error{0};

  // How long a request waits for another's response, and how long a key whose responses are for
  // nobody else is remembered.
  Duration collapse_wait = std::chrono::seconds(10);
  Duration pass_time = std::chrono::seconds(60);
  // Content that is still to come when the client has gone, in bytes, up to which it is fetched.
  std::uint64_t finish = std::uint64_t{1} << 20;

  std::vector<std::string> purge_from;  // networks of clients that may use the method PURGE

  bool cache_status = true;  // Cache-Status is sent (RFC 9211)
};

}  // namespace penstock

// For the tests of this room: a cache, requests and responses, and time that the test moves.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "async/virtual_time_test.h"
#include "cache/cache.h"
#include "cache/rfc9111/fields_test.h"
#include "cache/stored_response.h"
#include "cache/visit.h"
#include "message/body.h"
#include "message/text_body.h"

namespace penstock {

using rfc9111::Lines;

// One thread's part of a cache, at a wall time of its own.
class CacheWorld {
 public:
  explicit CacheWorld(CacheSettings settings = enough())
      : cache(std::move(settings), HashKey{.low = 1, .high = 2}),
        worker{.cache = &cache,
               .executor = &time.executor,
               .gate = std::make_shared<WorkerGate>([](const std::function<void()>& f) { f(); }),
               .name = "us",
               .counters = &cache.add_counters()} {
    set_wall(std::chrono::sys_seconds(std::chrono::seconds(1'700'000'000)));
  }
  static CacheSettings enough() {
    CacheSettings settings;
    settings.memory = std::uint64_t{16} << 20;
    return settings;
  }

  void set_wall(std::chrono::sys_seconds wall) {
    time.executor.set_time(time.executor.now(), wall);
  }
  void pass(std::chrono::seconds by) { set_wall(worker.now() + by); }

  CacheKey key(std::string_view path, std::string_view owner = "") {
    return make_cache_key(
        {.scheme = "http", .host = "a.example", .path_and_query = path, .owner = owner}, {},
        cache.secret(), arena);
  }
  // A complete one, fresh for a minute, not in the store yet.
  std::shared_ptr<StoredResponse> stored(std::string_view path, std::string_view content,
                                         const Lines& lines = {}, std::string variant = {}) {
    const CacheKey of = key(path);
    const FieldSection fields = rfc9111::make_fields(lines);
    StoredResponseInput input{.key = of.text,
                              .key_hash = of.hash,
                              .status = 200,
                              .reason = "OK",
                              .fields = &fields,
                              .variant_key = std::move(variant),
                              .reuse = {.lifetime = std::chrono::seconds(60)},
                              .source = rfc9111::LifetimeSource::max_age,
                              .times = {.request_time = worker.now(),
                                        .response_time = worker.now(),
                                        .date_value = worker.now()},
                              .looked_at = cache.invalidations().last()};
    input.parts.push_back(
        {.first = 0, .content = std::make_shared<Content>(cache.account(), content)});
    return std::make_shared<StoredResponse>(cache.account(), std::move(input));
  }

  VirtualTime time;
  Arena arena;
  Cache cache;
  CacheWorker worker;
};

// All of a body that is there already.
inline std::string all_of(BodySource& body) {
  std::string text;
  while (!body.at_end()) {
    const Slice slice = body.take_ready();
    if (slice.empty()) break;
    text += slice.view();
  }
  return text;
}

}  // namespace penstock

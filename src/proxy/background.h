// Requests of the cache's own: for what is to be validated, or wanted beforehand.
#pragma once

#include <cstddef>
#include <memory>

#include "async/scope.h"
#include "async/task.h"
#include "cache/stored_response.h"
#include "message/head.h"
#include "server/client_info.h"

namespace penstock {

struct ProxyParts;

// Each is a transaction as any other, with no client to answer. Belongs to one worker.
class BackgroundFetches {
 public:
  // So many at a time; what is beyond that is left out.
  static constexpr std::size_t kMost = 128;

  // `parts` must outlive it.
  explicit BackgroundFetches(const ProxyParts& parts);
  BackgroundFetches(const BackgroundFetches&) = delete;
  BackgroundFetches& operator=(const BackgroundFetches&) = delete;

  // Has the stored response validated that has just been the answer to `request`, which came from
  // that client. `StoredResponse::begin_refresh()` was called for it; it is told when that is over.
  // Both are copied.
  void refresh(std::shared_ptr<const StoredResponse> stored, const RequestHead& request,
               const ClientInfo& client);
  // Ends all; nothing is begun afterwards.
  Task<void> stop();

 private:
  struct Job;
  static Task<void> run(BackgroundFetches& self, std::unique_ptr<Job> job);

  const ProxyParts& parts_;
  Scope scope_;
};

}  // namespace penstock

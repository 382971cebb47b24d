// The server side of one worker: its connections, and the groups they lead to.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string_view>
#include <vector>

#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "upstream/group.h"
#include "upstream/hop_share.h"
#include "upstream/pool.h"
#include "upstream/settings.h"

namespace penstock {

// What all workers know of all groups. Settings must outlive it; it must outlive the workers.
class UpstreamShare {
 public:
  explicit UpstreamShare(const UpstreamSettings& settings);
  [[nodiscard]] std::list<GroupShare>& groups() { return groups_; }

 private:
  std::list<GroupShare> groups_;
};

// An HTTP client without a will of its own: Delivery uses it for a request at a time. Belongs to
// one thread.
class ServerSide {
 public:
  // All must outlive it. `seed`: another one for each worker.
  ServerSide(Network& network, const UpstreamSettings& settings, UpstreamShare& share,
             std::uint64_t seed);
  ~ServerSide();

  // Begins what goes on beside the requests: names are resolved, connections kept in reserve, and,
  // on one worker of all (`checks`), servers checked.
  void start(bool checks);
  // Ends that, and closes all idle connections. To be awaited before it is destroyed, if it was
  // started.
  Task<void> stop();

  // Null: there is none of that name.
  [[nodiscard]] ServerGroup* group(std::string_view name);
  [[nodiscard]] ServerPool& pool() { return pool_; }
  [[nodiscard]] const ServerPool& pool() const { return pool_; }
  [[nodiscard]] Network& network() { return pool_.network(); }
  [[nodiscard]] const UpstreamSettings& settings() const { return pool_.settings(); }
  [[nodiscard]] Random& random() { return random_; }

 private:
  ServerPool pool_;
  Random random_;
  std::list<ServerGroup> groups_;
  Scope upkeep_;
};

}  // namespace penstock

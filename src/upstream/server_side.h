// The server side of one worker: its connections, and the servers they lead to.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/scope.h"
#include "base/random.h"
#include "net/network.h"
#include "tls/client_context.h"
#include "upstream/credential_store.h"
#include "upstream/group.h"
#include "upstream/hop_share.h"
#include "upstream/peer.h"
#include "upstream/pool.h"
#include "upstream/settings.h"

namespace penstock {

// What all workers know of all groups and peers. Settings must outlive it; it must outlive the
// workers.
class UpstreamShare {
 public:
  explicit UpstreamShare(const UpstreamSettings& settings);
  UpstreamShare(const UpstreamShare&) = delete;
  UpstreamShare& operator=(const UpstreamShare&) = delete;

  // What is wrong with the files that the settings name (certificates, keys): a sentence; empty:
  // nothing. With a problem it must not be used any further.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  [[nodiscard]] std::list<GroupShare>& groups() { return groups_; }
  // How TLS is spoken to targets; null: not at all.
  [[nodiscard]] const std::shared_ptr<const TlsClientContext>& target_tls() const {
    return target_tls_;
  }
  // In the order of the settings.
  [[nodiscard]] std::list<GroupShare>& peers() { return peers_; }

 private:
  std::shared_ptr<const TlsClientContext> make_tls(const std::optional<TlsClientSettings>& settings,
                                                   std::string_view where,
                                                   HttpChoice http = HttpChoice::http1);

  std::list<GroupShare> groups_;
  std::shared_ptr<const TlsClientContext> target_tls_;
  std::list<UpstreamGroupSettings> peer_settings_;
  std::list<GroupShare> peers_;
  std::string problem_;
};

// An HTTP client without a will of its own: Delivery uses it for a request at a time. Belongs to
// one thread.
class ServerSide {
 public:
  // All must outlive it. `seed`: another one for each worker. `log`: where it is told what happens
  // to servers; null: nowhere.
  ServerSide(Network& network, const UpstreamSettings& settings, UpstreamShare& share,
             std::uint64_t seed, Log* log = nullptr);
  ~ServerSide();

  // Begins what goes on beside the requests: names are resolved, connections kept in reserve, and,
  // on one worker of all (`checks`), servers checked.
  void start(bool checks);
  // Ends that, and closes all idle connections. To be awaited before it is destroyed, if it was
  // started.
  Task<void> stop();

  // Null: there is none of that name.
  [[nodiscard]] ServerGroup* group(std::string_view name);
  [[nodiscard]] Peer* peer(std::string_view name);
  [[nodiscard]] ServerPool& pool() { return pool_; }
  [[nodiscard]] const ServerPool& pool() const { return pool_; }
  [[nodiscard]] Network& network() { return pool_.network(); }
  [[nodiscard]] const UpstreamSettings& settings() const { return pool_.settings(); }
  // How TLS is spoken to targets; null: not at all.
  [[nodiscard]] const std::shared_ptr<const TlsClientContext>& target_tls() const {
    return target_tls_;
  }
  [[nodiscard]] CredentialStore& credentials() { return credentials_; }
  [[nodiscard]] Random& random() { return random_; }

 private:
  ServerPool pool_;
  std::shared_ptr<const TlsClientContext> target_tls_;
  Random random_;
  std::list<ServerGroup> groups_;
  std::list<Peer> peers_;
  CredentialStore credentials_;
  Scope upkeep_;
};

}  // namespace penstock

// What stands between the simulated clients and origins.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapt/settings.h"
#include "cache/cache.h"
#include "icap/settings.h"
#include "net/address.h"
#include "server/settings.h"
#include "sim/network.h"
#include "sim/world.h"
#include "upstream/settings.h"

namespace penstock::simulation {

// Runs in the world from its making to its end.
class Proxy {
 public:
  virtual ~Proxy() = default;
  // Where it takes the next connection.
  [[nodiscard]] virtual Address address() = 0;
  // Lets go of everything: when the world has become idle after that, none of its tasks is left.
  virtual void stop() = 0;
  // Tasks that have not ended.
  [[nodiscard]] virtual std::size_t running() const = 0;
  // One of its workers takes no more connections and ends those it has: gently, when their requests
  // are done, or at once. Nothing happens where there is only one.
  virtual void end_worker(bool gently) { static_cast<void>(gently); }
  // What its modules have to complain of, when all has ended.
  [[nodiscard]] virtual std::vector<std::string> problems() const { return {}; }
  [[nodiscard]] virtual std::string text() const { return {}; }
  // Server connections that wait for anybody's request.
  [[nodiscard]] virtual std::size_t pooled() const { return 0; }
};

// Makes one that stands before these origins, which all serve the same; it listens and connects
// through `network`.
using ProxyFactory = std::function<std::unique_ptr<Proxy>(SimWorld& world, SimNetwork& network,
                                                          const std::vector<Address>& origins)>;

// How often a request may reach origins that is safe to repeat: the proxy's own bound, with a
// second try beside each.
inline constexpr std::size_t kMostAttempts = 2 * std::size_t{20};

// How the proxy under test is set up.
struct ProxyOptions {
  ListenerMode mode = ListenerMode::reverse;
  std::size_t workers = 1;  // on the one thread there is; they share what workers share
  // Of a reverse proxy. Without servers: the origins are its servers.
  UpstreamGroupSettings group = {};
  RetrySettings target_retry = {};  // of a forward proxy
  http2::Settings to_clients = {};
  http2::Settings to_origins = {};
  Duration client_idle = ServerSettings().client_idle;
  // With peers that are only slow: streams that share a slow connection have long to wait.
  bool patient = false;
  std::vector<std::string> header_from = {};  // whose connections begin with a PROXY header
  std::optional<TlsServerSettings> tls = {};  // with clients
  // Modules have a say. `reliable_modules`: none of them fails.
  bool modules = false;
  bool reliable_modules = true;
  // ICAP services, and the filters that ask them. Not together with modules.
  std::vector<icap::ServiceSettings> icap = {};
  std::vector<FilterSettings> icap_filters = {};
  // The cache of all workers; null: there is none.
  std::shared_ptr<Cache> cache = {};
  // Wrong on purpose: clients share the server connections that are logged in.
  bool shared_logins = false;
};
[[nodiscard]] ProxyFactory make_proxy(const ProxyOptions& options);

// A relay of bytes that knows nothing of HTTP, to prove that the simulation notices what it is
// there to notice.
enum class Flaw : std::uint8_t {
  none,
  wrong_byte,     // changes a byte, now and then
  orderly_end,    // ends its side in the ordinary way where the other one was cut
  lost_bytes,     // leaves out some of what it has read, now and then
  crossed_lines,  // gives one client's bytes to another, now and then
  repeats,        // sends what the client sent first once more on a connection of its own
};
[[nodiscard]] std::unique_ptr<Proxy> make_relay(SimWorld& world, SimNetwork& network,
                                                const std::vector<Address>& origins, Flaw flaw);

}  // namespace penstock::simulation

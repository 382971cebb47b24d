// What a transaction needs of the world outside, so that it can be the kernel's sockets or a
// simulated network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/executor.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "net/address.h"

namespace penstock {

// Takes up accepted connections.
class AcceptHandler {
 public:
  // Called from the loop. `local` is the address the client connected to.
  virtual void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                         const Address& local) = 0;

 protected:
  ~AcceptHandler() = default;
};

// A listening socket; closed when destroyed.
class Listener {
 public:
  virtual ~Listener() = default;
  // Leaves new connections waiting in the kernel's queue, or takes them up again.
  virtual void pause() = 0;
  virtual void resume() = 0;
  // With the port the system chose where it was 0.
  [[nodiscard]] virtual Address local_address() const = 0;
};

// What a host name stands for at present.
struct Resolution {
  // Never empty, port set, in the order to try them: IPv6 and IPv4 by turns, IPv6 first (RFC 8305
  // section 4), within a family by RFC 6724; those there is no way to come last.
  AddressList addresses;
  // When to ask again at the earliest, if asking is worth it; kNever for an IP literal. May be past
  // where the answer was not to be kept at all.
  TimePoint expires = kNever;
};

// Why resolving ended with resolve_failed: the Error's cause.
enum class ResolveCause : std::uint8_t {
  no_address = 0,      // the name servers say that there is none
  servers_failed = 1,  // they failed to say: SERVFAIL, REFUSED, garbage, or nobody listens there
};

// One of the places a service is to be had (RFC 2782).
struct ServiceTarget {
  std::string host;  // a name to resolve, without a dot at its end
  std::uint16_t port = 0;
  std::uint16_t priority = 0;  // the lowest is to be tried first
  std::uint16_t weight = 0;    // share among those of one priority

  friend bool operator==(const ServiceTarget&, const ServiceTarget&) = default;
};

struct ServiceResolution {
  std::vector<ServiceTarget> targets;  // never empty; by priority, in no order within one
  TimePoint expires = kNever;          // as in Resolution
};

// One thread's way to the network.
class Network {
 public:
  virtual ~Network() = default;
  [[nodiscard]] virtual Executor& executor() = 0;
  // Suspends until connected, refused, timed out at `deadline`, or cancelled. Errors are of side
  // `server` and retryable: nothing was sent.
  virtual Task<Result<std::unique_ptr<ByteStream>>> connect(const Address& to,
                                                            TimePoint deadline) = 0;
  // The addresses of a host name or IP literal (an IPv6 one without brackets). `host` must stay
  // valid until the task is done. Fails with resolve_failed (cause: a ResolveCause), timed_out (the
  // name servers did not answer, whether they or `deadline` ended it), overloaded (too many
  // questions are under way) or cancelled.
  virtual Task<Result<Resolution>> resolve(std::string_view host, std::uint16_t port,
                                           TimePoint deadline) = 0;
  // Where a service is to be had: the SRV records of a name such as "_http._tcp.example.com". A
  // service that its domain says it does not offer (the only target is ".") fails as a name without
  // addresses does. Otherwise as resolve().
  virtual Task<Result<ServiceResolution>> resolve_service(std::string_view name,
                                                          TimePoint deadline) = 0;
  // From any thread: runs f on this network's thread, between tasks. The network must still be
  // there then.
  virtual void call(std::function<void()> f) = 0;
};

}  // namespace penstock

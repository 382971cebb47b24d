// What a transaction needs of the world outside, so that it can be the kernel's sockets or a
// simulated network.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

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

// One thread's way to the network.
class Network {
 public:
  virtual ~Network() = default;
  [[nodiscard]] virtual Executor& executor() = 0;
  // Suspends until connected, refused, timed out at `deadline`, or cancelled. Errors are of side
  // `server` and retryable: nothing was sent.
  virtual Task<Result<std::unique_ptr<ByteStream>>> connect(const Address& to,
                                                            TimePoint deadline) = 0;
  // All addresses of a host name or IP literal, in the order to try them; never empty on success.
  // `host` must stay valid until the task is done.
  virtual Task<Result<AddressList>> resolve(std::string_view host, std::uint16_t port,
                                            TimePoint deadline) = 0;
};

}  // namespace penstock

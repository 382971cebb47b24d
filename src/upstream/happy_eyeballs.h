// Connecting to the first of several addresses that answers (RFC 8305, "Happy Eyeballs").
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>

#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "base/time.h"
#include "net/address.h"
#include "net/network.h"

namespace penstock {

struct ConnectLimits {
  // How long an attempt is given before the next one starts beside it (RFC 8305 section 5); 0: it
  // never does, the next one waits for its end.
  Duration stagger = std::chrono::milliseconds(250);
  Duration attempt = {};        // of each attempt from its start; 0: none
  TimePoint deadline = kNever;  // of all together
};

struct Connected {
  std::unique_ptr<ByteStream> stream;
  std::size_t index = 0;  // of its address
};

// Tries the addresses (not empty, valid until done) in their order. The next attempt starts when
// the one before it has failed or `stagger` has passed; the first to connect wins, all others are
// cancelled and closed before this ends. With a single address it is just a connect.
//
// When all fail, the error is that of the attempt that came furthest (refused before timed out
// before unreachable), of side `server` and retryable. No further address is tried when there is no
// room for connections (overloaded).
Task<Result<Connected>> connect_first(Network& network, std::span<const Address> addresses,
                                      ConnectLimits limits);

}  // namespace penstock

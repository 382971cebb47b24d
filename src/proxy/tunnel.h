// Tunnels: bytes in both directions, until both have ended (RFC 9110 section 9.3.6).
#pragma once

#include <cstdint>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"

namespace penstock {

// One end of a tunnel; bytes that were read from it already wait in the buffer.
struct TunnelEnd {
  ByteStream* stream;
  InputBuffer* input;
};

struct TunnelTraffic {
  std::uint64_t up = 0;    // from the first end to the second
  std::uint64_t down = 0;  // from the second to the first
};

// Runs until both directions have ended, one of them fails, or no byte has moved in either for
// `idle`. The error then says which end it was: the first is side `client`, the second `server`;
// none where both fell silent. A direction that ends in the ordinary way is ended at the other side
// too, and the other one goes on (half-close). A failure is passed on as an abortive close of both
// ends. The streams are the caller's to destroy.
Task<Result<void>> run_tunnel(TunnelEnd first, TunnelEnd second, Duration idle,
                              TunnelTraffic& traffic);

}  // namespace penstock

// Reading HTTP/1 heads from a connection, and putting heads into slabs to be written.
#pragma once

#include "async/input_buffer.h"
#include "async/stream.h"
#include "http1/head_parser.h"
#include "http1/head_writer.h"

namespace penstock::http1 {

// Reads until `input` starts with a whole head, as `scanner` (fresh) finds; the head stays in
// `input`. Bytes that wait there already are looked at first. Errors: `closed` when the stream ends
// (input.empty() tells whether anything had come), `protocol` with the Refusal as cause,
// `timed_out` at the deadline, and those of the connection.
Task<Result<void>> read_head(ByteStream& stream, InputBuffer& input, HeadScanner& scanner,
                             TimePoint deadline);

// The head in its form on the wire, in a slab of its own. Fails with `limit` when it is larger than
// any slab.
[[nodiscard]] Result<Slice> serialise(const RequestHead& head, RequestForm form,
                                      const WireFraming& framing);
[[nodiscard]] Result<Slice> serialise(const ResponseHead& head, const WireFraming& framing);

}  // namespace penstock::http1

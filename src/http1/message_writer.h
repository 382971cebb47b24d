// Sending a whole HTTP/1 message: its head, and its body as it is pulled from its source.
#pragma once

#include <cstdint>

#include "async/stream.h"
#include "message/body.h"
#include "message/framing.h"

namespace penstock::http1 {

// Where a message is sent to, and what became of it so far.
struct Outgoing {
  ByteStream* stream;
  Side side;                  // whose connection it is, for the errors
  Duration stall;             // longest time without the peer taking a byte
  std::uint64_t sent = 0;     // bytes taken by the connection, head and framing included
  std::uint64_t content = 0;  // content bytes among them
  TimePoint last_progress{};  // when bytes were last taken or a body's bytes last came
  // Of a chunked body that has ended: what closes it, where that is not the usual last chunk with
  // the trailers. Null: it is.
  std::string_view (*last_chunk)(const BodySource& body) = nullptr;
};

// Writes `head` (a complete serialised head, or empty when it was sent before) and all of `body`
// in `framing`, gathering what is ready into as few writes as possible; the head never waits for
// the body. With kind `length` the source must give exactly that many bytes: fewer or more is an
// error of the source's side. Errors tell by their side which connection failed. Returns when the
// message is complete, its last chunk included.
Task<Result<void>> send_message(Outgoing& to, Slice head, BodySource& body, Framing framing);
// A message without body, or of which only the head is sent now.
Task<Result<void>> send_head(Outgoing& to, Slice head);

}  // namespace penstock::http1

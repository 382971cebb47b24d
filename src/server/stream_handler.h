// Client connections whose bytes nobody here understands.
#pragma once

#include <string_view>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "message/close_reason.h"
#include "server/client_info.h"

namespace penstock {

// A connection of a tcp listener; lives until its handler is done with it. Bytes that were looked
// at already wait in the buffer.
struct StreamSession {
  ByteStream& stream;
  InputBuffer& input;
  const ClientInfo& client;
  // The name a client asks for in its ClientHello (RFC 6066 section 3), lower case; empty if there
  // is none. With TLS on the listener it is in `client`, too.
  std::string_view server_name;
  TimePoint started{};  // when it was accepted
};

// What is done with them: passed on by TCP mode, or a test.
class StreamHandler {
 public:
  // The connection is closed when it returns. Cancelling its task ends it early.
  virtual Task<void> handle(StreamSession& session) = 0;

 protected:
  ~StreamHandler() = default;
};

}  // namespace penstock

// What a test's side of a connection does: short tasks for sending and receiving text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "async/stream.h"
#include "async/task.h"

namespace penstock {

// Each gives the number of bytes it sent or received. Without a limit of time, unless `limit` is
// given: then a receiving one times out after that long as a whole, a sending one when no byte
// moved for that long.
Task<Result<std::size_t>> send_text(ByteStream& stream, std::string text, Duration limit = {});
// Appends what comes to `into` until the end of the stream; what came before an error stays there.
Task<Result<std::size_t>> receive_all(ByteStream& stream, std::string& into, Duration limit = {});
// The same, until `into` has that size. The stream's earlier end is an error: closed.
Task<Result<std::size_t>> receive_size(ByteStream& stream, std::string& into, std::size_t size,
                                       Duration limit = {});
// The same, until `into` contains `mark`; what came together with it is in `into` too.
Task<Result<std::size_t>> receive_until(ByteStream& stream, std::string& into, std::string mark,
                                        Duration limit = {});

}  // namespace penstock

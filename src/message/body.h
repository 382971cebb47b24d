// Bodies are pulled: a body is a source that one asks for its next bytes.
#pragma once

#include <cstdint>
#include <optional>

#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "base/slab.h"
#include "message/fields.h"

namespace penstock {

// The content of one message. Not asking is the back-pressure. An error ends it; after that, and
// after the end, it must not be asked again.
class BodySource {
 public:
  virtual ~BodySource() = default;

  // Bytes that can be had without waiting; empty when there are none at present.
  virtual Slice take_ready() = 0;
  // The next bytes, waiting for them; empty at the end. Errors are of the side the body comes from;
  // a body that was cut short gives one (`closed` or `reset`), never an early end.
  virtual Task<Result<Slice>> next() = 0;
  // True once the last byte was handed out and nothing more can go wrong.
  [[nodiscard]] virtual bool at_end() const = 0;
  // Bytes still to come, where that is known beforehand.
  [[nodiscard]] virtual std::optional<std::uint64_t> remaining() const = 0;
  // The trailer fields, or null where there are none; complete at the end.
  [[nodiscard]] virtual FieldSection* trailers() { return nullptr; }

  // Bytes that are next in a stream just as they are to be sent: `moved()` is to be told how many
  // of them were taken from the stream directly. No stream: they have to be asked for. Only runs of
  // `at_least` bytes, or of unknown length, on a stream with a native socket are told; who asks
  // must take the run.
  struct Run {
    ByteStream* stream = nullptr;
    std::uint64_t length = 0;
  };
  [[nodiscard]] virtual Run run(std::uint64_t /*at_least*/) { return {}; }
  virtual void moved(std::uint64_t /*bytes*/, bool /*ended*/) {}
};

}  // namespace penstock

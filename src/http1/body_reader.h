// The body of a received HTTP/1 message, decoded from its connection as it is pulled.
#pragma once

#include <cstdint>
#include <optional>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "http1/chunk_decoder.h"
#include "message/body.h"
#include "message/framing.h"

namespace penstock::http1 {

// Reads exactly the body and not a byte more from the buffer: what follows is the next message's.
// Stream and buffer must outlive it.
class BodyReader final : public BodySource {
 public:
  // `side` is whose message it is, for the errors; `stall` the longest time without a byte.
  BodyReader(ByteStream& stream, InputBuffer& input, const Framing& framing,
             const ChunkLimits& limits, Side side, Duration stall);

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return ended_; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  [[nodiscard]] FieldSection* trailers() override;
  [[nodiscard]] Run run(std::uint64_t at_least) override;
  void moved(std::uint64_t bytes, bool ended) override;

  // Of a chunked body: the extensions of its last chunk, at its end; see ChunkLimits.
  [[nodiscard]] std::string_view last_extensions() const { return chunks_.last_extensions(); }
  // Content bytes handed out so far.
  [[nodiscard]] std::uint64_t received() const { return received_; }
  // Why nothing after this body can be understood: its framing is broken, or its connection. A read
  // that was only cancelled is no such failure: the body can be read on.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  Slice take_chunked();
  Slice take_plain();
  std::unexpected<Error> broken(Error error);

  ByteStream* stream_;
  InputBuffer* input_;
  BodyKind kind_;
  Side side_;
  bool ended_ = false;
  Duration stall_;
  std::uint64_t left_ = 0;  // of a body with known length
  std::uint64_t received_ = 0;
  std::optional<Error> failure_;
  ChunkDecoder chunks_;
};

}  // namespace penstock::http1

// Compressors of the content codings, one face over three libraries.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "adapt/body_settings.h"
#include "base/error.h"

namespace penstock {

// One compressed stream. Bytes go in and come out as there is room for them.
class Encoder {
 public:
  enum class Operation : std::uint8_t {
    process,  // take the input; output comes when it comes
    flush,    // put out all that was taken, so that the receiver can decode it
    finish,   // the same, and the end of the stream
  };

  virtual ~Encoder() = default;

  // Takes bytes from the front of `input` and fills `room` from the front; both are shortened by
  // that. True when the operation is complete: all input taken, and for the last two all output
  // put. Otherwise it goes on with the next call, which has to be for the same operation and with
  // more room. The one error is `overloaded`: no memory.
  virtual Result<bool> run(Operation operation, std::string_view& input, std::span<char>& room) = 0;
};

// A stream of `coding`, which is not identity. `level` is kept within level_range(). `size`, the
// number of bytes to come where that is known, makes the memory smaller, not the result wrong.
//
// The memory of a stream, and the window that a receiver needs: gzip and deflate 268 KiB and 32
// KiB; br 3 MiB (up to 4 at the highest quality) and 256 KiB; zstd 2 MiB (4 from level 5 on) and
// 256 KiB.
[[nodiscard]] std::unique_ptr<Encoder> make_encoder(ContentCoding coding, int level,
                                                    std::optional<std::uint64_t> size);

}  // namespace penstock

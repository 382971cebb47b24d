// Decompressors of the content codings, one face over three libraries.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "adapt/body_settings.h"

namespace penstock {

// A content in one coding, which may be several streams one behind the other where the coding
// allows that. Bytes go in and come out as there is room for them.
class Decoder {
 public:
  enum class Outcome : std::uint8_t {
    needs_input,  // all input was taken, and all output put
    needs_room,   // the room is full; there may be more output, without more input too
    broken,       // this is not the coding; final
    no_memory,    // final
  };

  virtual ~Decoder() = default;

  // Takes bytes from the front of `input` and fills `room` from the front; both are shortened by
  // that. Not to be called without input, unless there was no room before.
  virtual Outcome run(std::string_view& input, std::span<char>& room) = 0;
  // The content may end here: a stream is complete, with all checks passed and all output put, and
  // none is begun.
  [[nodiscard]] virtual bool complete() const = 0;
};

// A decoder of `coding`, which is not identity.
//
//           what it takes                                     memory, up to
//   gzip    members one behind the other (RFC 1952)           40 KiB
//   deflate one stream in the zlib format (RFC 1950), or a    40 KiB
//           bare one (RFC 1951), as senders do it both ways
//   br      one stream (RFC 7932), windows to 16 MiB          16 MiB, growing with the output
//   zstd    frames one behind the other, skippable ones too   8 MiB and the window's blocks
//           (RFC 8878); windows to 8 MiB (RFC 9659), no
//           dictionaries, none of the formats before 1.0
//
// Bytes behind that make it broken.
[[nodiscard]] std::unique_ptr<Decoder> make_decoder(ContentCoding coding);

}  // namespace penstock

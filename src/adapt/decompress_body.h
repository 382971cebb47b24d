// A body taken out of a content coding while it is pulled.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "adapt/body_settings.h"
#include "adapt/decoder.h"
#include "adapt/slab_writer.h"
#include "adapt/transform_body.h"
#include "base/error.h"

namespace penstock {

// What another body is, decoded; all that the source gave so far, as far as the coding lets it be
// known. Of several codings the last one is taken off first: one of these over another.
//
// A body of no bytes at all is an empty one: that is how servers send "nothing" in a coding. Else
// the content has to be whole, as make_decoder() says. Errors of its own, after what was decoded
// before was handed out:
//   protocol    of the side given: it is not in this coding, was cut short, or goes on behind its
//               end (Refusal::content_coding_broken)
//   limit       of the side given: it is larger than the limits allow; bytes within them may be
//               lost then
//   overloaded  there is no memory for the decompressor
//
// The memory (see make_decoder) is taken with the first bytes.
class DecompressBody final : public TransformBody {
 public:
  // `source` must outlive it. `coding` is not identity. `side` is where the body comes from.
  DecompressBody(BodySource& source, ContentCoding coding, const DecompressLimits& limits,
                 Side side);

 private:
  Result<Slice> transform(Slice& input, Supply supply) override;
  [[nodiscard]] bool drained() const override {
    return !error_ && (decoder_ == nullptr || decoder_->complete()) && output_.pending() == 0;
  }
  // Decodes until the input is used up, a slab is full, or it failed.
  void decode(Slice& input);
  [[nodiscard]] bool over_limit() const;
  [[nodiscard]] Error broken() const;

  ContentCoding coding_;
  Side side_;
  DecompressLimits limits_;
  std::unique_ptr<Decoder> decoder_;
  SlabWriter output_;
  std::uint64_t taken_ = 0;
  std::uint64_t made_ = 0;
  bool more_output_ = false;        // without more input, perhaps
  std::optional<ErrorKind> error_;  // for when all is handed out
};

}  // namespace penstock

// A body in a content coding, made while it is pulled.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "adapt/body_settings.h"
#include "adapt/encoder.h"
#include "adapt/slab_writer.h"
#include "adapt/transform_body.h"

namespace penstock {

// The bytes of another body, compressed. With FlushPolicy::when_idle a receiver can always decode
// all that the source has given so far; slices that are ready together are compressed together. An
// empty body becomes an empty stream, which has some bytes. Errors of its own: `overloaded`, where
// there is no memory for the compressor.
//
// The memory (see make_encoder) is taken with the first pull.
class CompressBody final : public TransformBody {
 public:
  // `source` must outlive it. `coding` is not identity; `level` is kept within level_range().
  CompressBody(BodySource& source, ContentCoding coding, int level, FlushPolicy flush);

 private:
  Result<Slice> transform(Slice& input, Supply supply) override;
  [[nodiscard]] bool drained() const override { return finished_ && output_.pending() == 0; }
  [[nodiscard]] Encoder::Operation operation_for(Supply supply) const;
  Result<bool> encode(Encoder::Operation operation, Slice& input);

  ContentCoding coding_;
  int level_;
  FlushPolicy flush_;
  std::optional<std::uint64_t> size_;
  std::unique_ptr<Encoder> encoder_;
  SlabWriter output_;
  bool unflushed_ = false;  // input was taken since the last flush
  bool flushing_ = false;   // a flush was begun and is not complete
  bool finished_ = false;
};

}  // namespace penstock

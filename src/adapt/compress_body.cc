#include "adapt/compress_body.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace penstock {
namespace {

// About one to two milliseconds of the slower codings.
constexpr std::size_t kWorkATurn = 64 * 1024;
// Taken at a time, so that a large slice is not one long piece of work.
constexpr std::size_t kPiece = 16 * 1024;

}  // namespace

CompressBody::CompressBody(BodySource& source, ContentCoding coding, int level, FlushPolicy flush)
    : TransformBody(source, kWorkATurn),
      coding_(coding),
      level_(level),
      flush_(flush),
      size_(source.remaining()) {
  PENSTOCK_CHECK(coding != ContentCoding::identity);
}

Encoder::Operation CompressBody::operation_for(Supply supply) const {
  if (flushing_) return Encoder::Operation::flush;
  if (supply == Supply::ended) return Encoder::Operation::finish;
  const bool wanted = supply == Supply::dry && flush_ == FlushPolicy::when_idle && unflushed_;
  return wanted ? Encoder::Operation::flush : Encoder::Operation::process;
}

// True when the operation is complete, for `process` when the piece was taken.
Result<bool> CompressBody::encode(Encoder::Operation operation, Slice& input) {
  const bool takes_input = operation == Encoder::Operation::process;
  const std::string_view piece = takes_input ? input.view().substr(0, kPiece) : std::string_view();
  std::string_view rest = piece;
  const std::span<char> room = output_.room();
  std::span<char> room_left = room;
  const auto complete = encoder_->run(operation, rest, room_left);
  if (!complete) return complete;
  input.remove_prefix(piece.size() - rest.size());
  output_.wrote(room.size() - room_left.size());
  unflushed_ |= !piece.empty();
  return complete;
}

Result<Slice> CompressBody::transform(Slice& input, Supply supply) {
  if (encoder_ == nullptr) encoder_ = make_encoder(coding_, level_, size_);
  const Encoder::Operation operation = operation_for(supply);
  if (operation == Encoder::Operation::process && input.empty()) return Slice();
  while (!output_.full()) {
    const auto complete = encode(operation, input);
    if (!complete) return fail(complete.error());
    if (!*complete) continue;
    if (operation == Encoder::Operation::process) {
      return output_.full() ? output_.take() : Slice();
    }
    flushing_ = false;
    unflushed_ = false;
    finished_ = operation == Encoder::Operation::finish;
    Slice slice = output_.take();
    output_.rest();
    return slice;
  }
  flushing_ = operation == Encoder::Operation::flush;
  return output_.take();
}

}  // namespace penstock

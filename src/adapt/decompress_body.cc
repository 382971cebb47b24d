#include "adapt/decompress_body.h"

#include <utility>

#include "base/check.h"
#include "message/refusal.h"

namespace penstock {
namespace {

// A fraction of a millisecond to one, by the coding.
constexpr std::size_t kWorkATurn = 256 * 1024;

}  // namespace

DecompressBody::DecompressBody(BodySource& source, ContentCoding coding,
                               const DecompressLimits& limits, Side side)
    : TransformBody(source, kWorkATurn), coding_(coding), side_(side), limits_(limits) {
  PENSTOCK_CHECK(coding != ContentCoding::identity);
}

bool DecompressBody::over_limit() const {
  if (limits_.output > 0 && made_ > limits_.output) return true;
  return limits_.ratio > 0 && made_ > limits_.ratio_from && made_ / limits_.ratio > taken_;
}

Error DecompressBody::broken() const {
  return {.kind = ErrorKind::protocol,
          .side = side_,
          .cause = static_cast<int>(Refusal::content_coding_broken)};
}

void DecompressBody::decode(Slice& input) {
  if (decoder_ == nullptr) decoder_ = make_decoder(coding_);
  while ((!input.empty() || more_output_) && !output_.full() && !error_) {
    std::string_view rest = input.view();
    const std::span<char> room = output_.room();
    std::span<char> room_left = room;
    const Decoder::Outcome outcome = decoder_->run(rest, room_left);
    const std::size_t put = room.size() - room_left.size();
    taken_ += input.size() - rest.size();
    input.remove_prefix(input.size() - rest.size());
    output_.wrote(put);
    made_ += put;
    more_output_ = outcome == Decoder::Outcome::needs_room;
    if (outcome == Decoder::Outcome::broken) error_ = ErrorKind::protocol;
    if (outcome == Decoder::Outcome::no_memory) error_ = ErrorKind::overloaded;
  }
}

Result<Slice> DecompressBody::transform(Slice& input, Supply supply) {
  if (!error_ && (!input.empty() || more_output_)) {
    decode(input);
    if (over_limit()) return fail({.kind = ErrorKind::limit, .side = side_});
  }
  if (output_.full()) return output_.take();
  if (!error_ && supply == Supply::more) return Slice();
  if (output_.pending() > 0) return output_.take();
  output_.rest();
  if (!error_ && supply == Supply::ended && !drained()) error_ = ErrorKind::protocol;
  if (error_ == ErrorKind::overloaded) return fail(ErrorKind::overloaded);
  if (error_) return fail(broken());
  return Slice();
}

}  // namespace penstock

#include "http1/body_reader.h"

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace penstock::http1 {
namespace {
// A body of unknown length that got this far is read in large pieces.
constexpr std::uint64_t kLargeBody = 4 * 1024;
}  // namespace

BodyReader::BodyReader(ByteStream& stream, InputBuffer& input, const Framing& framing,
                       const ChunkLimits& limits, Side side, Duration stall)
    : stream_(&stream),
      input_(&input),
      kind_(framing.kind),
      side_(side),
      ended_(!framing.has_body()),
      stall_(stall),
      left_(framing.length),
      chunks_(limits) {}

std::unexpected<Error> BodyReader::broken(Error error) {
  if (error.kind != ErrorKind::cancelled) failure_ = error.at(side_);
  return fail(error.at(side_));
}

Slice BodyReader::take_ready() {
  if (ended_ || failure_) return {};
  Slice slice = kind_ == BodyKind::chunked ? take_chunked() : take_plain();
  received_ += slice.size();
  return slice;
}

Slice BodyReader::take_plain() {
  if (kind_ == BodyKind::until_close) return input_->take(input_->size());
  const std::uint64_t n = std::min<std::uint64_t>(input_->size(), left_);
  left_ -= n;
  ended_ = left_ == 0;
  return input_->take(static_cast<std::size_t>(n));
}

Slice BodyReader::take_chunked() {
  while (!input_->empty()) {
    const ChunkDecoder::Step step = chunks_.next(input_->unread());
    input_->consume(step.consumed - step.data.size());
    switch (step.event) {
      case ChunkDecoder::Event::data:
        return input_->take(step.data.size());
      case ChunkDecoder::Event::end:
        ended_ = true;
        return {};
      case ChunkDecoder::Event::refused:
        static_cast<void>(
            broken({ErrorKind::protocol, side_, false, static_cast<int>(chunks_.refusal())}));
        return {};
      case ChunkDecoder::Event::need_more:
        return {};
    }
  }
  return {};
}

Task<Result<Slice>> BodyReader::next() {
  Executor& executor = (co_await this_context()).executor();
  while (true) {
    Slice slice = take_ready();
    if (!slice.empty() || ended_) co_return slice;
    if (failure_) co_return fail(*failure_);
    if (kind_ == BodyKind::length) {
      input_->expect(left_);
    } else if (received_ > kLargeBody) {
      input_->expect(kLargeSlab);
    }
    const auto got = co_await read_some(*stream_, *input_, deadline_after(executor.now(), stall_));
    if (!got) co_return broken(got.error());
    if (*got > 0) continue;
    if (kind_ != BodyKind::until_close) co_return broken({.kind = ErrorKind::closed});
    ended_ = true;
  }
}

std::optional<std::uint64_t> BodyReader::remaining() const {
  if (ended_) return 0;
  if (kind_ == BodyKind::length) return left_;
  return std::nullopt;
}

FieldSection* BodyReader::trailers() {
  return kind_ == BodyKind::chunked && !chunks_.trailers().empty() ? &chunks_.trailers() : nullptr;
}

BodySource::Run BodyReader::run(std::uint64_t at_least) {
  if (ended_ || failure_ || !input_->empty() || stream_->native_socket() < 0) return {};
  if (kind_ == BodyKind::length && left_ < at_least) return {};
  if (kind_ == BodyKind::length) return {stream_, left_};
  if (kind_ == BodyKind::until_close) return {stream_, std::numeric_limits<std::uint64_t>::max()};
  return {};
}

void BodyReader::moved(std::uint64_t bytes, bool ended) {
  received_ += bytes;
  if (kind_ == BodyKind::length) {
    PENSTOCK_CHECK(bytes <= left_);
    left_ -= bytes;
    ended_ = left_ == 0;
    if (ended && !ended_) static_cast<void>(broken({.kind = ErrorKind::closed}));
  } else {
    ended_ = ended;
  }
}

}  // namespace penstock::http1

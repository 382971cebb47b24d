// A body made of another one while it is pulled: what all of them have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "message/body.h"

namespace penstock {

// Pulls its source only when it is asked itself, and so holds little at any time. Errors of the
// source pass through as they are. The length is not known beforehand. Trailer fields are those of
// the source: what is said in them about the content (Content-Digest) is for the owner to remove.
//
// take_ready() does a bounded amount of work; then it has nothing ready until next() has let the
// others on the thread have their turn.
class TransformBody : public BodySource {
 public:
  Slice take_ready() final;
  Task<Result<Slice>> next() final;
  [[nodiscard]] bool at_end() const final;
  [[nodiscard]] std::optional<std::uint64_t> remaining() const final { return std::nullopt; }
  [[nodiscard]] FieldSection* trailers() final { return source_->trailers(); }

  // The error of its own making that it has ended with; nothing where there is none.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 protected:
  // What the source has besides the input that is there.
  enum class Supply : std::uint8_t {
    more,   // perhaps some; so it is whenever there is input
    dry,    // nothing at present: what can be handed out should be
    ended,  // nothing any more
  };

  // `source` must outlive it. `work_a_turn` is how many bytes of input and output together may be
  // dealt with before the others have their turn.
  TransformBody(BodySource& source, std::size_t work_a_turn)
      : source_(&source), work_a_turn_(work_a_turn) {}

  // Takes bytes from the front of `input`, as many as it likes, and returns the next ones of the
  // output. With input it may return none: it is called again. Without, none means that there is
  // nothing to hand out as far as `supply` asks for it, or that turn_over(). An error, of our own
  // making, is final.
  virtual Result<Slice> transform(Slice& input, Supply supply) = 0;
  // The source being at its end and its last byte taken: there is nothing more to hand out, nor to
  // go wrong.
  [[nodiscard]] virtual bool drained() const = 0;

  // Counts work that is not seen in the sizes of input and output.
  void spend(std::size_t bytes) { work_ += bytes; }
  [[nodiscard]] bool turn_over() const { return work_ >= work_a_turn_; }

 private:
  BodySource* source_;
  Slice input_;
  std::size_t work_ = 0;  // in this turn
  std::size_t work_a_turn_;
  std::optional<Error> failure_;
};

}  // namespace penstock

// For tests: a body whose pieces come when the test says.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/sleep.h"
#include "message/body.h"

namespace penstock {

// One piece: so long after the one before it was asked for. Without delay it is ready at once.
struct BodyPiece {
  std::string text = {};
  Duration after = {};
  std::optional<Error> error = {};  // in place of the text; the body ends with it
};

class TimedBody final : public BodySource {
 public:
  explicit TimedBody(std::vector<BodyPiece> pieces) : pieces_(std::move(pieces)) {}

  Slice take_ready() override {
    if (at_end() || pieces_[next_].after > Duration{} || pieces_[next_].error) return {};
    return Slice(pieces_[next_++].text);
  }
  Task<Result<Slice>> next() override {
    if (at_end()) co_return Slice();
    const BodyPiece& piece = pieces_[next_];
    if (piece.after > Duration{}) {
      const Executor& executor = (co_await this_context()).executor();
      const bool slept = co_await sleep_until(executor.now() + piece.after);
      if (!slept) co_return fail(ErrorKind::cancelled);
    }
    if (piece.error) co_return fail(*piece.error);
    ++next_;
    co_return Slice(piece.text);
  }
  [[nodiscard]] bool at_end() const override { return next_ == pieces_.size(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override {
    std::uint64_t bytes = 0;
    for (std::size_t i = next_; i < pieces_.size(); ++i) bytes += pieces_[i].text.size();
    return bytes;
  }
  [[nodiscard]] FieldSection* trailers() override {
    return trailer_fields.empty() ? nullptr : &trailer_fields;
  }

  FieldSection trailer_fields;

 private:
  std::vector<BodyPiece> pieces_;
  std::size_t next_ = 0;
};

}  // namespace penstock

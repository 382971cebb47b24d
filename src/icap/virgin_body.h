// The body of a message as it came, kept as long as it can still be wanted as it was.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "adapt/filter.h"
#include "icap/kept_bytes.h"

namespace penstock::icap {

// Hands out a body's bytes as far as it is told to, and again from any byte that it has kept. So a
// preview is sent, then the rest, and after a 204 the whole of it goes to where it was going (RFC
// 3507 sections 4.5, 4.6).
class VirginBody final : public OwnBody {
 public:
  // Both must outlive it.
  VirginBody(BodySource& source, const KeepLimits& limits) : source_(&source), kept_(limits) {}

  // It seems to end before that byte, until told otherwise: at_end() is true there. It looks ahead
  // then, so that whole() says whether that is all.
  void end_before(std::uint64_t byte) { window_ = byte; }
  void end_at_end() { window_ = kUnlimited; }
  // Waits until it is known whether there is anything beyond the bytes that were handed out. Errors
  // as those of next().
  Task<Result<void>> look_ahead();
  // All of the body was handed out.
  [[nodiscard]] bool whole() const { return !has_more() && !broken_ && source_->at_end(); }
  // The number of bytes that were handed out.
  [[nodiscard]] std::uint64_t position() const { return position_; }

  // Whether it can be had again from that byte on, of those it has seen.
  [[nodiscard]] bool has(std::uint64_t byte) const {
    return byte >= kept_.begin() && byte <= kept_.end();
  }
  // Goes to a byte that it has.
  void go_to(std::uint64_t byte);
  // Bytes from that one on, which it has and has seen, as many as lie together; not handed out by
  // that. Errors: `io`.
  [[nodiscard]] Result<Slice> peek(std::uint64_t byte) const { return kept_.read(byte); }
  // The number of bytes that have come from the source.
  [[nodiscard]] std::uint64_t seen() const { return kept_.end() + ahead_bytes(); }
  // Of the whole body, from its first byte on, where it is known.
  [[nodiscard]] std::optional<std::uint64_t> whole_length() const;
  // What was handed out, or is from now on, is not wanted again.
  void forget();

  Slice take_ready() override;
  // Errors: those of the source; `io` where what was kept can't be read again.
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return position_ >= window_ || whole(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  // Of the whole body; none as long as it ends before that.
  [[nodiscard]] FieldSection* trailers() override {
    return whole() ? source_->trailers() : nullptr;
  }
  [[nodiscard]] Run run(std::uint64_t at_least) override;
  void moved(std::uint64_t bytes, bool ended) override;

 private:
  static constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};
  // There are bytes here that were not handed out.
  [[nodiscard]] bool has_more() const { return position_ < kept_.end() || !ahead_.empty(); }
  // Whether so many bytes may be handed out now: not those before the end of the window as long as
  // it is not known what comes behind.
  [[nodiscard]] bool is_settled(std::uint64_t bytes) const;
  [[nodiscard]] std::uint64_t ahead_bytes() const;
  void see(Slice slice);
  Task<Result<void>> pull();
  // Of what is here, what may be handed out.
  Result<Slice> take();

  BodySource* source_;
  KeptBytes kept_;
  Slices ahead_;  // seen, and neither kept nor handed out; two at most
  // What was kept last, as long as it was not handed out: it need not be read from where it is
  // kept.
  Slice latest_;
  std::uint64_t latest_at_ = 0;
  std::optional<Error> broken_;  // how the source ended, if not well: it can't be asked again
  std::uint64_t position_ = 0;
  std::uint64_t window_ = kUnlimited;
  bool keeps_ = true;
};

}  // namespace penstock::icap

// A request's body that can be sent again, as long as little of it has been taken.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/frame_pool.h"
#include "message/body.h"

namespace penstock {

// Remembers what it hands out, up to a bound; until that is passed, rewind() starts over. So a
// request can be retried on another connection. The slices are shared, not copied. A body that
// turns out longer than `limit` bytes (0: none) ends with an error of kind `limit`.
class ReplayBody final : public BodySource {
 public:
  ReplayBody(BodySource& source, std::uint64_t limit) : source_(&source), limit_(limit) {}

  // Another source, before anything was asked of it.
  void pull_from(BodySource& source) { source_ = &source; }
  // Somebody else sees to the limit.
  void lift_limit() { limit_ = 0; }
  // Trailer fields of these names, and those alike, are not passed on. They must outlive it.
  void withhold(std::span<const std::string_view> names) { withheld_ = names; }
  // How many bytes are remembered at most; 64 KiB when not told. Before any is handed out.
  void keep_up_to(std::uint64_t bytes) { most_ = bytes; }
  // True while everything handed out so far is remembered.
  [[nodiscard]] bool can_rewind() const { return can_rewind_; }
  void rewind() { next_ = 0; }
  // No retry will come: nothing is remembered any more.
  void forget();

  Slice take_ready() override;
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override {
    return next_ == kept_.size() && !over_ && source_->at_end();
  }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  [[nodiscard]] FieldSection* trailers() override;
  [[nodiscard]] Run run(std::uint64_t at_least) override;
  void moved(std::uint64_t bytes, bool ended) override { source_->moved(bytes, ended); }

 private:
  void remember(const Slice& slice);
  bool over_limit(const Slice& slice);

  // A slice may hold a slab that is far larger.
  static constexpr std::uint64_t kLeastASlice = 8 * 1024;
  BodySource* source_;
  std::span<const std::string_view> withheld_;
  std::vector<Slice, PoolAllocator<Slice>> kept_;
  std::size_t next_ = 0;  // the next one to hand out again
  std::uint64_t most_ = 64 * 1024;
  std::uint64_t bytes_ = 0;  // kept
  bool can_rewind_ = true;
  bool over_ = false;
  std::uint64_t limit_;
  std::uint64_t received_ = 0;
};

}  // namespace penstock

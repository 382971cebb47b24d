// What clients get of a response while a service takes its time over it.
#pragma once

#include <cstdint>

#include "adapt/filter.h"
#include "async/executor.h"
#include "icap/filter_state.h"
#include "icap/settings.h"

namespace penstock::icap {

// The virgin body, held back: a little of what has been kept of it is handed out, and all of it
// once the service leaves it as it was. Where the service has made something else of it, or has
// failed and the filter's policy lets nothing pass, it ends with an error: who got the beginning
// must not take it for the whole.
class TrickleBody final : public OwnBody {
 public:
  // The settings, and the state with its patience and virgin body, must outlive it.
  TrickleBody(const TrickleSettings& settings, IcapState& state, const Executor& executor);

  Slice take_ready() override;
  // Errors: `adaptation`, those of the virgin body, or `cancelled`.
  Task<Result<Slice>> next() override;
  [[nodiscard]] bool at_end() const override { return passes_ && virgin_->at_end(); }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override;
  [[nodiscard]] FieldSection* trailers() override {
    return passes_ ? virgin_->trailers() : nullptr;
  }

 private:
  // The service has come to something. False: the rest is not to be had.
  bool settle();
  // How many of the first bytes may have been handed out by now.
  [[nodiscard]] std::uint64_t allowed() const;
  // Of those, what is at hand.
  [[nodiscard]] Result<Slice> take_some();

  const TrickleSettings* settings_;
  IcapState* state_;
  const Executor* executor_;
  VirginBody* virgin_;
  std::optional<std::uint64_t> length_;
  TimePoint begun_;
  std::uint64_t given_ = 0;
  bool passes_ = false;
};

}  // namespace penstock::icap

// The built-in filter that takes content out of its codings.
#pragma once

#include <memory>
#include <optional>

#include "adapt/coding.h"
#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/work_settings.h"

namespace penstock {

// Decodes the content of responses, of requests, or of both, so that filters behind it, and the
// client, see it plain. What is in a coding that is not known here, is only a part (206) or must
// not be changed (no-transform) stays as it is. Asks servers for codings that can be undone.
// Content that is not in the coding it is said to be in, or goes over the limits, is cut short.
class DecompressFilter final : public Filter {
 public:
  // The settings must outlive it.
  DecompressFilter(const DecompressFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  void ask_server(AdaptedMessage& message) const;
  void decode(AdaptedMessage& message) const;

  const DecompressFilterSettings* settings_;
  Interests interests_ = 0;
};

}  // namespace penstock

// The built-in filter that compresses responses.
#pragma once

#include <memory>
#include <optional>

#include "adapt/coding.h"
#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/work_settings.h"

namespace penstock {

// Puts responses of the configured types into the coding that the client wants most, of those that
// are configured. What is in a coding already, is only a part (206), is too small or must not be
// changed (no-transform) stays as it is. Responses that would be compressed for others name
// Accept-Encoding in Vary; compressed ones have weak entity tags, no digests, and offer no ranges.
// Responses to HEAD are described as those to GET would be.
class CompressFilter final : public Filter {
 public:
  // The settings must outlive it.
  CompressFilter(const CompressFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  [[nodiscard]] bool is_meant(const AdaptedMessage& message) const;
  [[nodiscard]] int level_of(ContentCoding coding) const;

  const CompressFilterSettings* settings_;
  Interests interests_;
};

}  // namespace penstock

// The built-in filter that replaces text in content.
#pragma once

#include <memory>
#include <optional>

#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/substitution_rules.h"
#include "adapt/work_settings.h"

namespace penstock {

// Replaces text in the content of responses, or of requests, of the configured types. What is in a
// coding (see DecompressFilter), is only a part (206) or must not be changed (no-transform) stays
// as it is.
class SubstituteFilter final : public Filter {
 public:
  // The settings, whose rules must have been found good, must outlive it.
  SubstituteFilter(const SubstituteFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  const SubstituteFilterSettings* settings_;
  std::shared_ptr<const SubstitutionRules> rules_;
  Interests interests_;
};

}  // namespace penstock

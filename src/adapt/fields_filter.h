// The built-in filter that changes header fields.
#pragma once

#include <memory>
#include <optional>

#include "adapt/field_edits.h"
#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/work_settings.h"

namespace penstock {

// Makes the edits of requests and of responses, as those of a route are made: of requests names
// that servers may take for the same go, too (NameMatch::alike), and trailers are kept from saying
// what the header section was not to.
class FieldsFilter final : public Filter {
 public:
  // The settings must outlive it.
  FieldsFilter(const FieldsFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  FieldEditor request_;
  FieldEditor response_;
  Interests interests_ = 0;
};

}  // namespace penstock

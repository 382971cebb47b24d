// The built-in filter that answers in place of servers: to block, above all.
#pragma once

#include <memory>
#include <optional>

#include "adapt/field_edits.h"
#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/variables.h"
#include "adapt/work_settings.h"

namespace penstock {

// Answers each request with the same response. With conditions of responses it sees these, and
// takes their place; with what ICAP services have answered, which may be known at any time, it sees
// both. What variables bring into HTML is escaped.
class AnswerFilter final : public Filter {
 public:
  // The settings must outlive it.
  AnswerFilter(const AnswerFilterSettings& settings, FilterSide side,
               const FilterConditions& conditions);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  const AnswerFilterSettings* settings_;
  FieldEdits edits_;
  FieldEditor fields_{edits_};
  TextTemplate content_;
  Escaping escaping_;
  Interests interests_;
};

}  // namespace penstock

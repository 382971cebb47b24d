#include "adapt/answer_filter.h"

#include "adapt/built_in.h"
#include "adapt/text_answer.h"
#include "message/match.h"

namespace penstock {
namespace {

Escaping escaping_of(std::string_view content_type) {
  const std::string_view type = media_type_of(content_type);
  const bool markup = equals_ignoring_case(type, "text/html") ||
                      media_range_contains("application/xhtml+xml", type);
  return markup ? Escaping::html : Escaping::none;
}

Interests interests_of(FilterSide side, const FilterConditions& conditions) {
  const Interests responses = interest(response_point(side));
  if (conditions.need_response()) return responses;
  const Interests requests = interest(request_point(side));
  return conditions.noted.empty() ? requests : requests | responses;
}

}  // namespace

AnswerFilter::AnswerFilter(const AnswerFilterSettings& settings, FilterSide side,
                           const FilterConditions& conditions)
    : settings_(&settings),
      edits_{.remove = {}, .set = {}, .add = settings.fields},
      content_(settings.content),
      escaping_(escaping_of(settings.type)),
      interests_(interests_of(side, conditions)) {}

std::optional<FilterOutcome> AnswerFilter::start(AdaptedMessage& message,
                                                 std::unique_ptr<FilterState>& /*state*/) {
  const VariableContext variables = variables_of(message);
  ResponseHead head;
  head.status = settings_->status;
  fields_.apply(variables, head.fields);
  answer_with_text(message, std::move(head), settings_->type, content_.fill(variables, escaping_));
  return FilterOutcome{.kind = FilterOutcome::Kind::answer};
}

}  // namespace penstock

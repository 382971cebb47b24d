#include "adapt/fields_filter.h"

#include "adapt/built_in.h"
#include "adapt/withholding_body.h"

namespace penstock {

FieldsFilter::FieldsFilter(const FieldsFilterSettings& settings, FilterSide side)
    : request_(settings.request, NameMatch::alike), response_(settings.response) {
  if (!request_.empty()) interests_ |= interest(request_point(side));
  if (!response_.empty()) interests_ |= interest(response_point(side));
}

std::optional<FilterOutcome> FieldsFilter::start(AdaptedMessage& message,
                                                 std::unique_ptr<FilterState>& /*state*/) {
  const FieldEditor& editor = message.response() != nullptr ? response_ : request_;
  editor.apply(variables_of(message), message.fields());
  withhold_trailers(message, editor.claimed());
  return kGoOn;
}

}  // namespace penstock

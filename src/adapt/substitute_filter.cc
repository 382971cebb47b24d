#include "adapt/substitute_filter.h"

#include "adapt/built_in.h"
#include "adapt/coding.h"
#include "adapt/content_fields.h"
#include "adapt/substitute_body.h"
#include "base/check.h"

namespace penstock {

SubstituteFilter::SubstituteFilter(const SubstituteFilterSettings& settings, FilterSide side)
    : settings_(&settings),
      interests_(interest(settings.requests ? request_point(side) : response_point(side))) {
  auto rules = SubstitutionRules::compile(settings.rules, settings.longest);
  PENSTOCK_CHECK(rules.has_value());
  rules_ = std::move(*rules);
  if (settings.whole && !settings.requests) interests_ |= interest(request_point(side));
}

std::optional<FilterOutcome> SubstituteFilter::start(AdaptedMessage& message,
                                                     std::unique_ptr<FilterState>& /*state*/) {
  FieldSection& fields = message.fields();
  if (message.response() != nullptr) {
    weaken_as_asked(message);
  } else if (!settings_->requests) {
    fields.remove(FieldId::range);
    fields.remove(FieldId::if_range);
    return kGoOn;
  }
  const auto codings = parse_content_encoding(fields);
  if (!codings || !codings->empty() || !has_type_in(fields, settings_->types) ||
      !may_change_content(message)) {
    return kGoOn;
  }
  note_changed_content(fields);
  if (message.has_content()) {
    message.replace(std::make_unique<ChangedBody<SubstituteBody>>(message.body(), rules_),
                    std::nullopt);
  } else {
    message.content_would_change();
  }
  return kGoOn;
}

}  // namespace penstock

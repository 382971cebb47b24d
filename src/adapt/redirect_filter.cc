#include "adapt/redirect_filter.h"

#include <string>

#include <fmt/format.h>

#include "adapt/built_in.h"
#include "adapt/retarget.h"
#include "adapt/text_answer.h"

namespace penstock {

RedirectFilter::RedirectFilter(const RedirectFilterSettings& settings, FilterSide side)
    : settings_(&settings), to_(settings.to), interests_(interest(request_point(side))) {
  if (!settings.pattern.empty()) pattern_.emplace(settings.pattern);
}

std::optional<FilterOutcome> RedirectFilter::start(AdaptedMessage& message,
                                                   std::unique_ptr<FilterState>& /*state*/) {
  const RequestHead& request = message.request();
  const TargetForm form = request.target.form;
  if (form != TargetForm::origin && form != TargetForm::absolute) return kGoOn;
  const std::string url = url_of(request, message.facts().client->secure());
  UrlMatch match;
  if (pattern_) {
    const auto found = pattern_->find(url);
    if (!found) return kGoOn;
    match = *found;
  }
  const auto location = to_.fill(match, variables_of(message));
  if (!location) return failed("not a URL");
  if (*location == url || *location == request.target.path_and_query) return kGoOn;
  ResponseHead head;
  head.status = settings_->status;
  head.fields.add(FieldId::location, head.fields.keep(*location));
  answer_with_text(message, std::move(head), "text/plain; charset=utf-8",
                   fmt::format("See {}\n", *location));
  return FilterOutcome{.kind = FilterOutcome::Kind::answer};
}

}  // namespace penstock

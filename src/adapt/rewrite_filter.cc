#include "adapt/rewrite_filter.h"

#include <algorithm>
#include <string>

#include "adapt/built_in.h"
#include "adapt/retarget.h"

namespace penstock {
namespace {

constexpr std::string_view kSlashes = "://";

}  // namespace

RewriteFilter::RewriteFilter(const RewriteFilterSettings& settings, FilterSide side)
    : settings_(&settings), pattern_(settings.pattern), interests_(interest(request_point(side))) {}

std::optional<FilterOutcome> RewriteFilter::start(AdaptedMessage& message,
                                                  std::unique_ptr<FilterState>& /*state*/) {
  const TargetForm form = message.request().target.form;
  if (form != TargetForm::origin && form != TargetForm::absolute) return kGoOn;
  return settings_->url ? rewrite_url(message) : rewrite_path(message);
}

FilterOutcome RewriteFilter::rewrite_path(AdaptedMessage& message) const {
  RequestHead& request = message.request();
  std::string before(request.target.path_and_query);
  if (request.target.needs_slash) before.insert(0, 1, '/');
  const auto after = replace_match(pattern_, before, settings_->with);
  if (!after || *after == before) return kGoOn;
  if (!set_path(request, *after)) return failed("not a path");
  message.retarget();
  return kGoOn;
}

FilterOutcome RewriteFilter::rewrite_url(AdaptedMessage& message) const {
  RequestHead& request = message.request();
  const std::string before = url_of(request, message.facts().client->secure());
  const auto after = replace_match(pattern_, before, settings_->with);
  if (!after || *after == before) return kGoOn;
  const std::string_view url = *after;
  const std::size_t start = before.find(kSlashes) + kSlashes.size();
  if (url.substr(0, start) != std::string_view(before).substr(0, start)) {
    return failed("another scheme");
  }
  const std::size_t end = std::min(url.find_first_of("/?", start), url.size());
  const std::string_view authority = url.substr(start, end - start);
  std::string path(url.substr(end));
  if (!path.starts_with('/')) path.insert(0, 1, '/');
  // Both or none of them.
  if (!parse_authority(authority) || !set_path(request, path)) return failed("not a URL");
  if (!set_authority(request, authority)) return failed("not a URL");
  message.retarget();
  return kGoOn;
}

}  // namespace penstock

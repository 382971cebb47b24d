// The built-in filter that sends requests elsewhere.
#pragma once

#include <memory>
#include <optional>

#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/url_rules.h"
#include "adapt/work_settings.h"

namespace penstock {

// Makes another path and query, or another host, of what its pattern finds. At the client's side
// the request is then routed anew. Fails where what comes of it is no path or URL. Requests without
// a path (CONNECT, "*") stay as they are.
class RewriteFilter final : public Filter {
 public:
  // The settings, found good, must outlive it.
  RewriteFilter(const RewriteFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  FilterOutcome rewrite_path(AdaptedMessage& message) const;
  FilterOutcome rewrite_url(AdaptedMessage& message) const;

  const RewriteFilterSettings* settings_;
  UrlPattern pattern_;
  Interests interests_;
};

}  // namespace penstock

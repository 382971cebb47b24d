// The built-in filter that sends clients elsewhere.
#pragma once

#include <memory>
#include <optional>

#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/url_rules.h"
#include "adapt/work_settings.h"

namespace penstock {

// Answers requests whose URL its pattern finds with a redirection (RFC 9110 section 15.4). Where
// the way leads to what was asked for, the request goes on: so clients that came by http can be
// sent to https without a loop. Requests without a path (CONNECT, "*") go on, too. Fails where what
// comes of it is no URL.
class RedirectFilter final : public Filter {
 public:
  // The settings, found good, must outlive it.
  RedirectFilter(const RedirectFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  const RedirectFilterSettings* settings_;
  std::optional<UrlPattern> pattern_;
  LocationTemplate to_;
  Interests interests_;
};

}  // namespace penstock

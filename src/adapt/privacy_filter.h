// The built-in filter that keeps servers from learning more of clients than they need.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/work_settings.h"

namespace penstock {

// Changes what requests tell: Referer, User-Agent, the fields in which proxies and networks name
// the client, and cookies of third parties, which are then not set by the responses either.
class PrivacyFilter final : public Filter {
 public:
  // The settings must outlive it.
  PrivacyFilter(const PrivacyFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  void change_request(AdaptedMessage& message) const;
  void change_referer(AdaptedMessage& message) const;

  const PrivacyFilterSettings* settings_;
  Interests interests_;
};

// Whether a request is for something that a page of another site has in it, such as an image, as
// far as that can be told: by Sec-Fetch-Site, Sec-Fetch-Mode and Sec-Fetch-Dest, where the client
// sends them; else by a Referer of a host that has not the last two labels of `host`, and an Accept
// that does not begin with text/html, as it does when a page is opened (or a frame: clients without
// Sec-Fetch-Site do not tell).
[[nodiscard]] bool is_third_party(const RequestHead& request, std::string_view host);

}  // namespace penstock

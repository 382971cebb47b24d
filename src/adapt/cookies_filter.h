// The built-in filter that takes cookies away, or makes them safer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/work_settings.h"

namespace penstock {

// Whether the name is one of the pattern, in which "*" stands for any text.
[[nodiscard]] bool is_named(std::string_view name, std::string_view pattern);

// Removes cookies from requests and from responses, and adds attributes to those that responses set
// (RFC 6265). Names are case-sensitive.
class CookiesFilter final : public Filter {
 public:
  // The settings must outlive it.
  CookiesFilter(const CookiesFilterSettings& settings, FilterSide side);

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& state) override;

 private:
  void change_request(FieldSection& fields) const;
  void change_response(FieldSection& fields) const;
  [[nodiscard]] bool hardens() const;
  // The line with attributes added; empty: it stays as it is.
  [[nodiscard]] std::string hardened(std::string_view line) const;

  const CookiesFilterSettings* settings_;
  Interests interests_ = 0;
};

}  // namespace penstock

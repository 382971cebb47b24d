// For tests: what substitution rules do to a whole text, found in the plainest way.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <re2/re2.h>

#include "adapt/body_settings.h"

namespace penstock {

// Tries each rule at each place, alone. The rules have to be right.
class SubstitutionReference {
 public:
  SubstitutionReference(std::span<const SubstitutionRule> rules, std::size_t longest)
      : longest_(longest) {
    for (const SubstitutionRule& rule : rules) {
      RE2::Options options;
      options.set_case_sensitive(!rule.ignore_case);
      options.set_log_errors(false);
      const std::string pattern = rule.regex ? rule.pattern : RE2::QuoteMeta(rule.pattern);
      rules_.push_back({&rule, std::make_unique<RE2>(pattern, options)});
    }
  }

  [[nodiscard]] std::string apply(std::string_view text) const {
    std::string result;
    std::vector<bool> used(rules_.size());
    std::size_t no_empty_at = text.size() + 1;
    for (std::size_t place = 0; place <= text.size();) {
      std::size_t end = place;
      for (std::size_t i = 0; i < rules_.size() && end == place; ++i) {
        if (used[i] && rules_[i].rule->once) continue;
        std::string put_in;
        if (!match(rules_[i], text, place, place != no_empty_at, end, put_in)) continue;
        used[i] = true;
        result += put_in;
        if (end > place) no_empty_at = end;
        if (end == place) break;
      }
      if (end == place && place < text.size()) result += text[place];
      place = std::max(end, place == end ? place + 1 : end);
    }
    return result;
  }

 private:
  struct Rule {
    const SubstitutionRule* rule;
    std::unique_ptr<RE2> expression;
  };

  bool match(const Rule& rule, std::string_view text, std::size_t place, bool may_be_empty,
             std::size_t& end, std::string& put_in) const {
    const bool inside =
        place < text.size() && (static_cast<unsigned char>(text[place]) & 0xc0U) == 0x80;
    if (!rule.rule->regex && !rule.rule->ignore_case) {
      if (!text.substr(place).starts_with(rule.rule->pattern)) return false;
      end = place + rule.rule->pattern.size();
      put_in = rule.rule->replacement;
      return true;
    }
    std::array<re2::StringPiece, 10> groups;
    const int count = 1 + std::min(9, rule.expression->NumberOfCapturingGroups());
    if (!rule.expression->Match({text.data(), text.size()}, place,
                                std::min(text.size(), place + longest_), RE2::ANCHOR_START,
                                groups.data(), count)) {
      return false;
    }
    if (groups[0].empty() && (inside || !may_be_empty)) return false;
    end = place + groups[0].size();
    if (rule.rule->regex) {
      rule.expression->Rewrite(&put_in, rule.rule->replacement, groups.data(), count);
    } else {
      put_in = rule.rule->replacement;
    }
    return true;
  }

  std::vector<Rule> rules_;
  std::size_t longest_;
};

}  // namespace penstock

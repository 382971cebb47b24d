#include "module/metrics.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace penstock {
namespace {

constexpr std::size_t kMaxName = 100;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::ranges::all_of(name, [](char c) {
    return is_digit(c) || c == '_' || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
  });
}

// RFC 3629. Length of the character that begins there; 0: there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Longer than need be, surrogates, beyond the last character.
  const bool wrong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
                     (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F);
  return wrong ? 0 : length;
}

// Help and labels: backslash and line break are escaped; in labels, quotes as well. A reader
// refuses all of a text that is not UTF-8, so what is not becomes "?".
std::string escaped(std::string_view text, bool label) {
  std::string result;
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = utf8_length(text);
    if (length > 1) {
      result += text.substr(0, length);
    } else if (length == 0) {
      result += '?';
    } else if (c == '\\') {
      result += "\\\\";
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '"' && label) {
      result += "\\\"";
    } else {
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    text.remove_prefix(std::max(length, std::size_t{1}));
  }
  return result;
}

}  // namespace

std::shared_ptr<ModuleMetric> ModuleMetrics::get(std::string_view instance, std::string_view name,
                                                 std::string_view help) {
  if (!is_name(name)) return nullptr;
  const std::lock_guard lock(mutex_);
  auto family = families_.find(name);
  if (family == families_.end()) family = families_.emplace(name, Family{}).first;
  if (family->second.help.empty()) family->second.help = help;
  auto& instances = family->second.instances;
  auto metric = instances.find(instance);
  if (metric == instances.end()) {
    metric = instances.emplace(instance, std::make_shared<ModuleMetric>()).first;
  }
  return metric->second;
}

std::string ModuleMetrics::text() const {
  const std::lock_guard lock(mutex_);
  return text_locked();
}

std::string ModuleMetrics::publish() {
  const std::lock_guard lock(mutex_);
  // Those that nobody can change any more; what is let go from now on has its turn next time.
  std::vector<std::shared_ptr<ModuleMetric>> unused;
  for (const auto& [name, family] : families_) {
    for (const auto& [instance, metric] : family.instances) {
      if (metric.use_count() == 1) unused.push_back(metric);
    }
  }
  std::string text = text_locked();
  for (auto& [name, family] : families_) {
    std::erase_if(family.instances, [&unused](const auto& entry) {
      return std::ranges::find(unused, entry.second) != unused.end();
    });
  }
  std::erase_if(families_, [](const auto& entry) { return entry.second.instances.empty(); });
  return text;
}

void ModuleMetrics::visit(const Visitor& visitor) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [name, family] : families_) {
    for (const auto& [instance, metric] : family.instances) visitor(name, family.help, *metric);
  }
}

std::string ModuleMetrics::text_locked() const {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const auto& [name, family] : families_) {
    if (!family.help.empty()) {
      fmt::format_to(out, "# HELP penstock_module_{} {}\n", name, escaped(family.help, false));
    }
    const bool gauge = std::ranges::any_of(
        family.instances, [](const auto& entry) { return entry.second->is_gauge(); });
    fmt::format_to(out, "# TYPE penstock_module_{} {}\n", name, gauge ? "gauge" : "counter");
    for (const auto& [instance, metric] : family.instances) {
      fmt::format_to(out, "penstock_module_{}{{instance=\"{}\"}} {}\n", name,
                     escaped(instance, true), metric->value());
    }
  }
  return text;
}

}  // namespace penstock

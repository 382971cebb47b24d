#include "adapt/cookies_filter.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "adapt/built_in.h"
#include "message/characters.h"

namespace penstock {
namespace {

bool is_named_by(std::string_view name, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(patterns,
                             [name](std::string_view pattern) { return is_named(name, pattern); });
}

// Calls f(part) for what stands between semicolons, without white space around it.
template <class F>
void for_each_part(std::string_view line, F f) {
  while (true) {
    const std::size_t end = std::min(line.find(';'), line.size());
    const std::string_view part = trim_whitespace(line.substr(0, end));
    if (!part.empty()) f(part);
    if (end == line.size()) return;
    line.remove_prefix(end + 1);
  }
}

// Of a cookie or an attribute. A cookie without "=" is a value without a name (RFC 6265bis).
std::string_view name_of(std::string_view part) {
  return trim_whitespace(part.substr(0, part.find('=')));
}

std::string_view word_of(SameSite same_site) {
  switch (same_site) {
    case SameSite::none:
      return "None";
    case SameSite::lax:
      return "Lax";
    case SameSite::strict:
      return "Strict";
    case SameSite::keep:
      break;
  }
  return {};
}

}  // namespace

bool is_named(std::string_view name, std::string_view pattern) {
  // The last "*" is the only one that ever has to take more (greedy from the left is enough).
  std::size_t at = 0;
  std::size_t in = 0;
  std::size_t star = std::string_view::npos;
  std::size_t taken = 0;
  while (at < name.size()) {
    if (in < pattern.size() && pattern[in] == '*') {
      star = in++;
      taken = at;
    } else if (in < pattern.size() && pattern[in] == name[at]) {
      ++in;
      ++at;
    } else if (star != std::string_view::npos) {
      in = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', in) == std::string_view::npos;
}

CookiesFilter::CookiesFilter(const CookiesFilterSettings& settings, FilterSide side)
    : settings_(&settings) {
  if (!settings.remove.empty()) interests_ |= interest(request_point(side));
  if (!settings.remove_set.empty() || hardens()) interests_ |= interest(response_point(side));
}

bool CookiesFilter::hardens() const {
  return settings_->secure || settings_->http_only || settings_->same_site != SameSite::keep;
}

std::optional<FilterOutcome> CookiesFilter::start(AdaptedMessage& message,
                                                  std::unique_ptr<FilterState>& /*state*/) {
  if (message.response() != nullptr) {
    change_response(message.fields());
  } else {
    change_request(message.fields());
  }
  return kGoOn;
}

// Lines in which nothing is removed stay as they are.
void CookiesFilter::change_request(FieldSection& fields) const {
  if (!fields.has(FieldId::cookie)) return;
  std::vector<std::string_view> lines;
  bool changed = false;
  for (const Field& field : fields) {
    if (field.id != FieldId::cookie) continue;
    std::string left;
    bool removed = false;
    for_each_part(field.value, [&](std::string_view part) {
      const std::string_view name = name_of(part);
      if (is_named_by(name, settings_->remove) && !is_named_by(name, settings_->keep)) {
        removed = true;
      } else {
        left.append(left.empty() ? "" : "; ").append(part);
      }
    });
    changed = changed || removed;
    lines.push_back(removed ? fields.keep(left) : field.value);
  }
  if (!changed) return;
  fields.remove(FieldId::cookie);
  for (const std::string_view line : lines) {
    if (!line.empty()) fields.add(FieldId::cookie, line);
  }
}

void CookiesFilter::change_response(FieldSection& fields) const {
  if (!fields.has(FieldId::set_cookie)) return;
  std::vector<std::string_view> lines;
  for (const Field& field : fields) {
    if (field.id != FieldId::set_cookie) continue;
    const std::string_view name = name_of(field.value.substr(0, field.value.find(';')));
    const bool kept = is_named_by(name, settings_->keep);
    if (!kept && is_named_by(name, settings_->remove_set)) continue;
    std::string changed;
    if (hardens() && !kept && is_named_by(name, settings_->harden)) changed = hardened(field.value);
    lines.push_back(changed.empty() ? field.value : fields.keep(changed));
  }
  fields.remove(FieldId::set_cookie);
  for (const std::string_view line : lines) fields.add(FieldId::set_cookie, line);
}

// Clients take SameSite=None with Secure only. A line without a cookie, which they drop, stays so:
// its first attribute must not become one.
std::string CookiesFilter::hardened(std::string_view line) const {
  const std::size_t end = std::min(line.find(';'), line.size());
  std::string out(trim_whitespace(line.substr(0, end)));
  if (out.empty()) return {};
  bool secure = false;
  bool http_only = false;
  for_each_part(line.substr(end), [&](std::string_view part) {
    const std::string_view name = name_of(part);
    if (equals_ignoring_case(name, "SameSite") && settings_->same_site != SameSite::keep) return;
    secure = secure || equals_ignoring_case(name, "Secure");
    http_only = http_only || equals_ignoring_case(name, "HttpOnly");
    out.append("; ").append(part);
  });
  if (!secure && (settings_->secure || settings_->same_site == SameSite::none)) out += "; Secure";
  if (!http_only && settings_->http_only) out += "; HttpOnly";
  if (settings_->same_site != SameSite::keep) {
    out.append("; SameSite=").append(word_of(settings_->same_site));
  }
  return out;
}

}  // namespace penstock

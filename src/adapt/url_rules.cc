#include "adapt/url_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

#include <fmt/format.h>
#include <re2/re2.h>

#include "adapt/variable_settings.h"
#include "base/check.h"
#include "base/wording.h"
#include "message/characters.h"
#include "message/target.h"

namespace penstock {
namespace {

using re2::RE2;

constexpr std::int64_t kMemory = 1 << 20;  // of one expression
constexpr std::string_view kSlashes = "://";

re2::StringPiece piece(std::string_view text) { return {text.data(), text.size()}; }

RE2::Options options() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemory);
  options.set_encoding(RE2::Options::EncodingLatin1);  // targets are octets
  return options;
}

// Calls text(view) and group(number) for the parts of a replacement. Not in order: false.
template <class Text, class Group>
bool take_apart(std::string_view replacement, Text text, Group group) {
  while (!replacement.empty()) {
    const std::size_t at = std::min(replacement.find('\\'), replacement.size());
    if (at > 0) text(replacement.substr(0, at));
    replacement.remove_prefix(at);
    if (replacement.empty()) break;
    if (replacement.size() < 2) return false;
    const char c = replacement[1];
    if (is_digit(c)) {
      group(static_cast<std::size_t>(c - '0'));
    } else if (c == '\\') {
      text(replacement.substr(1, 1));
    } else {
      return false;
    }
    replacement.remove_prefix(2);
  }
  return true;
}

bool is_absolute(std::string_view text) {
  return text.starts_with("http://") || text.starts_with("https://");
}

// Characters of RFC 3986, beside "%".
bool is_uri_char(char c) {
  constexpr std::string_view kMarks = "-._~:/?#[]@!$&'()*+,;=%";
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         kMarks.find(c) != std::string_view::npos;
}

void append_encoded(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (is_uri_char(c)) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
}

bool is_part_of_name(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

// A match can only be at the beginning of the text. False: perhaps.
bool begins_text(std::string_view pattern) {
  constexpr std::string_view kRepeats = "*+?{";
  return pattern.starts_with('^') && !pattern.contains('|') &&
         (pattern.size() == 1 || kRepeats.find(pattern[1]) == std::string_view::npos);
}

// What is wrong with `start`, which all results of a rewrite begin with.
std::string problem_of_start(std::string_view pattern, std::string_view start, bool url) {
  if (start.empty()) return {};
  if (!url) {
    return start.starts_with('/') ? std::string()
                                  : fmt::format(R"(a path begins with "/": write "/{}")", start);
  }
  constexpr std::array<std::string_view, 2> kSchemes = {"http://", "https://"};
  const auto fits = [start](std::string_view scheme) {
    return scheme.starts_with(start) || start.starts_with(scheme);
  };
  if (std::ranges::none_of(kSchemes, fits)) return R"(a URL begins with "http://" or "https://")";
  for (const std::string_view scheme : kSchemes) {
    const bool is_it = pattern.substr(1).starts_with(scheme);
    if (is_it && !fits(scheme)) return "a rewrite cannot make another scheme of one: see redirect";
  }
  return {};
}

// What is wrong with the authority of a URL, as far as it is the same for all requests.
std::string problem_of_authority(std::string_view text) {
  const std::size_t start = text.find(kSlashes) + kSlashes.size();
  const std::string_view authority = text.substr(start, text.find_first_of("/?#", start) - start);
  if (!authority.contains('\\') && !authority.contains('$')) {
    if (parse_authority(authority)) return {};
    return fmt::format("\"{}\" is not a host with or without a port from 1 to 65535", authority);
  }
  const std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos) return {};
  std::string_view port = authority.substr(colon + 1);
  const bool is_whole = std::ranges::all_of(port, is_digit);
  port = port.substr(0, port.find_first_not_of("0123456789"));
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || (error == std::errc() && number <= 65535 && (number > 0 || !is_whole))) {
    return {};
  }
  return fmt::format("{} is not a port: expected 1 to 65535", port);
}

bool ends_authority(std::string_view text) {
  return text.starts_with('/') || text.starts_with('?') || text.starts_with('#');
}

}  // namespace

std::string problem_of_pattern(std::string_view pattern) {
  const RE2 expression(piece(pattern), options());
  return expression.ok() ? std::string() : expression.error();
}

std::string problem_of_replacement(std::string_view pattern, std::string_view text) {
  const RE2 expression(piece(pattern), options());
  const int groups = expression.ok() ? expression.NumberOfCapturingGroups() : 0;
  std::string problem;
  const auto check = [&](std::size_t group) {
    if (static_cast<int>(group) <= groups) return;
    problem = fmt::format("there is no group \\{}: the pattern has {}", group, groups);
  };
  if (!take_apart(text, [](std::string_view) {}, check)) {
    return R"("\" is followed by a digit, for a group, or by "\")";
  }
  return problem;
}

std::string problem_of_groups(std::string_view text) {
  for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$', at + 1)) {
    std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('{')) rest.remove_prefix(1);
    if (!rest.empty() && is_digit(rest.front())) {
      const char digit = rest.front();
      const bool is_open = text[at + 1] == '{' && rest.substr(1).starts_with('}');
      const auto end = static_cast<std::size_t>(rest.data() - text.data()) + (is_open ? 2 : 1);
      return fmt::format(R"("{}" is no group here: write "\{}")", text.substr(at, end - at), digit);
    }
    if (rest.starts_with('$')) ++at;
  }
  return {};
}

std::string problem_of_rewrite(std::string_view pattern, std::string_view text, bool url) {
  std::string problem = problem_of_replacement(pattern, text);
  if (!problem.empty()) return problem;
  problem = problem_of_groups(text);
  if (!problem.empty()) return problem;
  if (text.contains("${")) {
    return R"(there are no variables here: "\1" to "\9" are what the groups of the pattern found)";
  }
  std::string start;
  bool at_start = begins_text(pattern);
  const auto add = [&](std::string_view part) {
    if (at_start) start += part;
    const auto bad =
        std::ranges::find_if_not(part, [](char c) { return has_class(c, characters::kUri); });
    if (bad == part.end()) return;
    problem = fmt::format("{} cannot stand in a {}: write \"%{:02X}\"",
                          quoted(std::string_view(bad, bad + 1)), url ? "URL" : "path",
                          static_cast<unsigned>(static_cast<unsigned char>(*bad)));
  };
  take_apart(text, add, [&at_start](std::size_t) { at_start = false; });
  return problem.empty() ? problem_of_start(pattern, start, url) : problem;
}

std::string problem_of_location(std::string_view pattern, std::string_view text) {
  if (text.starts_with("//") ||
      (!text.starts_with('/') && !is_absolute(text) && !text.starts_with('\\'))) {
    return R"(expected a path ("/new") or a URL ("https://www.example.com/"))";
  }
  std::string problem = problem_of_replacement(pattern, text);
  return problem.empty() && is_absolute(text) ? problem_of_authority(text) : problem;
}

UrlPattern::UrlPattern(std::string_view pattern)
    : expression_(std::make_unique<RE2>(piece(pattern), options())),
      groups_(std::min(expression_->NumberOfCapturingGroups() + 1, 10)) {
  PENSTOCK_CHECK(expression_->ok());
}
UrlPattern::UrlPattern(UrlPattern&&) noexcept = default;
UrlPattern::~UrlPattern() = default;

std::optional<UrlMatch> UrlPattern::find(std::string_view text) const {
  std::array<re2::StringPiece, 10> found;
  if (!expression_->Match(piece(text), 0, text.size(), RE2::UNANCHORED, found.data(), groups_)) {
    return std::nullopt;
  }
  UrlMatch match;
  for (std::size_t i = 0; i < match.size(); ++i) match[i] = {found[i].data(), found[i].size()};
  return match;
}

std::optional<std::string> replace_match(const UrlPattern& pattern, std::string_view text,
                                         std::string_view replacement) {
  const auto match = pattern.find(text);
  if (!match) return std::nullopt;
  const auto start = static_cast<std::size_t>((*match)[0].data() - text.data());
  std::string out(text.substr(0, start));
  take_apart(
      replacement, [&out](std::string_view part) { out += part; },
      [&out, &match](std::size_t group) { out += (*match)[group]; });
  out += text.substr(start + (*match)[0].size());
  return out;
}

LocationTemplate::LocationTemplate(std::string_view text) : absolute_(is_absolute(text)) {
  using Kind = Part::Kind;
  // Variables first: they have no backslashes in their names.
  const auto add_text = [this](std::string_view part) {
    if (!parts_.empty() && parts_.back().kind == Kind::text) {
      parts_.back().text += part;
    } else {
      parts_.push_back({.kind = Kind::text, .text = std::string(part)});
    }
  };
  const auto add_group = [this](std::size_t group) {
    parts_.push_back({.kind = Kind::group, .text = {}, .group = group});
  };
  while (!text.empty()) {
    const char* const start = text.data();
    const TextPart part = take_part(text);
    if (part.kind == TextPart::Kind::variable) {
      const std::string_view whole(start, static_cast<std::size_t>(text.data() - start));
      parts_.push_back({.kind = Kind::variable, .text = {}, .variable = TextTemplate(whole)});
    } else {
      take_apart(part.text, add_text, add_group);
    }
  }
}

// What follows it in the authority is the configuration's own: more of a name, or a port.
bool LocationTemplate::may_extend_host(std::size_t part) const {
  return part + 1 < parts_.size() && parts_[part + 1].kind == Part::Kind::text &&
         !ends_authority(parts_[part + 1].text);
}

std::optional<std::string> LocationTemplate::fill(const UrlMatch& match,
                                                  const VariableContext& context) const {
  std::string out;
  bool in_authority = absolute_;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.kind == Part::Kind::text) {
      append_encoded(out, part.text);
      const std::size_t after = out.find(kSlashes) + kSlashes.size();
      if (absolute_ && out.find_first_of("/?#", after) != std::string::npos) in_authority = false;
      continue;
    }
    const std::string value = part.kind == Part::Kind::group
                                  ? std::string(match[part.group])
                                  : part.variable.fill(context, Escaping::none);
    if (in_authority && !value.empty()) {
      const bool begins = out.ends_with(kSlashes);
      if (begins || may_extend_host(i)) {
        if (ends_authority(value) && !begins) {
          in_authority = false;
        } else if (!is_part_of_name(value)) {
          return std::nullopt;
        }
      } else {
        if (!ends_authority(value)) out += '/';
        in_authority = false;
      }
    }
    append_encoded(out, value);
  }
  if (absolute_) return out;
  out.erase(0, std::min(out.find_first_not_of('/'), out.size()));
  return "/" + out;
}

}  // namespace penstock

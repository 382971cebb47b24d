// The types a value can have. Each reads a TOML value, reporting what is wrong with it; says what
// it takes, for the documentation; and shows a value as one would write it in the file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/quantity.h"
#include "base/time.h"
#include "base/wording.h"
#include "config/address.h"
#include "config/report.h"
#include "config/toml.h"

namespace penstock::config {

// What the templates below are made of. `expected` completes "expected ...".
std::optional<std::string> read_text(const toml::node& node, Report& report,
                                     std::string_view expected);
std::optional<std::uint64_t> read_count(const toml::node& node, Report& report, std::uint64_t least,
                                        std::uint64_t most);
std::optional<std::uint64_t> read_size(const toml::node& node, Report& report, std::uint64_t least,
                                       std::uint64_t most);
std::optional<std::size_t> read_word(const toml::node& node, Report& report,
                                     std::span<const std::string_view> words);
// `plural` completes "expected a list of ..."; at most 65535.
std::optional<std::vector<std::uint16_t>> read_numbers(const toml::node& node, Report& report,
                                                       std::string_view plural, std::uint64_t least,
                                                       std::uint64_t most);

// One millisecond to a week: long enough to mean "never".
struct DurationValue {
  static std::string type() { return "duration"; }
  static std::optional<Duration> read(const toml::node& node, Report& report);
  static std::string show(Duration value) { return quoted(format_duration(value)); }
};

// The same, or none at all.
struct DurationOrZeroValue {
  static std::string type() { return "duration or `\"0s\"`"; }
  static std::optional<Duration> read(const toml::node& node, Report& report);
  static std::string show(Duration value) { return quoted(format_duration(value)); }
};

// How long something is fresh: nothing, or up to ten years. Where it is left out there is none.
struct LifetimeValue {
  static std::string type() { return "duration"; }
  static std::optional<Duration> read(const toml::node& node, Report& report);
  static std::string show(const std::optional<Duration>& value) {
    return value ? quoted(format_duration(*value)) : "none";
  }
};

template <std::uint64_t kLeast, std::uint64_t kMost>
struct SizeValue {
  static std::string type() {
    return fmt::format("size, {} to {}", format_size(kLeast), format_size(kMost));
  }
  static std::optional<std::uint64_t> read(const toml::node& node, Report& report) {
    return read_size(node, report, kLeast, kMost);
  }
  static std::string show(std::uint64_t value) { return quoted(format_size(value)); }
};

// A size, where 0 or "unlimited" stands for no limit.
struct UnlimitedSizeValue {
  static std::string type() { return "size, or \"unlimited\""; }
  static std::optional<std::uint64_t> read(const toml::node& node, Report& report);
  static std::string show(std::uint64_t value) {
    return quoted(value == 0 ? "unlimited" : format_size(value));
  }
};

template <std::uint64_t kLeast, std::uint64_t kMost>
struct CountValue {
  static std::string type() { return fmt::format("number, {} to {}", kLeast, kMost); }
  static std::optional<std::uint64_t> read(const toml::node& node, Report& report) {
    return read_count(node, report, kLeast, kMost);
  }
  template <class T>
  static std::string show(T value) {
    return fmt::format("{}", value);
  }
};

struct FlagValue {
  static std::string type() { return "true or false"; }
  static std::optional<bool> read(const toml::node& node, Report& report);
  static std::string show(bool value) { return value ? "true" : "false"; }
};

// The permissions of a file, as text: "0660".
struct PermissionsValue {
  static std::string type() { return "permissions"; }
  static std::optional<std::uint32_t> read(const toml::node& node, Report& report);
  static std::string show(std::uint32_t value) { return fmt::format("\"{:04o}\"", value); }
};

// Status codes of responses.
template <std::uint64_t kLeast, std::uint64_t kMost>
struct StatusesValue {
  static std::string type() { return fmt::format("list of status codes, {} to {}", kLeast, kMost); }
  static std::optional<std::vector<std::uint16_t>> read(const toml::node& node, Report& report) {
    return read_numbers(node, report, "status codes such as [200, 204]", kLeast, kMost);
  }
  static std::string show(const std::vector<std::uint16_t>& value) {
    return fmt::format("[{}]", fmt::join(value, ", "));
  }
};

struct PortsValue {
  static std::string type() { return "list of ports, 1 to 65535"; }
  static std::optional<std::vector<std::uint16_t>> read(const toml::node& node, Report& report);
  static std::string show(const std::vector<std::uint16_t>& value) {
    return fmt::format("[{}]", fmt::join(value, ", "));
  }
};

// One of a few words. `kWords` is an array of pairs of a word and what it stands for.
template <const auto& kWords>
struct ChoiceValue {
  static constexpr auto kNames = [] {
    std::array<std::string_view, kWords.size()> names;
    for (std::size_t i = 0; i < names.size(); ++i) names[i] = kWords[i].first;
    return names;
  }();
  using Enum = decltype(kWords[0].second);

  static std::string type() { return alternatives(kNames); }
  static std::optional<std::decay_t<Enum>> read(const toml::node& node, Report& report) {
    const auto index = read_word(node, report, kNames);
    if (!index) return std::nullopt;
    return kWords[*index].second;
  }
  static std::string show(Enum value) {
    for (const auto& [name, meaning] : kWords) {
      if (meaning == value) return quoted(name);
    }
    return "?";
  }
};

// The same, or none where it is left out.
template <const auto& kWords>
struct OptionalChoiceValue : ChoiceValue<kWords> {
  using Enum = typename ChoiceValue<kWords>::Enum;
  static std::string show(const std::optional<std::decay_t<Enum>>& value) {
    return value ? ChoiceValue<kWords>::show(*value) : std::string("none");
  }
};

// Text that has to pass a check.
struct TextRule {
  std::string_view type;    // "host name", for the documentation and for "expected a text ..."
  std::string_view plural;  // "host names", where lists of them are taken
  Complaint (*check)(std::string_view) = nullptr;
};
std::optional<std::string> read_checked(const toml::node& node, Report& report,
                                        const TextRule& rule);

template <const TextRule& kRule>
struct TextValue {
  static std::string type() { return std::string(kRule.type); }
  static std::optional<std::string> read(const toml::node& node, Report& report) {
    return read_checked(node, report, kRule);
  }
  static std::string show(std::string_view value) { return quoted(value); }
};

// The same, or an empty text for none.
template <const TextRule& kRule>
struct OptionalTextValue {
  static std::string type() { return std::string(kRule.type); }
  static std::optional<std::string> read(const toml::node& node, Report& report) {
    const auto* text = node.as_string();
    if (text != nullptr && text->get().empty()) return std::string();
    return read_checked(node, report, kRule);
  }
  static std::string show(std::string_view value) { return quoted(value); }
};

// The path of a file, or an empty text for none. A warning says when it cannot be read.
struct FileValue {
  static std::string type() { return "path of a file"; }
  static std::optional<std::string> read(const toml::node& node, Report& report);
  static std::string show(std::string_view value) { return quoted(value); }
};

// Text that is never shown again.
struct SecretValue {
  static std::string type() { return "secret text"; }
  static std::optional<std::string> read(const toml::node& node, Report& report);
  static std::string show(std::string_view value) { return quoted(value.empty() ? "" : "***"); }
};

// The array that stands there; otherwise null, and it is reported that there should be a list of
// `plural`.
const toml::array* read_list(const toml::node& node, Report& report, std::string_view plural);
std::optional<std::vector<std::string>> read_texts(const toml::node& node, Report& report,
                                                   const TextRule& rule, bool may_be_empty);
std::string show_texts(const std::vector<std::string>& value);

// An array of such texts.
template <const TextRule& kRule, bool kMayBeEmpty>
struct TextsValue {
  static std::string type() { return fmt::format("list of {}", kRule.plural); }
  static std::optional<std::vector<std::string>> read(const toml::node& node, Report& report) {
    return read_texts(node, report, kRule, kMayBeEmpty);
  }
  static std::string show(const std::vector<std::string>& value) { return show_texts(value); }
};

// A list, or its only element.
template <const TextRule& kRule>
struct OneOrMoreTextsValue {
  static std::string type() { return fmt::format("{}, or list of {}", kRule.type, kRule.plural); }
  static std::optional<std::vector<std::string>> read(const toml::node& node, Report& report) {
    if (node.is_array()) return read_texts(node, report, kRule, false);
    auto text = read_checked(node, report, kRule);
    if (!text) return std::nullopt;
    return std::vector{std::move(*text)};
  }
  static std::string show(const std::vector<std::string>& value) {
    return value.size() == 1 ? quoted(value.front()) : show_texts(value);
  }
};

// Field names and values. Several lines of one name are written as an array.
using FieldLines = std::vector<std::pair<std::string, std::string>>;
// Which names and values are taken.
struct FieldLinesRule {
  Complaint (*check_name)(std::string_view) = nullptr;
  Complaint (*check_value)(std::string_view) = nullptr;
};
// Fields of messages; values may have variables.
extern const FieldLinesRule kEditedFields;
std::optional<FieldLines> read_field_lines(const toml::node& node, Report& report, bool may_repeat,
                                           const FieldLinesRule& rule);
std::string show_field_lines(const FieldLines& value);

template <bool kMayRepeat, const FieldLinesRule& kRule = kEditedFields>
struct FieldLinesValue {
  static std::string type() {
    return kMayRepeat ? "table of field values or lists of them" : "table of field values";
  }
  static std::optional<FieldLines> read(const toml::node& node, Report& report) {
    return read_field_lines(node, report, kMayRepeat, kRule);
  }
  static std::string show(const FieldLines& value) { return show_field_lines(value); }
};

}  // namespace penstock::config

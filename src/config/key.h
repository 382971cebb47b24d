// The keys of a table of the file, declared once: from the declaration come reading, the detection
// of unknown keys, the check of the documentation, and the summary.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/wording.h"
#include "config/report.h"
#include "config/toml.h"

namespace penstock::config {

// A key that fills members of an Owner.
template <class Owner>
struct Key {
  std::string_view name;
  std::string_view standard;  // the default as written in the file; empty: must be given
  std::string_view meaning;   // a sentence of the documentation, in Markdown
  std::string (*type)() = nullptr;
  void (*read)(const toml::node&, Report&, Owner&) = nullptr;
  std::string (*show)(const Owner&) = nullptr;  // as written in the file
};

// Declares a key. `Value` is one of the types of values.h; `members`, a captureless lambda, maps an
// owner to std::tie of the members that take the value, all the same one.
template <class Owner, class Value, class Members>
constexpr Key<Owner> key(std::string_view name, std::string_view standard, std::string_view meaning,
                         Members /*members*/) {
  return {.name = name,
          .standard = standard,
          .meaning = meaning,
          .type = &Value::type,
          .read =
              [](const toml::node& node, Report& report, Owner& owner) {
                const auto read = Value::read(node, report);
                if (!read) return;
                const auto& value = *read;
                const auto store = [&value](auto& member) {
                  member = static_cast<std::remove_reference_t<decltype(member)>>(value);
                };
                std::apply([&store](auto&... member) { (store(member), ...); }, Members{}(owner));
              },
          .show = [](const Owner& owner) { return Value::show(std::get<0>(Members{}(owner))); }};
}

// A table of the file.
template <class Owner>
struct Section {
  std::string_view name;   // "limits"
  std::string_view title;  // as written in the file: "[limits]", "[[listener]]", "[upstream.NAME]"
  std::span<const Key<Owner>> keys;
  // Whether the keys fit together; called where each of them was understood.
  void (*check)(const toml::table&, Report&, const Owner&) = nullptr;
  // What the keys' defaults are those of, where it is not an Owner{}.
  Owner (*untouched)() = nullptr;

  [[nodiscard]] const Key<Owner>* find(std::string_view key) const {
    for (const Key<Owner>& candidate : keys) {
      if (candidate.name == key) return &candidate;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string_view> names() const {
    std::vector<std::string_view> out;
    for (const Key<Owner>& key : keys) out.push_back(key.name);
    return out;
  }
};

// Where an unknown key of the table `title` would be known, if anywhere: `it belongs to
// [timeouts]`, else a hint at the nearest of `known`.
std::string unknown_key_hint(std::string_view key, std::string_view title,
                             std::span<const std::string_view> known);

// Reads a table: every key of it, whatever is wrong with the others.
template <class Owner>
void read_table(const toml::table& table, const Section<Owner>& section, Report& report,
                Owner& owner) {
  const std::size_t errors = report.errors();
  for (const auto& [name, node] : table) {
    if (const Key<Owner>* key = section.find(name.str())) {
      key->read(node, report, owner);
    } else {
      report.error(place_of(name),
                   fmt::format("unknown key {} in {}: {}", quoted(name.str()), section.title,
                               unknown_key_hint(name.str(), section.title, section.names())));
    }
  }
  for (const Key<Owner>& key : section.keys) {
    if (!key.standard.empty() || table.contains(key.name)) continue;
    report.error(place_of(table),
                 fmt::format("{} lacks {}: {}", section.title, key.name, key.type()));
  }
  if (section.check != nullptr && report.errors() == errors) section.check(table, report, owner);
}

// The same where anything may stand.
template <class Owner>
void read_table(const toml::node& node, const Section<Owner>& section, Report& report,
                Owner& owner) {
  if (const auto* table = node.as_table()) {
    read_table(*table, section, report, owner);
  } else {
    report.error(place_of(node),
                 fmt::format("expected a table, as {}, found {}", section.title, kind_of(node)));
  }
}

// "key = value" for each key that is not the default.
template <class Owner>
std::vector<std::string> changes(const Section<Owner>& section, const Owner& owner) {
  std::vector<std::string> out;
  for (const Key<Owner>& key : section.keys) {
    const std::string value = key.show(owner);
    if (value != key.standard) out.push_back(fmt::format("{} = {}", key.name, value));
  }
  return out;
}

template <class Owner>
std::string show_table(const Section<Owner>& section, const Owner& owner) {
  const std::string inside = fmt::format("{}", fmt::join(changes(section, owner), ", "));
  return inside.empty() ? "{}" : "{ " + inside + " }";
}

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

// Declares a key that is a table of its own. What that leaves out stays as the owner has it.
// `members` ties one member: what the section fills, or an optional of it, which then says whether
// the table is there.
template <class Owner, const auto& kSection, class Members>
constexpr Key<Owner> table_key(std::string_view name, std::string_view meaning,
                               Members /*members*/) {
  using Member = std::remove_cvref_t<decltype(std::get<0>(Members{}(std::declval<Owner&>())))>;
  return {.name = name,
          .standard = kIsOptional<Member> ? "none" : "{}",
          .meaning = meaning,
          .type = [] { return std::string("table"); },
          .read =
              [](const toml::node& node, Report& report, Owner& owner) {
                auto& member = std::get<0>(Members{}(owner));
                if constexpr (kIsOptional<Member>) {
                  read_table(node, kSection, report, member.emplace());
                } else {
                  read_table(node, kSection, report, member);
                }
              },
          .show =
              [](const Owner& owner) {
                const auto& member = std::get<0>(Members{}(owner));
                if constexpr (kIsOptional<Member>) {
                  return member ? show_table(kSection, *member) : std::string("none");
                } else {
                  return show_table(kSection, member);
                }
              }};
}

}  // namespace penstock::config

// The types of values that hold texts: one, lists of them, and tables of header fields.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ranges>

#include <sys/stat.h>
#include <unistd.h>

#include "config/field_rules.h"
#include "config/values.h"
#include "message/fields.h"

namespace penstock::config {
namespace {

constexpr bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Complaint check_path(std::string_view text) {
  return text.find('\0') == std::string_view::npos ? Complaint{}
                                                   : "a path cannot contain a zero byte";
}

void read_values(const Entry& entry, bool may_repeat, const FieldLinesRule& rule, FieldLines& out,
                 Report& report) {
  const TextRule value_rule{
      .type = "field value", .plural = "field values", .check = rule.check_value};
  const auto* several = may_repeat ? entry.value->as_array() : nullptr;
  if (several == nullptr) {
    auto value = read_checked(*entry.value, report, value_rule);
    if (value) out.emplace_back(entry.name->str(), std::move(*value));
    return;
  }
  for (const toml::node& element : *several) {
    auto value = read_checked(element, report, value_rule);
    if (value) out.emplace_back(entry.name->str(), std::move(*value));
  }
}

}  // namespace

std::optional<std::string> read_checked(const toml::node& node, Report& report,
                                        const TextRule& rule) {
  auto text = read_text(node, report, rule.type);
  if (!text) return std::nullopt;
  if (Complaint complaint = rule.check(*text); !complaint.empty()) {
    report.error(place_of(node), std::move(complaint));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string> FileValue::read(const toml::node& node, Report& report) {
  static constexpr TextRule kPath{.type = "path of a file", .plural = {}, .check = &check_path};
  const auto path = read_checked(node, report, kPath);
  if (!path || path->empty()) return path;
  struct stat status{};
  if (::stat(path->c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    report.warning(place_of(node), fmt::format("{} is a directory", quoted(*path)));
  } else if (::access(path->c_str(), R_OK) != 0) {
    report.warning(place_of(node), fmt::format("{} cannot be opened for reading: {}", quoted(*path),
                                               std::strerror(errno)));
  }
  return path;
}

std::optional<std::string> SecretValue::read(const toml::node& node, Report& report) {
  auto text = read_text(node, report, "a secret");
  if (text && std::ranges::any_of(*text, is_control)) {
    report.error(place_of(node), "a secret cannot contain control characters");
    return std::nullopt;
  }
  return text;
}

const toml::array* read_list(const toml::node& node, Report& report, std::string_view plural) {
  if (const auto* array = node.as_array()) return array;
  const auto* text = node.as_string();
  report.error(place_of(node),
               text == nullptr
                   ? fmt::format("expected a list of {}, found {}", plural, kind_of(node))
                   : fmt::format("expected a list: write [{}]", quoted(text->get())));
  return nullptr;
}

std::optional<std::vector<std::string>> read_texts(const toml::node& node, Report& report,
                                                   const TextRule& rule, bool may_be_empty) {
  const toml::array* const array = read_list(node, report, rule.plural);
  if (array == nullptr) return std::nullopt;
  if (array->empty() && !may_be_empty) {
    report.error(place_of(node), fmt::format("expected at least one {}", rule.type));
  }
  std::vector<std::string> out;
  for (const toml::node& element : *array) {
    auto text = read_checked(element, report, rule);
    if (text) out.push_back(std::move(*text));
  }
  return out;
}

std::string show_texts(const std::vector<std::string>& value) {
  return fmt::format("[{}]", fmt::join(value | std::views::transform(quoted), ", "));
}

constexpr FieldLinesRule kEditedFields{.check_name = &check_edited_field,
                                       .check_value = &check_field_value};

std::optional<FieldLines> read_field_lines(const toml::node& node, Report& report, bool may_repeat,
                                           const FieldLinesRule& rule) {
  const auto* table = node.as_table();
  if (table == nullptr) {
    report.error(
        place_of(node),
        fmt::format("expected a table of fields such as {{ X-Example = \"value\" }}, found {}",
                    kind_of(node)));
    return std::nullopt;
  }
  FieldLines out;
  std::vector<std::string_view> names;
  for (const Entry& entry : in_file_order(*table)) {
    const std::string_view name = entry.name->str();
    if (Complaint complaint = rule.check_name(name); !complaint.empty()) {
      report.error(place_of(*entry.name), std::move(complaint));
      continue;
    }
    const auto twice = [name](std::string_view other) { return equals_ignoring_case(name, other); };
    if (std::ranges::any_of(names, twice)) {
      report.error(place_of(*entry.name),
                   fmt::format("the field {} stands here twice: upper and lower case are the same",
                               quoted(name)));
      continue;
    }
    names.push_back(name);
    read_values(entry, may_repeat, rule, out, report);
  }
  return out;
}

std::string show_field_lines(const FieldLines& value) {
  if (value.empty()) return "{}";
  const auto show = [](const auto& line) {
    return fmt::format("{} = {}", line.first, quoted(line.second));
  };
  return fmt::format("{{ {} }}", fmt::join(value | std::views::transform(show), ", "));
}

}  // namespace penstock::config

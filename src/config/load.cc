#include "config/load.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "config/checks.h"
#include "config/draft.h"
#include "config/reader.h"
#include "config/report.h"
#include "config/toml.h"

namespace penstock::config {
namespace {

constexpr std::size_t kLongestFile = std::size_t{16} * 1024 * 1024;

std::expected<std::string, std::string> read_whole(const std::string& path) {
  const auto close = [](std::FILE* file) { static_cast<void>(std::fclose(file)); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rbe"), close);
  if (file == nullptr)
    return std::unexpected(fmt::format("cannot be opened: {}", std::strerror(errno)));
  std::string text;
  char part[16 * 1024];
  while (const std::size_t n = std::fread(part, 1, sizeof part, file.get())) {
    text.append(part, n);
    if (text.size() > kLongestFile) return std::unexpected("is too large to be a configuration");
  }
  if (std::ferror(file.get()) != 0) {
    return std::unexpected(fmt::format("cannot be read: {}", std::strerror(errno)));
  }
  return text;
}

// `timeout = 30s` is what a newcomer writes first, and the library's words for it do not help.
bool looks_like_bare_quantity(std::string_view line) {
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return false;
  std::string_view value = line.substr(equals + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  const std::size_t digits = std::min(value.find_first_not_of("0123456789"), value.size());
  if (digits == 0 || digits == value.size()) return false;
  const char next = value[digits];
  return (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z');
}

std::string syntax_message(const toml::parse_error& error) {
  constexpr std::string_view kPrefix = "Error while parsing ";
  std::string_view text = error.description();
  if (!text.starts_with(kPrefix)) return fmt::format("this is not TOML: {}", text);
  text.remove_prefix(kPrefix.size());
  return fmt::format("this is not TOML: in {}", text);
}

}  // namespace

LoadResult load_text(std::string_view text, std::string_view name) {
  Report report(name, text);
  Draft draft;
  try {
    read_root(toml::parse(text, name), report, draft);
  } catch (const toml::parse_error& error) {
    report.error(place_of(error.source()), syntax_message(error));
    auto found = report.take();
    if (looks_like_bare_quantity(found.front().source_line)) {
      found.front().message += "; durations and sizes stand in quotes, as in \"30s\"";
    }
    return std::unexpected(std::move(found));
  }
  complete_and_check(draft, report);
  const bool failed = report.errors() > 0;
  auto found = report.take();
  if (failed) return std::unexpected(std::move(found));
  return Loaded{.snapshot = std::make_shared<const Snapshot>(std::move(draft.snapshot)),
                .warnings = std::move(found)};
}

LoadResult load_file(const std::string& path) {
  auto text = read_whole(path);
  if (text) return load_text(*text, path);
  return std::unexpected(std::vector{Diagnostic{.file = path,
                                                .line = 0,
                                                .column = 0,
                                                .source_line = {},
                                                .message = std::move(text.error()),
                                                .warning = false}});
}

std::vector<Diagnostic> diagnose(const std::string& path, const std::vector<Finding>& findings) {
  const std::string text = read_whole(path).value_or("");
  Report report(path, text);
  for (const Finding& finding : findings) report.error(finding.place, finding.message);
  return report.take();
}

}  // namespace penstock::config

// The documentation says of every key what the program does.
#include "config/reference.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "adapt/variable_settings.h"
#include "config/load.h"

namespace penstock::config {
namespace {

namespace fs = std::filesystem;

// The top of the sources: told by the build, by the environment, or somewhere above.
fs::path source_dir() {
#ifdef PENSTOCK_SOURCE_DIR
  return PENSTOCK_SOURCE_DIR;
#else
  if (const char* const dir = std::getenv("PENSTOCK_SOURCE_DIR")) return dir;
  for (fs::path dir = fs::current_path();; dir = dir.parent_path()) {
    if (fs::exists(dir / "docs" / "configuration.md") || dir == dir.root_path()) return dir;
  }
#endif
}

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << " cannot be read";
  return {std::istreambuf_iterator<char>(file), {}};
}

// The part of the text under the "## " heading that names the table.
std::string section_of(const std::string& text, const std::string& table) {
  for (std::size_t start = text.find("\n## "); start != std::string::npos;) {
    const std::size_t end = text.find("\n## ", start + 1);
    const std::string heading = text.substr(start + 1, text.find('\n', start + 1) - start - 1);
    if (heading.find("`" + table + "`") != std::string::npos) {
      return text.substr(start, end == std::string::npos ? end : end - start);
    }
    start = end;
  }
  return {};
}

// A text without errors; warnings are fine.
void expect_loads(const std::string& text, const std::string& name) {
  const auto loaded = load_text(text, name);
  if (loaded) return;
  for (const Diagnostic& diagnostic : loaded.error()) ADD_FAILURE() << render(diagnostic, false);
}

TEST(Reference, DefaultsAreThoseOfTheSettings) {
  for (const KeyReference& key : reference()) {
    EXPECT_EQ(key.standard, key.built_in) << key.table << ' ' << key.name;
    EXPECT_FALSE(key.meaning.empty()) << key.table << ' ' << key.name;
  }
}

TEST(Reference, EveryKeyIsDocumented) {
  const std::string text = read(source_dir() / "docs" / "configuration.md");
  std::string missing;
  for (const KeyReference& key : reference()) {
    const std::string section = section_of(text, std::string(key.table));
    EXPECT_NE(section.find("```toml\n"), std::string::npos) << key.table << " has no example";
    const std::string row = markdown_row(key);
    if (section.find("\n" + row + "\n") == std::string::npos) missing += row + "\n";
  }
  EXPECT_EQ(missing, "") << "rows that docs/configuration.md lacks, or has with another text";
}

TEST(Reference, TheDocumentationKnowsNoOtherKeys) {
  const std::string text = read(source_dir() / "docs" / "configuration.md");
  std::string known;
  for (const KeyReference& key : reference()) known += markdown_row(key) + "\n";
  for (std::size_t at = text.find("\n| `"); at != std::string::npos;
       at = text.find("\n| `", at + 1)) {
    const std::string row = text.substr(at + 1, text.find('\n', at + 1) - at);
    EXPECT_NE(known.find(row), std::string::npos) << row;
  }
}

TEST(Reference, EveryVariableIsDocumented) {
  const std::string text = read(source_dir() / "docs" / "configuration.md");
  const std::string section = section_of(text, "[route.request]");
  for (const std::string_view name : kVariableNames) {
    EXPECT_NE(section.find("`" + std::string(name) + "`"), std::string::npos) << name;
  }
}

// How many there are in the document.
int expect_examples_load(const std::string& document) {
  const std::string text = read(source_dir() / "docs" / document);
  constexpr std::string_view kBegin = "```toml\n";
  int examples = 0;
  for (std::size_t at = text.find(kBegin); at != std::string::npos; at = text.find(kBegin, at)) {
    at += kBegin.size();
    expect_loads(text.substr(at, text.find("```", at) - at),
                 document + " example " + std::to_string(++examples));
  }
  return examples;
}

TEST(Reference, TheExamplesLoad) {
  EXPECT_GE(expect_examples_load("configuration.md"), 10);
  EXPECT_GE(expect_examples_load("listeners.md"), 5);
}

TEST(Reference, TheSampleFileLoadsAlsoWithItsCommentsTakenAway) {
  const std::string text = read(source_dir() / "penstock.toml");
  expect_loads(text, "penstock.toml");
  std::string whole = text;
  std::size_t at = whole.find("# [[listener]]");
  ASSERT_NE(at, std::string::npos);
  for (; at != std::string::npos; at = whole.find("\n#", at)) {
    if (whole[at] == '\n') ++at;
    whole.erase(at, whole[at + 1] == ' ' ? 2 : 1);
  }
  const auto loaded = load_text(whole, "penstock.toml without comments");
  ASSERT_TRUE(loaded.has_value()) << render(loaded.error().front(), false);
  EXPECT_EQ(loaded->snapshot->listeners.size(), 2U);
  EXPECT_EQ(loaded->warnings.size(), 0U);
}

}  // namespace
}  // namespace penstock::config

// What tests of loading have in common.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace penstock::config {

// The snapshot of a text without errors and warnings.
inline Snapshot load(std::string_view text) {
  const auto loaded = load_text(text, "test.toml");
  if (!loaded) {
    for (const Diagnostic& diagnostic : loaded.error()) ADD_FAILURE() << render(diagnostic, false);
    return {};
  }
  for (const Diagnostic& diagnostic : loaded->warnings) ADD_FAILURE() << render(diagnostic, false);
  return *loaded->snapshot;
}

struct KeyCase {
  std::string text;
  std::function<bool(const Snapshot&)> holds;
};

inline void expect_hold(std::span<const KeyCase> cases) {
  for (const KeyCase& one : cases) EXPECT_TRUE(one.holds(load(one.text))) << one.text;
}

inline std::vector<Diagnostic> errors_of(std::string_view text) {
  const auto loaded = load_text(text, "test.toml");
  return loaded ? std::vector<Diagnostic>{} : loaded.error();
}

inline std::vector<Diagnostic> warnings_of(std::string_view text) {
  const auto loaded = load_text(text, "test.toml");
  if (loaded) return loaded->warnings;
  ADD_FAILURE() << render(loaded.error().front(), false);
  return {};
}

struct Case {
  const char* text;
  unsigned line, column;
  const char* message;  // a part of it
};

inline void expect_single(const Case& one, const std::vector<Diagnostic>& found) {
  ASSERT_THAT(found, ::testing::SizeIs(1)) << one.text;
  EXPECT_EQ(found[0].file, "test.toml");
  EXPECT_EQ(found[0].line, one.line) << one.text;
  EXPECT_EQ(found[0].column, one.column) << one.text;
  EXPECT_THAT(found[0].message, ::testing::HasSubstr(one.message)) << one.text;
}

// Each case behind `before`.
inline void expect_errors(std::string_view before, std::span<const Case> cases) {
  for (const Case& one : cases) expect_single(one, errors_of(std::string(before) + one.text));
}

inline void expect_warnings(std::string_view before, std::span<const Case> cases) {
  for (const Case& one : cases) {
    const auto found = warnings_of(std::string(before) + one.text);
    expect_single(one, found);
    for (const Diagnostic& diagnostic : found) EXPECT_TRUE(diagnostic.warning) << one.text;
  }
}

}  // namespace penstock::config

#include "module/log_lines.h"

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/local_test.h"
#include "penstock/module.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

class InstanceLogTest : public testing::Test {
 protected:
  bool write(std::string_view text) { return lines->write(PENSTOCK_LOG_INFO, text, now); }
  std::vector<std::string> take_lines() {
    lines.reset();
    return log.take_lines();
  }

  TimePoint now{seconds(100)};
  TestLog log;
  ModuleLogFiles files;
  std::optional<InstanceLog> lines{std::in_place, "filter", log.log(), files};
};

TEST_F(InstanceLogTest, WritesTheInstancesNameInFront) {
  for (const int level : std::vector<int>{PENSTOCK_LOG_DEBUG, PENSTOCK_LOG_INFO,
                                          PENSTOCK_LOG_WARNING, PENSTOCK_LOG_ERROR, 17}) {
    EXPECT_FALSE(lines->write(level, "text " + std::to_string(level), now));
  }
  EXPECT_THAT(take_lines(),
              ElementsAre("info  module.filter: text 1", "warn  module.filter: text 2",
                          "error module.filter: text 3", "error module.filter: text 17"));
}

TEST_F(InstanceLogTest, ALineStaysALine) {
  write("a\nb\r\nc\\d\te\x1B[0m\x7F \xC3\xA4");
  write(std::string(5000, 'x'));
  EXPECT_THAT(take_lines(),
              ElementsAre("info  module.filter: a\\nb\\r\\nc\\\\d\\x09e\\x1B[0m\\x7F \xC3\xA4",
                          "info  module.filter: " + std::string(4096, 'x') + "..."));
}

TEST_F(InstanceLogTest, AHundredLinesASecond) {
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(write("text"));
  EXPECT_TRUE(write("left out"));
  EXPECT_FALSE(write("left out"));
  // Nobody would see them.
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(lines->write(PENSTOCK_LOG_DEBUG, "debug", now));
  now += milliseconds(999);
  EXPECT_FALSE(lines->say_left_out(now));
  now += milliseconds(1);
  EXPECT_TRUE(lines->say_left_out(now));
  EXPECT_TRUE(lines->say_left_out(now));
  write("next");
  const auto all = take_lines();
  ASSERT_EQ(all.size(), 102U);
  EXPECT_EQ(all[100], "warn  module.filter: 2 more lines were left out");
  EXPECT_EQ(all[101], "info  module.filter: next");
}

TEST_F(InstanceLogTest, TheNextLineOrTheEndSaysWhatWasLeftOut) {
  for (int i = 0; i < 101; ++i) write("text");
  now += seconds(1);
  for (int i = 0; i < 103; ++i) write("text");
  const auto all = take_lines();
  ASSERT_EQ(all.size(), 202U);
  EXPECT_EQ(all[100], "warn  module.filter: 1 more lines were left out");
  EXPECT_EQ(all[201], "warn  module.filter: 3 more lines were left out");
}

TEST_F(InstanceLogTest, FilesTakeLinesAsTheyAre) {
  const std::string path = log.path("own.log");
  const auto id = lines->open_file(path);
  EXPECT_EQ(id, 1U);
  EXPECT_EQ(lines->open_file(path), id);
  lines->write_file(id, R"({"text":"a\nb"})");
  lines->write_file(id, "c\r\nd\te");
  lines->write_file(id, "");
  lines->write_file(0, "nowhere");
  lines->write_file(2, "nowhere");
  lines.reset();
  EXPECT_EQ(TestLog::content(path), "{\"text\":\"a\\nb\"}\nc\\r\\nd\te\n\n");
}

TEST_F(InstanceLogTest, FilesThatCannotBeAreRefusedAtOnce) {
  EXPECT_EQ(lines->open_file(log.path("none/own.log")), 0U);
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(lines->open_file(log.folder), 0U);
  EXPECT_EQ(errno, EISDIR);
  EXPECT_EQ(lines->open_file(""), 0U);
}

TEST_F(InstanceLogTest, AtMost16Files) {
  for (std::size_t i = 0; i < InstanceLog::kMaxFiles; ++i) {
    EXPECT_EQ(lines->open_file(log.path(std::to_string(i))), i + 1);
  }
  EXPECT_EQ(lines->open_file(log.path("one more")), 0U);
  EXPECT_EQ(errno, EMFILE);
  EXPECT_FALSE(std::filesystem::exists(log.path("one more")));
  EXPECT_EQ(lines->open_file(log.path("3")), 4U);
}

TEST_F(InstanceLogTest, AllInstancesShareAFileAndItIsReopened) {
  const std::string path = log.path("own.log");
  InstanceLog other("other", log.log(), files);
  const auto file = files.open(path);
  EXPECT_EQ(files.open(path), file);
  const auto id = lines->open_file(path);
  const auto other_id = other.open_file(path);
  // It begins in the file that is moved away: that line is waited for.
  lines->write_file(id, "before");
  const auto limit = std::chrono::steady_clock::now() + seconds(20);
  while (TestLog::content(path) != "before\n" && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  std::filesystem::rename(path, path + ".1");
  files.reopen_all();
  other.write_file(other_id, "after");
  while (TestLog::content(path) != "after\n" && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_EQ(TestLog::content(path + ".1"), "before\n");
  EXPECT_EQ(TestLog::content(path), "after\n");
}

}  // namespace
}  // namespace penstock

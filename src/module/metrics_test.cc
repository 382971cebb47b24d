#include "module/metrics.h"

#include <filesystem>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "module/local_test.h"
#include "module/metrics_file.h"

namespace penstock {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ModuleMetrics, AreTextInTheOrderOfTheirNames) {
  ModuleMetrics metrics;
  const auto seen = metrics.get("filter", "seen", "Requests that were seen.");
  const auto other = metrics.get("another", "seen", "Something else.");
  const auto depth = metrics.get("filter", "depth", "");
  seen->add(2);
  seen->add(1);
  other->add(40);
  depth->set(-5);
  EXPECT_EQ(metrics.get("filter", "seen", ""), seen);
  EXPECT_EQ(metrics.text(),
            "# TYPE penstock_module_depth gauge\n"
            "penstock_module_depth{instance=\"filter\"} -5\n"
            "# HELP penstock_module_seen Requests that were seen.\n"
            "# TYPE penstock_module_seen counter\n"
            "penstock_module_seen{instance=\"another\"} 40\n"
            "penstock_module_seen{instance=\"filter\"} 3\n");
}

TEST(ModuleMetrics, WhatGoesDownIsAGauge) {
  ModuleMetrics metrics;
  const auto one = metrics.get("one", "under_way", "");
  const auto two = metrics.get("two", "under_way", "");
  one->add(1);
  two->add(1);
  EXPECT_THAT(metrics.text(), HasSubstr("# TYPE penstock_module_under_way counter\n"));
  two->add(-1);
  EXPECT_THAT(metrics.text(), HasSubstr("# TYPE penstock_module_under_way gauge\n"));
}

TEST(ModuleMetrics, NamesAreLettersDigitsAndUnderscores) {
  ModuleMetrics metrics;
  EXPECT_TRUE(metrics.get("i", "aZ_09", ""));
  EXPECT_TRUE(metrics.get("i", std::string(100, 'a'), ""));
  EXPECT_FALSE(metrics.get("i", std::string(101, 'a'), ""));
  for (const char* const name : {"", "a-b", "a b", "a{", "\xC3\xA4", "a\n"}) {
    EXPECT_FALSE(metrics.get("i", name, "")) << name;
  }
}

TEST(ModuleMetrics, TextsAreEscaped) {
  ModuleMetrics metrics;
  const auto metric = metrics.get("a\"b\\c\nd", "x", "say \"a\\b\"\nand\tmore");
  EXPECT_EQ(metrics.text(),
            "# HELP penstock_module_x say \"a\\\\b\"\\nand more\n"
            "# TYPE penstock_module_x counter\n"
            "penstock_module_x{instance=\"a\\\"b\\\\c\\nd\"} 0\n");
}

TEST(ModuleMetrics, TheTextIsUtf8WhateverModulesSay) {
  const auto published = [](std::string_view help) {
    ModuleMetrics metrics;
    const auto metric = metrics.get("i", "x", help);
    const std::string text = metrics.text();
    const std::size_t begin = std::string_view("# HELP penstock_module_x ").size();
    return text.substr(begin, text.find('\n') - begin);
  };
  for (const std::string good : {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xEF\xBF\xBD",
                                 "\xF4\x8F\xBF\xBF", "a\xC2\x80z"}) {
    EXPECT_EQ(published(good), good);
  }
  EXPECT_EQ(published("\xC3"), "?");
  EXPECT_EQ(published("\xC3z"), "?z");
  EXPECT_EQ(published("\xA4z"), "?z");
  EXPECT_EQ(published("\xC0\x80"), "??");
  EXPECT_EQ(published("\xE0\x80\x80"), "???");
  EXPECT_EQ(published("\xED\xA0\x80"), "???");
  EXPECT_EQ(published("\xF0\x80\x80\x80"), "????");
  EXPECT_EQ(published("\xF4\x90\x80\x80"), "????");
  EXPECT_EQ(published("\xFF"), "?");
  EXPECT_EQ(published("\xE2\x82"), "??");
}

TEST(ModuleMetrics, TheLastNumbersOfAnInstanceArePublishedOnce) {
  ModuleMetrics metrics;
  auto gone = metrics.get("gone", "x", "");
  const auto stays = metrics.get("stays", "x", "");
  gone->add(7);
  gone.reset();
  EXPECT_THAT(metrics.text(), HasSubstr("{instance=\"gone\"} 7\n"));
  EXPECT_THAT(metrics.publish(), HasSubstr("{instance=\"gone\"} 7\n"));
  EXPECT_EQ(metrics.publish(),
            "# TYPE penstock_module_x counter\npenstock_module_x{instance=\"stays\"} 0\n");
  // One that comes back in time goes on counting.
  metrics.get("back", "x", "")->add(1);
  const auto back = metrics.get("back", "x", "");
  back->add(1);
  static_cast<void>(metrics.publish());
  EXPECT_THAT(metrics.publish(), HasSubstr("{instance=\"back\"} 2\n"));
}

TEST(ModuleMetrics, AreCountedByManyThreads) {
  ModuleMetrics metrics;
  const auto kept = metrics.get("i", "x", "");
  const auto count = [&metrics] {
    const auto metric = metrics.get("i", "x", "");
    for (int i = 0; i < 10'000; ++i) metric->add(1);
  };
  std::thread first(count);
  std::thread second(count);
  for (int i = 0; i < 100; ++i) static_cast<void>(metrics.publish());
  count();
  first.join();
  second.join();
  EXPECT_THAT(metrics.text(), testing::EndsWith(" 30000\n"));
}

class MetricsFileTest : public testing::Test {
 protected:
  MetricsFile::Publish publish = [this] { return metrics.publish(); };

 protected:
  TestLog log;
  ModuleMetrics metrics;
  std::shared_ptr<ModuleMetric> metric = metrics.get("i", "x", "");
  const std::string path = log.path("metrics.prom");
};

TEST_F(MetricsFileTest, IsWrittenAgainAndAgain) {
  const MetricsFile file(publish, path, milliseconds(1), log.log());
  for (const int n : {1, 2, 3}) {
    metric->set(n);
    const std::string end = " " + std::to_string(n) + "\n";
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!TestLog::content(path).ends_with(end)) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      std::this_thread::yield();
    }
  }
}

TEST_F(MetricsFileTest, IsWrittenAtTheEndWhatsoever) {
  {
    const MetricsFile file(publish, path, hours(1), log.log());
    metric->add(5);
    metric.reset();
  }
  EXPECT_EQ(TestLog::content(path),
            "# TYPE penstock_module_x counter\npenstock_module_x{instance=\"i\"} 5\n");
  EXPECT_FALSE(std::filesystem::exists(path + ".new"));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0400, 0400U);
}

TEST_F(MetricsFileTest, AFailureIsSaidOnceAndSoIsItsEnd) {
  const std::string folder = log.path("later");
  {
    const MetricsFile file(publish, folder + "/metrics.prom", milliseconds(1), log.log());
    // It has failed at least once before the folder is there, and again and again.
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (TestLog::content(log.path("log")).empty()) {
      ASSERT_LT(std::chrono::steady_clock::now(), limit);
      std::this_thread::yield();
    }
    std::filesystem::create_directory(folder);
  }
  EXPECT_THAT(log.take_lines(),
              ElementsAre("warn  can't write metrics to " + folder +
                              "/metrics.prom: No such file or directory",
                          "info  metrics are written to " + folder + "/metrics.prom again"));
}

TEST_F(MetricsFileTest, ALinkInItsWayIsNotFollowed) {
  const std::string precious = log.path("precious");
  std::ofstream(precious) << "kept";
  std::filesystem::create_symlink(precious, path + ".new");
  {
    const MetricsFile file(publish, path, hours(1), log.log());
  }
  EXPECT_EQ(TestLog::content(precious), "kept");
}

}  // namespace
}  // namespace penstock

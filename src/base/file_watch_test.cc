#include "base/file_watch.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

namespace penstock {
namespace {

using std::chrono::seconds;

class FileWatchTest : public testing::Test {
 protected:
  FileWatchTest() : path(testing::TempDir() + "penstock_watch_" + std::to_string(::getpid())) {}
  ~FileWatchTest() override { std::remove(path.c_str()); }
  void write(const std::string& text) const { std::ofstream(path) << text; }
  void replace(const std::string& text) const {
    const std::string next = path + ".next";
    std::ofstream(next) << text;
    EXPECT_EQ(std::rename(next.c_str(), path.c_str()), 0);
  }
  std::string path;
  TimePoint now{};
};

TEST_F(FileWatchTest, Changes) {
  write("one");
  FileWatch watch(path, seconds(1));
  EXPECT_EQ(watch.path(), path);
  watch.look(now);
  EXPECT_FALSE(watch.changed(now += seconds(1)));
  write("longer");
  EXPECT_TRUE(watch.changed(now += seconds(1)));
  EXPECT_FALSE(watch.changed(now += seconds(1)));
  replace("larger");  // the same size, and perhaps the same time
  EXPECT_TRUE(watch.changed(now += seconds(1)));
  std::remove(path.c_str());
  EXPECT_TRUE(watch.changed(now += seconds(1)));
  EXPECT_FALSE(watch.changed(now += seconds(1)));
  write("again");
  EXPECT_TRUE(watch.changed(now += seconds(1)));
}

TEST_F(FileWatchTest, LooksSeldom) {
  write("one");
  FileWatch watch(path, seconds(1));
  watch.look(now);
  write("longer");
  EXPECT_FALSE(watch.changed(now += std::chrono::milliseconds(999)));
  EXPECT_TRUE(watch.changed(now += std::chrono::milliseconds(1)));
}

// Before there is a clock, too.
TEST_F(FileWatchTest, TheFirstLookIsAlwaysOne) {
  write("one");
  FileWatch watch(path, seconds(1));
  watch.look(TimePoint::min());
  EXPECT_FALSE(watch.changed(TimePoint{}));
}

TEST_F(FileWatchTest, NoPathNeverChanges) {
  FileWatch watch("", seconds(1));
  EXPECT_FALSE(watch.changed(now));
  EXPECT_FALSE(watch.changed(now += seconds(5)));
}

}  // namespace
}  // namespace penstock

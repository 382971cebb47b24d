#include "base/log_file.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {
namespace {

class LogFileTest : public testing::Test {
 protected:
  LogFileTest() {
    std::string name = testing::TempDir() + "penstock_log_XXXXXX";
    folder = ::mkdtemp(name.data());
    path = folder + "/log";
  }
  ~LogFileTest() override { std::filesystem::remove_all(folder); }

  static std::string content(const std::string& of) {
    std::ostringstream text;
    text << std::ifstream(of).rdbuf();
    return text.str();
  }
  // Reads a pipe to its end; opening it waits for the writer.
  static void drain(const std::string& pipe, std::string& into) {
    const int fd = ::open(pipe.c_str(), O_RDONLY | O_CLOEXEC);
    std::vector<char> block(64 * 1024);
    for (ssize_t n = 1; n > 0;) {
      n = ::read(fd, block.data(), block.size());
      if (n > 0) into.append(block.data(), static_cast<std::size_t>(n));
    }
    ::close(fd);
  }

  std::string folder;
  std::string path;
};

TEST_F(LogFileTest, WritesInOrder) {
  std::string expected;
  {
    LogFile file(path);
    for (int i = 0; i < 10'000; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      expected += line;
      file.write(std::string_view(line));
    }
    EXPECT_EQ(file.dropped_bytes(), 0U);
  }
  EXPECT_TRUE(content(path) == expected);
}

TEST_F(LogFileTest, TakesTheBlockOver) {
  {
    LogFile file(path);
    std::string block = "one\ntwo\n";
    file.write(block);
    EXPECT_TRUE(block.empty());
    file.write(block);  // nothing
    block = "three\n";
    file.write(block);
  }
  EXPECT_EQ(content(path), "one\ntwo\nthree\n");
}

TEST_F(LogFileTest, AppendsToWhatIsThere) {
  for (const char* line : {"one\n", "two\n"}) {
    LogFile file(path);
    file.write(std::string_view(line));
  }
  EXPECT_EQ(content(path), "one\ntwo\n");
}

TEST_F(LogFileTest, ReopensAfterARename) {
  const std::string moved = path + ".1";
  {
    LogFile file(path);
    file.write(std::string_view("one\n"));
    while (content(path) != "one\n") std::this_thread::yield();
    std::filesystem::rename(path, moved);
    file.write(std::string_view("two\n"));  // it is still the open one
    while (content(moved) != "one\ntwo\n") std::this_thread::yield();
    file.reopen();
    file.write(std::string_view("three\n"));
  }
  EXPECT_EQ(content(moved), "one\ntwo\n");
  EXPECT_EQ(content(path), "three\n");
}

TEST_F(LogFileTest, NobodyWaitsForAPipeThatIsNotRead) {
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  constexpr std::size_t kBlock = 1024 * 1024;
  constexpr std::size_t kBlocks = 40;
  std::string got;
  std::size_t dropped = 0;
  std::thread reader;
  {
    LogFile file(path);
    // All of these return although the writing thread hangs.
    for (std::size_t i = 0; i < kBlocks; ++i) {
      std::string block(kBlock, static_cast<char>('a' + i % 26));
      block.back() = '\n';
      file.write(block);
      EXPECT_TRUE(block.empty());
    }
    dropped = file.dropped_bytes();
    EXPECT_GT(dropped, 0U);
    EXPECT_EQ(dropped % kBlock, 0U);  // whole blocks
    reader = std::thread(&LogFileTest::drain, path, std::ref(got));
  }
  reader.join();
  EXPECT_EQ(got.size() + dropped, kBlock * kBlocks);
  EXPECT_TRUE(got.ends_with('\n'));
}

TEST_F(LogFileTest, PathThatCannotBeOpened) {
  LogFile file(folder + "/no/such/folder/log");
  file.write(std::string_view("lost\n"));  // said on stderr, once
}

TEST_F(LogFileTest, ManyThreads) {
  {
    LogFile file(path);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&file, t] {
        for (int i = 0; i < 1000; ++i) {
          file.write(std::string_view(std::string(50, static_cast<char>('a' + t)) + "\n"));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  std::ifstream lines(path);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_EQ(line, std::string(50, line.at(0)));
  }
  EXPECT_EQ(count, 4000U);
}

}  // namespace
}  // namespace penstock

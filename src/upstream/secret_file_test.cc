#include "upstream/secret_file.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace penstock {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;

class SecretFileTest : public testing::Test {
 protected:
  SecretFileTest() {
    std::string name = testing::TempDir() + "penstock_secret_XXXXXX";
    folder = ::mkdtemp(name.data());
    path = folder + "/secret";
  }
  ~SecretFileTest() override { std::filesystem::remove_all(folder); }

  // Replaces the file as a careful program does: at once, by another one.
  void write(std::string_view content) const {
    std::ofstream(path + ".new", std::ios::binary) << content;
    std::filesystem::rename(path + ".new", path);
  }
  // The text a second later, "none" where there is none.
  std::string next(SecretFile& file) {
    now += 1s;
    return std::string(file.text(now).value_or("none"));
  }

  std::string folder;
  std::string path;
  TimePoint now{};
};

TEST_F(SecretFileTest, IsTheFirstLine) {
  SecretFile file(path);
  for (const std::string_view content :
       {"secret", "secret\n", "secret\r\n", "secret\nsecond line\x01\n"}) {
    write(content);
    EXPECT_EQ(next(file), "secret");
  }
  EXPECT_EQ(file.version(), 1U);
  write(" with blanks \xc3\xa4 \n");
  EXPECT_EQ(next(file), " with blanks \xc3\xa4 ");
  EXPECT_EQ(file.version(), 2U);
  EXPECT_EQ(file.take_problem(), "");
}

TEST_F(SecretFileTest, IsLookedAtOnceASecond) {
  SecretFile file(path);
  write("one");
  EXPECT_EQ(file.text(now), "one");
  write("two");
  EXPECT_EQ(file.text(now + 999ms), "one");
  EXPECT_EQ(file.text(now + 1000ms), "two");
  EXPECT_EQ(file.version(), 2U);
}

TEST_F(SecretFileTest, AChangeInPlaceIsSeen) {
  SecretFile file(path);
  write("one");
  EXPECT_EQ(next(file), "one");
  struct stat before{};
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  // With the old time of modification put back; the size and the time of change tell.
  std::ofstream(path) << "three";
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(next(file), "three");
}

TEST_F(SecretFileTest, KeepsTheLastGoodText) {
  SecretFile file(path);
  write("good");
  EXPECT_EQ(next(file), "good");
  std::filesystem::remove(path);
  EXPECT_EQ(next(file), "good");
  EXPECT_EQ(file.take_problem(), "can't use the secret in " + path +
                                     ": No such file or directory; going on with the one read "
                                     "before");
  EXPECT_EQ(next(file), "good");
  EXPECT_EQ(file.take_problem(), "");  // told once
  for (const std::string_view bad :
       {""sv, "\n"sv, "\r\nx"sv, "a\tb"sv, "a\rb"sv, "a\0b"sv, "a\x7f"sv, "\x1f"sv}) {
    write(bad);
    EXPECT_EQ(next(file), "good") << bad;
  }
  EXPECT_NE(file.take_problem(), "");
  EXPECT_EQ(file.version(), 1U);
  write("better");
  EXPECT_EQ(next(file), "better");
  EXPECT_EQ(file.take_problem(), "");
}

TEST_F(SecretFileTest, TellsEachProblemOnceAndNeverTheText) {
  SecretFile file(path);
  EXPECT_EQ(next(file), "none");
  EXPECT_EQ(file.take_problem(), "can't use the secret in " + path + ": No such file or directory");
  write("hush\x01hush");
  EXPECT_EQ(next(file), "none");
  EXPECT_EQ(file.take_problem(),
            "can't use the secret in " + path + ": the first line contains a control character");
  write("hush");
  EXPECT_EQ(next(file), "hush");
  EXPECT_EQ(file.take_problem(), "");
  std::filesystem::remove(path);
  EXPECT_EQ(next(file), "hush");
  EXPECT_NE(file.take_problem(), "");  // again, since it was good in between
}

TEST_F(SecretFileTest, ReadsNothingButSmallRegularFiles) {
  SecretFile file(path);
  write(std::string(SecretFile::kMaxSize, 'x'));
  EXPECT_EQ(next(file).size(), SecretFile::kMaxSize);
  write(std::string(SecretFile::kMaxSize + 1, 'y'));
  EXPECT_EQ(next(file).front(), 'x');
  EXPECT_NE(file.take_problem().find("larger than 64 KiB"), std::string::npos);
  std::filesystem::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(next(file).front(), 'x');
  EXPECT_NE(file.take_problem().find("not a regular file"), std::string::npos);
}

}  // namespace
}  // namespace penstock

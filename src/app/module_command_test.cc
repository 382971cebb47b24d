#include "app/module_command.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "app/exit_code.h"
#include "app/module_skeleton.h"
#include "app/module_summary.h"
#include "config/load.h"
#include "module/loader.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string read(const fs::path& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

ModuleSkeleton skeleton(ModuleLanguage language) {
  return {.name = "my-module_2",
          .language = language,
          .folder = "/home/\"me\"/my-module_2",
          .include = "/usr/my $include",
          .program = "/usr/bin/penstock"};
}

TEST(ModuleSkeleton, HasASourceAMakefileAConfigurationAndAReadme) {
  const auto c = skeleton_files(skeleton(ModuleLanguage::c));
  ASSERT_EQ(c.size(), 4U);
  EXPECT_EQ(c[0].name, "my-module_2.c");
  EXPECT_THAT(c[0].text, HasSubstr(".name = \"my-module_2\","));
  EXPECT_EQ(c[1].name, "Makefile");
  EXPECT_THAT(c[1].text, HasSubstr("PENSTOCK_INCLUDE ?= /usr/my $$include\n"));
  EXPECT_THAT(c[1].text, HasSubstr("PENSTOCK ?= /usr/bin/penstock\n"));
  EXPECT_THAT(c[1].text, HasSubstr("my-module_2.so: my-module_2.c\n\t$(CC) $(CFLAGS) -std=c11 "));
  EXPECT_EQ(c[2].name, "my-module_2.toml");
  EXPECT_EQ(c[3].name, "README.md");
  const auto cpp = skeleton_files(skeleton(ModuleLanguage::cpp));
  ASSERT_EQ(cpp.size(), 4U);
  EXPECT_EQ(cpp[0].name, "my-module_2.cc");
  EXPECT_THAT(cpp[1].text, HasSubstr("$(CXX) $(CXXFLAGS) -std=c++17 "));
  for (const auto& files : {c, cpp}) {
    for (const SkeletonFile& file : files) {
      EXPECT_THAT(file.text, Not(::testing::ContainsRegex("@[A-Z]+@"))) << file.name;
    }
  }
}

TEST(ModuleSkeleton, TheConfigurationLoadsTheModule) {
  const auto files = skeleton_files(skeleton(ModuleLanguage::c));
  const auto loaded = config::load_text(files[2].text, files[2].name);
  ASSERT_TRUE(loaded.has_value()) << render(loaded.error().front(), false);
  const auto& modules = loaded->snapshot->modules.modules;
  ASSERT_EQ(modules.size(), 1U);
  EXPECT_EQ(modules[0].name, "my-module_2");
  EXPECT_EQ(modules[0].file, "/home/\"me\"/my-module_2/my-module_2.so");
  ASSERT_EQ(loaded->snapshot->adapt.filters.size(), 1U);
}

class ModuleNewTest : public testing::Test {
 protected:
  ModuleNewTest() : before_(fs::current_path()) {
    std::string name = (fs::temp_directory_path() / "penstock-new-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    fs::current_path(name);
  }
  ~ModuleNewTest() override {
    const fs::path folder = fs::current_path();
    fs::current_path(before_);
    fs::remove_all(folder);
  }
  // Returns the exit code.
  int make(const ModuleNewCommand& command) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const int code = module_new_command(command);
    out = testing::internal::GetCapturedStdout();
    error = testing::internal::GetCapturedStderr();
    return code;
  }

  std::string out;
  std::string error;

 private:
  fs::path before_;
};

TEST_F(ModuleNewTest, WritesANewFolder) {
  EXPECT_EQ(make({.name = "hello"}), kExitOk);
  EXPECT_EQ(error, "");
  EXPECT_EQ(out,
            "hello/hello.c, hello/Makefile, hello/hello.toml, hello/README.md\n"
            "Now: make -C hello check\n");
  EXPECT_THAT(read("hello/hello.c"), HasSubstr("PENSTOCK_MODULE(module);"));
  struct stat status{};
  ASSERT_EQ(::stat("hello", &status), 0);
  EXPECT_EQ(status.st_mode & (S_IWGRP | S_IWOTH), 0U);  // else the loader does not trust it
  EXPECT_EQ(make({.name = "other", .language = ModuleLanguage::cpp}), kExitOk);
  EXPECT_THAT(read("other/other.cc"), HasSubstr("PENSTOCK_MODULE(kModule);"));
}

TEST_F(ModuleNewTest, OverwritesNothing) {
  EXPECT_EQ(make({.name = "hello"}), kExitOk);
  std::ofstream("hello/hello.c") << "mine";
  EXPECT_EQ(make({.name = "hello"}), kExitFailed);
  EXPECT_EQ(error, "penstock: \"hello\" is already there\n");
  EXPECT_EQ(out, "");
  EXPECT_EQ(read("hello/hello.c"), "mine");
}

const penstock_setting kInner[] = {
    {.name = "path", .type = PENSTOCK_SETTING_STRING, .meaning = "What \033[31mit is for."}};
const penstock_setting kSettings[] = {
    {.name = "level",
     .type = PENSTOCK_SETTING_INTEGER,
     .standard = "6",
     .meaning = "How hard.",
     .least = 1,
     .most = 9},
    {.name = "rules",
     .type = PENSTOCK_SETTING_TABLES,
     .standard = "[]",
     .inner = kInner,
     .inner_count = 1},
};

penstock_module described() {
  penstock_module module{};
  module.abi = PENSTOCK_ABI;
  module.size = sizeof module;
  module.name = "shown";
  module.version = "1.0";
  module.summary = "Is shown.";
  return module;
}

TEST(ModuleSummary, SaysWhatAModuleIs) {
  static const penstock_api api{};
  ModuleLoader loader(api);
  penstock_module module = described();
  EXPECT_EQ(module_summary(*loader.add(module).value()),
            "shown 1.0: Is shown.\n"
            "interface  1\n"
            "events     none\n"
            "settings   none\n");
  module.request_head = [](penstock_call*) -> int { return PENSTOCK_CONTINUE; };
  module.logged = module.request_head;
  module.timer = [](penstock_instance*, void*) {};
  module.timer_ms = 90'000;
  module.settings = kSettings;
  module.setting_count = 2;
  EXPECT_EQ(module_summary(*loader.add(module).value()),
            "shown 1.0: Is shown.\n"
            "interface  1\n"
            "events     request_head, logged, timer (every 90s)\n"
            "\n"
            "Settings, in [module.NAME.config]:\n"
            "\n"
            "Key         Type                  Default   Meaning\n"
            "level       whole number, 1 to 9  6         How hard.\n"
            "rules       list of tables        []\n"
            "rules.path  text                  required  What ?[31mit is for.\n");
}

TEST(ModuleShow, SaysWhyAFileIsNoModule) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(module_show_command({.file = "/no/such.so"}), kExitFailed);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "penstock: \"/no/such.so\" cannot be opened: No such file or directory\n");
}

}  // namespace
}  // namespace penstock

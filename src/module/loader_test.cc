#include "module/loader.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace penstock {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

// What the modules of these tests have told.
std::vector<std::string>& told() {
  static std::vector<std::string> lines;
  return lines;
}

const penstock_api& api() {
  static const penstock_api table = [] {
    penstock_api out{};
    out.size = sizeof out;
    out.abi = PENSTOCK_ABI;
    out.version = "test";
    out.log = [](penstock_instance*, int, const char* text) { told().emplace_back(text); };
    return out;
  }();
  return table;
}

class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    std::string name = (fs::temp_directory_path() / "penstock-loader-XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    told().clear();
  }
  ~LoaderTest() override { fs::remove_all(folder); }

  // A module of the build, put into the folder.
  [[nodiscard]] std::string put(const std::string& kind, const std::string& name = "m.so") const {
    const fs::path to = folder / name;
    fs::remove(to);
    fs::copy_file(fs::path(PENSTOCK_TEST_MODULES) / ("loader_" + kind + ".so"), to);
    EXPECT_EQ(::chmod(to.c_str(), 0644), 0);
    return to.string();
  }
  std::string error_of(const std::string& path) {
    const auto loaded = loader.load(path);
    return loaded ? "" : loaded.error();
  }

  fs::path folder;
  ModuleLoader loader{api()};
};

// The result of its request_head, which tells one build from another.
int head_result(const LoadedModule& module) {
  penstock_call call{};
  return module.callbacks().request_head(&call);
}

TEST_F(LoaderTest, AModuleIsLoadedAndUnloaded) {
  auto module = loader.load(put("good")).value();
  EXPECT_EQ(module->name(), "subject");
  EXPECT_STREQ(module->callbacks().version, "1.2.3");
  EXPECT_STREQ(module->callbacks().summary, "Tells what happens to it.");
  ASSERT_EQ(module->settings().size(), 1U);
  EXPECT_STREQ(module->settings()[0].name, "level");
  EXPECT_EQ(module->callbacks().response_head, nullptr);
  EXPECT_EQ(head_result(*module), PENSTOCK_CONTINUE);
  EXPECT_THAT(told(), ElementsAre("load"));
  module.reset();
  EXPECT_THAT(told(), ElementsAre("load", "unload"));
}

TEST_F(LoaderTest, TheSameContentIsTheSameModule) {
  const auto first = loader.load(put("good", "a.so")).value();
  const auto again = loader.load(put("good", "a.so")).value();
  const auto elsewhere = loader.load(put("good", "b.so")).value();
  EXPECT_EQ(first, again);
  EXPECT_EQ(first, elsewhere);
  EXPECT_THAT(told(), ElementsAre("load"));
}

TEST_F(LoaderTest, AnUnloadedModuleIsLoadedAnew) {
  loader.load(put("good")).value().reset();
  const auto module = loader.load(put("good")).value();
  EXPECT_EQ(head_result(*module), PENSTOCK_CONTINUE);
  EXPECT_THAT(told(), ElementsAre("load", "unload", "load"));
}

TEST_F(LoaderTest, AFileThatChangesDoesNotTouchTheModuleThatRuns) {
  const std::string path = put("good");
  const auto old = loader.load(path).value();
  {  // overwritten in place, as cp does
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    std::ifstream in(std::string(PENSTOCK_TEST_MODULES) + "/loader_other.so", std::ios::binary);
    out << in.rdbuf();
  }
  const auto other = loader.load(path).value();
  EXPECT_NE(old, other);
  EXPECT_EQ(head_result(*old), PENSTOCK_CONTINUE);
  EXPECT_EQ(head_result(*other), PENSTOCK_DONE);
  std::ofstream(path, std::ios::trunc) << "";
  EXPECT_EQ(head_result(*other), PENSTOCK_DONE);
  EXPECT_THAT(error_of(path), HasSubstr("is not a shared object"));
  EXPECT_EQ(loader.load(put("other")).value(), other);
}

// Descriptors are given out again by number, and the dynamic linker knows modules by that.
TEST_F(LoaderTest, AModuleThatStaysInMemoryIsNotTakenForTheNextOne) {
  auto stays = loader.load(put("stays")).value();
  EXPECT_EQ(head_result(*stays), PENSTOCK_CONTINUE);
  stays.reset();
  EXPECT_THAT(told(), ElementsAre("load", "unload"));
  const auto other = loader.load(put("other")).value();
  EXPECT_EQ(head_result(*other), PENSTOCK_DONE);
}

TEST_F(LoaderTest, AModuleOfALaterInterfaceIsCutToWhatIsKnown) {
  const auto module = loader.load(put("newer")).value();
  EXPECT_GT(module->declared_size(), sizeof(penstock_module));
  EXPECT_EQ(head_result(*module), PENSTOCK_CONTINUE);
}

TEST_F(LoaderTest, SaysWhatIsWrongWithAModule) {
  struct Case {
    const char* kind;
    const char* message;  // after the path
  };
  for (const Case& one : {
           Case{"wrong_abi", "was built for interface 2, this is 1"},
           Case{"small", "describes itself in "},
           Case{"no_symbol",
                "is no module: it does not export penstock_module_entry, as "
                "PENSTOCK_MODULE() does"},
           Case{"null_entry", "is no module: it describes itself by null"},
           Case{"load_fails", "refuses to be loaded (its load() gave -8)"},
           Case{"bad_name", R"(has a name that is none ("a b"): it takes letters)"},
           Case{"no_version", "does not say its version"},
           Case{"bad_setting", R"(cannot be used: its setting "time" has a default that is none)"},
       }) {
    const std::string path = put(one.kind);
    EXPECT_THAT(error_of(path), HasSubstr('"' + path + "\" " + one.message));
  }
  EXPECT_THAT(told(), ElementsAre("load"));  // only that of load_fails, whose unload is not called
}

TEST_F(LoaderTest, SaysWhatIsWrongWithAFile) {
  const std::string path = (folder / "x").string();
  EXPECT_EQ(error_of(path), '"' + path + "\" cannot be opened: No such file or directory");
  std::ofstream(path) << "#!/bin/sh\n";
  EXPECT_EQ(error_of(path), '"' + path + "\" is not a shared object");
  std::ofstream(path) << "\177ELF";
  EXPECT_EQ(error_of(path), '"' + path + "\" cannot be loaded: file too short");
  EXPECT_EQ(error_of(folder.string()), '"' + folder.string() + "\" is not a regular file");
  fs::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(error_of(path), '"' + path + "\" is not a regular file");
}

TEST_F(LoaderTest, FilesThatOthersCanChangeAreRefused) {
  const std::string path = put("good");
  ASSERT_EQ(::chmod(path.c_str(), 0646), 0);
  EXPECT_THAT(error_of(path), HasSubstr("m.so\" can be written by anyone: chmod o-w"));
  ASSERT_EQ(::chmod(path.c_str(), 0664), 0);
  EXPECT_THAT(error_of(path), HasSubstr("m.so\" can be written by its group: chmod g-w"));
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(error_of(path), "");
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  EXPECT_THAT(error_of(path), HasSubstr("m.so\" lies in the folder \"" + folder.string() +
                                        "\", which can be written by anyone: chmod o-w"));
  ASSERT_EQ(::chmod(folder.c_str(), 0770), 0);
  EXPECT_THAT(error_of(path), HasSubstr("which can be written by its group: chmod g-w"));
  ASSERT_EQ(::chmod(folder.c_str(), 01777), 0);  // sticky, as /tmp
  EXPECT_EQ(error_of(path), "");
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
  ASSERT_EQ(::chown(path.c_str(), 12345, 12345), 0);
  EXPECT_THAT(error_of(path),
              HasSubstr("m.so\" belongs to user 12345, and must belong to root or to user 0"));
  ASSERT_EQ(::chown(path.c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(folder.c_str(), 12345, 12345), 0);
  EXPECT_THAT(error_of(path), HasSubstr("\", which belongs to user 12345"));
}

TEST_F(LoaderTest, WhatCountsIsWhereALinkLeads) {
  const fs::path open = folder / "open";
  fs::create_directory(open);
  const std::string path = put("good");
  fs::create_symlink(path, open / "link.so");
  EXPECT_EQ(error_of((open / "link.so").string()), "");
  ASSERT_EQ(::chmod(open.c_str(), 0777), 0);
  fs::copy_file(path, open / "real.so");
  fs::create_symlink(open / "real.so", folder / "link.so");
  EXPECT_THAT(error_of((folder / "link.so").string()), HasSubstr("lies in the folder"));
}

TEST_F(LoaderTest, AModuleMayBePartOfTheProgram) {
  penstock_module own{};
  own.abi = PENSTOCK_ABI;
  own.size = sizeof own;
  own.name = "own";
  own.version = "1";
  own.summary = "A part of the program.";
  own.unload = [] { told().emplace_back("own unload"); };
  auto module = loader.add(own).value();
  EXPECT_EQ(module->name(), "own");
  EXPECT_EQ(loader.add(own).value(), module);
  EXPECT_NE(loader.load(put("good")).value(), module);
  module.reset();
  EXPECT_THAT(told(), ElementsAre("load", "unload", "own unload"));
  own.name = "";
  EXPECT_THAT(loader.add(own).error(), MatchesRegex("a built-in module has a name that is none.*"));
}

}  // namespace
}  // namespace penstock

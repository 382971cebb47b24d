#include "app/command_line.h"

#include <cstdio>
#include <initializer_list>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "app/version.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Command parse(std::initializer_list<const char*> words) {
  std::vector<const char*> argv{"penstock"};
  argv.insert(argv.end(), words);
  return parse_command_line(static_cast<int>(argv.size()), argv.data());
}

Exit exit_of(std::initializer_list<const char*> words) {
  const Command command = parse(words);
  if (const auto* exit = std::get_if<Exit>(&command)) return *exit;
  ADD_FAILURE() << "a command was understood";
  return {};
}

TEST(CommandLine, Run) {
  EXPECT_EQ(std::get<RunCommand>(parse({"run"})).config, "");
  EXPECT_EQ(std::get<RunCommand>(parse({"run", "-c", "a.toml"})).config, "a.toml");
  EXPECT_EQ(std::get<RunCommand>(parse({"run", "--config=a.toml"})).config, "a.toml");
}

TEST(CommandLine, Check) {
  EXPECT_EQ(std::get<CheckCommand>(parse({"check", "-c", "a.toml"})).config, "a.toml");
}

TEST(CommandLine, Version) {
  EXPECT_TRUE(std::holds_alternative<VersionCommand>(parse({"version"})));
  EXPECT_TRUE(std::holds_alternative<VersionCommand>(parse({"--version"})));
}

TEST(CommandLine, Module) {
  EXPECT_EQ(std::get<ModuleNewCommand>(parse({"module", "new", "x-1_Y"})).name, "x-1_Y");
  const auto plain = std::get<ModuleNewCommand>(parse({"module", "new", "x"}));
  EXPECT_EQ(plain.language, ModuleLanguage::c);
  const auto other = std::get<ModuleNewCommand>(parse({"module", "new", "--language", "c++", "x"}));
  EXPECT_EQ(other.language, ModuleLanguage::cpp);
  EXPECT_EQ(std::get<ModuleShowCommand>(parse({"module", "show", "x.so"})).file, "x.so");
  EXPECT_EQ(exit_of({"module", "new", "a/b"}).text,
            "penstock: the name of a module has letters, digits, \"_\" and \"-\", not \"/\"\n");
  EXPECT_EQ(exit_of({"module", "new", ""}).text, "penstock: a module needs a name\n");
  EXPECT_EQ(exit_of({"module", "new", std::string(65, 'a').c_str()}).text,
            "penstock: the name of a module has at most 64 characters\n");
  for (const auto& words : {std::initializer_list<const char*>{"module"},
                            {"module", "show"},
                            {"module", "new"},
                            {"module", "new", "x", "--language", "rust"},
                            {"module", "old"}}) {
    EXPECT_EQ(exit_of(words).code, kExitUsage);
  }
}

TEST(CommandLine, HelpIsNoError) {
  for (const auto& words : {std::initializer_list<const char*>{"--help"}, {"-h"}}) {
    const Exit exit = exit_of(words);
    EXPECT_EQ(exit.code, kExitOk);
    EXPECT_FALSE(exit.to_stderr);
    EXPECT_THAT(exit.text, HasSubstr("check"));
  }
  const Exit run = exit_of({"run", "--help"});
  EXPECT_EQ(run.code, kExitOk);
  EXPECT_THAT(run.text, HasSubstr("penstock run [OPTIONS]"));
}

TEST(CommandLine, WhatIsNotUnderstoodIsSaidWithTheUsage) {
  struct Case {
    std::initializer_list<const char*> words;
    const char* message;
  };
  const Case cases[] = {
      {{}, "penstock: no command given\n"},
      {{"chek"}, "penstock: unknown command \"chek\": did you mean \"check\"?\n"},
      {{"serve"},
       "penstock: unknown command \"serve\": expected \"run\", \"check\", \"fetch\", "
       "\"module\" or \"version\"\n"},
      {{"--foo"}, "penstock: unknown option \"--foo\"\n"},
      {{"check"}, "penstock: --config is required\n"},
      {{"run", "-c"}, "penstock: --config"},
      {{"run", "-c", ""}, "penstock: --config: the file's name is empty\n"},
      {{"run", "-c", "a", "-c", "b"}, "penstock: --config"},
      {{"run", "-x"}, "penstock: The following argument was not expected: -x\n"},
      {{"run", "check", "-c", "a"}, "penstock: "},
      {{"version", "extra"}, "penstock: The following argument was not expected: extra\n"},
  };
  for (const Case& one : cases) {
    const Exit exit = exit_of(one.words);
    EXPECT_EQ(exit.code, kExitUsage) << one.message;
    EXPECT_TRUE(exit.to_stderr) << one.message;
    EXPECT_THAT(exit.text, StartsWith(one.message));
    EXPECT_THAT(exit.text, HasSubstr("Usage: penstock")) << one.message;
  }
}

class CheckCommandTest : public ::testing::Test {
 protected:
  void TearDown() override { std::remove(path_.c_str()); }

  int check(const char* text) {
    std::FILE* const file = std::fopen(path_.c_str(), "w");
    std::fputs(text, file);
    std::fclose(file);
    ::testing::internal::CaptureStdout();
    ::testing::internal::CaptureStderr();
    const int code = check_command({path_});
    out_ = ::testing::internal::GetCapturedStdout();
    err_ = ::testing::internal::GetCapturedStderr();
    return code;
  }

  std::string path_ =
      ::testing::TempDir() + fmt::format("penstock_command_line_test_{}.toml", ::getpid());
  std::string out_, err_;
};

TEST_F(CheckCommandTest, PrintsASummary) {
  EXPECT_EQ(check("[limits]\nfields = 50\n"), kExitOk);
  EXPECT_THAT(out_, HasSubstr("fields = 50"));
  EXPECT_EQ(err_, "");
}

TEST_F(CheckCommandTest, PrintsErrorsWithoutColor) {
  EXPECT_EQ(check("[limits]\nfeilds = 50\n[timeouts]\nstall = 3\n"), kExitFailed);
  EXPECT_EQ(out_, "");
  EXPECT_THAT(err_, HasSubstr(path_ + ":2:1: error: unknown key \"feilds\""));
  EXPECT_THAT(err_, HasSubstr(path_ + ":4:9: error: 3 has no unit"));
}

TEST_F(CheckCommandTest, WarningsDoNotFail) {
  EXPECT_EQ(check("upstream.a.servers = ['a']\n"), kExitOk);
  EXPECT_THAT(err_, HasSubstr("warning: no route leads to \"a\""));
}

constexpr const char* kWithModule = R"([module.m]
file = "{}"
{}
[[filter]]
module = "m"
)";

TEST_F(CheckCommandTest, LoadsModulesAndShowsThemTheirSettings) {
  const std::string good = PENSTOCK_TEST_MODULES "/loader_good.so";
  const auto check_module = [this](std::string_view file, std::string_view config) {
    return check(fmt::format(kWithModule, file, config).c_str());
  };
  EXPECT_EQ(check_module(good, "config = { level = 9 }"), kExitOk);
  EXPECT_EQ(err_, "");
  EXPECT_EQ(check_module(good, "config = { levle = 1 }"), kExitFailed);
  EXPECT_EQ(err_, path_ +
                      ":3:12: error: unknown key \"levle\" in [module.NAME.config]: did you "
                      "mean \"level\"?\n"
                      "    3 | config = { levle = 1 }\n"
                      "      |            ^\n");
  // What only the module itself can say.
  EXPECT_EQ(check_module(good, "config = { level = 4 }"), kExitFailed);
  EXPECT_EQ(err_, path_ +
                      ":3:20: error: 4 brings bad luck\n"
                      "    3 | config = { level = 4 }\n"
                      "      |                    ^\n");
  EXPECT_EQ(check_module(good, "isolation = 'process'\nconfig = { level = 4 }"), kExitFailed);
  EXPECT_THAT(err_, HasSubstr(path_ + ":4:20: error: 4 brings bad luck\n"));
  EXPECT_EQ(check_module(good, "config = { level = 5 }"), kExitFailed);
  EXPECT_THAT(err_, HasSubstr(path_ + ":1:1: error: "));
  EXPECT_THAT(err_, HasSubstr("does not say why"));
  EXPECT_EQ(check_module("/no/such.so", "config = { password = 'hidden' }"), kExitFailed);
  EXPECT_EQ(err_, path_ +
                      ":2:8: error: \"/no/such.so\" cannot be opened: No such file or "
                      "directory\n"
                      "    2 | file = \"/no/such.so\"\n"
                      "      |        ^\n");
  EXPECT_EQ(check_module(good, "config = { password = 'hidden' }"), kExitFailed);
  EXPECT_THAT(err_, HasSubstr("unknown key \"password\""));
  EXPECT_THAT(err_, Not(HasSubstr("hidden")));
}

TEST(VersionCommandTest, PrintsTheVersion) {
  ::testing::internal::CaptureStdout();
  version_command();
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "penstock " + std::string(version()) + "\n");
}

}  // namespace
}  // namespace penstock

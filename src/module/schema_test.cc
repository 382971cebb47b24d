#include "module/schema.h"

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "module/config_access.h"
#include "module/setting_literal.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string_view view(penstock_str text) { return {text.data, text.size}; }

const penstock_setting kRule[] = {
    {.name = "path", .type = PENSTOCK_SETTING_STRING},
    {.name = "rate", .type = PENSTOCK_SETTING_INTEGER, .standard = "1"},
};
const penstock_setting kSchema[] = {
    {.name = "text", .type = PENSTOCK_SETTING_STRING, .standard = R"("a\"b")"},
    {.name = "level", .type = PENSTOCK_SETTING_INTEGER, .standard = "3", .least = 1, .most = 9},
    {.name = "share", .type = PENSTOCK_SETTING_NUMBER, .standard = "0.5", .least = 0, .most = 1},
    {.name = "strict", .type = PENSTOCK_SETTING_BOOLEAN, .standard = "true"},
    {.name = "wait",
     .type = PENSTOCK_SETTING_DURATION,
     .standard = R"("1500ms")",
     .least = 100,
     .most = 60'000},
    {.name = "room",
     .type = PENSTOCK_SETTING_SIZE,
     .standard = R"("64KiB")",
     .least = 1024,
     .most = 1e18},
    {.name = "types", .type = PENSTOCK_SETTING_STRINGS, .standard = R"(["x", 'y'])"},
    {.name = "rules",
     .type = PENSTOCK_SETTING_TABLES,
     .standard = "[]",
     .inner = kRule,
     .inner_count = 2},
};

ModuleValue value_of(auto value, std::size_t column = 20) {
  return {.value = std::move(value), .line = 7, .column = column};
}
ModuleValue text(std::string value) { return value_of(std::move(value)); }
ModuleValue whole(std::int64_t value) { return value_of(value); }

ModuleEntry entry(std::string name, ModuleValue value) {
  return {.name = std::move(name), .value = std::move(value), .line = 7, .column = 3};
}
// At line 5, column 1; its keys in line 7, column 3, their values in column 20.
ModuleValue table(std::vector<ModuleEntry> entries) {
  return {.value = std::move(entries), .line = 5, .column = 1};
}

class SchemaTest : public testing::Test {
 protected:
  const penstock_config* read(ModuleValue value) {
    config = read_module_config(value, kSchema, problems);
    return config.get();
  }
  // The single problem with one key of that value.
  ModuleProblem problem(const std::string& name, ModuleValue value) {
    problems.clear();
    read(table({entry(name, std::move(value))}));
    if (problems.size() == 1) return problems.front();
    ADD_FAILURE() << name << ": " << problems.size() << " problems";
    return {};
  }

  std::vector<ModuleProblem> problems;
  std::unique_ptr<penstock_config> config;
};

TEST_F(SchemaTest, DefaultsHoldWhereNothingIsSaid) {
  EXPECT_EQ(problem_of_schema(kSchema), "");
  const auto* const c = read(table({}));
  EXPECT_THAT(problems, IsEmpty());
  EXPECT_EQ(view(setting_text(c, "text")), "a\"b");
  EXPECT_EQ(setting_integer(c, "level"), 3);
  EXPECT_EQ(setting_number(c, "share"), 0.5);
  EXPECT_EQ(setting_integer(c, "strict"), 1);
  EXPECT_EQ(setting_integer(c, "wait"), 1500);
  EXPECT_EQ(setting_integer(c, "room"), 65536);
  ASSERT_EQ(setting_count(c, "types"), 2U);
  EXPECT_EQ(view(setting_text_at(c, "types", 1)), "y");
  EXPECT_EQ(setting_count(c, "rules"), 0U);
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(SchemaTest, ValuesAreReadByTheirTypes) {
  ModuleValue::List types{text("one")};
  ModuleValue::List rules{table({entry("path", text("/a"))}),
                          table({entry("rate", whole(7)), entry("path", text("/b"))})};
  const auto* const c = read(table({
      entry("text", text("")),
      entry("level", whole(9)),
      entry("share", whole(1)),
      entry("strict", value_of(false)),
      entry("wait", text("1m")),
      entry("room", whole(4096)),
      entry("types", value_of(std::move(types))),
      entry("rules", value_of(std::move(rules))),
  }));
  EXPECT_EQ(view(setting_text(c, "text")), "");
  EXPECT_EQ(setting_integer(c, "level"), 9);
  EXPECT_EQ(setting_number(c, "share"), 1.0);
  EXPECT_EQ(setting_integer(c, "strict"), 0);
  EXPECT_EQ(setting_integer(c, "wait"), 60'000);
  EXPECT_EQ(setting_integer(c, "room"), 4096);
  EXPECT_EQ(setting_count(c, "types"), 1U);
  EXPECT_EQ(view(setting_text_at(c, "types", 0)), "one");
  EXPECT_EQ(setting_text_at(c, "types", 1).size, 0U);
  ASSERT_EQ(setting_count(c, "rules"), 2U);
  const auto* const second = setting_table_at(c, "rules", 1);
  EXPECT_EQ(view(setting_text(second, "path")), "/b");
  EXPECT_EQ(setting_integer(second, "rate"), 7);
  EXPECT_EQ(setting_integer(setting_table_at(c, "rules", 0), "rate"), 1);
  EXPECT_EQ(setting_table_at(c, "rules", 2), nullptr);
  EXPECT_THAT(problems, IsEmpty());
}

TEST_F(SchemaTest, SaysWhatIsWrongWithAValue) {
  struct Case {
    const char* name;
    ModuleValue value;
    const char* message;
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  std::vector<Case> cases;
  cases.push_back({"text", whole(1), "expected a text in quotes, found a whole number"});
  cases.push_back({"level", text("1"), "expected a whole number, found a text"});
  cases.push_back({"level", whole(0), "0 is too small: expected 1 to 9"});
  cases.push_back({"level", whole(10), "10 is too large: expected 1 to 9"});
  cases.push_back({"level", value_of(1.5), "expected a whole number, found a number with a "});
  cases.push_back({"share", value_of(1.5), "1.5 is too large: expected 0 to 1"});
  cases.push_back({"share", value_of(nan), "nan is no number"});
  cases.push_back({"share", value_of(true), "expected a number, found a boolean"});
  cases.push_back({"strict", text("true"), "expected true or false without quotes, found a text"});
  cases.push_back({"strict", whole(1), "expected true or false, found a whole number"});
  cases.push_back({"wait", whole(30), R"(30 has no unit: say which, as in "30s")"});
  cases.push_back({"wait", text("soon"), "expected a duration such as"});
  cases.push_back({"wait", text("99ms"), R"("99ms" is too short: expected 100ms to 1m)"});
  cases.push_back({"wait", text("2m"), R"("2m" is too long: expected 100ms to 1m)"});
  cases.push_back({"wait", value_of(true), "expected a duration such as \"500ms\""});
  cases.push_back({"room", whole(-1), "a size cannot be negative"});
  cases.push_back({"room", whole(1023), "1023B is too small: expected at least 1KiB"});
  cases.push_back({"room", text("1K"), R"("1K" has an unknown unit)"});
  cases.push_back({"types", text("x"), R"(expected a list: write ["x"])"});
  cases.push_back({"types", whole(1), "expected a list of texts, found a whole number"});
  cases.push_back(
      {"rules", table({}), "there may be several of these: write [[module.NAME.config.rules]]"});
  cases.push_back(
      {"rules", text("x"), "expected tables, as [[module.NAME.config.rules]], found a text"});
  for (Case& one : cases) {
    const std::string name = one.name;
    if (name == "rules") one.value.line = 7, one.value.column = 20;
    const ModuleProblem found = problem(name, std::move(one.value));
    EXPECT_EQ(found.line, 7U) << name;
    EXPECT_EQ(found.column, 20U) << name;
    EXPECT_THAT(found.text, HasSubstr(one.message)) << name;
  }
}

TEST_F(SchemaTest, ElementsHaveTheirOwnPlaces) {
  ModuleValue::List types{text("x"), value_of(std::int64_t{1}, 30)};
  EXPECT_EQ(
      problem("types", value_of(std::move(types))),
      (ModuleProblem{
          .line = 7, .column = 30, .text = "expected a text in quotes, found a whole number"}));
  ModuleValue::List no_path{table({})};
  EXPECT_EQ(problem("rules", value_of(std::move(no_path))),
            (ModuleProblem{
                .line = 5, .column = 1, .text = "[[module.NAME.config.rules]] lacks path: text"}));
  ModuleValue::List unknown{table({entry("path", text("/")), entry("rat", whole(1))})};
  EXPECT_EQ(problem("rules", value_of(std::move(unknown))),
            (ModuleProblem{.line = 7,
                           .column = 3,
                           .text = "unknown key \"rat\" in [[module.NAME.config.rules]]: did you "
                                   "mean \"rate\"?"}));
  ModuleValue::List no_table{whole(1)};
  EXPECT_EQ(problem("rules", value_of(std::move(no_table))).text,
            "expected a table, as [[module.NAME.config.rules]], found a whole number");
}

TEST_F(SchemaTest, UnknownAndMissingKeysAreSaidAllAtOnce) {
  const penstock_setting required[] = {
      {.name = "file", .type = PENSTOCK_SETTING_STRING},
      {.name = "level", .type = PENSTOCK_SETTING_INTEGER, .least = 1, .most = 9},
  };
  static_cast<void>(read_module_config(table({entry("levle", whole(1))}), required, problems));
  ASSERT_THAT(problems, SizeIs(3));
  EXPECT_EQ(problems[0].text,
            R"(unknown key "levle" in [module.NAME.config]: did you mean "level"?)");
  EXPECT_EQ(problems[0].column, 3U);
  EXPECT_EQ(problems[1].text, "[module.NAME.config] lacks file: text");
  EXPECT_EQ(problems[1].line, 5U);
  EXPECT_EQ(problems[2].text, "[module.NAME.config] lacks level: whole number, 1 to 9");
  problems.clear();
  static_cast<void>(read_module_config(table({entry("x", whole(1))}), {}, problems));
  ASSERT_THAT(problems, SizeIs(1));
  EXPECT_EQ(problems[0].text,
            R"(unknown key "x" in [module.NAME.config]: the module has no settings)");
}

TEST_F(SchemaTest, AModuleThatAsksForSomethingElseIsTold) {
  const auto* const c = read(table({entry("level", whole(2))}));
  EXPECT_EQ(setting_integer(c, "levels"), 0);
  EXPECT_EQ(view(setting_text(c, "level")), "");
  EXPECT_EQ(setting_count(c, "text"), 0U);
  ASSERT_THAT(problems, SizeIs(3));
  EXPECT_EQ(problems[0].text, R"(the module asks for a setting "levels" that it does not declare)");
  EXPECT_EQ(problems[0].line, 5U);
  EXPECT_EQ(problems[1].text,
            "the module asks for its setting \"level\" as a text, and has "
            "declared something else");
  EXPECT_EQ(problems[1].line, 7U);
}

TEST_F(SchemaTest, AModuleSaysWhatIsWrongWithASetting) {
  const auto* const c = read(table({entry("level", whole(2))}));
  setting_error(c, "level", "2 is unlucky");
  setting_error(c, "text", "is too short");
  setting_error(c, nullptr, "all of it");
  setting_error(c, "nothing", nullptr);
  ASSERT_THAT(problems, SizeIs(4));
  EXPECT_EQ(problems[0], (ModuleProblem{.line = 7, .column = 20, .text = "2 is unlucky"}));
  EXPECT_EQ(problems[1], (ModuleProblem{.line = 5, .column = 1, .text = "is too short"}));
  EXPECT_EQ(problems[2], (ModuleProblem{.line = 5, .column = 1, .text = "all of it"}));
  EXPECT_EQ(problems[3].text, "the module does not say what is wrong with this");
}

TEST(Schema, MistakesInTheDeclarations) {
  static penstock_setting loop[] = {{.name = "loop",
                                     .type = PENSTOCK_SETTING_TABLES,
                                     .standard = "[]",
                                     .inner = loop,
                                     .inner_count = 1}};
  struct Case {
    penstock_setting setting;
    const char* message;
  };
  for (const Case& one : {
           Case{{.name = nullptr}, "its settings have no names"},
           Case{{.name = ""}, "its settings have no names"},
           Case{{.name = "a", .type = 99}, "its setting \"a\" has a type that is not known"},
           Case{{.name = "a", .type = -1}, "its setting \"a\" has a type that is not known"},
           Case{{.name = "a", .type = PENSTOCK_SETTING_STRING, .standard = "x"},
                "its setting \"a\" has a default that is none: x"},
           Case{{.name = "a", .type = PENSTOCK_SETTING_DURATION, .standard = "30"},
                "its setting \"a\" has a default that is none: 30 has no unit"},
           Case{{.name = "a",
                 .type = PENSTOCK_SETTING_INTEGER,
                 .standard = "3",
                 .least = 5,
                 .most = 9},
                "a default that is none: 3 is too small: expected 5 to 9"},
           Case{{.name = "a", .type = PENSTOCK_SETTING_INTEGER, .least = 5, .most = 1},
                "its setting \"a\" has a range that is none"},
           Case{{.name = "a", .type = PENSTOCK_SETTING_TABLES, .inner_count = 1},
                "its setting \"a\" has tables without settings"},
           Case{{.name = "a", .type = PENSTOCK_SETTING_TABLES, .inner = loop, .inner_count = 1},
                "its settings have tables in tables without end"},
       }) {
    EXPECT_THAT(problem_of_schema({&one.setting, 1}), HasSubstr(one.message));
  }
  const penstock_setting twice[] = {{.name = "a"}, {.name = "a"}};
  EXPECT_EQ(problem_of_schema(twice), "its setting \"a\" is declared twice");
}

TEST(Schema, TypesInWords) {
  EXPECT_EQ(type_text(kSchema[0]), "text");
  EXPECT_EQ(type_text(kSchema[1]), "whole number, 1 to 9");
  EXPECT_EQ(type_text(kSchema[2]), "number, 0 to 1");
  EXPECT_EQ(type_text(kSchema[3]), "true or false");
  EXPECT_EQ(type_text(kSchema[4]), "duration, 100ms to 1m");
  EXPECT_EQ(type_text(kSchema[5]), "size, at least 1KiB");
  EXPECT_EQ(type_text(kSchema[6]), "list of texts");
  EXPECT_EQ(type_text(kSchema[7]), "list of tables");
}

TEST(SettingLiteral, ReadsWhatMayBeADefault) {
  EXPECT_EQ(std::get<std::string>(parse_literal(R"( "a\\\"\n" )")->value), "a\\\"\n");
  EXPECT_EQ(std::get<std::string>(parse_literal(R"('a\n')")->value), "a\\n");
  EXPECT_EQ(std::get<std::int64_t>(parse_literal("-5")->value), -5);
  EXPECT_EQ(std::get<std::int64_t>(parse_literal("+5")->value), 5);
  EXPECT_EQ(std::get<double>(parse_literal("0.25")->value), 0.25);
  EXPECT_FALSE(std::get<bool>(parse_literal("false")->value));
  const auto list = parse_literal(R"([ "a,]", 1, true, ])");
  ASSERT_TRUE(list);
  EXPECT_THAT(std::get<ModuleValue::List>(list->value), SizeIs(3));
  EXPECT_THAT(std::get<ModuleValue::List>(parse_literal("[]")->value), IsEmpty());
  for (const char* bad : {"", " ", "word", "\"open", R"("\x")", "\"\\", "1 2", "[1", "[1 2]", "[,]",
                          "[[]]", "{}", "0x10", "1_000", "--1", "]", "\"a\"b"}) {
    EXPECT_FALSE(parse_literal(bad)) << bad;
  }
}

}  // namespace
}  // namespace penstock

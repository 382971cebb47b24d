// `penstock module new` and `penstock module show`: for those who write modules.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <variant>

#include "app/module_skeleton.h"

namespace CLI {
class App;
}

namespace penstock {

// `penstock module new NAME [--language c|c++]`
struct ModuleNewCommand {
  std::string name;
  ModuleLanguage language = ModuleLanguage::c;
};
// `penstock module show FILE`
struct ModuleShowCommand {
  std::string file;
};

// The options of both, for the command line's parser.
class ModuleOptions {
 public:
  // Adds the commands; must stay until `app` has parsed.
  explicit ModuleOptions(CLI::App& app);
  ~ModuleOptions();
  ModuleOptions(const ModuleOptions&) = delete;
  ModuleOptions& operator=(const ModuleOptions&) = delete;

  // One of the commands was given.
  [[nodiscard]] bool given() const;
  // Which one, or what is wrong with it: a sentence.
  [[nodiscard]] std::expected<std::variant<ModuleNewCommand, ModuleShowCommand>, std::string>
  command() const;

 private:
  struct Words;
  std::unique_ptr<Words> words_;
};

// Writes the beginnings of a module into a new folder NAME. Returns an exit code.
[[nodiscard]] int module_new_command(const ModuleNewCommand& command);
// Loads a module and prints what it says of itself. Returns an exit code.
[[nodiscard]] int module_show_command(const ModuleShowCommand& command);

}  // namespace penstock

#include "app/module_command.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/stat.h>

#include "app/exit_code.h"
#include "app/module_summary.h"
#include "base/wording.h"
#include "config/match_rules.h"
#include "module/call.h"
#include "module/loader.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLongestName = 64;

int failed(std::string_view why) {
  fmt::print(stderr, "penstock: {}\n", why);
  return kExitFailed;
}

// A new file in a new folder.
bool write_file(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  return file.good();
}

std::string this_program() {
  std::error_code error;
  const fs::path path = fs::read_symlink("/proc/self/exe", error);
  return error ? "penstock" : path.string();
}

}  // namespace

struct ModuleOptions::Words {
  CLI::App* make = nullptr;
  CLI::App* show = nullptr;
  ModuleNewCommand new_command;
  ModuleShowCommand show_command;
  std::string language = "c";
};

ModuleOptions::ModuleOptions(CLI::App& app) : words_(std::make_unique<Words>()) {
  auto* const module = app.add_subcommand("module", "For those who write modules");
  module->require_subcommand(1);
  words_->make = module->add_subcommand("new", "Write the beginnings of a module");
  words_->make
      ->add_option("NAME", words_->new_command.name, "What it is called, and the new folder")
      ->required();
  words_->make->add_option("--language", words_->language, "c or c++; else c")
      ->type_name("WORD")
      ->check(CLI::IsMember({"c", "c++"}));
  words_->show = module->add_subcommand("show", "Say what a module is and which settings it has");
  words_->show->add_option("FILE", words_->show_command.file, "The shared object")->required();
}

ModuleOptions::~ModuleOptions() = default;

bool ModuleOptions::given() const { return words_->make->parsed() || words_->show->parsed(); }

std::expected<std::variant<ModuleNewCommand, ModuleShowCommand>, std::string>
ModuleOptions::command() const {
  if (words_->show->parsed()) return words_->show_command;
  ModuleNewCommand command = words_->new_command;
  if (auto complaint = config::check_module_name(command.name); !complaint.empty()) {
    return std::unexpected(std::move(complaint));
  }
  if (command.name.size() > kLongestName) {
    return std::unexpected(
        fmt::format("the name of a module has at most {} characters", kLongestName));
  }
  command.language = words_->language == "c" ? ModuleLanguage::c : ModuleLanguage::cpp;
  return command;
}

int module_new_command(const ModuleNewCommand& command) {
  // The proxy trusts no module in a folder that others can write to.
  constexpr mode_t kMode = 0755;
  if (::mkdir(command.name.c_str(), kMode) != 0) {
    return failed(errno == EEXIST
                      ? fmt::format("{} is already there", penstock::quoted(command.name))
                      : fmt::format("the folder {} cannot be made: {}",
                                    penstock::quoted(command.name), std::strerror(errno)));
  }
  std::error_code error;
  const fs::path folder = fs::canonical(command.name, error);
  const auto files = skeleton_files({.name = command.name,
                                     .language = command.language,
                                     .folder = folder.string(),
                                     .include = PENSTOCK_INCLUDE_DIR,
                                     .program = this_program()});
  std::string names;
  for (const SkeletonFile& file : files) {
    if (!write_file(folder / file.name, file.text)) {
      return failed(
          fmt::format("{} cannot be written", penstock::quoted((folder / file.name).string())));
    }
    names += fmt::format("{}{}/{}", names.empty() ? "" : ", ", command.name, file.name);
  }
  fmt::print("{}\nNow: make -C {} check\n", names, command.name);
  if (!fs::exists(PENSTOCK_INCLUDE_DIR "/penstock/module.h")) {
    fmt::print("penstock/module.h is not in {} any more: say where by PENSTOCK_INCLUDE=FOLDER\n",
               PENSTOCK_INCLUDE_DIR);
  }
  return kExitOk;
}

int module_show_command(const ModuleShowCommand& command) {
  ModuleLoader loader(module_api());
  const auto module = loader.load(command.file);
  if (!module) return failed(module.error());
  fmt::print("{}", module_summary(**module));
  return kExitOk;
}

}  // namespace penstock

// The beginnings of a module, for `penstock module new`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

enum class ModuleLanguage : std::uint8_t { c, cpp };

struct ModuleSkeleton {
  std::string name;  // of the module: letters, digits, "_", "-"
  ModuleLanguage language = ModuleLanguage::c;
  std::string folder;   // where the files are going to be; absolute
  std::string include;  // where penstock/module.h is
  std::string program;  // this one, for `make run`
};

struct SkeletonFile {
  std::string name;
  std::string text;
};

// The source, a Makefile, a configuration that loads the module, and what to do with them. It
// compiles without warnings, and does something that can be seen.
[[nodiscard]] std::vector<SkeletonFile> skeleton_files(const ModuleSkeleton& skeleton);

}  // namespace penstock

#include "module/loader.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <utility>

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.h"
#include "base/wording.h"
#include "module/schema.h"

namespace penstock {
namespace {

using Entry = const penstock_module* (*)();

// What the first version of the interface had: no module has less.
constexpr std::size_t kLeastSize =
    offsetof(penstock_module, timer_ms) + sizeof(penstock_module::timer_ms);
constexpr std::size_t kLongestName = 64;

std::string path_of(const SealedFile& file) { return fmt::format("/proc/self/fd/{}", file.fd()); }

// What dlopen() has to say, without the path that it was given.
std::string link_error(std::string_view path) {
  const char* const error = ::dlerror();
  std::string_view text = error != nullptr ? error : "the system does not say why";
  if (text.starts_with(path)) {
    text.remove_prefix(path.size());
    text.remove_prefix(std::min(text.find_first_not_of(": "), text.size()));
  }
  return std::string(text);
}

bool is_elf(const SealedFile& file) {
  std::array<char, 4> magic{};
  return ::pread(file.fd(), magic.data(), magic.size(), 0) == 4 &&
         std::string_view(magic.data(), magic.size()) == "\177ELF";
}

bool is_name(const char* text) {
  const std::string_view name = text != nullptr ? text : "";
  return !name.empty() && name.size() <= kLongestName && std::ranges::all_of(name, [](char c) {
    return (to_lower(c) >= 'a' && to_lower(c) <= 'z') || is_digit(c) || c == '_' || c == '-';
  });
}

// Of a structure that is at least as large as that of the first version.
std::string problem_of(const penstock_module& module) {
  if (!is_name(module.name)) {
    return fmt::format("has a name that is none ({}): it takes letters, digits, \"_\" and \"-\"",
                       module.name != nullptr ? quoted(module.name) : "null");
  }
  if (module.version == nullptr) return "does not say its version";
  if (module.summary == nullptr) return "has no summary";
  if (module.settings == nullptr && module.setting_count > 0) return "has settings that are null";
  std::string problem = problem_of_schema({module.settings, module.setting_count});
  return problem.empty() ? problem : fmt::format("cannot be used: {}", problem);
}

}  // namespace

LoadedModule::~LoadedModule() {
  if (started_ && callbacks_.unload != nullptr) callbacks_.unload();
  if (library_ == nullptr) return;
  ::dlclose(library_);
  // Some never leave memory, such as those with thread-local objects of C++. The dynamic linker
  // knows them by our path: a new file of that number would be taken for the old one.
  if (void* const left = ::dlopen(path_of(file_).c_str(), RTLD_NOW | RTLD_NOLOAD)) {
    file_.keep_for_ever();
    ::dlclose(left);
  }
}

ModuleLoader::Result ModuleLoader::load(const std::string& path) {
  const auto failed = [&path](std::string_view why) {
    return std::unexpected(fmt::format("{} {}", quoted(path), why));
  };
  auto file = SealedFile::read(path);
  if (!file) return failed(file.error());
  std::erase_if(known_, [](const Known& known) { return known.module.expired(); });
  for (const Known& known : known_) {
    auto module = known.module.lock();
    if (known.built_in == nullptr && module->file_.has_same_content(*file)) return module;
  }
  std::shared_ptr<LoadedModule> module(new LoadedModule);
  module->file_ = std::move(*file);
  if (auto problem = open(*module); !problem.empty()) return failed(problem);
  known_.push_back({.module = module, .built_in = nullptr});
  return module;
}

ModuleLoader::Result ModuleLoader::add(const penstock_module& module) {
  std::erase_if(known_, [](const Known& known) { return known.module.expired(); });
  for (const Known& known : known_) {
    if (known.built_in == &module) return known.module.lock();
  }
  std::shared_ptr<LoadedModule> loaded(new LoadedModule);
  if (auto problem = start(*loaded, &module); !problem.empty()) {
    return std::unexpected(fmt::format("a built-in module {}", problem));
  }
  known_.push_back({.module = loaded, .built_in = &module});
  return loaded;
}

std::string ModuleLoader::open(LoadedModule& module) {
  if (!is_elf(module.file_)) return "is not a shared object";
  const std::string path = path_of(module.file_);
  module.library_ = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module.library_ == nullptr) {
    return fmt::format("cannot be loaded: {}", link_error(path));
  }
  void* const symbol = ::dlsym(module.library_, PENSTOCK_MODULE_SYMBOL);
  if (symbol == nullptr) {
    return fmt::format("is no module: it does not export {}, as PENSTOCK_MODULE() does",
                       PENSTOCK_MODULE_SYMBOL);
  }
  const penstock_module* const description = reinterpret_cast<Entry>(symbol)();
  if (description == nullptr) return "is no module: it describes itself by null";
  return start(module, description);
}

std::string ModuleLoader::start(LoadedModule& module, const penstock_module* description) {
  // Only this is the same in all versions.
  if (description->abi != PENSTOCK_ABI) {
    return fmt::format("was built for interface {}, this is {}", description->abi, PENSTOCK_ABI);
  }
  if (description->size < kLeastSize) {
    return fmt::format(
        "describes itself in {} bytes, and the least is {}: is `size` "
        "sizeof(struct penstock_module)?",
        description->size, kLeastSize);
  }
  module.declared_size_ = description->size;
  std::memcpy(&module.callbacks_, description,
              std::min<std::size_t>(description->size, sizeof module.callbacks_));
  if (auto problem = problem_of(module.callbacks_); !problem.empty()) return problem;
  if (module.callbacks_.load != nullptr) {
    const int result = module.callbacks_.load(&api_);
    if (result != PENSTOCK_OK)
      return fmt::format("refuses to be loaded (its load() gave {})", result);
  }
  module.started_ = true;
  return {};
}

}  // namespace penstock

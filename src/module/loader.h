// Loading modules: from a file to callbacks that may be called.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "module/module_file.h"
#include "penstock/module.h"

namespace penstock {

// A module that is loaded. With the last reference, its `unload` is called and it is taken out of
// memory: that has to happen on the thread that loads, when nothing of it is going to be called any
// more.
class LoadedModule {
 public:
  LoadedModule(const LoadedModule&) = delete;
  LoadedModule& operator=(const LoadedModule&) = delete;
  ~LoadedModule();

  // In the form of this proxy, also where the module was built for an earlier one: callbacks that
  // it does not have, or not yet, are null. Texts and settings belong to the module.
  [[nodiscard]] const penstock_module& callbacks() const { return callbacks_; }
  // Never empty; letters, digits, "_", "-".
  [[nodiscard]] std::string_view name() const { return callbacks_.name; }
  // They were found good by problem_of_schema().
  [[nodiscard]] std::span<const penstock_setting> settings() const {
    return {callbacks_.settings, callbacks_.setting_count};
  }
  // sizeof(struct penstock_module) as the module was built.
  [[nodiscard]] std::uint32_t declared_size() const { return declared_size_; }

 private:
  friend class ModuleLoader;
  LoadedModule() = default;

  penstock_module callbacks_{};
  std::uint32_t declared_size_ = 0;
  bool started_ = false;     // `load` has been called, and was content
  void* library_ = nullptr;  // of dlopen(); null of one that is part of the program
  SealedFile file_;
};

// Loads modules. What is already loaded is not loaded again. Belongs to one thread.
class ModuleLoader {
 public:
  using Result = std::expected<std::shared_ptr<LoadedModule>, std::string>;

  // `api` is given to the modules, and outlives them.
  explicit ModuleLoader(const penstock_api& api) : api_(api) {}

  // Loads a shared object. It runs from a copy in memory: the file may be replaced or overwritten
  // at any time, and is looked at anew by each call. A file with the same content as one that is
  // loaded, whatever its name, gives the same module; another one gives another module, also under
  // the same name. Otherwise a sentence on what is wrong that begins with the path. A relative path
  // is relative to the working directory, as that of every file in a configuration. Which files are
  // trusted: see SealedFile::read().
  [[nodiscard]] Result load(const std::string& path);
  // A module that is part of the program. It is checked in the same way, and is the same one where
  // it is the same structure, which has to outlive it.
  [[nodiscard]] Result add(const penstock_module& module);

 private:
  // Takes what the module says of itself, if it can be used.
  std::string start(LoadedModule& module, const penstock_module* description);
  std::string open(LoadedModule& module);

  struct Known {
    std::weak_ptr<LoadedModule> module;
    const penstock_module* built_in;  // null of one from a file
  };
  const penstock_api& api_;
  std::vector<Known> known_;
};

}  // namespace penstock

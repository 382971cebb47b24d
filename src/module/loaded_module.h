// A module's code, ready to be called.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "penstock/module.h"

namespace penstock {

// What a module exports, whole: members that its version of the interface did not have are null.
// Instances share it; the last one unloads it. Does not change.
class LoadedModule {
 public:
  // Takes over a module that is in memory, with what keeps it there; null for one that always is.
  // Calls its `load`. An error is a sentence.
  static std::expected<std::shared_ptr<LoadedModule>, std::string> make(
      const penstock_module* exported, std::shared_ptr<void> memory = nullptr);
  // Calls `unload`, then lets the memory go.
  ~LoadedModule();
  LoadedModule(const LoadedModule&) = delete;
  LoadedModule& operator=(const LoadedModule&) = delete;

  [[nodiscard]] const penstock_module& callbacks() const { return callbacks_; }

 private:
  explicit LoadedModule(std::shared_ptr<void> memory) : memory_(std::move(memory)) {}

  std::shared_ptr<void> memory_;
  penstock_module callbacks_{};
  bool loaded_ = false;
};

}  // namespace penstock

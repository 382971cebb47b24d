#include "module/loaded_module.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "module/call.h"

namespace penstock {
namespace {

// Of the first version of the interface: no module has less.
constexpr std::size_t kLeastSize = offsetof(penstock_module, timer_ms) + sizeof(std::uint64_t);

bool is_name(const char* name) {
  const std::string_view text(name);
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

std::string complaint(const penstock_module& module) {
  if (module.abi != PENSTOCK_ABI) {
    return fmt::format("was built for generation {} of the interface, this is {}", module.abi,
                       PENSTOCK_ABI);
  }
  if (module.size < kLeastSize) {
    return fmt::format("says that its structure has {} bytes, {} are the least", module.size,
                       kLeastSize);
  }
  if (module.name == nullptr || !is_name(module.name)) {
    return "has no name of letters, digits, \"_\" and \"-\"";
  }
  if (module.setting_count > 0 && module.settings == nullptr) return "has settings without a list";
  return {};
}

}  // namespace

std::expected<std::shared_ptr<LoadedModule>, std::string> LoadedModule::make(
    const penstock_module* exported, std::shared_ptr<void> memory) {
  if (exported == nullptr) return std::unexpected("exports nothing");
  if (std::string text = complaint(*exported); !text.empty()) return std::unexpected(text);
  std::shared_ptr<LoadedModule> module(new LoadedModule(std::move(memory)));
  // A module of a later version has more than is known here, one of an earlier version less.
  std::memcpy(&module->callbacks_, exported,
              std::min<std::size_t>(exported->size, sizeof module->callbacks_));
  if (exported->load != nullptr && exported->load(&module_api()) != PENSTOCK_OK) {
    return std::unexpected("did not want to be loaded: its load() failed");
  }
  module->loaded_ = true;
  return module;
}

LoadedModule::~LoadedModule() {
  if (loaded_ && callbacks_.unload != nullptr) callbacks_.unload();
}

}  // namespace penstock

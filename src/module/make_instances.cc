#include "module/make_instances.h"

#include <string>
#include <utility>

#include <fmt/format.h>

#include "module/call.h"
#include "module/helpers.h"

namespace penstock {
namespace {

void close(ModuleInstance& instance) {
  // They free what transactions have left.
  instance.helpers.reset();
  instance.services->stop();
  const penstock_module& callbacks = instance.callbacks();
  if (instance.configured && callbacks.close != nullptr) callbacks.close(&instance, instance.data);
}

// The callback that comes without being asked for.
void start_timer(ModuleInstance& instance) {
  const penstock_module& callbacks = instance.callbacks();
  if (callbacks.timer == nullptr || callbacks.timer_ms == 0) return;
  static_cast<void>(instance.services->start_timer(
      callbacks.timer_ms, [&instance] { instance.callbacks().timer(&instance, instance.data); }));
}

// Null with what is wrong in `problems`.
std::unique_ptr<ModuleInstance> make_instance(const ModuleSettings& settings, ModuleLoader& loader,
                                              const ServicesFactory& services,
                                              std::vector<ModuleProblem>& problems) {
  auto module = loader.load(settings.file);
  if (!module) {
    problems.push_back({settings.file_line, settings.file_column, module.error()});
    return nullptr;
  }
  auto instance = std::make_unique<ModuleInstance>();
  instance->name = settings.name;
  instance->module = std::move(*module);
  const std::size_t before = problems.size();
  const auto config = read_module_config(settings.config, instance->module->settings(), problems);
  if (problems.size() > before) return nullptr;
  instance->services = services(settings, *instance);
  const penstock_module& callbacks = instance->callbacks();
  // In a helper process there is another instance, and that one is configured.
  if (settings.isolation == Isolation::process) return instance;
  if (callbacks.configure != nullptr) {
    const int result =
        callbacks.configure(instance.get(), &module_api(), config.get(), &instance->data);
    if (result != PENSTOCK_OK && problems.size() == before) {
      problems.push_back({settings.line, settings.column,
                          fmt::format("[module.{}]: the module refuses its settings, and does not "
                                      "say why",
                                      settings.name)});
    }
  }
  instance->configured = problems.size() == before;
  if (instance->configured && settings.isolation == Isolation::thread) {
    instance->helpers = make_helper_threads(settings, *instance);
  }
  if (instance->configured) {
    start_timer(*instance);
    return instance;
  }
  close(*instance);
  return nullptr;
}

}  // namespace

std::shared_ptr<ModuleInstance> InstanceReaper::own(std::unique_ptr<ModuleInstance> instance) {
  return {instance.release(), [queue = queue_](ModuleInstance* done) {
            const std::lock_guard lock(queue->mutex);
            queue->waiting.emplace_back(done);
          }};
}

void InstanceReaper::reap() {
  std::vector<std::unique_ptr<ModuleInstance>> waiting;
  {
    const std::lock_guard lock(queue_->mutex);
    waiting.swap(queue_->waiting);
  }
  for (const auto& instance : waiting) close(*instance);
}

MadeInstances make_instances(const ModulesSettings& settings, ModuleLoader& loader,
                             InstanceReaper& reaper, const ServicesFactory& services) {
  MadeInstances made;
  for (const ModuleSettings& one : settings.modules) {
    if (auto instance = make_instance(one, loader, services, made.problems)) {
      made.instances.push_back(reaper.own(std::move(instance)));
    }
  }
  if (!made.problems.empty()) made.instances.clear();
  return made;
}

}  // namespace penstock

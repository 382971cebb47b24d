#include "module/make_instances.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "base/clock.h"
#include "module/call.h"
#include "module/helpers.h"

namespace penstock {
namespace {

// Nothing of it is called any more, but close().
void come_to_rest(ModuleInstance& instance) {
  // They free what transactions have left.
  instance.helpers.reset();
  instance.services->stop();
}

void close(ModuleInstance& instance) {
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
  come_to_rest(*instance);
  close(*instance);
  return nullptr;
}

}  // namespace

std::shared_ptr<ModuleInstance> InstanceReaper::own(std::unique_ptr<ModuleInstance> instance) {
  return {instance.release(), [queue = queue_](ModuleInstance* done) {
            const std::lock_guard lock(queue->mutex);
            queue->let_go.emplace_back(done);
            queue->changed.notify_all();
          }};
}

void InstanceReaper::bring_to_rest(const std::shared_ptr<Queue>& queue,
                                   std::unique_ptr<ModuleInstance> instance) {
  come_to_rest(*instance);
  const std::lock_guard lock(queue->mutex);
  queue->coming_to_rest.erase(std::ranges::find(queue->coming_to_rest, instance->name));
  queue->at_rest.push_back(std::move(instance));
  queue->changed.notify_all();
}

void InstanceReaper::reap() {
  Instances let_go;
  Instances at_rest;
  {
    const std::lock_guard lock(queue_->mutex);
    let_go.swap(queue_->let_go);
    at_rest.swap(queue_->at_rest);
    for (const auto& instance : let_go) queue_->coming_to_rest.push_back(instance->name);
  }
  for (const auto& instance : at_rest) close(*instance);
  for (auto& instance : let_go) {
    // Not waited for: it may take as long as a callback that blocks.
    ModuleInstance* const going = instance.release();
    const auto bring = [queue = queue_, going] {
      bring_to_rest(queue, std::unique_ptr<ModuleInstance>(going));
    };
    try {
      std::thread(bring).detach();
    } catch (const std::system_error&) {
      bring();
    }
  }
}

bool InstanceReaper::finish(TimePoint deadline) {
  while (true) {
    reap();
    std::unique_lock lock(queue_->mutex);
    if (queue_->let_go.empty() && queue_->at_rest.empty() && queue_->coming_to_rest.empty()) {
      return true;
    }
    const auto news = [this] { return !queue_->let_go.empty() || !queue_->at_rest.empty(); };
    if (deadline == kNever) {
      queue_->changed.wait(lock, news);
    } else if (!queue_->changed.wait_for(lock, deadline - monotonic_now(), news)) {
      return false;
    }
  }
}

std::vector<std::string> InstanceReaper::unfinished() const {
  const std::lock_guard lock(queue_->mutex);
  return queue_->coming_to_rest;
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

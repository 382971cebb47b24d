#include "app/reload.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "config/load.h"
#include "config/summary.h"

namespace penstock {
namespace {

// All of a configuration but filters and modules.
std::string rest_of(const Snapshot& snapshot) {
  Snapshot rest = snapshot;
  rest.adapt = {};
  rest.modules = {};
  return config::summary(rest);
}

void say(Log& log, const std::vector<config::Diagnostic>& diagnostics) {
  for (const config::Diagnostic& one : diagnostics) {
    if (one.warning) {
      log.warning("{}:{}:{}: {}", one.file, one.line, one.column, one.message);
    } else {
      log.error("{}:{}:{}: {}", one.file, one.line, one.column, one.message);
    }
  }
}

// Where an instance has threads of its own, or a process, nothing of it runs on a worker.
std::unique_ptr<ModuleServices> make_services(LocalShare& share, const ModuleSettings& of,
                                              ModuleInstance& instance) {
  if (of.isolation == Isolation::thread) {
    return std::make_unique<LocalServices>(share, of.name, LocalServices::OnThreads());
  }
  if (of.isolation != Isolation::in_line) {
    return std::make_unique<LocalServices>(share, of.name, nullptr);
  }
  instance.watched = share.watchdog.add_instance(of.name, of.watchdog);
  return std::make_unique<LocalServices>(share, of.name, &instance.watched);
}

}  // namespace

Reload::Reload(std::string path, unsigned workers, LocalShare& share, Log& log)
    : path_(std::move(path)),
      log_(log),
      host_([&share](const ModuleSettings& of,
                     ModuleInstance& instance) { return make_services(share, of, instance); },
            workers, &log) {}

std::shared_ptr<const AdaptGeneration> Reload::make(
    const std::shared_ptr<const Snapshot>& snapshot) {
  auto made = host_.make(snapshot, path_);
  if (made) return std::move(*made);
  say(log_, made.error());
  return nullptr;
}

std::shared_ptr<const AdaptGeneration> Reload::begin(
    const std::shared_ptr<const Snapshot>& snapshot) {
  rest_ = rest_of(*snapshot);
  for (const auto& service : snapshot->icap.services) services_.push_back(service.name);
  return make(snapshot);
}

bool Reload::has_services(const Snapshot& snapshot) const {
  for (const FilterSettings& filter : snapshot.adapt.filters) {
    const auto* const work = std::get_if<IcapFilterSettings>(&filter.work);
    if (work == nullptr) continue;
    for (const std::string& name : work->services) {
      if (std::ranges::find(services_, name) != services_.end()) continue;
      log_.error("filter {}: [icap.{}] is new, which needs a restart", filter.name, name);
      return false;
    }
  }
  return true;
}

std::shared_ptr<const AdaptGeneration> Reload::run() {
  if (path_.empty()) {
    log_.warning("there is no configuration file to read again");
    return nullptr;
  }
  const auto loaded = config::load_file(path_);
  say(log_, loaded ? loaded->warnings : loaded.error());
  const bool usable = loaded && has_services(*loaded->snapshot);
  auto generation = usable ? make(loaded->snapshot) : nullptr;
  if (!generation) {
    log_.error("{} was not taken over: the proxy goes on as it was", path_);
    return nullptr;
  }
  if (rest_of(*loaded->snapshot) != rest_) {
    log_.warning("changes outside of [[filter]], [module] and [modules] need a restart");
  }
  log_.info("filters and modules taken over from {}", path_);
  return generation;
}

}  // namespace penstock

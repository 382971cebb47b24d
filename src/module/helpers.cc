#include "module/helpers.h"

#include <algorithm>
#include <utility>

#include "helper/process_channel.h"
#include "helper/thread_channel.h"
#include "module/instance.h"
#include "module/remote_host.h"

namespace penstock {
namespace {

constexpr std::size_t kMaxCalls = 4096;
constexpr unsigned kMostLanes = 16;

class Threads final : public ModuleHelpers {
 public:
  Threads(const ModuleSettings& settings, ModuleInstance& instance)
      : host_(instance, settings.hold_limit),
        threads_({.threads = settings.threads}, [this](HelperSeat& seat) { host_.work(seat); }) {}
  std::unique_ptr<Channel> channel(unsigned /*worker*/, Network& network,
                                   EventLoop& /*loop*/) override {
    return std::make_unique<ThreadChannel>(threads_, network, kMaxCalls);
  }

 private:
  RemoteHost host_;
  HelperThreads threads_;
};

class Process final : public ModuleHelpers {
 public:
  Process(const ModuleSettings& settings, unsigned workers, Log& log)
      : process_(
            {.name = "module " + settings.name,
             .arguments = {"penstock", std::string(kHelperCommand), settings_to_word(settings)},
             .shape = {.workers = workers, .lanes = std::min(settings.threads, kMostLanes)}},
            log) {}
  [[nodiscard]] bool start() { return process_.start(); }
  void reopen_log_files() override { process_.tell_to_reopen(); }
  std::unique_ptr<Channel> channel(unsigned worker, Network& /*network*/,
                                   EventLoop& loop) override {
    return std::make_unique<ProcessChannel>(process_, worker, loop, kMaxCalls);
  }

 private:
  HelperProcess process_;
};

}  // namespace

std::unique_ptr<ModuleHelpers> make_helper_threads(const ModuleSettings& settings,
                                                   penstock_instance& instance) {
  return std::make_unique<Threads>(settings, instance);
}

std::unique_ptr<ModuleHelpers> make_helper_process(const ModuleSettings& settings, unsigned workers,
                                                   Log& log) {
  auto process = std::make_unique<Process>(settings, workers, log);
  if (!process->start()) return nullptr;
  return process;
}

}  // namespace penstock

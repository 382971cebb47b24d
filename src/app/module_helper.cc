#include "app/module_helper.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

#include "app/exit_code.h"
#include "base/log.h"
#include "base/log_file.h"
#include "helper/helper_service.h"
#include "module/call.h"
#include "module/helpers.h"
#include "module/local_services.h"
#include "module/loop_port.h"
#include "module/make_instances.h"
#include "module/process_services.h"
#include "module/remote_host.h"

namespace penstock {
namespace {

constexpr Duration kTellMetrics = std::chrono::seconds(1);

// What the module has of this process, and of the proxy by messages. Its own callbacks (timers,
// descriptors) are called on a thread of their own, which they may block.
class Services {
 public:
  explicit Services(const std::shared_ptr<ReturnPath>& path)
      : gate_(std::make_shared<WorkerGate>(
            [this](std::function<void()> f) { loop_.call(std::move(f)); })),
        link_(path, gate_) {
    share_.loop.attach({.gate = gate_, .port = &port_, .subrequests = &link_, .slot = nullptr});
    static_cast<void>(share_.loop.start_timer(
        kTellMetrics, [this](std::uint64_t /*id*/) { link_.tell_metrics(share_.metrics); }));
    static_cast<void>(share_.loop.start_watch(
        HelperService::reopen_bell(), POLLIN, false,
        [this](std::uint64_t /*id*/, short /*events*/) { reopen_log_files(); }));
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Services() {
    loop_.stop();
    thread_.join();
    link_.tell_metrics(share_.metrics);
    gate_->close();
    share_.loop.detach();
  }
  Services(const Services&) = delete;
  Services& operator=(const Services&) = delete;

  [[nodiscard]] Log& log() { return log_; }
  [[nodiscard]] ProxyLink& link() { return link_; }
  [[nodiscard]] std::unique_ptr<ModuleServices> make(const std::string& name) {
    return std::make_unique<LocalServices>(share_, name, nullptr);
  }

 private:
  void reopen_log_files() {
    std::uint64_t bells = 0;
    [[maybe_unused]] const auto got = ::read(HelperService::reopen_bell(), &bells, sizeof bells);
    share_.log_files.reopen_all();
  }

  // The proxy has what goes to stderr in its own log, with the module's name.
  LogFile file_{"stderr"};
  Log log_{file_, LogLevel::debug};
  LocalShare share_{log_};
  EventLoop loop_;
  EventLoopPort port_{loop_};
  std::shared_ptr<WorkerGate> gate_;
  ProxyLink link_;
  std::thread thread_;
};

int serve(HelperService& service, const ModulesSettings& settings) {
  Services services(service.path(0));
  ModuleLoader loader(module_api());
  InstanceReaper reaper;
  MadeInstances made =
      make_instances(settings, loader, reaper,
                     [&services](const ModuleSettings& of, ModuleInstance& /*instance*/) {
                       return services.make(of.name);
                     });
  for (const ModuleProblem& problem : made.problems) {
    services.log().error("line {}: {}", problem.line, problem.text);
  }
  if (made.instances.empty()) return kExitFailed;
  {
    RemoteHost host(*made.instances.front(), settings.modules.front().hold_limit);
    const RemoteHost::Other other = [&services](std::string_view message) {
      services.link().on_message(message);
    };
    service.run([&host, &other](HelperSeat& seat) { host.work(seat, other); });
  }
  made.instances.clear();
  static_cast<void>(reaper.finish(kNever));
  return kExitOk;
}

}  // namespace

int module_helper_command(const ModuleHelperCommand& command) {
  const auto service = HelperService::open();
  ModulesSettings settings;
  if (!service || !settings_from_word(command.settings, settings.modules.emplace_back())) {
    static_cast<void>(std::fputs("penstock: this command is for the proxy itself\n", stderr));
    return kExitUsage;
  }
  return serve(**service, settings);
}

}  // namespace penstock

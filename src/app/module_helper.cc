#include "app/module_helper.h"

#include <cstdio>

#include <fmt/format.h>

#include "app/exit_code.h"
#include "module/call.h"
#include "module/helper_service.h"
#include "module/helpers.h"
#include "module/idle_services.h"
#include "module/make_instances.h"
#include "module/remote_host.h"

namespace penstock {
namespace {

// What goes to stderr is in the proxy's log, with the instance's name.
void say(std::string_view text) {
  const std::string line = fmt::format("{}\n", text);
  static_cast<void>(std::fwrite(line.data(), 1, line.size(), stderr));
}

}  // namespace

int module_helper_command(const ModuleHelperCommand& command) {
  const auto service = HelperService::open();
  ModulesSettings settings;
  if (!service || !settings_from_word(command.settings, settings.modules.emplace_back())) {
    say("this command is for the proxy itself");
    return kExitUsage;
  }
  ModuleLoader loader(module_api());
  InstanceReaper reaper;
  MadeInstances made = make_instances(
      settings, loader, reaper, [](const ModuleSettings& /*of*/, ModuleInstance& /*instance*/) {
        return std::make_unique<IdleServices>();
      });
  for (const ModuleProblem& problem : made.problems) {
    say(fmt::format("line {}: {}", problem.line, problem.text));
  }
  if (made.instances.empty()) return kExitFailed;
  {
    RemoteHost host(*made.instances.front(), settings.modules.front().hold_limit);
    (*service)->run([&host](HelperSeat& seat) { host.work(seat); });
  }
  made.instances.clear();
  reaper.reap();
  return kExitOk;
}

}  // namespace penstock

// Where callbacks of an instance run when they do not run on the workers.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "helper/channel.h"
#include "module/settings.h"
#include "net/event_loop.h"
#include "net/network.h"

struct penstock_instance;

namespace penstock {

// The threads or the process of one instance; shared by all workers. Made and destroyed on the main
// thread, with the instance; outlives the channels.
class ModuleHelpers {
 public:
  virtual ~ModuleHelpers() = default;
  // The way there of one worker. On its thread, or while it does not run; so is its end.
  [[nodiscard]] virtual std::unique_ptr<Channel> channel(unsigned worker, Network& network,
                                                         EventLoop& loop) = 0;
  // From any thread: opens the log files of the module anew, where those are not this process's.
  virtual void reopen_log_files() {}
};

// Threads of this process. The instance must outlive them; it is the one that is called.
[[nodiscard]] std::unique_ptr<ModuleHelpers> make_helper_threads(const ModuleSettings& settings,
                                                                 penstock_instance& instance);

// A process, which has an instance of its own. It is started at once, and again when it dies. Null:
// it could not begin, and the log says why. `log` must outlive it.
[[nodiscard]] std::unique_ptr<ModuleHelpers> make_helper_process(const ModuleSettings& settings,
                                                                 unsigned workers, Log& log);

// A module's settings as one word of a command line, and back: for the helper process. False: that
// is none.
[[nodiscard]] std::string settings_to_word(const ModuleSettings& settings);
[[nodiscard]] bool settings_from_word(std::string_view word, ModuleSettings& settings);

// The command by which this program is a helper process.
inline constexpr std::string_view kHelperCommand = "module-helper";

}  // namespace penstock

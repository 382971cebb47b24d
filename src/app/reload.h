// Reading the configuration again while the proxy runs (SIGHUP).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/adapt_host.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/snapshot.h"
#include "module/local_services.h"

namespace penstock {

// Filters and modules are exchanged: new transactions get the new ones, those under way keep what
// they have, and what nobody uses any more is closed and unloaded. Other changes need a restart,
// and are said to. A file with an error changes nothing. Belongs to the main thread.
class Reload {
 public:
  // `path`: of the configuration file; empty: there is none. `log` must outlive it.
  // `share`: what instances work with. Both must outlive it.
  Reload(std::string path, unsigned workers, LocalShare& share, Log& log);

  // The first generation; null: something is wrong with it, and was said in the log.
  [[nodiscard]] std::shared_ptr<const AdaptGeneration> begin(
      const std::shared_ptr<const Snapshot>& snapshot);
  // One of the file as it is now; null: it can't be used, which was said in the log.
  [[nodiscard]] std::shared_ptr<const AdaptGeneration> run();
  // Closes what is not used any more. To be called now and then.
  void tick() { host_.tick(); }
  // Opens log files of modules anew that other processes have.
  void reopen_log_files() { host_.reopen_log_files(); }
  // When nothing is used any more: waits until all is closed, for no longer than `patience`. The
  // names of modules that do not let go of their threads: where those are not waited for again, the
  // process has to be left with no destructor called.
  [[nodiscard]] std::vector<std::string> finish(Duration patience) {
    return host_.finish(deadline_after(monotonic_now(), patience));
  }

 private:
  [[nodiscard]] std::shared_ptr<const AdaptGeneration> make(
      const std::shared_ptr<const Snapshot>& snapshot);

  std::string path_;
  Log& log_;
  AdaptHost host_;
  // False: a filter needs an ICAP service that was not there when the proxy was started.
  [[nodiscard]] bool has_services(const Snapshot& snapshot) const;

  std::string rest_;                   // what the first configuration says of everything else
  std::vector<std::string> services_;  // of ICAP, by name, that it has
};

}  // namespace penstock

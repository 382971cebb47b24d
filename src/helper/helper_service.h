// The helper process's side: what a program that a HelperProcess has started runs.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "base/error.h"
#include "helper/channel.h"
#include "helper/helper_link.h"

namespace penstock {

class HelperService {
 public:
  // What a thread does: it asks its seat for requests until there are none.
  using Work = std::function<void(HelperSeat&)>;

  // Takes up the descriptors that the proxy has passed. To be called once, first of all, while
  // there is one thread. From then on this process dies with the proxy, and signals do not end it
  // but SIGKILL: that is the proxy's to say. Errors: those of HelperLink::open().
  [[nodiscard]] static Result<std::unique_ptr<HelperService>> open();

  // Becomes readable when log files are to be opened anew; an eventfd.
  [[nodiscard]] static int reopen_bell();

  // Tells the proxy that this helper is ready, and calls work(seat) in a thread for each lane of
  // each worker; returns when all have ended, which they do when the proxy wants it: end the
  // process then.
  void run(const Work& work);

  [[nodiscard]] unsigned workers() const { return static_cast<unsigned>(paths_.size()); }
  // A way to a worker for messages that no request has led to. May be kept.
  [[nodiscard]] const std::shared_ptr<ReturnPath>& path(unsigned worker) const {
    return paths_[worker];
  }

 private:
  explicit HelperService(std::shared_ptr<HelperLink> link);

  std::shared_ptr<HelperLink> link_;
  std::vector<std::shared_ptr<ReturnPath>> paths_;  // of each worker's first lane
};

}  // namespace penstock

// A child process, started from a process of many threads.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/error.h"
#include "net/fd.h"

namespace penstock {

// A program that runs, or has ended and is not wait()ed for yet. It ends with the thread that
// started it, if it asks for that itself (HelperService does).
class ChildProcess {
 public:
  // Starts this program once more (/proc/self/exe, so it is the same version even where the file
  // was replaced) with these arguments, the first of which is its name. It gets `descriptors` as 3
  // and up, /dev/null as its input, `output` as its output and error output, and nothing else that
  // is open here; no signal is blocked or ignored in it; and it is in a process group of its own,
  // so that a Ctrl-C does not reach it. Errors: those of posix_spawn(3) and pidfd_open(2).
  [[nodiscard]] static Result<ChildProcess> start(const std::vector<std::string>& arguments,
                                                  const std::vector<int>& descriptors, int output);

  ChildProcess(ChildProcess&&) = default;
  ChildProcess& operator=(ChildProcess&&) = delete;
  // Kills it, and waits until it is gone, unless wait() was called.
  ~ChildProcess();

  [[nodiscard]] pid_t id() const { return id_; }
  // Readable when it has ended (pidfd_open(2)).
  [[nodiscard]] int fd() const { return fd_.get(); }
  void kill(int signal) const;
  // Waits until it has ended and says how, as "exited with status 3" or "killed by signal 9
  // (Killed)".
  std::string wait();

 private:
  ChildProcess(pid_t id, Fd fd) : id_(id), fd_(std::move(fd)) {}
  pid_t id_;
  Fd fd_;  // none once it was waited for
};

}  // namespace penstock

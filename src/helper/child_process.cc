#include "helper/child_process.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

namespace penstock {
namespace {

constexpr int kFirstPassed = 3;

// What posix_spawn() is to do before the program starts.
class Actions {
 public:
  Actions() { PENSTOCK_CHECK(::posix_spawn_file_actions_init(&actions_) == 0); }
  ~Actions() { ::posix_spawn_file_actions_destroy(&actions_); }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  [[nodiscard]] const posix_spawn_file_actions_t* get() const { return &actions_; }
  void open_null(int as) {
    check(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDONLY, 0));
  }
  void pass(int fd, int as) { check(::posix_spawn_file_actions_adddup2(&actions_, fd, as)); }
  void close_from(int first) {
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, first));
  }

 private:
  // They fail for lack of memory only.
  static void check(int problem) { PENSTOCK_CHECK(problem == 0); }
  posix_spawn_file_actions_t actions_{};
};

class Attributes {
 public:
  Attributes() {
    PENSTOCK_CHECK(::posix_spawnattr_init(&attributes_) == 0);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  [[nodiscard]] const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& arguments,
                                         const std::vector<int>& descriptors, int output) {
  const int end = kFirstPassed + static_cast<int>(descriptors.size());
  // The descriptors are put in their places one after the other; copies that are above all places
  // are not overwritten meanwhile.
  std::vector<Fd> copies;
  Actions actions;
  const auto pass = [&](int fd, int as) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, end));
    actions.pass(copies.back().get(), as);
    return static_cast<bool>(copies.back());
  };
  actions.open_null(STDIN_FILENO);
  if (!pass(output, STDOUT_FILENO)) return fail(error_from_errno(errno));
  if (!pass(output, STDERR_FILENO)) return fail(error_from_errno(errno));
  int as = kFirstPassed;
  for (const int fd : descriptors) {
    if (!pass(fd, as++)) return fail(error_from_errno(errno));
  }
  actions.close_from(end);

  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const Attributes attributes;
  pid_t id = 0;
  const int problem =
      ::posix_spawn(&id, "/proc/self/exe", actions.get(), attributes.get(), argv.data(), environ);
  if (problem != 0) return fail(error_from_errno(problem));
  Fd fd(static_cast<int>(::syscall(SYS_pidfd_open, id, 0)));
  if (!fd) {
    const Error error = error_from_errno(errno);
    ::kill(id, SIGKILL);
    ::waitpid(id, nullptr, 0);
    return fail(error);
  }
  return ChildProcess(id, std::move(fd));
}

ChildProcess::~ChildProcess() {
  if (!fd_) return;
  kill(SIGKILL);
  wait();
}

void ChildProcess::kill(int signal) const {
  ::syscall(SYS_pidfd_send_signal, fd_.get(), signal, nullptr, 0);
}

std::string ChildProcess::wait() {
  siginfo_t info{};
  int got = -1;
  do {
    got = ::waitid(P_PIDFD, static_cast<id_t>(fd_.get()), &info, WEXITED);
  } while (got != 0 && errno == EINTR);
  fd_.reset();
  if (got != 0) return "ended";
  if (info.si_code == CLD_EXITED) return fmt::format("exited with status {}", info.si_status);
  const char* const name = ::sigdescr_np(info.si_status);
  return fmt::format("killed by signal {} ({}){}", info.si_status,
                     name != nullptr ? name : "unknown",
                     info.si_code == CLD_DUMPED ? ", core dumped" : "");
}

}  // namespace penstock

#include "app/run.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "app/version.h"
#include "app/worker.h"
#include "base/log.h"
#include "config/load.h"

namespace penstock {
namespace {

// Every connection through the proxy takes two descriptors, a relay between them two more.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The signals that steer the process, read from a descriptor; blocked in all threads.
class Signals {
 public:
  Signals() {
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    fd_ = Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // The next one that has come, 0 if none has.
  [[nodiscard]] int take() const {
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return 0;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  Fd fd_;
};

// Names this process, so that two proxies in a row with the same configuration are told apart, and
// a request that comes back to the same one is not taken for a new one.
std::string make_pseudonym(const ProxySettings& settings) {
  if (settings.name != ProxySettings{}.name) return settings.name;
  std::random_device random;
  return fmt::format("{}-{:08x}", settings.name, random());
}

std::optional<Fd> open_socket(const ListenOptions& options, Log& log) {
  auto socket = open_listening_socket(options);
  if (socket) return std::move(*socket);
  log.error("can't listen on {}: {}", options.address.to_string(),
            std::strerror(socket.error().cause));
  return std::nullopt;
}

// A listening socket for each worker (rows) and each listener; empty when one can't be had.
std::vector<std::vector<Fd>> open_listeners(const Snapshot& snapshot, unsigned workers, Log& log,
                                            std::vector<Address>& addresses) {
  std::vector<std::vector<Fd>> sockets(workers);
  for (const ListenerSettings& listener : snapshot.listeners) {
    ListenOptions options{.address = Address::parse(listener.address).value_or(Address()),
                          .backlog = listener.backlog,
                          .unix_mode = listener.unix_mode};
    if (is_taken(options.address)) {
      log.error("can't listen on {}: {}", options.address.to_string(), std::strerror(EADDRINUSE));
      return {};
    }
    auto first = open_socket(options, log);
    if (!first) return {};
    // The system may have chosen the port; the other workers take the same.
    if (!options.address.is_unix()) options.address = local_address_of(*first);
    addresses.push_back(options.address);
    log.info("listening on {} ({})", options.address.to_string(),
             listener.mode == ListenerMode::forward ? "forward" : "reverse");
    for (unsigned i = 1; i < workers; ++i) {
      std::optional<Fd> socket;
      if (options.address.is_unix()) {
        if (auto copy = duplicate(*first)) socket = std::move(*copy);
      } else {
        socket = open_socket(options, log);
      }
      if (!socket) return {};
      sockets[i].push_back(std::move(*socket));
    }
    sockets[0].push_back(std::move(*first));
  }
  return sockets;
}

void remove_unix_sockets(const std::vector<Address>& addresses) {
  for (const Address& address : addresses) {
    if (address.is_unix()) ::unlink(address.path().c_str());
  }
}

// The main thread's work while the workers serve: signals, until all workers are done.
class Supervisor {
 public:
  Supervisor(const Signals& signals, Log& log, LogFile& log_file, LogFile* access_file)
      : signals_(signals), log_(log), log_file_(log_file), access_file_(access_file) {}

  [[nodiscard]] std::function<void()> done_callback() const {
    return [fd = done_.get()] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
    };
  }

  void watch(std::list<Worker>& workers, Duration drain_limit) {
    std::uint64_t done = 0;
    while (done < workers.size()) {
      std::array<pollfd, 2> polled = {pollfd{signals_.fd(), POLLIN, 0},
                                      pollfd{done_.get(), POLLIN, 0}};
      ::poll(polled.data(), polled.size(), -1);
      while (const int signal = signals_.take()) on_signal(signal, workers, drain_limit);
      std::uint64_t count = 0;
      if (::read(done_.get(), &count, sizeof count) > 0) done += count;
    }
  }

 private:
  void on_signal(int signal, std::list<Worker>& workers, Duration drain_limit) {
    if (signal == SIGUSR1) {
      log_file_.reopen();
      if (access_file_ != nullptr) access_file_->reopen();
      log_.info("log files reopened");
      return;
    }
    if (std::exchange(draining_, true)) {
      log_.warning("second signal: exiting at once");
      // No destructors: threads are still at work.
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      std::_Exit(kExitFailed);
    }
    log_.info("draining: up to {} s for what is in flight",
              std::chrono::duration_cast<std::chrono::seconds>(drain_limit).count());
    for (Worker& worker : workers) worker.drain(drain_limit);
  }

  const Signals& signals_;
  Log& log_;
  LogFile& log_file_;
  LogFile* access_file_;
  Fd done_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  bool draining_ = false;
};

int serve(const std::shared_ptr<const Snapshot>& snapshot, const Signals& signals) {
  LogFile log_file(snapshot->log.file);
  Log log(log_file, snapshot->log.level);
  std::optional<LogFile> own_access_file;
  LogFile* access_file = nullptr;
  if (snapshot->log.access == snapshot->log.file)
    access_file = &log_file;
  else if (snapshot->log.access != "off")
    access_file = &own_access_file.emplace(snapshot->log.access);

  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const unsigned count = snapshot->workers.count != 0 ? snapshot->workers.count : cores;
  std::vector<Address> addresses;
  auto sockets = open_listeners(*snapshot, count, log, addresses);
  if (sockets.empty()) return kExitFailed;

  Supervisor supervisor(signals, log, log_file, access_file);
  Shared shared{.snapshot = snapshot,
                .server_settings = snapshot->server,
                .listeners = {},
                .own_addresses = OwnAddresses(addresses),
                .pseudonym = make_pseudonym(snapshot->proxy),
                .upstream = UpstreamShare(snapshot->upstream),
                .log = &log,
                .access_file = access_file,
                .on_worker_done = supervisor.done_callback()};
  if (!shared.upstream.problem().empty()) {
    log.error("{}", shared.upstream.problem());
    return kExitFailed;
  }
  shared.server_settings.buffer_bytes /= count;
  for (const ListenerSettings& listener : snapshot->listeners) {
    shared.listeners.emplace_back(&listener);
  }
  std::list<Worker> workers;
  for (unsigned i = 0; i < count; ++i) workers.emplace_back(shared, i, std::move(sockets[i]));
  for (Worker& worker : workers) worker.start();
  log.info("penstock {} serving with {} worker{}", version(), count, count == 1 ? "" : "s");

  supervisor.watch(workers, snapshot->workers.drain);
  for (Worker& worker : workers) worker.join();
  remove_unix_sockets(addresses);
  if (access_file != nullptr && access_file->dropped_bytes() > 0) {
    log.warning("the access log could not keep up: {} bytes of it were dropped",
                access_file->dropped_bytes());
  }
  log.info("stopped");
  return kExitOk;
}

}  // namespace

int run_command(const RunCommand& command) {
  const auto loaded = command.config.empty() ? config::load_text("", "built-in")
                                             : config::load_file(command.config);
  print_diagnostics(loaded ? loaded->warnings : loaded.error());
  if (!loaded) return kExitFailed;
  raise_descriptor_limit();
  const Signals signals;
  return serve(loaded->snapshot, signals);
}

}  // namespace penstock

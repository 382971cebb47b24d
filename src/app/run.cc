#include "app/run.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
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

#include "app/listening.h"
#include "app/reload.h"
#include "app/service_manager.h"
#include "app/tls_files.h"
#include "app/version.h"
#include "app/worker.h"
#include "base/log.h"
#include "config/load.h"
#include "module/metrics_file.h"

namespace penstock {
namespace {

// Milliseconds between two looks at files that may change.
constexpr int kLookAtFiles = 1000;

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
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) sigaddset(&set, signal);
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

// Nobody outside can find keys whose hashes meet.
HashKey make_hash_secret() {
  std::random_device random;
  const auto number = [&random] { return std::uint64_t{random()} << 32 | random(); };
  return {.low = number(), .high = number()};
}

// The main thread's work while the workers serve: signals, until all workers are done.
class Supervisor {
 public:
  Supervisor(const Signals& signals, Log& log, LogFile& log_file, LogFile* access_file,
             ModuleLogFiles& module_files, Reload& reload)
      : signals_(signals),
        log_(log),
        log_file_(log_file),
        access_file_(access_file),
        module_files_(module_files),
        reload_(reload) {}

  [[nodiscard]] std::function<void()> done_callback() const {
    return [fd = done_.get()] {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
    };
  }

  // Until all workers are done. The certificates of the listeners are kept fresh meanwhile.
  void watch(std::list<Worker>& workers, std::list<ListenerShare>& listeners,
             Duration drain_limit) {
    std::uint64_t done = 0;
    while (done < workers.size()) {
      std::array<pollfd, 2> polled = {pollfd{signals_.fd(), POLLIN, 0},
                                      pollfd{done_.get(), POLLIN, 0}};
      ::poll(polled.data(), polled.size(), kLookAtFiles);
      refresh_certificates(listeners);
      reload_.tick();
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
      module_files_.reopen_all();
      reload_.reopen_log_files();
      log_.info("log files reopened");
      return;
    }
    if (signal == SIGHUP) {
      if (const auto generation = reload_.run()) {
        for (Worker& worker : workers) worker.adopt(generation);
      }
      return;
    }
    if (std::exchange(draining_, true)) {
      log_.warning("second signal: exiting at once");
      // No destructors: threads are still at work.
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      std::_Exit(kExitFailed);
    }
    notify_service_manager("STOPPING=1");
    log_.info("draining: up to {} s for what is in flight",
              std::chrono::duration_cast<std::chrono::seconds>(drain_limit).count());
    for (Worker& worker : workers) worker.drain(drain_limit);
  }

  void refresh_certificates(std::list<ListenerShare>& listeners) {
    const TimePoint now(std::chrono::steady_clock::now().time_since_epoch());
    for (ListenerShare& share : listeners) {
      TlsServerContext* const tls = share.entrance.tls();
      if (tls == nullptr) continue;
      for (const TlsNews& news : tls->refresh(now)) {
        const std::string text = fmt::format("{}: {}", label_of(*share.settings), news.sentence);
        if (news.warning) {
          log_.warning("{}", text);
        } else {
          log_.info("{}", text);
        }
      }
    }
  }

  const Signals& signals_;
  Log& log_;
  LogFile& log_file_;
  LogFile* access_file_;
  ModuleLogFiles& module_files_;
  Reload& reload_;
  Fd done_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  bool draining_ = false;
};

// False when a certificate or the like can't be used.
bool make_shares(const Snapshot& snapshot, unsigned workers, Shared& shared, Log& log) {
  for (const ListenerSettings& listener : snapshot.listeners) {
    ListenerShare& share = shared.listeners.emplace_back(&listener);
    auto entrance = Entrance::create(listener);
    if (!entrance) {
      log.error("{}: {}", label_of(listener), entrance.error());
      return false;
    }
    share.entrance = std::move(*entrance);
    if (TlsServerContext* const tls = share.entrance.tls()) {
      for (const std::string& warning : tls->warnings()) {
        log.warning("{}: {}", label_of(listener), warning);
      }
    }
    if (workers > 1) {
      share.spread.make_seats(workers, share.connections, listener.max_connections);
    }
  }
  return true;
}

// False: some do not end in time, or are not to be waited for.
bool finish_modules(Reload& reload, const Signals& signals, Log& log) {
  constexpr int kTurns = 50;
  constexpr Duration kTurn = std::chrono::milliseconds(200);
  for (int i = 0; i < kTurns; ++i) {
    const auto left = reload.finish(kTurn);
    if (left.empty()) return true;
    const int signal = signals.take();
    const bool leave = signal != 0 && signal != SIGHUP && signal != SIGUSR1;
    if (!leave && i + 1 < kTurns) continue;
    for (const std::string& name : left) {
      log.error("module {}: a callback does not return; leaving without it", name);
    }
    return false;
  }
  return false;
}

int serve(const std::shared_ptr<const Snapshot>& loaded, const std::string& path,
          const Signals& signals, std::vector<PassedSocket> passed) {
  const std::shared_ptr<const Snapshot> snapshot = with_service_groups(loaded);
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
  auto listening = open_listeners(snapshot->listeners, count, std::move(passed));
  if (!listening) {
    log.error("{}", listening.error());
    return kExitFailed;
  }
  for (const std::string& line : listening->lines) log.info("{}", line);
  for (const std::string& warning : listening->warnings) log.warning("{}", warning);

  LocalShare modules(log);
  const std::unique_ptr<IcapShares> icap = make_icap_shares(snapshot->icap);
  std::optional<MetricsFile> metrics_file;
  if (const ModulesSettings& settings = snapshot->modules; !settings.metrics_file.empty()) {
    auto publish = [&modules, &services = *icap] {
      return modules.metrics.publish() + metrics_text(services);
    };
    metrics_file.emplace(std::move(publish), settings.metrics_file, settings.metrics_interval, log);
  }
  std::optional<Cache> cache;
  const CacheRules cache_rules(snapshot->proxy.cache_rules);
  if (snapshot->cache.memory > 0) cache.emplace(snapshot->cache, make_hash_secret());
  Reload reload(path, count, modules, log);
  auto generation = reload.begin(loaded);
  if (!generation) return kExitFailed;

  Supervisor supervisor(signals, log, log_file, access_file, modules.log_files, reload);
  Shared shared{.snapshot = snapshot,
                .server_settings = snapshot->server,
                .listeners = {},
                .own_addresses = OwnAddresses(listening->addresses),
                .pseudonym = make_pseudonym(snapshot->proxy),
                .upstream = UpstreamShare(snapshot->upstream),
                .icap = icap.get(),
                .generation = std::move(generation),
                .modules = &modules,
                .log = &log,
                .access_file = access_file,
                .cache = cache ? &*cache : nullptr,
                .cache_rules = &cache_rules,
                .on_worker_done = supervisor.done_callback()};
  if (!shared.upstream.problem().empty()) {
    log.error("{}", shared.upstream.problem());
    return kExitFailed;
  }
  shared.server_settings.buffer_bytes /= count;
  if (!make_shares(*snapshot, count, shared, log)) return kExitFailed;
  std::list<Worker> workers;
  for (unsigned i = 0; i < count; ++i)
    workers.emplace_back(shared, i, std::move(listening->sockets[i]));
  shared.generation.reset();
  for (Worker& worker : workers) worker.start();
  log.info("penstock {} serving with {} worker{}", version(), count, count == 1 ? "" : "s");
  notify_service_manager("READY=1");

  supervisor.watch(workers, shared.listeners, snapshot->workers.drain);
  for (Worker& worker : workers) worker.join();
  if (!finish_modules(reload, signals, log)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // for the log
    std::_Exit(kExitFailed);
  }
  listening->files.clear();
  if (access_file != nullptr && access_file->dropped_bytes() > 0) {
    log.warning("the access log could not keep up: {} bytes of it were dropped",
                access_file->dropped_bytes());
  }
  log.info("stopped");
  return kExitOk;
}

}  // namespace

int run_command(const RunCommand& command) {
  auto passed = take_passed_sockets();
  const auto loaded = command.config.empty() ? config::load_text("", "built-in")
                                             : config::load_file(command.config);
  print_diagnostics(loaded ? loaded->warnings : loaded.error());
  if (!loaded) return kExitFailed;
  raise_descriptor_limit();
  const Signals signals;
  return serve(loaded->snapshot, command.config, signals, std::move(passed));
}

}  // namespace penstock

#include "helper/helper_service.h"

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace penstock {
namespace {

class RingReturnPath final : public ReturnPath {
 public:
  RingReturnPath(std::shared_ptr<HelperLink> link, unsigned worker, unsigned lane)
      : link_(std::move(link)), writer_(link_->replies(worker, lane), {link_->bell(worker)}) {}

  Result<void> reply(std::uint64_t id, Payload payload) override {
    const std::lock_guard lock(mutex_);
    return writer_.write_blocking(id, payload.parts());
  }
  Result<void> send(Payload payload) override { return reply(0, std::move(payload)); }

 private:
  std::shared_ptr<HelperLink> link_;
  std::mutex mutex_;
  RingWriter writer_;
};

class RingSeat final : public HelperSeat {
 public:
  RingSeat(const HelperLink& link, unsigned worker, unsigned lane, std::shared_ptr<ReturnPath> path)
      : reader_(link.requests(worker, lane), {link.bell(worker)}), path_(std::move(path)) {}

  std::optional<HelperRequest> receive() override {
    RingMessage message;
    const auto got = reader_.wait(message);
    if (!got) std::fputs("what the proxy has sent cannot be understood\n", stderr);
    if (!got || !*got) return std::nullopt;
    return HelperRequest{.id = message.tag, .bytes = std::move(message.bytes), .path = path_};
  }

 private:
  RingReader reader_;
  std::shared_ptr<ReturnPath> path_;
};

void do_nothing(int /*signal*/) {}

int reopen_fd = -1;  // as long as the process

void ring_to_reopen(int /*signal*/) {
  const int before = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(reopen_fd, &one, sizeof one);
  errno = before;
}

// Service managers and terminals tell a whole group of processes what is meant for the proxy.
// Handlers, unlike ignored signals, are not passed on to programs that a module starts.
void leave_signals_to_the_proxy() {
  struct sigaction action{};
  action.sa_handler = do_nothing;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
    ::sigaction(signal, &action, nullptr);
  }
  reopen_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  action.sa_handler = ring_to_reopen;
  ::sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

HelperService::HelperService(std::shared_ptr<HelperLink> link) : link_(std::move(link)) {
  for (unsigned worker = 0; worker < link_->shape().workers; ++worker) {
    paths_.push_back(std::make_shared<RingReturnPath>(link_, worker, 0));
  }
}

Result<std::unique_ptr<HelperService>> HelperService::open() {
  auto link = HelperLink::open();
  if (!link) return fail(link.error());
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  // It may have died before that.
  if (::getppid() != (*link)->parent()) std::_Exit(EXIT_FAILURE);
  // Else it would be called "exe".
  ::prctl(PR_SET_NAME, "penstock-helper");
  leave_signals_to_the_proxy();
  return std::unique_ptr<HelperService>(new HelperService(std::move(*link)));
}

int HelperService::reopen_bell() { return reopen_fd; }

void HelperService::run(const Work& work) {
  link_->tell_ready();
  std::vector<std::thread> threads;
  for (unsigned worker = 0; worker < link_->shape().workers; ++worker) {
    for (unsigned lane = 0; lane < link_->shape().lanes; ++lane) {
      auto path =
          lane == 0 ? paths_[worker] : std::make_shared<RingReturnPath>(link_, worker, lane);
      threads.emplace_back([this, &work, worker, lane, path = std::move(path)]() mutable {
        RingSeat seat(*link_, worker, lane, std::move(path));
        work(seat);
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace penstock

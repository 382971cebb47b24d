#include "upstream/happy_eyeballs.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "async/event.h"
#include "async/scope.h"
#include "async/wait.h"

namespace penstock {
namespace {

TimePoint attempt_deadline(Network& network, const ConnectLimits& limits) {
  return std::min(limits.deadline, deadline_after(network.executor().now(), limits.attempt));
}

// How much an attempt's error tells about why there is no connection.
int weight_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::cancelled:
      return 5;
    case ErrorKind::overloaded:
      return 4;
    case ErrorKind::refused:
      return 3;
    case ErrorKind::timed_out:
      return 2;
    case ErrorKind::unreachable:
      return 0;
    default:
      return 1;
  }
}

// The attempts under way and what came of them. In the frame of connect_first().
class Race {
 public:
  Race(Network& network, std::span<const Address> addresses, const ConnectLimits& limits,
       TaskContext& context)
      : network_(&network), addresses_(addresses), limits_(limits), scope_(context) {}

  // An attempt to come: there is an address left, time, and a point in trying.
  [[nodiscard]] bool may_start() const {
    return !won_ && next_ < addresses_.size() && !hopeless_ && !scope_.cancelled() && !time_is_up();
  }
  [[nodiscard]] bool is_over() const { return won_ || (running_ == 0 && !may_start()); }
  // The newest attempt has failed, or has had its time.
  [[nodiscard]] bool is_due() const { return newest_failed_ || now() >= next_start_; }

  void start_next() {
    next_start_ = deadline_after(now(), limits_.stagger);
    newest_failed_ = false;
    ++running_;
    scope_.spawn(attempt(*this, next_++));
  }
  // Something may be to be done.
  Task<void> wait() {
    changed_.reset();
    const Result<void> waited = co_await wait_until(changed_, may_start() ? next_start_ : kNever);
    // Attempts notice a cancellation by themselves, and end.
    if (!waited && waited.error().kind == ErrorKind::cancelled) co_await scope_.join();
  }
  // The losers are cancelled, and closed if they have just connected.
  Task<Result<Connected>> end() {
    scope_.cancel();
    co_await scope_.join();
    if (!won_) co_return fail(error_);
    co_return std::move(*won_);
  }

 private:
  static Task<void> attempt(Race& race, std::size_t index) {
    const TimePoint deadline = attempt_deadline(*race.network_, race.limits_);
    auto stream = co_await race.network_->connect(race.addresses_[index], deadline);
    --race.running_;
    if (!stream) {
      race.note_failure(stream.error(), index);
    } else if (!race.won_) {
      race.won_ = Connected{.stream = std::move(*stream), .index = index};
    }
    race.changed_.set();
  }
  void note_failure(const Error& error, std::size_t index) {
    if (!failed_ || weight_of(error.kind) >= weight_of(error_.kind)) error_ = error;
    failed_ = true;
    if (error.kind == ErrorKind::overloaded) hopeless_ = true;
    if (index + 1 == next_) newest_failed_ = true;
  }
  [[nodiscard]] TimePoint now() const { return network_->executor().now(); }
  // The first attempt is made in any case: its error says what happened.
  [[nodiscard]] bool time_is_up() const { return next_ > 0 && now() >= limits_.deadline; }

  Network* network_;
  std::span<const Address> addresses_;
  ConnectLimits limits_;
  std::size_t next_ = 0;  // the address of the next attempt
  std::size_t running_ = 0;
  TimePoint next_start_{};
  bool newest_failed_ = true;  // before the first there is nothing to wait for
  bool hopeless_ = false;
  bool failed_ = false;
  Error error_{.kind = ErrorKind::cancelled, .side = Side::server, .retryable = true};
  std::optional<Connected> won_;
  Event changed_;
  Scope scope_;
};

}  // namespace

Task<Result<Connected>> connect_first(Network& network, std::span<const Address> addresses,
                                      ConnectLimits limits) {
  if (addresses.size() == 1) {
    auto stream = co_await network.connect(addresses.front(), attempt_deadline(network, limits));
    if (!stream) co_return fail(stream.error());
    co_return Connected{.stream = std::move(*stream), .index = 0};
  }
  Race race(network, addresses, limits, co_await this_context());
  while (!race.is_over()) {
    if (race.may_start() && race.is_due()) {
      race.start_next();
    } else {
      co_await race.wait();
    }
  }
  co_return co_await race.end();
}

}  // namespace penstock

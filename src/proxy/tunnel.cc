#include "proxy/tunnel.h"

#include <limits>

#include "async/scope.h"

namespace penstock {
namespace {

struct Tunnel {
  Scope& scope;
  Duration idle;
  TunnelTraffic& traffic;
  Result<void> result{};

  [[nodiscard]] std::uint64_t moved() const { return traffic.up + traffic.down; }
};

Task<Result<void>> flush_input(TunnelEnd from, TunnelEnd to, Duration idle, std::uint64_t& count) {
  Executor& executor = (co_await this_context()).executor();
  const Slice waiting = from.input->take(from.input->size());
  if (waiting.empty()) co_return Result<void>{};
  iovec part = to_iovec(waiting.view());
  const auto written = co_await write_all(*to.stream, {&part, 1}, executor.now(), idle);
  if (!written) co_return fail(written.error());
  count += *written;
  co_return Result<void>{};
}

Task<Result<void>> move_all(Tunnel& tunnel, TunnelEnd from, TunnelEnd to, std::uint64_t& count) {
  const auto flushed = co_await flush_input(from, to, tunnel.idle, count);
  if (!flushed) co_return flushed;
  while (true) {
    const std::uint64_t before = tunnel.moved();
    Relayed relayed{.counter = &count};
    const auto done = co_await from.stream->relay(
        *to.stream, std::numeric_limits<std::uint64_t>::max(), tunnel.idle, relayed);
    // Silence in one direction is no reason to end a tunnel that is busy in the other.
    const bool only_quiet = !done && done.error().kind == ErrorKind::timed_out &&
                            relayed.source_failed && tunnel.moved() != before;
    if (!only_quiet) co_return done;
  }
}

Task<void> run_direction(Tunnel& tunnel, TunnelEnd from, TunnelEnd to, std::uint64_t& count) {
  const auto done = co_await move_all(tunnel, from, to, count);
  if (done) {
    to.stream->shutdown_write();
    co_return;
  }
  if (tunnel.result) tunnel.result = done;
  from.stream->set_abortive();
  to.stream->set_abortive();
  tunnel.scope.cancel();
}

}  // namespace

Task<Result<void>> run_tunnel(TunnelEnd first, TunnelEnd second, Duration idle,
                              TunnelTraffic& traffic) {
  Scope scope(co_await this_context());
  Tunnel tunnel{scope, idle, traffic};
  scope.spawn(run_direction(tunnel, first, second, traffic.up));
  scope.spawn(run_direction(tunnel, second, first, traffic.down));
  co_await scope.join();
  co_return tunnel.result;
}

}  // namespace penstock

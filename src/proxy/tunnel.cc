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

struct Direction {
  TunnelEnd from;
  TunnelEnd to;
  Side from_side;
  Side to_side;
  std::uint64_t& count;
};

// What was read before the tunnel began. Not inlined, or its frame would be part of the
// direction's, which idle tunnels keep.
[[gnu::noinline]] Task<Result<void>> send_input(Tunnel& tunnel, const Direction& way) {
  Executor& executor = tunnel.scope.context().executor();
  const Slice waiting = way.from.input->take(way.from.input->size());
  iovec part = to_iovec(waiting.view());
  WriteOp write = write_all(*way.to.stream, {&part, 1}, executor.now(), tunnel.idle);
  write.count_into(way.count);
  const auto written = co_await write;
  if (!written) co_return fail(written.error().at(way.to_side));
  co_return Result<void>{};
}

Task<Result<void>> move_all(Tunnel& tunnel, const Direction& way) {
  if (!way.from.input->empty()) {
    const auto sent = co_await send_input(tunnel, way);
    if (!sent) co_return sent;
  }
  while (true) {
    const std::uint64_t before = tunnel.moved();
    Relayed relayed{.counter = &way.count};
    const auto done = co_await way.from.stream->relay(
        *way.to.stream, std::numeric_limits<std::uint64_t>::max(), tunnel.idle, relayed);
    if (done) co_return done;
    const bool quiet = relayed.source_failed && done.error().kind == ErrorKind::timed_out;
    if (!quiet)
      co_return fail(done.error().at(relayed.source_failed ? way.from_side : way.to_side));
    // Silence in one direction is no reason to end a tunnel that is busy in the other.
    if (tunnel.moved() == before) co_return done;
  }
}

Task<void> run_direction(Tunnel& tunnel, Direction way) {
  const auto done = co_await move_all(tunnel, way);
  if (done) {
    way.to.stream->shutdown_write();
    co_return;
  }
  if (tunnel.result) tunnel.result = done;
  way.from.stream->set_abortive();
  way.to.stream->set_abortive();
  tunnel.scope.cancel();
}

}  // namespace

Task<Result<void>> run_tunnel(TunnelEnd first, TunnelEnd second, Duration idle,
                              TunnelTraffic& traffic) {
  Scope scope(co_await this_context());
  Tunnel tunnel{scope, idle, traffic};
  scope.spawn(run_direction(tunnel, {first, second, Side::client, Side::server, traffic.up}));
  scope.spawn(run_direction(tunnel, {second, first, Side::server, Side::client, traffic.down}));
  co_await scope.join();
  co_return tunnel.result;
}

}  // namespace penstock

#include "upstream/server_connection.h"

#include <algorithm>
#include <chrono>

#include "upstream/hop_share.h"

namespace penstock {
namespace {

// A request must not meet the server's close half-way: this much of the server's patience is left.
constexpr Duration kMargin = std::chrono::seconds(1);

Duration with_margin(Duration patience) { return patience - std::min(patience / 2, kMargin); }

}  // namespace

ConnectionPlace::~ConnectionPlace() {
  if (of_) of_->connection_closed();
}

void ServerConnection::become_idle(TimePoint now, Duration limit, Watcher& watcher) {
  if (server_idle_ > Duration::zero()) limit = std::min(limit, with_margin(server_idle_));
  keep_until_ = now + limit;
  watcher_ = &watcher;
  stream_->observe(this);
  // What came before the observer was set is not told again.
  if (stream_->has_pending_input()) on_stream_event(false);
}

void ServerConnection::become_busy() {
  stream_->observe(nullptr);
  watcher_ = nullptr;
}

void ServerConnection::on_stream_event(bool /*broken*/) {
  if (dead_) return;
  dead_ = true;
  watcher_->on_idle_connection_dead();
}

}  // namespace penstock

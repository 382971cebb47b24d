#include "upstream/server_connection.h"

namespace penstock {

void ServerConnection::become_idle(TimePoint now, Watcher& watcher) {
  idle_since_ = now;
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

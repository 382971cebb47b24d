#include "upstream/endpoint.h"

#include <algorithm>
#include <utility>

namespace penstock {

bool Endpoint::usable(const ServerConnection& connection, TimePoint now) const {
  if (retired_ || connection.dead() || now > connection.keep_until()) return false;
  if (settings_->max_age > Duration::zero() && now - connection.opened() > settings_->max_age) {
    return false;
  }
  return std::ranges::find(addresses_, connection.address()) != addresses_.end();
}

std::unique_ptr<ServerConnection> Endpoint::take_idle(TimePoint now) {
  while (!idle_.empty()) {
    std::unique_ptr<ServerConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    connection->become_busy();
    if (usable(*connection, now)) return connection;
  }
  return nullptr;
}

bool Endpoint::keep(std::unique_ptr<ServerConnection> connection, TimePoint now,
                    ServerConnection::Watcher& watcher) {
  if (idle_.size() >= settings_->max_idle) return false;
  const bool worn = connection->worn() || (settings_->max_requests != 0 &&
                                           connection->requests() >= settings_->max_requests);
  connection->become_idle(now, settings_->idle, watcher);
  if (worn || !usable(*connection, now)) {
    connection->become_busy();
    return false;
  }
  idle_.push_back(std::move(connection));
  return true;
}

bool Endpoint::may_stay(TimePoint now) const {
  if (!share_ || share_->group().waiting() == 0) return true;
  const bool full = share_->full() || share_->group().full();
  if (full && room_ != nullptr && room_->give_way(now)) return false;
  if (room_ != nullptr && room_->call(share_.get())) return true;
  return !full;
}

std::size_t Endpoint::sweep(TimePoint now) {
  return std::erase_if(idle_, [&](const auto& connection) { return !usable(*connection, now); });
}

std::size_t Endpoint::close_all() {
  const std::size_t count = idle_.size();
  idle_.clear();
  return count;
}

std::size_t Endpoint::close_oldest() {
  if (idle_.empty()) return 0;
  idle_.erase(idle_.begin());
  return 1;
}

}  // namespace penstock

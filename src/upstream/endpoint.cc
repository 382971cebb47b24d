#include "upstream/endpoint.h"

#include <algorithm>
#include <utility>

#include "upstream/http2_session.h"

namespace penstock {

bool Endpoint::leads_to(const Address& address) const {
  return !retired_ && std::ranges::find(addresses_, address) != addresses_.end();
}

void Endpoint::retire() {
  retired_ = true;
  room_ = nullptr;
  end_sessions();
}

bool Endpoint::usable(const ServerConnection& connection, TimePoint now) const {
  if (connection.dead() || now > connection.keep_until()) return false;
  if (settings_->max_age > Duration::zero() && now - connection.opened() > settings_->max_age) {
    return false;
  }
  return leads_to(connection.address());
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
  if (!share_) return true;
  if (share_->beyond_bound()) return false;
  if (share_->group().waiting() == 0) return true;
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

std::shared_ptr<Http2Session> Endpoint::session_with_room(TimePoint now) const {
  // The first ones do the work, so that the others grow old and end.
  const auto found = std::ranges::find_if(
      sessions_, [now](const auto& session) { return session->has_room(now); });
  return found != sessions_.end() ? *found : nullptr;
}

void Endpoint::remove(const Http2Session& session) {
  std::erase_if(sessions_, [&session](const auto& one) { return one.get() == &session; });
}

bool Endpoint::has(const Http2Session& session) const {
  return std::ranges::any_of(sessions_,
                             [&session](const auto& one) { return one.get() == &session; });
}

void Endpoint::end_sessions() {
  for (const auto& session : sessions_) session->shut_down();
}

// Those who wait here may all have been called while it was in use: they are about to look.
bool Endpoint::session_may_stay(TimePoint now) const {
  if (may_stay(now)) return true;
  return room_ != nullptr && !room_->gives_way() && room_->anybody_waits();
}

bool Endpoint::end_unused_session() {
  const auto found = std::ranges::find_if(sessions_, [](const auto& session) {
    return session->unused() && session->connection() != nullptr &&
           !session->connection()->ending_soon();
  });
  if (found == sessions_.end()) return false;
  (*found)->shut_down();
  return true;
}

void Endpoint::on_room_in_session() {
  if (room_ != nullptr && share_ && share_->group().waiting() > 0) room_->call(share_.get());
}

void Endpoint::end_opening(const Result<void>& outcome) {
  --opening_;
  if (outcome) ++opened_;
  last_opening_ = outcome;
  opening_ended_.set();
  opening_ended_.reset();
}

Task<Result<void>> Endpoint::wait_for_opening() {
  const std::uint64_t opened_before = opened_;
  ++waiting_;
  bool told = true;
  while (told && opening_ > 0 && opened_ == opened_before) {
    told = co_await opening_ended_.wait();
  }
  --waiting_;
  if (!told) co_return fail({.kind = ErrorKind::cancelled, .side = Side::server});
  if (opened_ != opened_before) co_return Result<void>{};
  co_return last_opening_;
}

}  // namespace penstock

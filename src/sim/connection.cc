#include "sim/connection.h"

#include <algorithm>

#include "sim/stream.h"

namespace penstock {

void ByteQueue::drop_front(std::size_t n) {
  begin_ += n;
  if (begin_ == bytes_.size()) {
    bytes_.clear();
    begin_ = 0;
  } else if (begin_ > 64 * 1024) {
    bytes_.erase(0, begin_);
    begin_ = 0;
  }
}

std::shared_ptr<SimConnection> SimConnection::create(SimWorld& world, const Faults& faults,
                                                     const Fate& fate) {
  auto connection = std::make_shared<SimConnection>(world, faults, fate);
  for (const End sender : {kConnecting, kAccepting}) {
    // A connection that breaks before its first byte does not wait for one.
    if (connection->directions_[sender].fate.reset_after == 0) connection->schedule_arrival(sender);
  }
  return connection;
}

SimConnection::SimConnection(SimWorld& world, const Faults& faults, const Fate& fate)
    : world_(&world),
      faults_(faults),
      random_(world.random().fork()),
      id_(++world.connections_made_) {
  for (Direction& direction : directions_) {
    direction.capacity = random_.skewed(faults.min_buffer, faults.max_buffer);
  }
  directions_[kConnecting].fate = fate.up;
  directions_[kAccepting].fate = fate.down;
  world.connections_.push_back(*this);
}

TimePoint SimConnection::after_latency() {
  return world_->now() + random_.between(faults_.latency.min, faults_.latency.max);
}

std::size_t SimConnection::bytes_held() const {
  std::size_t bytes = 0;
  for (const Direction& direction : directions_) {
    bytes += direction.on_the_way.size() + direction.arrived.size();
  }
  return bytes;
}

void SimConnection::trace(std::string_view what, End end, std::uint64_t number) {
  world_->trace(what, id_ * 2 + end, number);
}

void SimConnection::later(void (SimConnection::*what)(End), End end) {
  world_->call_at(after_latency(),
                  [self = shared_from_this(), what, end] { (self.get()->*what)(end); });
}

// ---- What the streams do.

void SimConnection::detach(End end, bool abortive) {
  EndState& state = ends_[end];
  state.stream = nullptr;
  state.closed = true;
  if (state.broken) return;
  Direction& incoming = direction_to(end);
  const bool unread = !incoming.arrived.empty();
  incoming.arrived.truncate(0);
  if (!abortive && !unread) return send_fin(end);
  Direction& outgoing = directions_[end];
  outgoing.on_the_way.truncate(random_.between(0, outgoing.on_the_way.size()));
  send_reset(end);
}

std::size_t SimConnection::send(End end, std::string_view bytes) {
  Direction& direction = directions_[end];
  const std::size_t held = direction.on_the_way.size() + direction.arrived.size();
  const std::size_t taken = std::min(bytes.size(), direction.capacity - held);
  if (taken == 0) return 0;
  direction.on_the_way.push(bytes.substr(0, taken));
  schedule_arrival(end);
  return taken;
}

void SimConnection::send_fin(End end) {
  Direction& direction = directions_[end];
  if (direction.tail != Tail::open) return;
  direction.tail = Tail::fin;
  schedule_arrival(end);
}

bool SimConnection::readable(End end) const {
  const Direction& direction = direction_to(end);
  return !direction.arrived.empty() || direction.fin_arrived || ends_[end].broken;
}

std::string_view SimConnection::arrived(End end) const {
  const ByteQueue& queue = direction_to(end).arrived;
  return queue.front(queue.size());
}

void SimConnection::consume(End end, std::size_t n) {
  direction_to(end).arrived.drop_front(n);
  trace("read", end, n);
  // There is room for the other side to write again; it takes a while until it knows.
  const End sender = other(end);
  if (ends_[sender].stream != nullptr && ends_[sender].stream->wants_to_write()) {
    retry_later(sender);
  }
}

void SimConnection::retry_later(End end) {
  if (ends_[end].retry_due) return;
  ends_[end].retry_due = true;
  later(&SimConnection::retry, end);
}

void SimConnection::retry(End end) {
  ends_[end].retry_due = false;
  if (ends_[end].stream != nullptr) ends_[end].stream->retry();
}

// ---- What is on its way.

void SimConnection::schedule_arrival(End sender) {
  Direction& direction = directions_[sender];
  if (direction.arrival_due || direction.dead) return;
  direction.arrival_due = true;
  later(&SimConnection::arrive, sender);
}

void SimConnection::arrive(End sender) {
  Direction& direction = directions_[sender];
  direction.arrival_due = false;
  if (direction.dead) return;
  const End receiver = other(sender);
  if (direction.total >= direction.fate.reset_after) return reset_both(sender);
  if (direction.total >= direction.fate.stall_after) return;

  const std::uint64_t before = direction.total;
  if (ends_[receiver].closed) {
    if (direction.on_the_way.empty()) return;
    direction.dead = true;
    direction.on_the_way.truncate(0);
    return send_reset(receiver);
  }
  move_fragment(direction);
  const bool bytes_came = direction.total != before;
  if (bytes_came) trace("arrive", receiver, direction.total - before);
  bool fin_came = false;
  if (direction.total < direction.fate.stall_after) {
    const bool more =
        !direction.on_the_way.empty() || direction.total >= direction.fate.reset_after;
    // What follows the last bytes comes with them or by itself.
    if (more || (bytes_came && direction.tail != Tail::open && random_.chance(faults_.fragment))) {
      schedule_arrival(sender);
    } else if (direction.tail == Tail::reset) {
      return receive_reset(receiver);
    } else if (direction.tail == Tail::fin && !direction.fin_arrived) {
      direction.fin_arrived = fin_came = true;
      trace("fin", receiver, direction.total);
    }
  }
  SimStream* stream = ends_[receiver].stream;
  if ((bytes_came || fin_came) && stream != nullptr) stream->on_input(false);
}

void SimConnection::move_fragment(Direction& direction) {
  std::uint64_t n = direction.on_the_way.size();
  if (n > 1 && random_.chance(faults_.fragment)) n = random_.skewed(1, n);
  const std::uint64_t fate = std::min(direction.fate.reset_after, direction.fate.stall_after);
  n = std::min(n, fate - direction.total);
  direction.arrived.push(direction.on_the_way.front(n));
  direction.on_the_way.drop_front(n);
  direction.total += n;
}

// The network breaks the connection: both ends learn of it, each in its time.
void SimConnection::reset_both(End sender) {
  later(&SimConnection::receive_reset, sender);
  receive_reset(other(sender));
}

void SimConnection::send_reset(End sender) {
  directions_[sender].tail = Tail::reset;
  schedule_arrival(sender);
}

void SimConnection::receive_reset(End receiver) {
  EndState& state = ends_[receiver];
  if (state.broken) return;
  state.broken = true;
  Direction& incoming = direction_to(receiver);
  Direction& outgoing = directions_[receiver];
  incoming.dead = outgoing.dead = true;
  incoming.on_the_way.truncate(0);
  outgoing.on_the_way.truncate(0);
  if (!incoming.arrived.empty() && random_.chance(faults_.lose_unread)) {
    incoming.arrived.truncate(0);
    incoming.fin_arrived = false;
  }
  trace("reset", receiver, incoming.arrived.size());
  if (state.stream != nullptr) state.stream->on_input(true);
}

}  // namespace penstock

#include "module/remote_host.h"

#include <optional>
#include <utility>

namespace penstock {

RemoteHost::~RemoteHost() {
  for (auto& [key, one] : transactions_) one->free();
  for (auto& [number, one] : connections_) {
    if (one.begun) one.begun->free();
  }
}

void RemoteHost::work(HelperSeat& seat, const Other& other) {
  while (const std::optional<HelperRequest> request = seat.receive()) handle(*request, other);
}

std::shared_ptr<RemoteTransaction> RemoteHost::transaction(std::uint64_t number, bool first) {
  const std::lock_guard lock(mutex_);
  const auto at = transactions_.find(number);
  if (at != transactions_.end()) return at->second;
  if (!first) return nullptr;
  return transactions_.emplace(number, std::make_shared<RemoteTransaction>(*instance_, hold_limit_))
      .first->second;
}

void RemoteHost::end_transaction(std::uint64_t number, std::uint64_t connection) {
  std::shared_ptr<RemoteTransaction> ended;
  {
    const std::lock_guard lock(mutex_);
    auto node = transactions_.extract(number);
    if (node) ended = std::move(node.mapped());
  }
  if (ended) ended->free();
  if (connection == 0) return;
  std::unique_lock lock(mutex_);
  ++connections_[connection].ended;
  end_connection(connection, std::move(lock));
}

void* RemoteHost::connection_opaque(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto at = connections_.find(number);
  return at != connections_.end() && at->second.begun ? at->second.begun->opaque() : nullptr;
}

void RemoteHost::end_connection(std::uint64_t number, std::unique_lock<std::mutex> lock) {
  const auto at = connections_.find(number);
  const Connection& connection = at->second;
  if (!connection.all || connection.ended < *connection.all) return;
  const std::shared_ptr<RemoteConnection> ended = connection.begun;
  connections_.erase(at);
  lock.unlock();
  if (ended) ended->free();
}

void RemoteHost::handle(const HelperRequest& request, const Other& other) {
  WireReader in(request.bytes);
  const auto kind = in.take<WireKind>();
  switch (kind) {
    case WireKind::call:
      return handle_call(in, request, true);
    case WireKind::note:
      return handle_call(in, request, false);
    case WireKind::free: {
      const auto number = in.take<std::uint64_t>();
      return end_transaction(number, in.take<std::uint64_t>());
    }
    case WireKind::connection:
      return handle_connection(in, request);
    case WireKind::connection_free: {
      const auto number = in.take<std::uint64_t>();
      std::unique_lock lock(mutex_);
      connections_[number].all = in.take<std::uint64_t>();
      return end_connection(number, std::move(lock));
    }
    default:
      if (other) other(request.bytes);
  }
}

void RemoteHost::handle_call(WireReader& in, const HelperRequest& request, bool answered) {
  const auto number = in.take<std::uint64_t>();
  const bool first = in.take<std::uint8_t>() != 0;
  const auto connection = in.take<std::uint64_t>();
  const std::shared_ptr<RemoteTransaction> called = transaction(number, first);
  std::optional<std::string> result;
  if (called) result = called->handle(in, request.path, connection_opaque(connection));
  if (!answered) return;
  // Of more edits than fit nothing is done; nothing is the worst that may become of them.
  if (!result || result->size() > kMaxChannelMessage) {
    WireWriter out;
    result = out.put(static_cast<std::int32_t>(PENSTOCK_ERROR)).take();
  }
  static_cast<void>(request.path->reply(request.id, Payload(std::move(*result))));
}

void RemoteHost::handle_connection(WireReader& in, const HelperRequest& request) {
  const auto number = in.take<std::uint64_t>();
  auto connection = std::make_shared<RemoteConnection>(*instance_, in.take<std::uint64_t>());
  const std::int32_t result = connection->begin(in);
  {
    const std::lock_guard lock(mutex_);
    connections_[number].begun = std::move(connection);
  }
  WireWriter out;
  static_cast<void>(request.path->reply(request.id, Payload(out.put(result).take())));
}

}  // namespace penstock

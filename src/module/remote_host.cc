#include "module/remote_host.h"

#include <optional>
#include <utility>

namespace penstock {

RemoteHost::~RemoteHost() {
  for (auto& [key, one] : transactions_) one->free();
  for (auto& [id, one] : connections_) one->free();
}

void RemoteHost::work(HelperSeat& seat, const Other& other) {
  while (const std::optional<HelperRequest> request = seat.receive()) handle(*request, other);
}

std::shared_ptr<RemoteTransaction> RemoteHost::transaction(std::uint64_t key, bool first) {
  const std::lock_guard lock(mutex_);
  const auto at = transactions_.find(key);
  if (at != transactions_.end()) return at->second;
  if (!first) return nullptr;
  return transactions_.emplace(key, std::make_shared<RemoteTransaction>(*instance_, hold_limit_))
      .first->second;
}

void* RemoteHost::connection_opaque(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const auto at = connections_.find(id);
  return at != connections_.end() ? at->second->opaque() : nullptr;
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
      std::shared_ptr<RemoteTransaction> ended;
      {
        const std::lock_guard lock(mutex_);
        auto node = transactions_.extract(in.take<std::uint64_t>());
        if (node) ended = std::move(node.mapped());
      }
      if (ended) ended->free();
      return;
    }
    case WireKind::connection:
      return handle_connection(in, request);
    case WireKind::connection_free: {
      std::shared_ptr<RemoteConnection> ended;
      {
        const std::lock_guard lock(mutex_);
        auto node = connections_.extract(in.take<std::uint64_t>());
        if (node) ended = std::move(node.mapped());
      }
      if (ended) ended->free();
      return;
    }
    default:
      if (other) other(request.bytes);
  }
}

void RemoteHost::handle_call(WireReader& in, const HelperRequest& request, bool answered) {
  const auto key = in.take<std::uint64_t>();
  const bool first = in.take<std::uint8_t>() != 0;
  const auto connection = in.take<std::uint64_t>();
  const std::shared_ptr<RemoteTransaction> called = transaction(key, first);
  std::optional<std::string> result;
  if (called) result = called->handle(in, request.path, connection_opaque(connection));
  if (!answered) return;
  if (!result) {
    // A helper that was started anew knows nothing of transactions of before.
    WireWriter out;
    result = out.put(static_cast<std::int32_t>(PENSTOCK_ERROR)).take();
  }
  static_cast<void>(request.path->reply(request.id, Payload(std::move(*result))));
}

void RemoteHost::handle_connection(WireReader& in, const HelperRequest& request) {
  const auto id = in.take<std::uint64_t>();
  auto connection = std::make_shared<RemoteConnection>(*instance_, id);
  const std::int32_t result = connection->begin(in);
  {
    const std::lock_guard lock(mutex_);
    connections_[id] = std::move(connection);
  }
  WireWriter out;
  static_cast<void>(request.path->reply(request.id, Payload(out.put(result).take())));
}

}  // namespace penstock

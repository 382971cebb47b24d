#include "server/server.h"

#include <chrono>
#include <utility>

namespace penstock {
namespace {
// How soon a listener at its bound looks whether another worker has made room.
constexpr Duration kLookAgain = std::chrono::milliseconds(20);

std::uint64_t next_connection_id() {
  static std::atomic<std::uint64_t> last = 0;
  // Each thread takes a run of numbers, so that the counter is not fought over.
  static constexpr std::uint64_t kRun = 1024;
  thread_local std::uint64_t next = 0;
  thread_local std::uint64_t end = 0;
  if (next == end) {
    next = last.fetch_add(kRun, std::memory_order_relaxed) + 1;
    end = next + kRun;
  }
  return next++;
}

}  // namespace

Server::Server(Executor& executor, const ServerSettings& settings, ListenerShare& share,
               Handler& handler)
    : executor_(&executor),
      settings_(&settings),
      share_(&share),
      handler_(&handler),
      only_local_(Address::parse(share.settings->address).value_or(Address()).is_loopback()),
      scope_(executor) {}

void Server::on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                       const Address& local) {
  if (draining_) return;
  ClientInfo client{.connection_id = next_connection_id(),
                    .peer = peer,
                    .local = local,
                    .listener = share_->settings,
                    .listener_is_local = only_local_};
  auto connection = std::make_unique<ClientConnection>(std::move(stream), std::move(client),
                                                       *settings_, draining_, *handler_);
  connections_.push_back(*connection);
  const std::size_t now_open = share_->connections.fetch_add(1, std::memory_order_relaxed) + 1;
  if (now_open >= share_->settings->max_connections && !paused_ && listener_ != nullptr) {
    paused_ = true;
    listener_->pause();
    executor_->timers().arm(*this, executor_->now() + kLookAgain);
  }
  scope_.spawn(run(*this, std::move(connection)));
}

Task<void> Server::run(Server& server, std::unique_ptr<ClientConnection> connection) {
  co_await connection->run();
  server.share_->connections.fetch_sub(1, std::memory_order_relaxed);
}

void Server::on_timer() {
  if (draining_ || listener_ == nullptr) return;
  if (share_->connections.load(std::memory_order_relaxed) < share_->settings->max_connections) {
    paused_ = false;
    listener_->resume();
  } else {
    executor_->timers().arm(*this, executor_->now() + kLookAgain);
  }
}

void Server::drain() {
  draining_ = true;
  connections_.for_each([](ClientConnection& connection) { connection.end_if_idle(); });
}

}  // namespace penstock

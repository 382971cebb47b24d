#include "server/server.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "tls/accept.h"

namespace penstock {
namespace {
// How soon a listener at its bound looks whether another worker has made room.
constexpr Duration kLookAgain = std::chrono::milliseconds(20);

// Of one that systemd opens nothing is known before it is there.
bool may_be_local(const std::string& address) {
  const auto parsed = Address::parse(address);
  return !parsed || parsed->is_loopback();
}

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
               Handlers handlers, Log* log)
    : executor_(&executor),
      settings_(&settings),
      share_(&share),
      handlers_(handlers),
      log_(log),
      // Netfilter brings connections from anywhere also to a loopback address.
      only_local_(share.settings->interception == Interception::none &&
                  std::ranges::all_of(share.settings->addresses, may_be_local)),
      scope_(executor) {}

void Server::add_listener(Listener& listener) {
  listeners_.push_back(&listener);
  only_local_ = only_local_ && listener.local_address().is_loopback();
}

void Server::on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                       const Address& local) {
  if (draining_) return;
  const ListenerSettings& listener = *share_->settings;
  ClientInfo client{.connection_id = next_connection_id(),
                    .peer = peer,
                    .local = local,
                    .listener = &listener,
                    .listener_is_local = only_local_,
                    .intercepted = listener.interception != Interception::none,
                    .facts = {}};
  if (share_->entrance.open() && listener.mode != ListenerMode::tcp) {
    return begin_http1(std::move(stream), {}, std::move(client), take_place());
  }
  Arrival arrival{
      .stream = std::move(stream), .client = std::move(client), .accepted = executor_->now()};
  if (share_->entrance.open()) return begin(std::move(arrival), take_place());
  scope_.spawn(enter(*this, std::move(arrival), take_place()));
}

Server::Place Server::take_place() {
  if (seat_ != nullptr) seat_->opened(executor_->now());
  const std::size_t now_open = share_->connections.fetch_add(1, std::memory_order_relaxed) + 1;
  if (now_open >= share_->settings->max_connections && !paused_ && !listeners_.empty()) {
    paused_ = true;
    for (Listener* const listener : listeners_) listener->pause();
    executor_->timers().arm(*this, executor_->now() + kLookAgain);
  }
  return Place(*this);
}

void Server::give_back_place() {
  if (seat_ != nullptr) seat_->closed();
  share_->connections.fetch_sub(1, std::memory_order_relaxed);
}

Task<void> Server::enter(Server& server, Arrival arrival, Place place) {
  const TimePoint deadline =
      deadline_after(server.executor_->now(), server.settings_->client_handshake);
  std::string reason;
  const auto passed = co_await server.share_->entrance.pass(arrival, deadline, reason);
  if (passed) {
    server.begin(std::move(arrival), std::move(place));
  } else if (passed.error().kind != ErrorKind::cancelled) {
    server.tell(arrival.client, reason);
  }
}

void Server::begin(Arrival arrival, Place place) {
  if (share_->settings->mode == ListenerMode::tcp) {
    scope_.spawn(serve_stream(*this, std::move(arrival), std::move(place)));
    return;
  }
  const TlsClientFacts* const tls = arrival.client.tls();
  if (tls != nullptr && tls->alpn == "h2") {
    begin_http2(std::move(arrival.stream), std::move(arrival.input), std::move(arrival.client),
                std::move(place));
  } else {
    begin_http1(std::move(arrival.stream), std::move(arrival.input), std::move(arrival.client),
                std::move(place));
  }
}

void Server::begin_http1(std::unique_ptr<ByteStream> stream, InputBuffer input, ClientInfo client,
                         Place place) {
  auto connection =
      std::make_unique<ClientConnection>(std::move(stream), std::move(input), std::move(client),
                                         *settings_, draining_, *handlers_.http);
  connections_.push_back(*connection);
  scope_.spawn(serve_http1(*this, std::move(connection), std::move(place)));
}

Task<void> Server::serve_http1(Server& server, std::unique_ptr<ClientConnection> connection,
                               Place place) {
  const Result<ConnectionEnd> end = co_await connection->run();
  server.go_on(end, *connection, std::move(place));
}

void Server::go_on(const Result<ConnectionEnd>& end, ClientConnection& connection, Place place) {
  if (!end) {
    tell(connection.client(), "TLS broke: " + tls_break_reason(end.error()));
  } else if (*end == ConnectionEnd::becomes_http2) {
    begin_http2(connection.take_stream(), connection.take_input(), connection.take_client(),
                std::move(place));
  }
}

// What a client's HTTP/2 connection needs to be there for.
class Server::Http2Client final : public ServedConnection {
 public:
  Http2Client(std::unique_ptr<ByteStream> stream, InputBuffer input, ClientInfo client,
              const Server& server)
      : stream_(std::move(stream)),
        input_(std::move(input)),
        client_(std::move(client)),
        connection_(*stream_, input_, client_, *server.settings_, server.draining_,
                    *server.handlers_.http) {}

  [[nodiscard]] const ClientInfo& client() const { return client_; }
  [[nodiscard]] Http2Connection& connection() { return connection_; }
  void drain() override { connection_.drain(); }

 private:
  std::unique_ptr<ByteStream> stream_;
  InputBuffer input_;
  ClientInfo client_;
  Http2Connection connection_;
};

void Server::begin_http2(std::unique_ptr<ByteStream> stream, InputBuffer input, ClientInfo client,
                         Place place) {
  auto served =
      std::make_unique<Http2Client>(std::move(stream), std::move(input), std::move(client), *this);
  connections_.push_back(*served);
  scope_.spawn(serve_http2(*this, std::move(served), std::move(place)));
}

Task<void> Server::serve_http2(Server& server, std::unique_ptr<Http2Client> client,
                               Place /*place*/) {
  co_await client->connection().run();
  const http2::Ending& ending = client->connection().ending();
  if (ending.sent == http2::ErrorCode::no_error) co_return;
  server.tell(client->client(), fmt::format("HTTP/2 connection ended with {}: {}",
                                            http2::to_string(ending.sent), ending.reason));
}

bool Server::may_tell() {
  const TimePoint now = executor_->now();
  if (now - telling_since_ >= std::chrono::seconds(1)) {
    if (untold_ > 0) {
      const std::string& name = share_->settings->name;
      log_->info("{}{}{} more connections came to nothing: too many to tell of each", name,
                 name.empty() ? "" : ": ", untold_);
    }
    telling_since_ = now;
    told_ = 0;
    untold_ = 0;
  }
  if (told_ < kMaxToldASecond) {
    ++told_;
    return true;
  }
  ++untold_;
  return false;
}

// What went wrong with a connection, but with none of its requests.
void Server::tell(const ClientInfo& client, std::string_view what) {
  if (log_ == nullptr || !may_tell()) return;
  const std::string& name = share_->settings->name;
  log_->info("{}{}{} on {}: {}", name, name.empty() ? "" : ": ", client.peer.to_string(),
             client.local.to_string(), what);
}

Task<void> Server::serve_stream(Server& server, Arrival arrival, Place /*place*/) {
  StreamSession session{.stream = *arrival.stream,
                        .input = arrival.input,
                        .client = arrival.client,
                        .server_name = arrival.server_name,
                        .started = arrival.accepted};
  co_await server.handlers_.streams->handle(session);
}

void Server::on_timer() {
  if (draining_ || listeners_.empty()) return;
  if (share_->connections.load(std::memory_order_relaxed) < share_->settings->max_connections) {
    paused_ = false;
    for (Listener* const listener : listeners_) listener->resume();
  } else {
    executor_->timers().arm(*this, executor_->now() + kLookAgain);
  }
}

void Server::drain() {
  draining_ = true;
  connections_.for_each([](ServedConnection& connection) { connection.drain(); });
}

}  // namespace penstock

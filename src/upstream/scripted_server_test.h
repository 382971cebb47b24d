// For tests: a server that follows a script, on the simulated network.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "sim/network.h"
#include "sim/peer.h"

namespace penstock {

struct ServerStep {
  std::string until;  // waits for that in what comes; empty: for nothing
  std::string answer = {};
  enum class Then : std::uint8_t { go_on, end, close, reset } then = Then::go_on;
};
// The steps of one connection. After the last one it reads up to the end, and closes.
using ServerScript = std::vector<ServerStep>;

class ScriptedServer final : private AcceptHandler {
 public:
  // Each connection follows the next script; the last one is for all that come after it too.
  ScriptedServer(SimNetwork& network, std::string_view address, std::vector<ServerScript> scripts)
      : executor_(network.executor()),
        scripts_(std::move(scripts)),
        scope_(executor_),
        listener_(network.listen(Address::parse(address).value(), *this)) {}
  ~ScriptedServer() {
    listener_.reset();
    scope_.cancel();
    while (executor_.has_ready()) executor_.run_ready();
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] Address address() const { return listener_->local_address(); }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  [[nodiscard]] const std::string& received(std::size_t i) const {
    return connections_.at(i)->received;
  }
  // How the other side ended the connection; nothing as long as it has not.
  [[nodiscard]] const std::optional<Result<std::size_t>>& end(std::size_t i) const {
    return connections_.at(i)->end;
  }
  [[nodiscard]] bool was_reset(std::size_t i) const {
    return end(i) && !*end(i) && end(i)->error().kind == ErrorKind::reset;
  }
  // Beside the script; to nobody where the connection has ended.
  void say(std::size_t i, std::string text) {
    if (connections_.at(i)->stream == nullptr) return;
    scope_.spawn(send(*connections_.at(i)->stream, std::move(text)));
  }
  void close(std::size_t i) { connections_.at(i)->stream->shutdown_write(); }

 private:
  struct Connection {
    std::unique_ptr<ByteStream> stream;
    std::string received;
    std::optional<Result<std::size_t>> end;
  };

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    const std::size_t script = std::min(connections_.size(), scripts_.size() - 1);
    auto& connection = connections_.emplace_back(std::make_unique<Connection>());
    connection->stream = std::move(stream);
    scope_.spawn(follow(*connection, scripts_[script]));
  }

  static Task<void> send(ByteStream& stream, std::string text) {
    static_cast<void>(co_await send_text(stream, std::move(text)));
  }

  static Task<bool> receive(Connection& connection, const std::string& mark, std::size_t& from) {
    while (connection.received.find(mark, from) == std::string::npos) {
      const auto got = co_await receive_size(*connection.stream, connection.received,
                                             connection.received.size() + 1);
      if (!got) {
        connection.end = got.error().kind == ErrorKind::closed ? Result<std::size_t>(0) : got;
        co_return false;
      }
    }
    from = connection.received.find(mark, from) + mark.size();
    co_return true;
  }

  static Task<void> follow(Connection& connection, const ServerScript& script) {
    std::size_t from = 0;
    ByteStream& stream = *connection.stream;
    for (const ServerStep& step : script) {
      const bool come = co_await receive(connection, step.until, from);
      if (!come) {
        connection.stream.reset();
        co_return;
      }
      if (!step.answer.empty()) static_cast<void>(co_await send_text(stream, step.answer));
      if (step.then == ServerStep::Then::end) stream.shutdown_write();
      if (step.then == ServerStep::Then::reset) stream.set_abortive();
      if (step.then == ServerStep::Then::close || step.then == ServerStep::Then::reset) {
        connection.stream.reset();
        co_return;
      }
    }
    connection.end = co_await receive_all(stream, connection.received);
    connection.stream.reset();
  }

  Executor& executor_;
  std::vector<ServerScript> scripts_;
  std::vector<std::unique_ptr<Connection>> connections_;
  Scope scope_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace penstock

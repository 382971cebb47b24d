// For tests: a server on the simulated network, its handler, and clients that talk to it.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "async/sleep.h"
#include "message/status.h"
#include "message/text_body.h"
#include "message/timed_body_test.h"
#include "server/server.h"
#include "sim/network.h"
#include "sim/peer.h"

namespace penstock {

// A connection to a server whose every byte is kept. Sending never waits for the answer.
class TestClient {
 public:
  TestClient(SimNetwork& network, const Address& to)
      : network_(&network), scope_(network.executor()) {
    scope_.spawn(run(*this, to));
    network.world().run_for(std::chrono::milliseconds(3));
    EXPECT_TRUE(stream_ != nullptr);
  }
  ~TestClient() {
    scope_.cancel();
    network_->world().run_for({});
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  // And lets so much time pass.
  void send(std::string text, Duration wait = std::chrono::milliseconds(10)) {
    scope_.spawn(send(*stream_, std::move(text)));
    network_->world().run_for(wait);
  }
  void end() { stream_->shutdown_write(); }
  void reset() {
    stream_->set_abortive();
    scope_.cancel();
    network_->world().run_for({});
    stream_.reset();
  }

  std::string received;
  // How the server ended it: 0 in the ordinary way, or an error.
  std::optional<Result<std::size_t>> ended;
  TimePoint ended_at{};
  [[nodiscard]] bool closed() const { return ended && *ended; }
  // What came since the last call.
  [[nodiscard]] std::string take() { return std::exchange(received, {}); }

 private:
  static Task<void> run(TestClient& self, Address to) {
    auto stream = co_await self.network_->connect(to, kNever);
    if (!stream) co_return;
    self.stream_ = std::move(*stream);
    const auto ended = co_await receive_all(*self.stream_, self.received);
    if (!ended && ended.error().kind == ErrorKind::cancelled) co_return;
    self.ended = ended;
    self.ended_at = self.network_->world().now();
  }
  static Task<void> send(ByteStream& stream, std::string text) {
    static_cast<void>(co_await send_text(stream, std::move(text)));
  }

  SimNetwork* network_;
  std::unique_ptr<ByteStream> stream_;
  Scope scope_;
};

// Answers as it is told, 200 with the path as content by default; remembers what it has seen.
class TestHandler final : public Handler {
 public:
  // What to do with the next requests.
  struct Reply {
    int status = 200;
    std::optional<std::string> content;  // else the path
    std::optional<Framing> framing;      // else by the content's length
    std::vector<std::pair<std::string, std::string>> fields;
    bool read_body = true;
    Duration after = {};
    BodySource* body = nullptr;  // in place of the content
    std::vector<int> inform;
  };
  Reply reply;

  struct Seen {
    std::string method;
    std::string target;
    std::string content;
    std::string trailers = {};  // lines
    std::optional<Error> problem;
    Result<void> sent = fail(ErrorKind::io);
    std::optional<Error> body_error;
    bool slept = true;
    CloseReason fate = CloseReason::kept;
  };
  std::vector<Seen> seen;

  Task<void> handle(Exchange& exchange) override {
    const std::size_t i = seen.size();
    seen.push_back({.method = std::string(exchange.request().method_text),
                    .target = std::string(exchange.request().target_text),
                    .problem = exchange.problem()});
    const Reply how = reply;
    if (how.after > Duration{}) {
      const Executor& executor = (co_await this_context()).executor();
      const bool slept = co_await sleep_until(executor.now() + how.after);
      seen[i].slept = slept;
    }
    for (const int status : how.inform) {
      ResponseHead head;
      head.status = status;
      head.reason = reason_phrase(status);
      static_cast<void>(co_await exchange.inform(head));
    }
    while (how.read_body && !exchange.body().at_end()) {
      const auto slice = co_await exchange.body().next();
      if (!slice) {
        seen[i].body_error = slice.error();
        break;
      }
      seen[i].content += slice->view();
    }
    if (FieldSection* const trailers = how.read_body ? exchange.body().trailers() : nullptr) {
      for (const Field& field : *trailers) {
        seen[i].trailers.append(field.name).append(": ").append(field.value).append("\n");
      }
    }
    const std::string content = how.content.value_or(seen[i].target);
    TextBody text(content);
    ResponseHead head;
    head.status = exchange.problem() ? 400 : how.status;
    head.reason = reason_phrase(head.status);
    for (const auto& [name, value] : how.fields) head.fields.add(field_id(name), name, value);
    const Framing framing =
        how.framing.value_or(Framing{.kind = BodyKind::length, .length = content.size()});
    seen[i].sent = co_await exchange.respond(head, how.body != nullptr ? *how.body : text, framing);
    seen[i].fate = exchange.fate();
  }
};

class ServerTest : public testing::Test {
 protected:
  ~ServerTest() override { stop(); }

  // Made at the first use, when the settings are as the test wants them.
  Server& server() {
    if (!server_) {
      server_ = std::make_unique<Server>(
          world.executor(), settings, share,
          Handlers{.http = other != nullptr ? other : &handler, .streams = streams}, log);
      accepting_ = network.listen(Address::parse(listener.addresses.front()).value(), *server_);
      server_->add_listener(*accepting_);
    }
    return *server_;
  }
  std::unique_ptr<TestClient> connect() {
    server();
    return std::make_unique<TestClient>(network, accepting_->local_address());
  }
  // All that comes back on a connection of its own.
  std::string ask(const std::string& request, Duration wait = std::chrono::seconds(1)) {
    const auto client = connect();
    client->send(request, wait);
    return client->take();
  }
  void wait(Duration time) { world.run_for(time); }
  void stop() {
    if (!server_) return;
    server_->forget_listeners();
    accepting_.reset();
    server_->drain();
    server_->cancel();
    world.run_for({});
    EXPECT_EQ(server_->connections(), 0U);
    server_.reset();
  }

  SimWorld world{1};
  SimNetwork network{world, "192.0.2.77"};
  ServerSettings settings;
  ListenerSettings listener{.addresses = {"192.0.2.1:8080"}, .mode = ListenerMode::reverse};
  ListenerShare share{.settings = &listener};
  TestHandler handler;
  Handler* other = nullptr;  // in place of `handler`
  StreamHandler* streams = nullptr;
  Log* log = nullptr;

 private:
  std::unique_ptr<Server> server_;
  std::unique_ptr<Listener> accepting_;
};

// The simulated world begins at a fixed moment.
inline constexpr std::string_view kDate = "Date: Thu, 29 Feb 2024 12:00:00 GMT\r\n";

}  // namespace penstock

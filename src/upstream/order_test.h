// For tests: requests and their deliveries on the simulated network.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/delivery.h"
#include "upstream/visit_test.h"

namespace penstock {

inline const std::string kA = "10.0.0.1:80";
inline const std::string kB = "10.0.0.2:80";
inline const std::string kC = "10.0.0.3:80";
inline const std::string kEnd(kHeadEnd);
inline const ServerScript kCloses = {{.until = kEnd, .then = ServerStep::Then::close}};
inline const ServerScript kIsBusy(8,
                                  {.until = kEnd,
                                   .answer = "HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"});

// A request and its delivery.
class Order final : public DeliveryOwner {
 public:
  explicit Order(std::string method = "GET", std::string text = {}, PinStore* pins = nullptr)
      : Order(std::move(method), std::vector<BodyPiece>{{.text = std::move(text)}}, pins) {}
  Order(std::string method, std::vector<BodyPiece> pieces, PinStore* pins = nullptr)
      : method_(std::move(method)), source_(std::move(pieces)), pins_(pins) {
    head.method_text = method_;
    head.method = method_of(method_);
    head.target = *parse_target(method_, method_ == "CONNECT" ? "a:80" : "/");
    head.fields.add(FieldId::host, "a");
    const std::uint64_t length = source_.remaining().value_or(0);
    if (length > 0) framing_ = {.kind = BodyKind::length, .length = length};
  }
  ~Order() {
    if (!scope_) return;
    scope_->cancel();
    Executor& executor = scope_->context().executor();
    while (executor.has_ready()) executor.run_ready();
  }
  Order(const Order&) = delete;
  Order& operator=(const Order&) = delete;

  void begin(ServerSide& side) {
    destination.name = "g";
    if (!to_target) destination.group = side.group("g");
    delivery.emplace(side, *this, pins_);
    scope_.emplace(side.network().executor());
    scope_->spawn(run(*this, side.pool().executor()));
  }
  void cancel() { scope_->cancel(); }

  RequestHead head;
  Destination destination;
  bool to_target = false;  // 10.0.0.1:80
  bool reusable = true;
  bool only_connect = false;
  std::string tunnel_text;  // sent through the tunnel that it has become
  std::optional<Delivery> delivery;

  // What came of it.
  std::optional<Result<void>> answered;
  TimePoint answered_at{};
  int status = 0;
  std::string content;
  std::string trailers;
  std::vector<std::string> servers;  // of the attempts that got a connection
  std::vector<TimePoint> times;
  std::vector<const NextHop*> hops;
  std::vector<int> informed;
  CloseReason fate = CloseReason::not_opened;
  bool done = false;
  bool login_ended = false;

  [[nodiscard]] bool failed_with(ErrorKind kind) const {
    return answered && !*answered && answered->error().kind == kind;
  }

 private:
  static Task<void> run(Order& self, Executor& executor) {
    co_await self.deliver(executor);
    self.done = true;
  }
  Task<void> deliver(Executor& executor) {
    executor_ = &executor;
    const ServerRequest request{.head = &head, .body = &body_, .framing = framing_};
    if (only_connect) {
      answered = co_await delivery->connect(destination);
    } else {
      answered = co_await delivery->run(destination, request, body_);
    }
    answered_at = executor.now();
    login_ended = delivery->login_ended();
    if (*answered && !only_connect) {
      status = delivery->response().status;
      if (status == 101) {
        co_await use_tunnel(delivery->lease().stream());
      } else {
        co_await read(delivery->lease().response_body());
      }
    }
    fate = co_await delivery->settle(reusable && *answered);
  }
  Task<void> use_tunnel(ByteStream& stream) {
    static_cast<void>(co_await send_text(stream, tunnel_text));
    stream.shutdown_write();
    static_cast<void>(co_await receive_all(stream, content));
  }
  Task<void> read(BodySource& source) {
    while (!source.at_end()) {
      const auto slice = co_await source.next();
      if (!slice) co_return;
      content += slice->view();
    }
    if (source.trailers() == nullptr) co_return;
    for (const Field& field : *source.trailers()) {
      trailers += std::string(field.name) + ": " + std::string(field.value) + '\n';
    }
  }

  Task<Result<AddressList>> target_addresses() override {
    co_return AddressList{Address::parse(kA).value()};
  }
  void on_acquired(const Lease& lease, const NextHop* hop) override {
    servers.push_back(lease.address().to_string());
    times.push_back(executor_->now());
    hops.push_back(hop);
  }
  Task<Result<void>> on_informational(ResponseHead& response) override {
    informed.push_back(response.status);
    co_return Result<void>{};
  }

  std::string method_;
  TimedBody source_;
  ReplayBody body_{source_, 0};
  Framing framing_;
  PinStore* pins_;
  Executor* executor_ = nullptr;
  std::optional<Scope> scope_;
};

class DeliveryTest : public GroupTest {
 protected:
  DeliveryTest() {
    group().balance.algorithm = Balance::first;
    set_servers({kA, kB});
  }
  void deliver(Order& order, Duration wait_for = std::chrono::milliseconds(50)) {
    order.begin(side());
    wait(wait_for);
    EXPECT_TRUE(order.done);
  }
  using Servers = std::vector<std::string>;
};

}  // namespace penstock

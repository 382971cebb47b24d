// For tests: a pool on the simulated network, and exchanges from begin to end.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "message/text_body.h"
#include "message/timed_body_test.h"
#include "upstream/pool.h"
#include "upstream/scripted_server_test.h"

namespace penstock {

inline constexpr std::string_view kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
inline constexpr std::string_view kHeadEnd = "\r\n\r\n";

[[nodiscard]] inline std::vector<Address> addresses(const std::vector<std::string_view>& texts) {
  std::vector<Address> result;
  for (const std::string_view text : texts) result.push_back(Address::parse(text).value());
  return result;
}

// A request and what becomes of it; its own informational sink.
class Conversation final : public InformationalSink {
 public:
  explicit Conversation(std::string_view method = "GET") {
    head.method_text = method;
    head.method = method_of(method);
    head.target = *parse_target(method, "/");
    head.fields.add(FieldId::host, "a");
  }

  // The request.
  RequestHead head;
  BodySource* body = &no_body_;
  Framing framing;
  bool fresh = false;
  bool read_body = true;
  Settlement settlement = Settlement::reuse;

  // What came of it.
  Result<void> acquired = fail(ErrorKind::io);
  Result<void> answered = fail(ErrorKind::io);
  int status = 0;
  std::string content;
  Result<void> content_end{};
  std::vector<int> informational;
  Address server;
  bool reused = false;
  std::uint64_t bytes_sent = 0;
  bool response_started = false;
  TimePoint answered_at{};
  CloseReason fate = CloseReason::not_opened;
  bool done = false;

  static Task<void> run(Conversation& self, ServerPool& pool, std::vector<Address> addresses) {
    co_await self.talk(pool, addresses);
    self.done = true;
  }

 private:
  Task<void> talk(ServerPool& pool, const std::vector<Address>& addresses) {
    auto lease = co_await pool.acquire_target(addresses, fresh);
    if (!lease) {
      acquired = fail(lease.error());
      co_return;
    }
    acquired = {};
    reused = lease->reused();
    server = lease->address();
    const ServerRequest request{.head = &head, .body = body, .framing = framing, .connection = {}};
    ResponseHead response;
    answered = co_await lease->exchange(request, response, *this);
    answered_at = pool.executor().now();
    if (answered) {
      status = response.status;
      if (read_body) co_await read(lease->response_body());
    }
    bytes_sent = lease->bytes_sent();
    response_started = lease->response_started();
    fate = co_await lease->settle(settlement);
  }

  Task<void> read(BodySource& source) {
    while (!source.at_end()) {
      const auto slice = co_await source.next();
      if (!slice) {
        content_end = fail(slice.error());
        co_return;
      }
      content += slice->view();
    }
  }

  Task<Result<void>> on_informational(ResponseHead& response) override {
    informational.push_back(response.status);
    co_return Result<void>{};
  }

  TextBody no_body_;
};

class UpstreamTest : public testing::Test {
 protected:
  ~UpstreamTest() override {
    pool.close_idle();
    scope.cancel();
    world.run_for({});
  }

  // Begins it; the world has to run for it to come to anything.
  void begin(Conversation& conversation,
             const std::vector<std::string_view>& to = {"10.0.0.1:80"}) {
    scope.spawn(Conversation::run(conversation, pool, addresses(to)));
  }
  // Runs it to its end. Idle connections stay idle: time passes only as far as needed.
  void talk(Conversation& conversation, const std::vector<std::string_view>& to = {"10.0.0.1:80"}) {
    begin(conversation, to);
    for (int i = 0; i < 1000 && !conversation.done; ++i) {
      world.run_for(std::chrono::milliseconds(i < 100 ? 1 : 1000));
    }
    EXPECT_TRUE(conversation.done);
  }
  // A plain GET that succeeds.
  Conversation get(const std::vector<std::string_view>& to = {"10.0.0.1:80"}) {
    Conversation conversation;
    talk(conversation, to);
    EXPECT_TRUE(conversation.answered);
    return conversation;
  }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings settings;
  ServerPool pool{network, settings};
  Scope scope{world.executor()};
};

}  // namespace penstock

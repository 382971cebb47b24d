// What a client sees of a server that fails in one way or another, and how often the server sees
// its request (RFC 9110 section 9.2.2): a request that was never sent is sent again whatever its
// method, one that may have been seen only if that makes no difference.
#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "async/sleep.h"
#include "proxy/proxy_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
const std::string kLongOk = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + std::string(40, 'b');

// What a server does on one connection: reads, says something, and ends it.
struct Plan {
  std::size_t read = kAll;  // bytes, or the whole request
  std::vector<std::string> says = {};
  Duration pause = {};   // between what it says
  bool forever = false;  // it says the last thing again and again
  enum class Then : std::uint8_t { again, close, reset, half_close, hang } then = Then::again;
};
const Plan kServes = {.says = {kOk}};

class FaultyServer final : private AcceptHandler {
 public:
  // Each connection follows the next plan; the last one is for all that come after it too.
  FaultyServer(SimNetwork& network, std::string_view address, std::vector<Plan> plans)
      : world_(&network.world()),
        plans_(std::move(plans)),
        scope_(network.executor()),
        listener_(network.listen(Address::parse(address).value(), *this)) {}
  ~FaultyServer() {
    listener_.reset();
    scope_.cancel();
    world_->run_for({});
  }
  FaultyServer(const FaultyServer&) = delete;
  FaultyServer& operator=(const FaultyServer&) = delete;

  [[nodiscard]] std::size_t connections() const { return received_.size(); }
  // Connections on which bytes of a request have come.
  [[nodiscard]] std::size_t touched() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(received_, [](const auto& bytes) { return !bytes->empty(); }));
  }
  // Whole requests that have come.
  [[nodiscard]] std::size_t requests() const { return requests_; }

 private:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    const Plan& plan = plans_[std::min(received_.size(), plans_.size() - 1)];
    received_.push_back(std::make_unique<std::string>());
    scope_.spawn(serve(std::move(stream), plan, *received_.back()));
  }

  // Of the request that begins there; kAll while its head is not complete.
  static std::size_t size_of_request(std::string_view bytes) {
    const std::size_t head = bytes.find(kEnd);
    if (head == std::string_view::npos) return kAll;
    const std::string_view mark = "Content-Length: ";
    const std::size_t length = bytes.substr(0, head).find(mark);
    if (length == std::string_view::npos) return head + 4;
    return head + 4 + std::stoul(std::string(bytes.substr(length + mark.size(), 10)));
  }

  Task<void> serve(std::unique_ptr<ByteStream> stream, Plan plan, std::string& received) {
    std::size_t begin = 0;
    do {
      while (received.size() - begin <
             std::min(plan.read, size_of_request(std::string_view(received).substr(begin)))) {
        // A byte at a time where it is to stop in the midst.
        const auto got = co_await receive_size(*stream, received, received.size() + 1);
        if (!got) co_return;
      }
      const std::size_t size = size_of_request(std::string_view(received).substr(begin));
      if (size <= received.size() - begin) {
        ++requests_;
        begin += size;
      }
      if (!co_await speak(*stream, plan)) co_return;
    } while (plan.then == Plan::Then::again);
    if (plan.then == Plan::Then::reset) stream->set_abortive();
    if (plan.then == Plan::Then::half_close) stream->shutdown_write();
    if (plan.then == Plan::Then::close || plan.then == Plan::Then::reset) co_return;
    static_cast<void>(co_await receive_all(*stream, received));
  }

  static Task<bool> speak(ByteStream& stream, const Plan& plan) {
    const TaskContext& context = co_await this_context();
    for (std::size_t i = 0; i < plan.says.size(); i += plan.forever ? 0 : 1) {
      const auto sent = co_await send_text(stream, plan.says[i]);
      if (!sent) co_return false;
      const TimePoint next = context.executor().now() + plan.pause;
      if (plan.pause > Duration{} && !co_await sleep_until(next)) co_return false;
    }
    co_return true;
  }

  SimWorld* world_;
  std::vector<Plan> plans_;
  std::vector<std::unique_ptr<std::string>> received_;
  std::size_t requests_ = 0;
  Scope scope_;
  std::unique_ptr<Listener> listener_;
};

using Then = Plan::Then;

struct Request {
  const char* name;
  const char* method;
  std::size_t body = 0;
  bool idempotent = false;

  [[nodiscard]] std::string text() const {
    std::string all = std::string(method) + " / HTTP/1.1\r\nHost: a\r\n";
    if (body > 0) all += "Content-Length: " + std::to_string(body) + "\r\n";
    return all + "\r\n" + std::string(body, 'q');
  }
  // Its body can be kept, to be sent again.
  [[nodiscard]] bool is_small() const { return body < 10'000; }
};
constexpr std::size_t kLarge = 300'000;
constexpr Request kRequests[] = {{"GET", "GET", 0, true},
                                 {"small POST", "POST", 10, false},
                                 {"large POST", "POST", kLarge, false},
                                 {"small PUT", "PUT", 10, true},
                                 {"large PUT", "PUT", kLarge, true}};

// Of a request that failed on its first connection.
enum class Again : std::uint8_t { never, if_safe, always };

struct Fault {
  const char* name;
  Plan plan;  // of the first connection; the others serve
  Again again = Again::never;
  const char* status = "502";  // where it is not sent again
  const char* error = "connection_terminated";
  const char* details = "";
  Duration takes = seconds(5);  // at most
  Duration least = {};          // at least, where it is not sent again
  bool whole = true;            // the response is complete
};

std::vector<std::string> letters(const std::string& text) {
  std::vector<std::string> result;
  for (const char c : text) result.emplace_back(1, c);
  return result;
}

// The status of the final response, and where it begins.
std::string final_of(std::string answer) {
  while (answer.starts_with("HTTP/1.1 1")) answer.erase(0, answer.find(kEnd) + 4);
  return answer;
}

std::string details_of(const std::string& answer) {
  const std::string mark = "details=\"";
  const std::size_t begin = answer.find(mark);
  if (begin == std::string::npos) return {};
  const std::string rest = answer.substr(begin + mark.size());
  return rest.substr(0, rest.find('"'));
}

class ServerFaults : public ProxyTest {
 protected:
  struct Seen {
    std::string answer;
    Duration took{};
    bool ended = false;
  };
  // Sends it, and waits until something came and nothing more does.
  Seen ask_and_wait(const std::string& request, Duration limit) {
    const auto client = connect();
    const TimePoint begin = world.now();
    client->send(request, {});
    Seen seen;
    while (world.now() - begin < limit) {
      wait(milliseconds(100));
      const std::string answer = final_of(client->received);
      const std::size_t head = answer.find(kEnd);
      if (head == std::string::npos && !client->ended) continue;
      if (seen.took == Duration{}) seen.took = world.now() - begin;
      if (client->ended) break;
    }
    seen.answer = final_of(client->received);
    seen.ended = client->ended.has_value();
    return seen;
  }

  void check(const Fault& fault, const Request& request) {
    SCOPED_TRACE(std::string(fault.name) + ", " + request.name);
    const FaultyServer server(network, "10.0.0.1:80", {fault.plan, kServes});
    const Seen seen = ask_and_wait(request.text(), fault.takes);
    const bool again = fault.again == Again::always ||
                       (fault.again == Again::if_safe && request.idempotent && request.is_small());
    EXPECT_EQ(status_of(seen.answer), again ? "200" : fault.status) << seen.answer.substr(0, 500);
    EXPECT_EQ(error_of(seen.answer), again ? "" : fault.error);
    EXPECT_EQ(details_of(seen.answer), again ? "" : fault.details);
    EXPECT_EQ(server.connections(), again ? 2U : 1U);
    if (!request.idempotent) EXPECT_LE(server.touched(), 1U);
    EXPECT_LE(server.requests(), request.idempotent ? 2U : 1U);
    if (!again) EXPECT_GE(seen.took, fault.least);
    const bool whole = seen.answer.ends_with("ok") || *fault.error != '\0';
    EXPECT_EQ(whole, again || fault.whole) << seen.answer;
    if (!fault.whole && !again) EXPECT_TRUE(seen.ended);
    // What has failed is in no pool.
    const bool kept = again || (fault.plan.then == Then::again && !fault.plan.forever);
    EXPECT_EQ(pool().idle_count(), kept ? 1U : 0U);
    wait(groups[0].pool.idle * 2);
  }
  void check(const Fault& fault) {
    for (const Request& request : kRequests) check(fault, request);
  }
};

// ---- Without a response.

TEST_F(ServerFaults, Refused) {
  for (const Request& request : kRequests) {
    SCOPED_TRACE(request.name);
    const Seen seen = ask_and_wait(request.text(), seconds(5));
    EXPECT_EQ(status_of(seen.answer), "502");
    EXPECT_EQ(error_of(seen.answer), "connection_refused");
  }
}

TEST_F(ServerFaults, RefusedByOneOfTwo) {
  groups[0].servers.push_back({.address = "10.0.0.2:80"});
  groups[0].balance.algorithm = Balance::first;
  groups[0].ejection.failures = 0;
  const FaultyServer other(network, "10.0.0.2:80", {kServes});
  for (const Request& request : kRequests) {
    SCOPED_TRACE(request.name);
    EXPECT_EQ(status_of(ask_and_wait(request.text(), seconds(5)).answer), "200");
  }
  EXPECT_EQ(other.requests(), std::size(kRequests));
}

TEST_F(ServerFaults, ResetBeforeTheFirstByteIsSent) {
  for (const Request& request : kRequests) {
    world.script(Address::parse("10.0.0.1:80").value(), {.down = {.reset_after = 0}});
    check({.name = "reset at once", .plan = {.then = Then::hang}, .again = Again::always}, request);
  }
}

TEST_F(ServerFaults, ResetWithinTheRequest) {
  check(
      {.name = "after a byte", .plan = {.read = 1, .then = Then::reset}, .again = Again::if_safe});
  check({.name = "after some", .plan = {.read = 20, .then = Then::reset}, .again = Again::if_safe});
  // The same, with bytes unread: a reset too.
  check({.name = "closed", .plan = {.read = 20, .then = Then::close}, .again = Again::if_safe});
}

TEST_F(ServerFaults, EndAfterTheWholeRequest) {
  check({.name = "reset", .plan = {.then = Then::reset}, .again = Again::if_safe});
  check({.name = "close", .plan = {.then = Then::close}, .again = Again::if_safe});
  check({.name = "half-close", .plan = {.then = Then::half_close}, .again = Again::if_safe});
}

TEST_F(ServerFaults, Silence) {
  check({.name = "silence",
         .plan = {.then = Then::hang},
         .status = "504",
         .error = "http_response_timeout",
         .takes = upstream.stall + seconds(5),
         .least = upstream.stall});
}

// ---- Within the response.

TEST_F(ServerFaults, EndWithinTheResponsesHead) {
  for (const Then then : {Then::reset, Then::close, Then::half_close}) {
    check({.name = "a byte", .plan = {.says = {"H"}, .pause = milliseconds(50), .then = then}});
    check({.name = "some",
           .plan = {.says = {"HTTP/1.1 200 OK\r\nA: b"}, .pause = milliseconds(50), .then = then}});
  }
}

TEST_F(ServerFaults, EndWithinTheResponsesBody) {
  for (const Then then : {Then::reset, Then::close, Then::half_close}) {
    check({.name = "cut",
           .plan = {.says = {kLongOk}, .pause = milliseconds(50), .then = then},
           .status = "200",
           .error = "",
           .whole = false});
  }
}

TEST_F(ServerFaults, EndAfterTheResponse) {
  for (const Then then : {Then::reset, Then::close, Then::half_close}) {
    check({.name = "afterwards",
           .plan = {.says = {kOk}, .pause = milliseconds(50), .then = then},
           .status = "200",
           .error = ""});
  }
}

TEST_F(ServerFaults, SlowHead) {
  const std::vector<std::string> slow = letters(kOk);
  const auto within = Duration(upstream.stall) / static_cast<int>(slow.size() + 5);
  check({.name = "within the limit",
         .plan = {.says = slow, .pause = within},
         .status = "200",
         .error = "",
         .takes = upstream.stall});
  check({.name = "beyond the limit",
         .plan = {.says = slow, .pause = within * 2, .then = Then::hang},
         .status = "504",
         .error = "http_response_timeout",
         .takes = upstream.stall * 3,
         .least = upstream.stall});
}

TEST_F(ServerFaults, EndlessHead) {
  check({.name = "fast",
         .plan = {.says = {"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n"}, .forever = true},
         .error = "http_response_header_section_size",
         .details = "head-too-large, RFC 6585 5"});
}

TEST_F(ServerFaults, EndlessInformationalResponses) {
  check({.name = "103 without end",
         .plan = {.says = {"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n"}, .forever = true},
         .error = "http_protocol_error"});
}

// ---- A server closes an idle connection at about the time at which it gets a request.

class IdleClose : public ServerFaults {
 protected:
  // The request is sent so long before or after the server closes. How many connections it took.
  std::string ask_around_close(const Request& request, Then then, Duration after) {
    constexpr Duration kIdle = seconds(1);
    const FaultyServer server(network, "10.0.0.1:80",
                              {{.says = {kOk}, .pause = kIdle, .then = then}, kServes});
    const auto first = connect();
    const auto second = connect();
    first->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", {});
    // The answer is sent when the request has come, two hops later.
    wait(milliseconds(2) + kIdle + after);
    EXPECT_EQ(status_of(first->received), "200");
    second->send(request.text(), seconds(10));
    const std::string answer = second->take();
    const bool again = status_of(answer) == "200";
    EXPECT_EQ(server.connections(), again ? 2U : 1U);
    EXPECT_EQ(server.requests(), again ? 2U : 1U);
    if (!again) EXPECT_EQ(error_of(answer), "connection_terminated") << answer;
    wait(groups[0].pool.idle * 2);
    return status_of(answer);
  }
};

TEST_F(IdleClose, EveryInterleaving) {
  constexpr std::chrono::microseconds kAround = milliseconds(6);
  constexpr std::chrono::microseconds kStep(250);
  for (const Then then : {Then::close, Then::reset, Then::half_close}) {
    for (const Request& request : kRequests) {
      std::size_t answered = 0;
      std::size_t failed = 0;
      for (auto after = -kAround; after <= kAround; after += kStep) {
        SCOPED_TRACE(std::string(request.name) + ", " + std::to_string(after.count()) + " us");
        const std::string status = ask_around_close(request, then, after);
        answered += status == "200" ? 1 : 0;
        failed += status == "502" ? 1 : 0;
        if (request.idempotent && request.is_small()) EXPECT_EQ(status, "200");
      }
      EXPECT_EQ(answered + failed, static_cast<std::size_t>(2 * kAround / kStep + 1));
      EXPECT_GT(answered, 0U);
      // What was on its way when the server closed may have been seen.
      if (!request.idempotent) EXPECT_GT(failed, 0U);
    }
  }
}

}  // namespace
}  // namespace penstock

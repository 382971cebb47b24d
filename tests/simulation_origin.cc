#include "tests/simulation_origin.h"

#include <chrono>
#include <utility>

#include "async/sleep.h"
#include "tests/simulation_features.h"
#include "tests/simulation_http2_origin.h"
#include "tests/simulation_judge.h"

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<int, 10> kStatuses = {200, 200, 200, 200, 200, 200, 204, 304, 404, 500};

}  // namespace

int draw_status(Random& random) { return random.pick(kStatuses); }

struct Origin::Seen {
  Head head;
  BodyFraming framing;
  Exchange* exchange = nullptr;
  std::size_t attempt = 0;
  bool version_1_0 = false;
  bool body_read = false;  // to its end

  [[nodiscard]] Arrival& arrival() const { return exchange->arrivals[attempt]; }
};

void Origin::on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                       const Address& /*local*/) {
  scope_.spawn(serve(std::move(stream), random_.fork()));
}

Task<void> Origin::serve(std::unique_ptr<ByteStream> stream, Random random) {
  auto taken = co_await take_connection(std::move(stream), options_.expected, *ledger_);
  if (!taken) co_return;
  if (taken->http2) {
    Http2Service service(*taken, *ledger_, random, options_, name_, co_await this_context());
    co_await service.run();
    co_return;
  }
  Wire wire(*taken->stream, random, options_.patience);
  wire.give(taken->input);
  bool again = true;
  while (again) again = co_await serve_one(*taken->stream, wire, random, taken->client);
}

Task<bool> Origin::serve_one(ByteStream& stream, Wire& wire, Random& random,
                             const std::string& client) {
  const Duration idle = random.chance(options_.close_silently)
                            ? random.between(milliseconds(1), seconds(5))
                            : options_.patience;
  Result<Head> head = co_await wire.read_head(idle);
  if (!head) {
    if (head.error().kind == ErrorKind::protocol) ledger_->violation(0, "malformed request head");
    co_return false;
  }
  if (head->line[1] == kHealthPath) {
    co_await answer_check(wire, random);
    co_return false;
  }
  Seen seen{.head = std::move(*head), .framing = {}};
  if (!check(seen, client)) co_return false;
  const Plan plan = make_plan(seen, random);

  Scope reading(co_await this_context());
  if (plan.early) {
    reading.spawn(read_body(wire, seen));
  } else {
    if (!plan.interim.empty() && !co_await wire.write(plan.interim)) co_return false;
    co_await read_body(wire, seen);
    if (!seen.body_read) co_return false;
  }
  const TaskContext& context = co_await this_context();
  co_await sleep_until(context.executor().now() + plan.thought);
  const bool sent = co_await answer(stream, wire, plan);
  if (!sent || plan.closes) reading.cancel();
  co_await reading.join();
  if (sent && plan.closes && random.chance(options_.linger)) {
    stream.shutdown_write();
    co_await wire.drain(options_.patience);
  }
  co_return sent && !plan.closes && seen.body_read;
}

Task<void> Origin::answer_check(Wire& wire, Random& random) {
  const bool well = !random.chance(options_.unwell);
  const bool silent = !well && random.chance(0.3);
  if (silent) co_return;
  const std::string status = well || random.chance(0.3) ? "200 OK" : "503 Service Unavailable";
  static_cast<void>(co_await wire.write(
      "HTTP/1.1 " + status + "\r\nConnection: close\r\n\r\nI am " + (well ? "well" : "ill")));
}

// Whether the request is one of ours, as it was sent.
bool Origin::check(Seen& seen, const std::string& client) {
  const Head& head = seen.head;
  seen.exchange = judge_request(*ledger_, head, client);
  if (seen.exchange == nullptr) return false;
  Exchange& exchange = *seen.exchange;
  seen.version_1_0 = head.line[2] == "HTTP/1.0";
  const Result<BodyFraming> framing = framing_of(head, Framing::none);
  if (!framing) {
    ledger_->violation(exchange.token, "request framed in contradictory ways");
    return false;
  }
  seen.framing = *framing;
  seen.attempt = exchange.arrivals.size();
  exchange.arrivals.emplace_back();
  return true;
}

Task<void> Origin::read_body(Wire& wire, Seen& seen) {
  const Token token = seen.exchange->token;
  BodyCheck check = check_body(*ledger_, token, Body::request, seen.head);
  const Result<void> whole = co_await wire.read_body(seen.framing, check, seen.head);
  if (!check.right()) ledger_->violation(token, "request body is not its own");
  if (!whole) {
    if (whole.error().kind == ErrorKind::protocol) {
      ledger_->violation(token, "malformed request body");
    }
    co_return;
  }
  seen.body_read = seen.arrival().request_whole = true;
  judge_request_body(*ledger_, *seen.exchange, check, seen.head);
}

// ---- What it answers.

Origin::Plan Origin::make_plan(Seen& seen, Random& random) {
  Plan plan;
  plan.early = random.chance(options_.early);
  plan.thought = random.chance(0.5) ? Duration{} : random.between(Duration{}, options_.max_thought);
  const bool has_body = seen.framing.framing == Framing::chunked || seen.framing.length > 0;
  if (!seen.version_1_0) {
    if (seen.head.lists("expect", "100-continue") && has_body && random.chance(0.7)) {
      plan.interim = "HTTP/1.1 100 Continue\r\n\r\n";
    }
    while (random.chance(0.1)) {
      plan.interim += "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
    }
  }
  if (plan.early) plan.interim.clear();
  add_response(plan, seen, random);
  return plan;
}

void Origin::add_response(Plan& plan, Seen& seen, Random& random) {
  const Token token = seen.exchange->token;
  const bool old = random.chance(seen.version_1_0 ? 0.6 : 0.1);  // answers as HTTP/1.0 itself
  const int status = draw_status(random);
  const bool bodiless = status == 204 || status == 304;
  const std::size_t length = random.chance(0.1) ? 0 : random.skewed(1, options_.max_body);
  const std::string body = make_body(token, Body::response, bodiless ? 0 : length);
  seen.arrival().status = status;
  seen.arrival().body_length = body.size();

  const bool asked_to_close = seen.version_1_0 ? !seen.head.lists("connection", "keep-alive")
                                               : seen.head.lists("connection", "close");
  const bool until_close = !bodiless && random.chance(0.1);
  const bool announced = asked_to_close || until_close || (old && !seen.version_1_0) ||
                         random.chance(options_.close_announced);
  plan.closes = announced || random.chance(options_.close_silently);

  std::string& text = plan.response;
  text = (old ? "HTTP/1.0 " : "HTTP/1.1 ") + std::to_string(status) + " Some Reason\r\n";
  text += "X-Token: " + to_text(token) + "\r\nX-Attempt: " + std::to_string(seen.attempt) + "\r\n";
  text += "X-Origin: " + name_ + "\r\n";
  std::string connection = announced ? "close" : old || seen.version_1_0 ? "keep-alive" : "";
  if (random.chance(0.1)) {
    connection += connection.empty() ? "x-response-hop" : ", x-response-hop";
    text += "X-Response-Hop: 1\r\n";
  }
  if (!connection.empty()) text += "Connection: " + connection + "\r\n";
  const bool chunked = !bodiless && !until_close && !old && !seen.version_1_0 && random.chance(0.5);
  if (chunked) text += "Transfer-Encoding: chunked\r\n";
  if (!bodiless && !until_close && !chunked) {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  }
  text += "\r\n";
  if (seen.exchange->method != "HEAD") text += chunked ? encode_chunked(random, body, token) : body;
  add_stop(plan, seen, random, until_close);
}

void Origin::add_stop(Plan& plan, Seen& seen, Random& random, bool until_close) {
  if (random.chance(options_.cut)) {
    // A body that ends with the connection is only cut visibly by a reset.
    plan.stop = until_close || random.chance(0.5) ? Plan::Stop::reset : Plan::Stop::close;
  } else if (random.chance(options_.stall)) {
    plan.stop = Plan::Stop::stall;
  } else {
    return;
  }
  plan.stop_at = random.between(0, plan.response.size() - 1);
  seen.arrival().cut = true;
}

Task<bool> Origin::answer(ByteStream& stream, Wire& wire, const Plan& plan) {
  const TaskContext& context = co_await this_context();
  std::string_view response = plan.response;
  if (plan.stop != Plan::Stop::none) response = response.substr(0, plan.stop_at);
  const Result<void> sent = co_await wire.write(response);
  if (plan.stop == Plan::Stop::none) co_return sent.has_value();
  if (plan.stop == Plan::Stop::stall) {
    co_await sleep_until(context.executor().now() + options_.patience);
  }
  if (plan.stop != Plan::Stop::close) stream.set_abortive();
  co_return false;
}

}  // namespace penstock::simulation

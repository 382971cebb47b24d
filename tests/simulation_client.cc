#include "tests/simulation_client.h"

#include <chrono>
#include <utility>

#include "async/sleep.h"
#include "async/wait.h"
#include "tests/simulation_judge.h"

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How long an idle client listens for bytes that nobody asked for.
constexpr Duration kListen = milliseconds(200);

}  // namespace

// ---- Making requests.

std::shared_ptr<Client::Request> Client::make_request(bool last) {
  auto request = std::make_shared<Request>();
  Exchange& exchange = ledger_->open(random_);
  request->exchange = &exchange;
  exchange.method = draw_method(random_);
  exchange.client = client_address_;
  exchange.version_1_0 = random_.chance(0.1);
  request->version_1_0_kept = exchange.version_1_0 && !last && random_.chance(0.7);
  request->closes = exchange.version_1_0 ? !request->version_1_0_kept : last && random_.chance(0.6);

  const std::string token = to_text(exchange.token);
  request->head = exchange.method + " ";
  if (options_.absolute_form) request->head += "http://" + options_.host;
  request->head += "/token/" + token + (random_.chance(0.2) ? "?a=b%20c&d" : "");
  request->head += exchange.version_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n";
  request->head += "Host: " + options_.host + "\r\n";
  request->head += "X-Request-Token: " + token + "\r\n";
  add_noise(*request);
  if (draw_has_body(exchange.method, random_)) add_body(*request);
  request->head += "\r\n";
  return request;
}

void Client::add_noise(Request& request) {
  std::string connection;
  if (request.closes && !request.exchange->version_1_0) connection = "close";
  if (request.version_1_0_kept) connection = "keep-alive";
  if (random_.chance(0.1)) {
    // A field for this connection only.
    connection += connection.empty() ? "X-Hop" : ", X-Hop";
    request.head += "X-Hop: " + to_text(request.exchange->token) + "\r\n";
  }
  if (!connection.empty()) request.head += "Connection: " + connection + "\r\n";
  if (!ledger_->cookies.empty() && random_.chance(0.5)) {
    const auto& [cookie, origin] = ledger_->cookies[random_.below(ledger_->cookies.size())];
    request.bound_to = origin;
    request.head += "Cookie: other=1; " + cookie + "\r\n";
  }
  if (random_.chance(0.3)) request.head += "aCCept:\t */* \r\n";
  if (random_.chance(0.1)) {
    request.head += "X-Long: " + std::string(random_.skewed(1, 6000), 'x') + "\r\n";
  }
}

void Client::add_body(Request& request) {
  Exchange& exchange = *request.exchange;
  const std::size_t length = random_.chance(0.1) ? 0 : random_.skewed(1, options_.max_body);
  exchange.body_length = length;
  const std::string body = make_body(exchange.token, Body::request, length);
  if (exchange.version_1_0 || random_.chance(0.5)) {
    request.head += "Content-Length: " + std::to_string(length) + "\r\n";
    request.body = body;
  } else {
    request.head += "Transfer-Encoding: chunked\r\n";
    request.body = encode_chunked(random_, body, exchange.token);
  }
  request.expects_continue = !exchange.version_1_0 && !request.body.empty() && random_.chance(0.15);
  if (request.expects_continue) request.head += "Expect: 100-continue\r\n";
}

// ---- The connection.

Task<void> Client::run(Address to) {
  auto begun = co_await begin_connection(*network_, to, random_, options_.beginning, false);
  if (!begun) co_return;
  stream_ = std::move(begun->stream);
  client_address_ = std::move(begun->client);
  wire_ = std::make_unique<Wire>(*stream_, random_, options_.patience);
  {
    Scope scope(co_await this_context());
    scope_ = &scope;
    scope.spawn(send_requests());
    scope.spawn(read_responses());
    co_await scope.join();
  }
  end_unfinished();
  stream_.reset();
}

void Client::end_unfinished() {
  for (const auto& request : waiting_) {
    if (request->exchange->outcome != Outcome::none) continue;
    Outcome outcome = left_ || !request->sent ? Outcome::given_up : Outcome::unanswered;
    if (end_announced_) outcome = Outcome::not_taken;
    ledger_->end(*request->exchange, outcome);
  }
}

Task<void> Client::send_requests() {
  const TaskContext& context = co_await this_context();
  const std::size_t count = random_.skewed(1, options_.max_requests);
  const std::size_t depth = random_.between(1, options_.max_depth);
  for (std::size_t i = 0; i < count; ++i) {
    while (waiting_.size() >= depth) {
      changed_.reset();
      if (!co_await changed_.wait()) break;
    }
    if (random_.chance(0.3)) {
      co_await sleep_until(context.executor().now() + random_.between(Duration{}, seconds(3)));
    }
    if (scope_->cancelled()) break;
    auto request = make_request(i + 1 == count);
    waiting_.push_back(request);
    changed_.set();
    if (!co_await send(request) || request->closes) break;
  }
  sending_ended_ = true;
  changed_.set();
}

Task<bool> Client::send(std::shared_ptr<Request> request) {
  const TaskContext& context = co_await this_context();
  if (random_.chance(options_.leave)) co_return co_await leave_in_the_midst(request);
  if (!request->expects_continue && random_.chance(0.7)) {
    request->head += std::exchange(request->body, {});  // in one write
  }
  if (!co_await wire_->write(request->head)) co_return false;
  if (request->expects_continue) {
    const Duration patience = random_.between(Duration{}, seconds(4));
    const TimePoint until = context.executor().now() + patience;
    const Result<void> waited = co_await wait_until(request->go_on, until);
    if (!waited && waited.error().kind == ErrorKind::cancelled) co_return false;
    // A request that is answered already may stay unfinished, if its connection ends with it.
    if (request->answered && random_.chance(0.5)) co_return false;
  }
  if (!co_await wire_->write(request->body)) co_return false;
  request->sent = true;
  co_return true;
}

// Sends a part of the request, waits a moment, and goes away.
Task<bool> Client::leave_in_the_midst(std::shared_ptr<Request> request) {
  const TaskContext& context = co_await this_context();
  std::string all = request->head + request->body;
  all.resize(random_.between(0, all.size()));
  co_await wire_->write(all);
  co_await sleep_until(context.executor().now() + random_.between(Duration{}, seconds(2)));
  left_ = true;
  if (random_.chance(0.5)) stream_->set_abortive();
  scope_->cancel();
  co_return false;
}

// ---- Responses.

Task<void> Client::read_responses() {
  After after = After::go_on;
  while (after == After::go_on) {
    if (waiting_.empty()) {
      if (sending_ended_) {
        after = co_await look_for_surplus();
        break;
      }
      changed_.reset();
      if (!co_await changed_.wait()) break;
      continue;
    }
    const auto request = waiting_.front();
    after = co_await read_response(request);
    if (request->exchange->outcome != Outcome::none) waiting_.pop_front();
    changed_.set();
  }
  scope_->cancel();
}

Outcome Client::outcome_of(const Error& error, bool begun) const {
  if (left_ || error.kind == ErrorKind::cancelled) return Outcome::given_up;
  if (error.kind == ErrorKind::timed_out) return Outcome::timed_out;
  return begun ? Outcome::cut : Outcome::unanswered;
}

Task<Client::After> Client::read_response(std::shared_ptr<Request> request) {
  Exchange& exchange = *request->exchange;
  while (true) {
    Result<Head> head = co_await wire_->read_head(options_.patience);
    if (!head) {
      if (head.error().kind == ErrorKind::protocol) {
        ledger_->violation(exchange.token, "malformed response head");
      }
      ledger_->end(exchange, outcome_of(head.error(), wire_->begun()));
      co_return After::stop;
    }
    const std::string status = head->line[1];
    if (status.size() != 3 || to_number(status) < 100 || !head->line[0].starts_with("HTTP/1.")) {
      ledger_->violation(exchange.token, "malformed status line: " + status);
      ledger_->end(exchange, Outcome::cut);
      co_return After::stop;
    }
    if (status[0] != '1') co_return co_await read_final(request, std::move(*head));
    if (exchange.version_1_0) ledger_->violation(exchange.token, status + " to an HTTP/1.0 client");
    if (status == "101") ledger_->violation(exchange.token, "101 that nobody asked for");
    if (status == "100") request->go_on.set();
  }
}

Task<Client::After> Client::read_final(std::shared_ptr<Request> request, Head head) {
  Exchange& exchange = *request->exchange;
  request->answered = true;
  request->go_on.set();
  const int status = to_number(head.line[1]);
  Result<BodyFraming> framing = framing_of(head, Framing::until_close);
  if (!framing) {
    ledger_->violation(exchange.token, "response framed in contradictory ways");
    ledger_->end(exchange, Outcome::cut, status);
    co_return After::stop;
  }
  if (has_no_body(exchange, status)) framing = BodyFraming{};
  if (exchange.version_1_0 && head.count("transfer-encoding") > 0) {
    ledger_->violation(exchange.token, "chunked to an HTTP/1.0 client");
  }
  BodyCheck body = check_body(*ledger_, exchange.token, Body::response, head);
  const Result<void> whole = co_await wire_->read_body(*framing, body, head);
  if (!whole && whole.error().kind == ErrorKind::protocol) {
    ledger_->violation(exchange.token, "malformed response body");
  }
  const Outcome outcome =
      judge_response(*ledger_, exchange, request->bound_to, head, body, whole.has_value());
  ledger_->end(exchange, outcome == Outcome::cut ? outcome_of(whole.error(), true) : outcome,
               status);
  const bool kept = head.line[0] == "HTTP/1.0" ? head.lists("connection", "keep-alive")
                                               : !head.lists("connection", "close");
  const bool last = !kept || framing->framing == Framing::until_close || request->closes;
  end_announced_ = last;
  if (!whole) co_return After::stop;
  co_return last ? co_await look_for_surplus() : After::go_on;
}

// After the last response: nothing may follow but the end.
Task<Client::After> Client::look_for_surplus() {
  if (wire_->has_surplus() || random_.chance(0.3)) {
    const Result<Head> head = co_await wire_->read_head(kListen);
    // A server may say that it has waited too long.
    if (wire_->begun() && !(head && head->line[1] == "408")) {
      ledger_->violation(0, "bytes after the last response");
    }
  }
  co_return After::stop;
}

}  // namespace penstock::simulation

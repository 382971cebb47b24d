#include "tests/simulation_login_origin.h"

#include <charconv>
#include <chrono>
#include <utility>

#include "async/sleep.h"
#include "tests/simulation_features.h"

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::uint64_t to_number(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

struct LoginOrigin::Seen {
  Head head;
  BodyFraming framing;
  Exchange* exchange = nullptr;
  std::size_t attempt = 0;
  Login login;
  bool basic = false;

  [[nodiscard]] Arrival& arrival() const { return exchange->arrivals[attempt]; }
};

void LoginOrigin::on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                            const Address& /*local*/) {
  scope_.spawn(serve(std::move(stream), random_.fork()));
}

Task<void> LoginOrigin::serve(std::unique_ptr<ByteStream> stream, Random random) {
  Visit& visit = book_->open_visit();
  Wire wire(*stream, random, options_.patience);
  bool again = true;
  while (again) again = co_await serve_one(*stream, wire, visit, random);
  book_->end_visit(visit.id);
}

Task<bool> LoginOrigin::serve_one(ByteStream& stream, Wire& wire, Visit& visit, Random& random) {
  const bool impatient = random.chance(options_.close_silently);
  const Duration idle = impatient ? random.between(milliseconds(1), seconds(4)) : options_.patience;
  Result<Head> head = co_await wire.read_head(idle);
  if (!head) {
    const ErrorKind kind = head.error().kind;
    if (kind == ErrorKind::protocol) ledger_->violation(0, "malformed request head");
    if (kind == ErrorKind::timed_out && !visit.user.empty()) ++book_->ended_by_server;
    co_return false;
  }
  if (head->line[1] == kHealthPath) {
    static_cast<void>(co_await wire.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nI am well"));
    co_return false;
  }
  Seen seen{.head = std::move(*head), .framing = {}, .login = {}};
  if (!check(seen, visit) || !co_await read_body(wire, seen)) co_return false;
  const Plan plan = make_plan(seen, visit, random);
  const TaskContext& context = co_await this_context();
  co_await sleep_until(context.executor().now() + plan.thought);
  const bool sent = co_await answer(stream, wire, plan);
  if (plan.closes && !visit.user.empty()) ++book_->ended_by_server;
  co_return sent && !plan.closes;
}

// Whether the request is one of ours, and came where it may come.
bool LoginOrigin::check(Seen& seen, Visit& visit) {
  const Head& head = seen.head;
  const Token token = find_token(head.line[1]);
  seen.exchange = ledger_->find(token);
  if (seen.exchange == nullptr) {
    ledger_->violation(token, "a request nobody sent: " + head.line[0] + " " + head.line[1]);
    return false;
  }
  if (head.count("host") != 1) ledger_->violation(token, "not one Host");
  if (head.value("x-request-token") != to_text(token)) {
    ledger_->violation(token, "another request's fields");
  }
  const Result<BodyFraming> framing = framing_of(head, Framing::none);
  if (!framing) {
    ledger_->violation(token, "request framed in contradictory ways");
    return false;
  }
  seen.framing = *framing;
  seen.attempt = seen.exchange->arrivals.size();
  seen.exchange->arrivals.emplace_back();
  seen.login = parse_login(options_.scheme, head.value("authorization"));
  seen.basic = head.value("authorization").starts_with("Basic ");
  const bool with_login = seen.login.step != LoginStep::none;
  book_->note_request(visit, to_number(head.value("x-client")), with_login, token);
  return true;
}

Task<bool> LoginOrigin::read_body(Wire& wire, Seen& seen) {
  const Token token = seen.exchange->token;
  BodyCheck check(token, Body::request);
  const Result<void> whole = co_await wire.read_body(seen.framing, check, seen.head);
  if (!check.right()) ledger_->violation(token, "request body is not its own");
  if (whole && check.seen() != seen.exchange->body_length) {
    ledger_->violation(token, "complete request body of another length");
  }
  seen.arrival().request_whole = whole.has_value();
  co_return whole.has_value();
}

int LoginOrigin::log_in(Seen& seen, Visit& visit, Random& random) {
  const bool for_users = seen.head.value("x-wants") == "private";
  switch (seen.login.step) {
    case LoginStep::ask:
      visit.user.clear();
      visit.nonce = random.next() | 1;
      return 401;
    case LoginStep::answer: {
      const std::uint64_t nonce = std::exchange(visit.nonce, 0);
      visit.user = nonce != 0 && nonce == seen.login.nonce ? seen.login.user : "";
      return visit.user.empty() ? 401 : 200;
    }
    case LoginStep::at_once:
      visit.user = seen.login.user;
      return 200;
    case LoginStep::none:
      break;
  }
  return for_users && visit.user.empty() && !seen.basic ? 401 : 200;
}

LoginOrigin::Plan LoginOrigin::make_plan(Seen& seen, Visit& visit, Random& random) {
  const Token token = seen.exchange->token;
  Plan plan;
  plan.thought = random.chance(0.6) ? Duration{} : random.between(Duration{}, options_.max_thought);
  const int status = log_in(seen, visit, random);
  const bool old = random.chance(options_.old);
  const bool announced = random.chance(options_.close_announced) || (old && random.chance(0.5));
  plan.closes = announced || random.chance(options_.close_silently / 2);
  const std::string body = make_body(token, Body::response, random.skewed(1, options_.max_body));
  seen.arrival().status = status;
  seen.arrival().body_length = body.size();

  std::string& text = plan.response;
  if (!old && random.chance(0.05)) text = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  text += (old ? "HTTP/1.0 " : "HTTP/1.1 ") + std::to_string(status) + " Some Reason\r\n";
  text += "X-Token: " + to_text(token) + "\r\nX-Visit: " + std::to_string(visit.id) + "\r\n";
  text += "X-Attempt: " + std::to_string(seen.attempt) + "\r\n";
  text += "X-Login: " + (visit.user.empty() ? "-" : visit.user) + "\r\n";
  if (announced) text += "X-Ends: 1\r\n";
  if (status == 401) {
    Login challenge{.step = LoginStep::answer, .user = {}, .nonce = visit.nonce};
    text += "WWW-Authenticate: ";
    text += visit.nonce != 0 ? to_text(options_.scheme, challenge) : options_.scheme;
    text += "\r\n";
  }
  if (announced ? !old || random.chance(0.5) : old) {
    text += announced ? "Connection: close\r\n" : "Connection: keep-alive\r\n";
  }
  if (!old && random.chance(0.5)) {
    text += "Transfer-Encoding: chunked\r\n\r\n" + encode_chunked(random, body, token);
  } else {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }
  plan.cuts = random.chance(options_.cut);
  plan.resets = random.chance(0.5);
  seen.arrival().cut = plan.cuts;
  if (plan.cuts) {
    plan.closes = true;
    text.resize(random.chance(0.3) ? 0 : random.between(0, text.size() - 1));
  }
  return plan;
}

Task<bool> LoginOrigin::answer(ByteStream& stream, Wire& wire, const Plan& plan) {
  const Result<void> sent = co_await wire.write(plan.response);
  if (plan.cuts && plan.resets) stream.set_abortive();
  co_return sent.has_value();
}

}  // namespace penstock::simulation

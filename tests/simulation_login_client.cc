#include "tests/simulation_login_client.h"

#include <array>
#include <charconv>
#include <chrono>
#include <utility>

#include "async/sleep.h"

namespace penstock::simulation {
namespace {

using std::chrono::seconds;

constexpr std::array<std::string_view, 5> kMethods = {"GET", "GET", "GET", "PUT", "DELETE"};

std::uint64_t to_number(const std::string& text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

LoginClient::LoginClient(Network& network, Ledger& ledger, LoginBook& book, Random random,
                         const LoginClientOptions& options)
    : network_(&network),
      ledger_(&ledger),
      book_(&book),
      random_(random),
      options_(options),
      id_(book.open_client()) {
  for (const std::string& host : options_.hosts) sites_.push_back({.host = host});
}

// `last`: nothing may be sent behind it before it is answered (RFC 9112 section 9.3.2).
LoginClient::Request LoginClient::make_request(Site& site, const Login& login, bool last) {
  Exchange& exchange = ledger_->open(random_);
  Request request{.exchange = &exchange, .site = &site, .text = {}, .login = login};
  exchange.method = last && random_.chance(0.3) ? "POST" : random_.pick(kMethods);
  request.for_users = login.step != LoginStep::none || random_.chance(0.7);

  std::string& text = request.text;
  const std::string token = to_text(exchange.token);
  text = exchange.method + " " + (options_.absolute_form ? "http://" + site.host : "");
  text += "/token/" + token + " HTTP/1.1\r\nHost: " + site.host + "\r\n";
  text += "X-Request-Token: " + token + "\r\nX-Client: " + std::to_string(id_) + "\r\n";
  text += std::string("X-Wants: ") + (request.for_users ? "private" : "public") + "\r\n";
  if (login.step != LoginStep::none) {
    text += "Authorization: " + to_text(options_.scheme, login) + "\r\n";
  } else if (options_.kind == LoginKind::basic) {
    text += "Authorization: Basic " + options_.user + "\r\n";
  }
  const bool has_body = exchange.method == "POST" || exchange.method == "PUT";
  if (!has_body) return text += "\r\n", request;
  exchange.body_length = random_.skewed(1, options_.max_body);
  const std::string body = make_body(exchange.token, Body::request, exchange.body_length);
  if (random_.chance(0.5)) {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  } else {
    text += "Transfer-Encoding: chunked\r\n\r\n" + encode_chunked(random_, body, exchange.token);
  }
  return request;
}

Task<void> LoginClient::run(Address to) {
  const TaskContext& context = co_await this_context();
  auto connected = co_await network_->connect(to, context.executor().now() + options_.patience);
  if (!connected) co_return book_->end_client(id_, context.executor().now());
  stream_ = std::move(*connected);
  wire_ = std::make_unique<Wire>(*stream_, random_, options_.patience);
  const std::size_t steps = random_.between(1, options_.max_steps);
  for (std::size_t i = 0; i < steps; ++i) {
    if (random_.chance(0.3)) {
      co_await sleep_until(context.executor().now() + random_.between(Duration{}, seconds(3)));
    }
    if (context.cancelled() || !co_await take_step()) break;
  }
  stream_.reset();
  book_->end_client(id_, context.executor().now());
}

Task<bool> LoginClient::take_step() {
  Site& site = sites_[random_.below(sites_.size())];
  const bool connection_bound = options_.kind == LoginKind::connection;
  const bool wants_login = connection_bound && random_.chance(site.logged_in ? 0.05 : 0.85);
  if (wants_login) co_return co_await handshake(site);
  Batch batch;
  const std::size_t depth = random_.between(1, options_.max_depth);
  for (std::size_t i = 0; i < depth; ++i) {
    Site& one = random_.chance(0.5) ? site : sites_[random_.below(sites_.size())];
    batch.push_back(make_request(one, {}, i + 1 == depth));
  }
  if (random_.chance(options_.leave)) co_return co_await leave_in_the_midst(std::move(batch));
  co_return co_await exchange(std::move(batch));
}

// Up to the point where the connection is logged in, or is of no use.
Task<bool> LoginClient::handshake(Site& site) {
  Login login{.step = LoginStep::at_once, .user = options_.user};
  if (random_.chance(0.8)) {
    Batch ask;
    ask.push_back(make_request(site, {.step = LoginStep::ask, .user = options_.user}, true));
    nonce_ = 0;
    const bool challenged = co_await exchange(std::move(ask));
    if (!challenged || nonce_ == 0) co_return challenged;
    login.step = LoginStep::answer;
    login.nonce = nonce_;
  }
  if (random_.chance(0.2)) {
    const TaskContext& context = co_await this_context();
    co_await sleep_until(context.executor().now() + random_.between(Duration{}, seconds(5)));
  }
  Batch answer;
  answer.push_back(make_request(site, login, true));
  if (random_.chance(options_.leave)) co_return co_await leave_in_the_midst(std::move(answer));
  co_return co_await exchange(std::move(answer));
}

// Sends all of them at once, and reads their responses meanwhile.
Task<bool> LoginClient::exchange(Batch batch) {
  std::string text;
  for (const Request& request : batch) text += request.text;
  Scope sending(co_await this_context());
  sending.spawn(send(*this, std::move(text)));
  bool usable = true;
  for (Request& request : batch) {
    usable = co_await read_response(request);
    if (!usable) break;
  }
  if (!usable) sending.cancel();
  co_await sending.join();
  end_unfinished(batch);
  co_return usable;
}

Task<void> LoginClient::send(LoginClient& self, std::string text) {
  static_cast<void>(co_await self.wire_->write(text));
}

// Sends some of it, reads a response or none, and goes away.
Task<bool> LoginClient::leave_in_the_midst(Batch batch) {
  const TaskContext& context = co_await this_context();
  std::string text;
  for (const Request& request : batch) text += request.text;
  if (random_.chance(0.5)) text.resize(random_.between(0, text.size()));
  Scope sending(co_await this_context());
  sending.spawn(send(*this, std::move(text)));
  co_await sleep_until(context.executor().now() + random_.between(Duration{}, seconds(3)));
  sending.cancel();
  co_await sending.join();
  left_ = true;
  if (random_.chance(0.5)) stream_->set_abortive();
  end_unfinished(batch);
  co_return false;
}

void LoginClient::end_unfinished(const Batch& batch) {
  for (const Request& request : batch) {
    if (request.exchange->outcome != Outcome::none) continue;
    Outcome outcome = left_ ? Outcome::given_up : Outcome::unanswered;
    if (end_announced_) outcome = Outcome::not_taken;
    ledger_->end(*request.exchange, outcome);
  }
}

// ---- Responses.

Task<bool> LoginClient::read_response(Request& request) {
  while (true) {
    Result<Head> head = co_await wire_->read_head(options_.patience);
    if (head && head->line[1].starts_with('1')) continue;
    if (head) co_return co_await read_final(request, std::move(*head));
    const ErrorKind kind = head.error().kind;
    if (kind == ErrorKind::protocol) wrong(request, "malformed response head");
    Outcome outcome = wire_->begun() ? Outcome::cut : Outcome::unanswered;
    if (kind == ErrorKind::timed_out) outcome = Outcome::timed_out;
    if (kind == ErrorKind::cancelled) outcome = Outcome::given_up;
    ledger_->end(*request.exchange, outcome);
    co_return false;
  }
}

Task<bool> LoginClient::read_final(Request& request, Head head) {
  Exchange& exchange = *request.exchange;
  const int status = static_cast<int>(to_number(head.line[1]));
  const Result<BodyFraming> framing = framing_of(head, Framing::until_close);
  if (!framing) wrong(request, "response framed in contradictory ways");
  const bool own = head.count("proxy-status") > 0 && head.count("x-token") == 0;
  if (own) {
    judge_proxy_error(request, head);
  } else {
    judge(request, head);
  }
  end_announced_ = head.lists("connection", "close");
  BodyCheck check(exchange.token, Body::response);
  const Result<void> whole =
      co_await wire_->read_body(framing.value_or(BodyFraming{}), check, head);
  if (!own && !check.right()) wrong(request, "response body is not its own");
  if (!whole) {
    const bool late = whole.error().kind == ErrorKind::timed_out;
    ledger_->end(exchange, late ? Outcome::timed_out : Outcome::cut, status);
    co_return false;
  }
  const std::uint64_t attempt = to_number(head.value("x-attempt"));
  if (!own && (attempt >= exchange.arrivals.size() || exchange.arrivals[attempt].cut)) {
    wrong(request, "cut response looks complete");
  }
  ledger_->end(exchange, own ? Outcome::proxy_error : Outcome::whole, status);
  co_return !end_announced_;
}

void LoginClient::wrong(const Request& request, const std::string& what) {
  ledger_->violation(request.exchange->token,
                     "client connection " + std::to_string(id_) + " of " +
                         (options_.user.empty() ? "nobody" : options_.user) + ": " + what);
}

// A response of an origin: on which of its connections was it made, and as whom?
void LoginClient::judge(Request& request, const Head& head) {
  if (head.value("x-token") != to_text(request.exchange->token)) {
    return wrong(request, "answered with a response to " + head.value("x-token"));
  }
  const Site& site = *request.site;
  const int status = static_cast<int>(to_number(head.line[1]));
  const std::uint64_t visit = to_number(head.value("x-visit"));
  const std::string login = head.value("x-login");
  const bool mine = options_.kind == LoginKind::connection && login == options_.user;
  if (login != "-" && !mine) wrong(request, "got a response made for " + login);
  if (site.bound && visit != site.visit) {
    wrong(request, "was logged in on " + std::to_string(site.visit) + ", and answered on " +
                       std::to_string(visit));
  }
  if (site.logged_in && request.login.step == LoginStep::none && login != options_.user) {
    wrong(request, "silently without its login");
  }
  if (request.login.step == LoginStep::answer && status != 200) wrong(request, "login failed");
  const bool may_see =
      options_.kind == LoginKind::basic || site.logged_in || request.login.step != LoginStep::none;
  if (request.for_users && status == 200 && !may_see) wrong(request, "sees what it must not see");
  const bool bound = site.bound || request.login.step != LoginStep::none;
  if (bound && head.count("x-ends") > 0 && !head.lists("connection", "close")) {
    wrong(request, "is not told that its login has ended");
  }
  if (request.login.step == LoginStep::ask) {
    nonce_ = parse_login(options_.scheme, head.value("www-authenticate")).nonce;
  }
  note_answer(request, status, visit);
}

void LoginClient::note_answer(Request& request, int status, std::uint64_t visit) {
  Site& site = *request.site;
  if (request.login.step != LoginStep::none) {
    site.bound = true;
    site.visit = visit;
    site.logged_in = status == 200;
    book_->logins += site.logged_in ? 1 : 0;
  } else if (site.logged_in) {
    ++book_->served;
  }
  const bool good = options_.kind != LoginKind::connection || site.logged_in;
  if (good && (status == 200 || !request.for_users || options_.kind == LoginKind::anonymous)) {
    ++successes_;
  }
}

// A connection that a login was sent on, and that failed, must not be replaced in silence.
void LoginClient::judge_proxy_error(const Request& request, const Head& head) {
  const bool bound = request.site->bound || request.login.step != LoginStep::none;
  if (bound && !head.lists("connection", "close")) {
    wrong(request, "may go on after " + head.value("proxy-status"));
  }
  if (head.value("proxy-status").find("login_lost") == std::string::npos) return;
  ++book_->lost;
  if (!request.site->bound) wrong(request, "is told of a login that it does not have");
  if (head.line[1] != "502") wrong(request, "login_lost with status " + head.line[1]);
}

}  // namespace penstock::simulation

#include "tests/simulation_http2_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "async/sleep.h"
#include "async/wait.h"
#include "tests/simulation_body.h"
#include "tests/simulation_http2.h"
#include "tests/simulation_judge.h"

namespace penstock::simulation {
namespace {

using http2::ErrorCode;
using std::chrono::seconds;

constexpr std::array<ErrorCode, 4> kAbortCodes = {ErrorCode::cancel, ErrorCode::cancel,
                                                  ErrorCode::no_error, ErrorCode::internal_error};

constexpr double kSaysGoodbyeEarly = 0.02;  // probability, of each request

// For people: how a stream ended too early.
std::string describe(const Error& error, const http2::Stream& stream,
                     const http2::Connection& connection) {
  std::string text(to_string(error.kind));
  text += ", stream " + std::to_string(stream.id());
  if (stream.reset_code()) text += " " + std::string(to_string(*stream.reset_code()));
  if (!connection.ending_soon()) return text;
  const http2::Ending& ending = connection.ending();
  text += ", connection: sent " + std::string(to_string(ending.sent)) + ", received " +
          std::string(to_string(ending.received)) + " " + std::string(ending.reason);
  return text;
}

}  // namespace

struct Http2Client::Request {
  explicit Request(Random own) : random(own) {}

  Exchange* exchange = nullptr;
  Random random;
  RequestHead head;
  std::string body;
  penstock::Framing framing;
  bool has_body = false;
  bool expects_continue = false;
  bool aborts = false;
  bool aborted = false;
  bool uploaded = false;
  bool answered = false;  // finally
  Event go_on;            // 100 or a final response has come
  std::string bound_to;   // the origin that its cookie stands for; empty: it has none
  std::unique_ptr<http2::Stream> stream;
};

// ---- The connection.

void Http2Client::on_request(std::unique_ptr<http2::Stream> /*stream*/) {
  ledger_->violation(0, "a server that asks");
}

void Http2Client::draw_settings() {
  settings_ = {.role = http2::Role::client,
               .http2 = draw_http2_settings(random_),
               .idle = options_.patience,
               .head_time = options_.patience,
               .stall = options_.patience,
               .settings_ack = options_.patience};
}

Task<void> Http2Client::run(Address to) {
  TaskContext& context = co_await this_context();
  auto begun = co_await begin_connection(*network_, to, random_, options_.beginning, true);
  if (!begun) co_return;
  stream_ = std::move(begun->stream);
  client_address_ = std::move(begun->client);
  draw_settings();
  http2::ConnectionUser& user = *this;
  connection_.emplace(*stream_, input_, settings_, context.executor(), user);
  {
    Scope scope(context);
    scope_ = &scope;
    scope.spawn(run_connection(*this));
    scope.spawn(send_requests(*this));
    co_await scope.join();
  }
  connection_.reset();
  stream_.reset();
}

Task<void> Http2Client::run_connection(Http2Client& self) {
  static_cast<void>(co_await self.connection_->run());
  self.changed_.set();
}

Task<bool> Http2Client::wait_for_room(std::size_t most) {
  while (running_ >= most || connection_->room() == 0) {
    if (connection_->ending_soon() || left_) co_return false;
    changed_.reset();
    if (!co_await changed_.wait()) co_return false;
  }
  co_return !left_ && !connection_->ending_soon();
}

Task<void> Http2Client::send_requests(Http2Client& self) {
  const TaskContext& context = co_await this_context();
  Random& random = self.random_;
  const std::size_t count = random.skewed(1, 2 * self.options_.max_requests);
  const std::size_t most = random.between(1, 2 * self.options_.max_depth);
  for (std::size_t i = 0; i < count; ++i) {
    if (random.chance(0.3)) {
      co_await sleep_until(context.executor().now() + random.between(Duration{}, seconds(3)));
    }
    if (!co_await self.wait_for_room(most)) break;
    ++self.running_;
    self.scope_->spawn(exchange(self, self.make_request()));
    if (random.chance(self.options_.leave / 2)) self.scope_->spawn(leave_soon(self));
    // GOAWAY, while requests are under way.
    if (random.chance(kSaysGoodbyeEarly)) self.connection_->shut_down();
  }
  while (self.running_ > 0 && !self.left_) {
    self.changed_.reset();
    if (!co_await self.changed_.wait()) break;
  }
  co_await self.part();
}

// In the ordinary way, or by just going.
Task<void> Http2Client::part() {
  const TaskContext& context = co_await this_context();
  if (left_) co_return;
  if (random_.chance(0.2)) {
    co_await sleep_until(context.executor().now() + random_.between(Duration{}, seconds(10)));
  }
  if (random_.chance(0.5)) {
    connection_->shut_down();
  } else {
    scope_->cancel();
  }
}

Task<void> Http2Client::leave_soon(Http2Client& self) {
  const TaskContext& context = co_await this_context();
  const Duration wait = self.random_.between(Duration{}, seconds(2));
  co_await sleep_until(context.executor().now() + wait);
  self.left_ = true;
  if (self.random_.chance(0.5)) self.stream_->set_abortive();
  self.scope_->cancel();
}

// ---- Making requests.

std::unique_ptr<Http2Client::Request> Http2Client::make_request() {
  auto request = std::make_unique<Request>(random_.fork());
  Random& random = request->random;
  Exchange& exchange = ledger_->open(random);
  request->exchange = &exchange;
  exchange.method = draw_method(random);
  exchange.client = client_address_;
  exchange.http2 = true;
  RequestHead& head = request->head;
  const std::string token = to_text(exchange.token);
  head.method = method_of(exchange.method);
  head.method_text = exchange.method;
  head.version = Version::http2;
  head.target.path_and_query =
      head.fields.keep("/token/" + token + (random.chance(0.2) ? "?a=b%20c&d" : ""));
  head.fields.add(FieldId::host, head.fields.keep(options_.host));
  head.fields.add(FieldId::other, "x-request-token", head.fields.keep(token));
  add_noise(*request, *ledger_);
  if (draw_has_body(exchange.method, random)) add_body(*request);
  request->aborts = random.chance(options_.leave * 2);
  return request;
}

void Http2Client::add_noise(Request& request, Ledger& ledger) {
  Random& random = request.random;
  FieldSection& fields = request.head.fields;
  if (!ledger.cookies.empty() && random.chance(0.5)) {
    const auto& [cookie, origin] = ledger.cookies[random.below(ledger.cookies.size())];
    request.bound_to = origin;
    if (random.chance(0.5)) {
      // Crumbs (RFC 9113 section 8.2.3).
      fields.add(FieldId::cookie, "other=1");
      fields.add(FieldId::cookie, fields.keep(cookie));
    } else {
      fields.add(FieldId::cookie, fields.keep("other=1; " + cookie));
    }
  }
  if (random.chance(0.3)) fields.add(FieldId::other, "accept", "*/*");
  if (random.chance(0.2)) fields.add(FieldId::te, "trailers");
  if (random.chance(0.1)) {
    fields.add(FieldId::other, "x-long", fields.keep(std::string(random.skewed(1, 6000), 'x')));
  }
}

void Http2Client::add_body(Request& request) {
  Exchange& exchange = *request.exchange;
  Random& random = request.random;
  const std::size_t length = random.chance(0.1) ? 0 : random.skewed(1, options_.max_body);
  exchange.body_length = length;
  request.body = make_body(exchange.token, Body::request, length);
  request.has_body = true;
  request.framing = {.kind = BodyKind::chunked};
  if (random.chance(0.5)) {
    request.framing = {.kind = BodyKind::length, .length = length};
    set_content_length(request.head.fields, length);
  }
  request.expects_continue = length > 0 && random.chance(0.15);
  if (request.expects_continue) request.head.fields.add(FieldId::expect, "100-continue");
}

// ---- One request.

Task<void> Http2Client::exchange(Http2Client& self, std::unique_ptr<Request> request) {
  request->stream = self.connection_->open();
  const http2::RequestPseudo pseudo{.scheme = "http", .authority = {}};
  const auto sent = request->stream->send_request(request->head, pseudo, !request->has_body);
  if (!sent) {
    self.end_without_response(*request, sent.error());
  } else {
    Scope beside(co_await this_context());
    if (request->has_body) beside.spawn(upload(*request));
    {
      Scope aborting(co_await this_context());
      if (request->aborts) aborting.spawn(abort_soon(*request));
      co_await self.receive(*request);
      aborting.cancel();
      co_await aborting.join();
    }
    // The rest of the request may stay unsent where it is answered.
    if (request->random.chance(0.3)) beside.cancel();
    co_await beside.join();
  }
  request->stream.reset();
  --self.running_;
  self.changed_.set();
}

Task<void> Http2Client::upload(Request& request) {
  const TaskContext& context = co_await this_context();
  if (request.expects_continue) {
    const Duration patience = request.random.between(Duration{}, seconds(4));
    const TimePoint until = context.executor().now() + patience;
    const Result<void> waited = co_await wait_until(request.go_on, until);
    if (!waited && waited.error().kind == ErrorKind::cancelled) co_return;
    if (request.answered && request.random.chance(0.5)) co_return;
  }
  PacedBody body(request.body, request.random.fork(), request.random.chance(0.3) ? 0.2 : 0);
  const std::string token = to_text(request.exchange->token);
  if (request.random.chance(0.2)) {
    body.own_trailers().add(FieldId::other, "x-trailer-token", token);
  }
  static_cast<void>(co_await request.stream->send_body(body, request.framing));
}

Task<void> Http2Client::abort_soon(Request& request) {
  const TaskContext& context = co_await this_context();
  const Duration wait = request.random.between(Duration{}, seconds(2));
  if (!co_await sleep_until(context.executor().now() + wait)) co_return;
  request.aborted = true;
  request.stream->reset(request.random.pick(kAbortCodes));
}

Task<void> Http2Client::receive(Request& request) {
  ResponseHead raw;
  const bool answered = co_await receive_head(request, raw);
  request.answered = true;
  request.go_on.set();
  if (!answered) co_return;
  Exchange& exchange = *request.exchange;
  Head head = plain_response(raw);
  BodyCheck body = check_body(*ledger_, exchange.token, Body::response, head);
  const Result<void> whole = co_await receive_body(request, body);
  if (whole) add_trailers(head, request.stream->trailers());
  if (!whole) exchange.why = describe(whole.error(), *request.stream, *connection_);
  if (!whole && whole.error().kind == ErrorKind::protocol) {
    ledger_->violation(exchange.token, "malformed response body");
  }
  const Outcome outcome =
      judge_response(*ledger_, exchange, request.bound_to, head, body, whole.has_value());
  ledger_->end(exchange,
               outcome == Outcome::cut ? outcome_of(request, whole.error(), true) : outcome,
               raw.status);
}

Task<bool> Http2Client::receive_head(Request& request, ResponseHead& head) {
  const TaskContext& context = co_await this_context();
  while (true) {
    head = ResponseHead{};
    const TimePoint deadline = context.executor().now() + options_.patience;
    const auto got = co_await request.stream->receive_response(head, deadline);
    if (!got) {
      end_without_response(request, got.error());
      co_return false;
    }
    if (head.status >= 200) co_return true;
    if (head.status == 100) request.go_on.set();
  }
}

Task<Result<void>> Http2Client::receive_body(Request& request, BodyCheck& check) {
  Dawdler dawdler(request.random, request.random.chance(0.3) ? 0.3 : 0);
  while (!request.stream->at_end()) {
    if (!co_await dawdler.dawdle()) co_return fail(ErrorKind::cancelled);
    auto slice = co_await request.stream->next();
    if (!slice) co_return fail(slice.error());
    check.feed(slice->view());
  }
  co_return Result<void>{};
}

void Http2Client::end_without_response(Request& request, const Error& error) {
  if (error.kind == ErrorKind::protocol) {
    ledger_->violation(request.exchange->token, "malformed response head");
  }
  const Outcome outcome = outcome_of(request, error, false);
  request.exchange->why = describe(error, *request.stream, *connection_);
  request.exchange->refused = outcome == Outcome::not_taken;
  ledger_->end(*request.exchange, outcome);
}

Outcome Http2Client::outcome_of(const Request& request, const Error& error, bool begun) const {
  if (left_ || request.aborted || error.kind == ErrorKind::cancelled) return Outcome::given_up;
  if (error.kind == ErrorKind::timed_out) return Outcome::timed_out;
  if (begun) return Outcome::cut;
  // Refused, because of GOAWAY or too many streams; or not sent at all.
  const bool refused = error.retryable || request.stream->sent() == 0;
  return refused ? Outcome::not_taken : Outcome::unanswered;
}

}  // namespace penstock::simulation

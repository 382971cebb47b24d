#include "tests/simulation_http2_origin.h"

#include <array>
#include <chrono>
#include <utility>

#include "async/sleep.h"
#include "message/text_body.h"
#include "tests/simulation_features.h"
#include "tests/simulation_http2.h"
#include "tests/simulation_judge.h"

namespace penstock::simulation {
namespace {

using http2::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

// Not REFUSED_STREAM, which would be a lie once the request was taken.
constexpr std::array<ErrorCode, 5> kResetCodes = {ErrorCode::internal_error, ErrorCode::cancel,
                                                  ErrorCode::no_error, ErrorCode::protocol_error,
                                                  ErrorCode::enhance_your_calm};

}  // namespace

struct Http2Service::Seen {
  Seen(http2::Stream& of, Random& own) : stream(&of), random(&own) {}

  http2::Stream* stream;
  Random* random;
  Head head;
  Exchange* exchange = nullptr;
  std::size_t attempt = 0;
  std::string body;  // of the response
  bool body_read = false;

  [[nodiscard]] Arrival& arrival() const { return exchange->arrivals[attempt]; }
};

Http2Service::Http2Service(Taken& taken, Ledger& ledger, Random random,
                           const OriginOptions& options, const std::string& name,
                           TaskContext& context)
    : taken_(&taken),
      ledger_(&ledger),
      random_(random),
      options_(&options),
      name_(&name),
      context_(context) {
  const bool impatient = random_.chance(2 * options_->close_silently);
  settings_ = {.role = http2::Role::server,
               .http2 = draw_http2_settings(random_),
               .idle = impatient ? random_.between(milliseconds(1), seconds(5)) : options.patience,
               .head_time = options.patience,
               .stall = options.patience,
               .settings_ack = options.patience};
}

Task<void> Http2Service::run() {
  TaskContext& context = co_await this_context();
  http2::ConnectionUser& user = *this;
  connection_.emplace(*taken_->stream, taken_->input, settings_, context.executor(), user);
  Scope requests(context);
  requests_ = &requests;
  co_await run_connection(*this).in(context_);
  requests.cancel();
  co_await requests.join();
  connection_.reset();
}

Task<void> Http2Service::run_connection(Http2Service& self) {
  static_cast<void>(co_await self.connection_->run());
}

void Http2Service::on_request(std::unique_ptr<http2::Stream> stream) {
  requests_->spawn(answer(*this, std::move(stream), random_.fork()));
}

Task<void> Http2Service::answer(Http2Service& self, std::unique_ptr<http2::Stream> stream,
                                Random random) {
  const TaskContext& context = co_await this_context();
  if (stream->head().path() == kHealthPath) {
    co_await self.answer_check(*stream, random);
    co_return;
  }
  if (random.chance(self.options_->refuse)) {
    co_await sleep_until(context.executor().now() + random.between(Duration{}, seconds(1)));
    stream->reset(ErrorCode::refused_stream);
    co_return;
  }
  Seen seen(*stream, random);
  if (!self.take(seen)) co_return;
  const Plan plan = self.make_plan(seen, random);
  Scope reading(co_await this_context());
  if (plan.early) {
    reading.spawn(read_body(self, seen));
  } else {
    co_await read_body(self, seen);
    if (!seen.body_read) co_return;
  }
  co_await sleep_until(context.executor().now() + plan.thought);
  co_await self.respond(seen, plan);
  // The rest of the request may stay unread.
  if (random.chance(0.5)) reading.cancel();
  co_await reading.join();
}

Task<void> Http2Service::answer_check(http2::Stream& stream, Random& random) {
  const bool well = !random.chance(options_->unwell);
  const bool silent = !well && random.chance(0.3);
  if (silent) co_return;
  RequestHead request;
  static_cast<void>(http2::make_request(stream.head(), false, request));
  stream.expect({});
  ResponseHead head;
  head.status = well || random.chance(0.3) ? 200 : 503;
  static_cast<void>(stream.send_response(head, false));
  TextBody body(well ? "I am well" : "I am ill");
  const penstock::Framing framing{.kind = BodyKind::chunked};
  static_cast<void>(co_await stream.send_body(body, framing));
}

// Whether the request is one of ours, as it was sent.
bool Http2Service::take(Seen& seen) {
  RequestHead request;
  const bool all = seen.stream->head_was_all();
  const Refusal refusal = http2::make_request(seen.stream->head(), false, request);
  const auto framing = http2::message_framing(request.fields, all);
  if (refusal != Refusal::none || !framing) {
    ledger_->violation(0, "malformed request head");
    return false;
  }
  seen.stream->expect(*framing);
  seen.head = plain_request(request);
  seen.exchange = judge_request(*ledger_, seen.head, taken_->client);
  if (seen.exchange == nullptr) return false;
  seen.attempt = seen.exchange->arrivals.size();
  seen.exchange->arrivals.emplace_back();
  return true;
}

Http2Service::Plan Http2Service::make_plan(Seen& seen, Random& random) {
  Plan plan;
  plan.early = random.chance(options_->early);
  plan.thought =
      random.chance(0.5) ? Duration{} : random.between(Duration{}, options_->max_thought);
  while (random.chance(0.1)) ++plan.hints;
  plan.length_told = random.chance(0.5);
  plan.trailer = random.chance(0.15);
  plan.goes_away = random.chance(options_->close_announced / 2);
  Arrival& arrival = seen.arrival();
  arrival.status = draw_status(random);
  const bool bodiless = arrival.status == 204 || arrival.status == 304;
  const std::size_t length = random.chance(0.1) ? 0 : random.skewed(1, options_->max_body);
  seen.body = make_body(seen.exchange->token, Body::response, bodiless ? 0 : length);
  arrival.body_length = seen.body.size();
  if (random.chance(options_->cut)) {
    plan.stop = random.chance(0.5)   ? Stop::reset_stream
                : random.chance(0.5) ? Stop::close
                                     : Stop::reset;
  } else if (random.chance(options_->stall)) {
    plan.stop = Stop::stall;
  }
  arrival.cut = plan.stop != Stop::none;
  // A response of a length that is told is complete with its last byte, whatever becomes of the
  // stream after it.
  const std::size_t most = seen.body.size() - (plan.length_told && !seen.body.empty() ? 1 : 0);
  const bool nothing_to_cut = plan.length_told && seen.body.empty();
  plan.without_head =
      random.chance(0.3) || nothing_to_cut || has_no_body(*seen.exchange, arrival.status);
  plan.stop_at = random.between(0, most);
  return plan;
}

Task<void> Http2Service::read_body(Http2Service& self, Seen& seen) {
  const Token token = seen.exchange->token;
  BodyCheck check = check_body(*self.ledger_, token, Body::request, seen.head);
  Dawdler dawdler(*seen.random, seen.random->chance(0.2) ? 0.3 : 0);
  if (seen.head.lists("expect", "100-continue") && seen.random->chance(0.7)) {
    ResponseHead go_on;
    go_on.status = 100;
    static_cast<void>(seen.stream->send_response(go_on, false));
  }
  while (!seen.stream->at_end()) {
    if (!co_await dawdler.dawdle()) co_return;
    const auto slice = co_await seen.stream->next();
    if (!slice) {
      if (slice.error().kind == ErrorKind::protocol) {
        self.ledger_->violation(token, "malformed request body");
      }
      co_return;
    }
    check.feed(slice->view());
    if (!check.right()) self.ledger_->violation(token, "request body is not its own");
  }
  seen.body_read = seen.arrival().request_whole = true;
  add_trailers(seen.head, seen.stream->trailers());
  judge_request_body(*self.ledger_, *seen.exchange, check, seen.head);
}

// ---- What it answers.

ResponseHead Http2Service::make_head(const Seen& seen, const Plan& plan) const {
  ResponseHead head;
  head.status = seen.arrival().status;
  FieldSection& fields = head.fields;
  fields.add(FieldId::other, "x-token", fields.keep(to_text(seen.exchange->token)));
  fields.add(FieldId::other, "x-attempt", fields.keep(std::to_string(seen.attempt)));
  fields.add(FieldId::other, "x-origin", fields.keep(*name_));
  if (plan.length_told && head.status != 204 && head.status != 304) {
    set_content_length(fields, seen.body.size());
  }
  return head;
}

Task<void> Http2Service::respond(Seen& seen, const Plan& plan) {
  http2::Stream& stream = *seen.stream;
  Random& random = *seen.random;
  for (int i = 0; i < plan.hints && !plan.early; ++i) {
    ResponseHead hint;
    hint.status = 103;
    hint.fields.add(FieldId::other, "link", "</style.css>; rel=preload");
    static_cast<void>(stream.send_response(hint, false));
  }
  PacedBody body(seen.body, random.fork(), random.chance(0.3) ? 0.2 : 0);
  if (plan.stop != Stop::none) {
    const Duration wait = plan.stop == Stop::stall ? options_->patience : Duration{};
    body.cut(plan.without_head ? 0 : plan.stop_at, wait,
             [this, &stream, &plan, &random] { break_off(stream, plan.stop, random); });
  }
  if (plan.stop != Stop::none && plan.without_head) {
    static_cast<void>(co_await body.next());
    co_return;
  }
  const ResponseHead head = make_head(seen, plan);
  const bool bodiless = has_no_body(*seen.exchange, head.status);
  static_cast<void>(stream.send_response(head, bodiless));
  if (plan.goes_away) connection_->shut_down();
  if (bodiless) {
    static_cast<void>(co_await stream.flush());
    co_return;
  }
  const std::string token = to_text(seen.exchange->token);
  if (plan.trailer) body.own_trailers().add(FieldId::other, "x-trailer-token", token);
  penstock::Framing framing{.kind = BodyKind::chunked};
  if (plan.length_told) framing = {.kind = BodyKind::length, .length = seen.body.size()};
  static_cast<void>(co_await stream.send_body(body, framing));
}

void Http2Service::break_off(http2::Stream& stream, Stop how, Random& random) {
  switch (how) {
    case Stop::close:
      context_.cancel();
      break;
    case Stop::reset:
    case Stop::stall:
      taken_->stream->set_abortive();
      context_.cancel();
      break;
    default:
      stream.reset(random.pick(kResetCodes));
  }
}

}  // namespace penstock::simulation

#include "icap/exchange.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "icap/chunk_extensions.h"

namespace penstock::icap {
namespace {

constexpr Framing kChunked{.kind = BodyKind::chunked};
// Of content that has been longer than that much more is to be expected.
constexpr std::uint64_t kLargeContent = 4096;
constexpr int kContinue = 100;
constexpr int kNoContent = 204;
constexpr int kPartialContent = 206;
constexpr int kRequestTimeout = 408;

std::string_view end_of_preview(const BodySource& body) {
  const bool whole = static_cast<const VirginBody&>(body).whole();
  return whole ? kLastChunkOfWholeBody : http1::kLastChunk;
}

std::unexpected<Failure> malformed(Problem problem) {
  return std::unexpected(Failure{.fault = Fault::malformed, .problem = problem});
}

}  // namespace

std::string_view to_string(const Failure& failure) {
  if (failure.problem != Problem::none) return to_string(failure.problem);
  switch (failure.fault) {
    case Fault::unsendable:
      return "the message can't be sent";
    case Fault::source:
      return "the message broke off";
    case Fault::cancelled:
      return "cancelled";
    case Fault::connection:
      return to_string(failure.error.kind);
    case Fault::timed_out:
      return "timed_out";
    case Fault::malformed:
      return "the answer can't be understood";
    case Fault::status:
      return "the status is an error";
    case Fault::not_kept:
      return "unmodified, but the message was not kept";
    case Fault::wrong_length:
      return "the content is not as long as its head says";
    case Fault::down:
      return "the service is down";
    case Fault::overloaded:
      return "the service has no connection free";
    case Fault::too_large:
      return "the message is larger than the service is to get";
    case Fault::no_method:
      return "the service does not offer the method";
    case Fault::too_late:
      return "refused when part of it was with the client";
  }
  return "unknown";
}

Exchange::Exchange(Lease lease, VirginBody* virgin, const ExchangeLimits& limits,
                   Executor& executor, ExchangeOwner* owner)
    : lease_(std::move(lease)),
      virgin_(virgin),
      limits_(&limits),
      executor_(&executor),
      owner_(owner),
      reused_(lease_->reused()),
      outgoing_{.stream = &lease_->stream(),
                .side = Side::none,
                .stall = limits.stall,
                .last_progress = executor.now()},
      writing_(executor) {}

// The end of a request that was not sent as a whole must not look like the end of a whole one.
Exchange::~Exchange() {
  if (lease_ && writer_ != Writer::done) lease_->stream().set_abortive();
}

Task<std::expected<Verdict, Failure>> Exchange::ask(const IcapRequest& request) {
  side_ = request.method == IcapMethod::reqmod ? Side::client : Side::server;
  auto heads = serialise(request);
  if (!heads) {
    writer_ = Writer::failed;
    co_return std::unexpected(Failure{.fault = Fault::unsendable, .problem = heads.error()});
  }
  TaskContext& context = co_await this_context();
  reading_.emplace(context);
  if (request.has_body) {
    writing_.spawn(write(*this, std::move(*heads), request.preview));
  } else {
    const auto sent = co_await http1::send_head(outgoing_, std::move(*heads));
    writer_ = sent ? Writer::done : Writer::failed;
  }
  auto verdict = co_await read_verdict(request).in(*reading_);
  reading_.reset();
  if (!verdict && source_error_) {
    verdict = std::unexpected(Failure{.fault = Fault::source, .error = *source_error_});
  }
  co_return verdict;
}

Task<void> Exchange::write(Exchange& exchange, Slice heads, std::optional<std::uint64_t> preview) {
  exchange.writer_ = Writer::sending;
  const auto sent = co_await exchange.send(std::move(heads), preview);
  if (sent) {
    exchange.writer_ = Writer::done;
  } else if (exchange.writer_ != Writer::paused) {
    exchange.writer_ = Writer::failed;
    // The server is not to be waited for: it can't have the whole message any more. One that has
    // stopped reading may have said why.
    const bool of_source =
        sent.error().side != Side::none && sent.error().kind != ErrorKind::cancelled;
    if (of_source) exchange.source_error_ = sent.error();
    if (of_source && exchange.reading_) exchange.reading_->cancel();
  }
  exchange.writer_ended_.set();
}

Task<Result<void>> Exchange::send(Slice heads, std::optional<std::uint64_t> preview) {
  if (preview) {
    virgin_->end_before(*preview);
    const auto seen = *preview == 0 ? co_await virgin_->look_ahead() : Result<void>{};
    if (!seen) co_return seen;
    outgoing_.last_chunk = end_of_preview;
    const auto sent = co_await http1::send_message(outgoing_, std::move(heads), *virgin_, kChunked);
    if (!sent || virgin_->whole()) co_return sent;
    outgoing_.last_chunk = nullptr;
    writer_ = Writer::paused;
    const bool goes_on = co_await go_on_.wait();
    if (!goes_on) co_return fail(ErrorKind::cancelled);
    writer_ = Writer::sending;
    outgoing_.last_progress = executor_->now();
    heads = Slice();
  }
  virgin_->end_at_end();
  co_return co_await http1::send_message(outgoing_, std::move(heads), *virgin_, kChunked);
}

TimePoint Exchange::patience() const {
  const bool sending = writer_ == Writer::sending;
  const bool thinks = !sending && !answered_ && limits_->answer > Duration::zero();
  // Who sends sees to the time that takes, until there is a verdict.
  const bool both = sending && outgoing_.stall <= Duration::zero();
  const TimePoint sent = both ? std::max(outgoing_.last_progress, reads_since_) : executor_->now();
  const TimePoint since = sending ? sent : outgoing_.last_progress;
  return deadline_after(since, thinks ? limits_->answer : limits_->stall);
}

Task<Exchange::Step> Exchange::read_more() {
  reads_since_ = executor_->now();
  const bool silent = !answered_ && limits_->answer > Duration::zero();
  const Duration first = silent ? std::min(limits_->stall, limits_->answer) : limits_->stall;
  TimePoint deadline = deadline_after(executor_->now(), first);
  while (true) {
    const auto got = co_await read_some(lease_->stream(), lease_->input(), deadline);
    if (got && *got > 0) {
      answered_ = true;
      co_return Step{};
    }
    const TimePoint now = executor_->now();
    const bool timed_out = !got && got.error().kind == ErrorKind::timed_out;
    deadline = patience();
    if (timed_out && deadline > now) continue;
    const Error error = got ? Error{.kind = ErrorKind::closed} : got.error();
    co_return std::unexpected(failure_of(error));
  }
}

Failure Exchange::failure_of(const Error& error) const {
  if (error.kind == ErrorKind::cancelled) return {.fault = Fault::cancelled, .error = error};
  if (error.kind == ErrorKind::timed_out) return {.fault = Fault::timed_out, .error = error};
  return {.fault = Fault::connection, .error = error, .was_stale = reused_ && !answered_};
}

Task<Exchange::Step> Exchange::read_head() {
  InputBuffer& input = lease_->input();
  ResponseScanner scanner(limits_->icap_head);
  while (true) {
    const auto progress = input.empty() ? http1::Progress::need_more : scanner.scan(input.unread());
    if (progress == http1::Progress::done) break;
    if (progress == http1::Progress::refused) co_return malformed(scanner.problem());
    const auto more = co_await read_more();
    if (!more) co_return more;
  }
  Slice bytes = input.take(scanner.size());
  heads_ += bytes.size();
  auto parsed = parse_response_head(bytes.view(), limits_->icap_head);
  if (!parsed) co_return malformed(parsed.error());
  response_ = std::move(*parsed);
  response_.bytes = std::move(bytes);
  quirks_.add(response_.quirks);
  co_return Step{};
}

bool Exchange::take_continue(const IcapRequest& request) {
  const bool waits = writer_ == Writer::sending || writer_ == Writer::paused;
  if (request.preview && waits && !go_on_.is_set()) {
    go_on_.set();
    return true;
  }
  return ++strays_ <= 1;
}

Task<Exchange::Step> Exchange::read_final_head(const IcapRequest& request) {
  while (true) {
    const auto got = co_await read_head();
    if (!got) co_return got;
    if (response_.status != kContinue) co_return Step{};
    if (!take_continue(request)) break;
  }
  co_return std::unexpected(Failure{.fault = Fault::status, .status = kContinue});
}

Task<std::expected<Verdict, Failure>> Exchange::read_verdict(const IcapRequest& request) {
  const auto got = co_await read_final_head(request);
  if (!got) co_return std::unexpected(got.error());
  const int status = response_.status;
  // Whether it was allowed or not: what counts is that all of the message is there.
  if (status == kNoContent) co_return keep_virgin();
  if (response_.is_adapted() || (status == kPartialContent && request.allow_206)) {
    co_return co_await take_adapted(request);
  }
  // It crossed our request when the server's patience with the connection was over.
  const bool crossed = status == kRequestTimeout && reused_;
  co_return std::unexpected(
      Failure{.fault = Fault::status, .status = status, .was_stale = crossed});
}

std::expected<Verdict, Failure> Exchange::keep_virgin() const {
  if (virgin_ == nullptr || virgin_->has(0)) return Verdict::unmodified;
  return std::unexpected(Failure{.fault = Fault::not_kept});
}

Task<std::expected<Verdict, Failure>> Exchange::take_adapted(const IcapRequest& request) {
  // What has nothing in it says that nothing was changed.
  if (response_.encapsulated && response_.encapsulated->empty()) co_return keep_virgin();
  const auto got = co_await read_adapted_head(request);
  if (!got) co_return std::unexpected(got.error());
  const bool has_body = response_.encapsulated->has_body();
  if (!has_body || !head_->may_have_body) {
    skips_ = has_body;
    settle();
    co_return Verdict::adapted;
  }
  body_.emplace(lease_->stream(), lease_->input(), kChunked, limits_->chunks, Side::none,
                limits_->stall);
  phase_ = Phase::adapted;
  length_ = head_->content_length;
  // A server that breaks off here has said nothing yet that anybody has seen.
  auto first = co_await next_adapted_content();
  if (!first) {
    Failure failure = first.error();
    failure.had_begun = true;
    co_return std::unexpected(failure);
  }
  first_ = std::move(*first);
  // From now on the server may have to wait with reading until somebody reads what it has written.
  if (limits_->stall > Duration::zero()) outgoing_.stall = Duration::zero();
  co_return Verdict::adapted;
}

Task<Exchange::Step> Exchange::read_adapted_head(const IcapRequest& request) {
  const auto size = adapted_head_size(response_, limits_->http_head);
  if (!size) co_return malformed(size.error());
  InputBuffer& input = lease_->input();
  while (input.size() < *size) {
    input.expect(*size);
    const auto more = co_await read_more();
    if (!more) co_return more;
  }
  Slice bytes = input.take(*size);
  heads_ += bytes.size();
  const Method method = request.request != nullptr ? request.request->method : Method::get;
  auto head = parse_adapted_head(bytes.view(), *response_.encapsulated, method, limits_->http_head);
  if (!head) co_return malformed(head.error().problem);
  if (request.method == IcapMethod::respmod && head->is_request()) {
    co_return malformed(Problem::encapsulated_order);
  }
  // Who says so means that there is none (e2guardian does). If there is one after all, it is
  // nobody's.
  if (head->is_request() && response_.encapsulated->body == Encapsulated::Body::response) {
    if (head->content_length.value_or(0) != 0) co_return malformed(Problem::encapsulated_order);
    head->may_have_body = false;
    head->quirks.add(Quirk::other_body);
  }
  head_ = std::move(*head);
  std::visit([&bytes](auto& http) { http.bytes = std::move(bytes); }, head_->head);
  quirks_.add(head_->quirks);
  co_return Step{};
}

Slice Exchange::take_adapted_content() {
  return first_.empty() ? body_->take_ready() : std::exchange(first_, Slice());
}

Task<std::expected<Slice, Failure>> Exchange::next_adapted_content() {
  while (true) {
    Slice slice = take_adapted_content();
    if (!slice.empty() || body_->at_end()) co_return slice;
    if (body_->failure()) co_return malformed(Problem::none);
    if (length_) {
      lease_->input().expect(*length_ - std::min(body_->received(), *length_));
    } else if (body_->received() > kLargeContent) {
      lease_->input().expect(kLargeSlab);
    }
    const auto more = co_await read_more();
    if (!more) co_return std::unexpected(more.error());
  }
}

Slice Exchange::pass(Slice slice) {
  received_ += slice.size();
  if (length_ && received_ > *length_) failure_ = Failure{.fault = Fault::wrong_length};
  return slice;
}

Slice Exchange::take_ready() {
  if (phase_ == Phase::original) {
    Slice slice = pass(virgin_->take_ready());
    if (failure_ || (virgin_->at_end() && !end_content())) return {};
    return slice;
  }
  if (phase_ != Phase::adapted) return {};
  Slice slice = pass(take_adapted_content());
  if (failure_) return {};
  const bool ends = first_.empty() && body_->at_end() && body_->last_extensions().empty();
  if (ends && !end_content()) return {};
  return slice;
}

Task<Result<Slice>> Exchange::next() {
  while (!failure_ && phase_ != Phase::ended) {
    Slice ready = take_ready();
    if (!ready.empty() || failure_ || phase_ == Phase::ended) {
      if (failure_) break;
      co_return ready;
    }
    if (phase_ == Phase::original) {
      auto slice = co_await virgin_->next();
      if (!slice) co_return slice;
      Slice passed = pass(std::move(*slice));
      if (failure_ || (virgin_->at_end() && !end_content())) break;
      co_return passed;
    }
    reading_.emplace(co_await this_context());
    auto slice = co_await next_adapted_content().in(*reading_);
    reading_.reset();
    if (!slice && source_error_) {
      co_return break_off({.fault = Fault::source, .error = *source_error_});
    }
    // Whoever pulls may come back later: no harm is done.
    if (!slice && slice.error().fault == Fault::cancelled) co_return fail(slice.error().error);
    if (!slice) co_return break_off(slice.error());
    first_ = std::move(*slice);
    if (!first_.empty()) continue;
    const auto ended = co_await end_adapted_content();
    if (!ended) co_return break_off(ended.error());
  }
  if (failure_) co_return break_off(Failure(*failure_));
  co_return Slice();
}

Task<Exchange::Step> Exchange::end_adapted_content() {
  const auto original = use_original_body(body_->last_extensions());
  if (!original) co_return malformed(original.error());
  if (!*original) co_return end_content();
  const bool has =
      response_.status == kPartialContent && virgin_ != nullptr && virgin_->has(**original);
  if (!has) co_return std::unexpected(Failure{.fault = Fault::not_kept});
  settle();
  writing_.cancel();
  co_await writing_.join();
  if (!virgin_->has(**original)) co_return std::unexpected(Failure{.fault = Fault::not_kept});
  virgin_->go_to(**original);
  virgin_->end_at_end();
  virgin_->forget();
  phase_ = Phase::original;
  if (virgin_->at_end()) co_return end_content();
  co_return Step{};
}

Exchange::Step Exchange::end_content() {
  if (length_ && received_ != *length_) {
    failure_ = Failure{.fault = Fault::wrong_length};
    return std::unexpected(*failure_);
  }
  phase_ = Phase::ended;
  settle();
  return {};
}

std::unexpected<Error> Exchange::break_off(const Failure& failure) {
  failure_ = failure;
  phase_ = Phase::failed;
  writing_.cancel();
  if (failure.fault == Fault::source || failure.fault == Fault::cancelled)
    return fail(failure.error);
  if (owner_ != nullptr) std::exchange(owner_, nullptr)->on_broken(*failure_);
  return fail({.kind = ErrorKind::adaptation, .side = side_});
}

std::optional<std::uint64_t> Exchange::remaining() const {
  if (phase_ == Phase::ended) return 0;
  if (!length_) return std::nullopt;
  return *length_ - std::min(received_, *length_);
}

FieldSection* Exchange::trailers() {
  if (phase_ != Phase::ended || !body_) return nullptr;
  return body_->trailers();
}

std::uint64_t Exchange::bytes_received() const { return heads_ + (body_ ? body_->received() : 0); }

void Exchange::settle() {
  const bool quiet = writer_ == Writer::done || (writer_ == Writer::paused && !go_on_.is_set());
  if (!lease_ || !quiet || (body_ && !body_->at_end())) return;
  const bool clean = !response_.close && !skips_ && lease_->input().empty();
  if (clean) lease_->keep_used();
  lease_.reset();
}

Task<bool> Exchange::leave() {
  writing_.cancel();
  co_await writing_.join();
  // Nothing is announced with what stays as it was.
  skips_ = response_.encapsulated && !response_.encapsulated->empty();
  settle();
  if (virgin_ == nullptr) co_return true;
  if (!virgin_->has(0)) co_return false;
  virgin_->go_to(0);
  virgin_->end_at_end();
  virgin_->forget();
  co_return true;
}

Task<void> Exchange::abandon() {
  writing_.cancel();
  co_await writing_.join();
  if (lease_ && writer_ != Writer::done) lease_->stream().set_abortive();
  lease_.reset();
}

Task<void> Exchange::see_writer_off(Exchange& exchange) {
  static_cast<void>(co_await exchange.writer_ended_.wait());
  exchange.writing_.cancel();
  co_await exchange.writing_.join();
}

}  // namespace penstock::icap

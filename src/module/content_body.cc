#include "module/content_body.h"

#include <utility>

#include "adapt/in_time.h"
#include "async/sleep.h"

namespace penstock {
namespace {

// So often a module may be asked for content without giving any.
constexpr int kMostEmptyAnswers = 1000;

Slice take_from(Slices& ready, std::size_t& next) {
  if (next == ready.size()) return {};
  Slice slice = std::move(ready[next++]);
  if (next == ready.size()) {
    ready.clear();
    next = 0;
  }
  return slice;
}

}  // namespace

ContentBody::ContentBody(ModuleTransaction& transaction, BodySource& source, AdaptPoint point,
                         bool may_change)
    : transaction_(&transaction),
      source_(&source),
      point_(point),
      body_event_(is_request(point) ? ModuleEvent::request_body : ModuleEvent::response_body),
      complete_event_(is_request(point) ? ModuleEvent::request_complete
                                        : ModuleEvent::response_complete),
      may_change_(may_change) {
  moment_ = &transaction.moment(body_event_);
}

Slice ContentBody::take_written() {
  return first_.empty() ? take_from(ready_, next_) : std::exchange(first_, {});
}

bool ContentBody::at_end() const {
  if (has_ready() || error_) return false;
  return phase_ == Phase::completed || (phase_ == Phase::passing && source_->at_end());
}

std::optional<std::uint64_t> ContentBody::remaining() const {
  if (may_change_ || phase_ == Phase::waiting) return std::nullopt;
  auto rest = source_->remaining();
  if (rest) *rest += first_.size();
  for (std::size_t i = next_; rest && i < ready_.size(); ++i) *rest += ready_[i].size();
  return rest;
}

BodySource::Run ContentBody::run(std::uint64_t at_least) {
  if (phase_ != Phase::passing || has_ready() || promised_) return {};
  return source_->run(at_least);
}

// Who gets the last piece may take the message for complete, and cancel what is left: the module
// has to have seen the end by then.
bool ContentBody::waits_for_end() const {
  return phase_ == Phase::waiting && moment_->event == complete_event_;
}

Slice ContentBody::take_ready() {
  while (!has_ready()) {
    if (phase_ == Phase::passing) return pass(source_->take_ready());
    if (phase_ != Phase::looking) return {};
    Slice slice = source_->take_ready();
    const bool had = !slice.empty();
    if (had) show(std::move(slice));
    if (phase_ == Phase::looking && source_->at_end()) show_end();
    if (!had && !has_ready()) return {};
  }
  return waits_for_end() ? Slice() : take_written();
}

Task<Result<Slice>> ContentBody::next() {
  while (true) {
    if (phase_ == Phase::looking && source_->at_end()) show_end();
    if (has_ready() && !waits_for_end()) co_return take_written();
    if (error_) co_return fail(*error_);
    if (phase_ == Phase::waiting) {
      const bool waited = co_await wait();
      if (!waited) co_return fail({.kind = ErrorKind::cancelled, .side = side()});
      continue;
    }
    if (phase_ == Phase::completed) co_return Slice();
    if (source_->at_end()) co_return Slice();
    auto slice = co_await source_->next();
    if (!slice) co_return slice;
    if (phase_ == Phase::passing) {
      Slice passed = pass(std::move(*slice));
      if (error_) continue;
      co_return passed;
    }
    if (!slice->empty()) show(std::move(*slice));
    if (phase_ == Phase::looking && source_->at_end()) show_end();
  }
}

// What is not shown any more.
Slice ContentBody::pass(Slice slice) {
  made_ += slice.size();
  check_promise();
  if (error_) return {};
  return slice;
}

// Who has said how long the content is going to be is not to be let down by the module.
void ContentBody::check_promise() {
  if (!promised_ || error_ || made_ == *promised_) return;
  const bool ended = phase_ == Phase::completed || (phase_ == Phase::passing && source_->at_end());
  if (made_ < *promised_ && !ended) return;
  changed_ = true;
  fail_with("content_length() was wrong");
}

void ContentBody::begin(ModuleEvent event) {
  moment_->begin(event);
  moment_->head_held = held_ != nullptr;
  moment_->message = held_;
  moment_->may_write = true;
}

void ContentBody::show(Slice slice) {
  if (transaction_->left) go_on_without();
  if (phase_ == Phase::failed) return;
  if (phase_ == Phase::passing || !transaction_->caller().calls(body_event_)) {
    write_piece(std::move(slice));
    check_promise();
    return;
  }
  begin(body_event_);
  moment_->content = std::move(slice);
  const auto returned = transaction_->caller().start(*transaction_, *moment_);
  if (returned) {
    settle(*returned);
  } else {
    phase_ = Phase::waiting;
  }
}

// The module has left in another event. Where that is a failure, what it has changed here, or still
// holds, is not to be had any more as it should be.
void ContentBody::go_on_without() {
  phase_ = Phase::passing;
  if (transaction_->dropped && changed_) fail_with("had changed content when it failed");
}

void ContentBody::show_end() {
  if (transaction_->left) go_on_without();
  if (phase_ == Phase::failed) return;
  if (phase_ == Phase::passing || !transaction_->caller().calls(complete_event_)) {
    phase_ = Phase::completed;
    check_promise();
    return;
  }
  begin(complete_event_);
  moment_->trailers = trailers();
  const auto returned = transaction_->caller().start(*transaction_, *moment_);
  if (returned) {
    settle(*returned);
  } else {
    phase_ = Phase::waiting;
  }
}

// Whoever pulls may give up waiting, and come back later: what the module has been given it has
// been given, and what it makes of that is not lost.
Task<bool> ContentBody::wait() {
  if (!working_) {
    working_ = true;
    done_.reset();
    Executor& executor = (co_await this_context()).executor();
    transaction_->adaptation().start_work(executor, work());
  }
  const bool waited = co_await done_.wait();
  if (!waited) co_return false;
  working_ = false;
  phase_ = Phase::looking;
  if (returned_) {
    settle(*returned_);
  } else {
    give_up(to_string(returned_.error().kind));
  }
  co_return true;
}

// Takes no longer than the filter may.
Task<void> ContentBody::work() {
  const Duration limit = transaction_->adaptation().time_limit(*transaction_);
  returned_ = co_await run_in_time(transaction_->caller().finish(*transaction_, *moment_), limit);
  done_.set();
}

void ContentBody::write_piece(Slice slice) {
  if (slice.empty()) return;
  made_ += slice.size();
  // Mostly there is one at a time, and no memory is needed for it.
  if (has_ready()) {
    ready_.push_back(std::move(slice));
  } else {
    first_ = std::move(slice);
  }
}

// The module has failed over the present piece, or the end.
void ContentBody::give_up(std::string_view reason) {
  moment_->written.clear();
  write_piece(std::move(moment_->content));
  if (moment_->event == complete_event_) phase_ = Phase::completed;
  fail_with(reason);
  check_promise();
}

// The module is done with the piece.
void ContentBody::settle(int returned) {
  if (returned == PENSTOCK_CONTINUE && moment_->written.empty()) {
    write_piece(std::exchange(moment_->content, {}));
    if (moment_->event == complete_event_) phase_ = Phase::completed;
    return check_promise();
  }
  const bool replaces = returned == PENSTOCK_CHANGED;
  const bool ends = returned == PENSTOCK_DONE || returned == PENSTOCK_SKIP_CONTENT;
  answered_ = returned == PENSTOCK_ANSWER && held_ != nullptr && moment_->answered;
  if (answered_) return;
  if (returned == PENSTOCK_ANSWER) {
    return give_up(held_ != nullptr ? "answered without an answer" : "answered too late");
  }
  if (returned != PENSTOCK_CONTINUE && !replaces && !ends) {
    return give_up(transaction_->caller().failure());
  }
  const bool drops = replaces && !moment_->content.empty();
  if (!may_change_ && (!moment_->written.empty() || drops)) {
    return give_up("changed content without having said so");
  }
  changed_ = changed_ || !moment_->written.empty() || replaces;
  Slices written = std::exchange(moment_->written, {});
  for (Slice& slice : written) write_piece(std::move(slice));
  Slice piece = std::move(moment_->content);
  if (!replaces) write_piece(std::move(piece));
  if (moment_->event == complete_event_) phase_ = Phase::completed;
  if (returned == PENSTOCK_DONE) transaction_->leave();
  if (ends && phase_ == Phase::looking) phase_ = Phase::passing;
  check_promise();
}

void ContentBody::fail_with(std::string_view reason) {
  Adaptation& adaptation = transaction_->adaptation();
  error_ = adaptation.fail_content(*transaction_, point_, reason, changed_);
  if (error_) {
    phase_ = Phase::failed;
    first_ = Slice();
    ready_.clear();
    next_ = 0;
  } else if (phase_ != Phase::completed) {
    phase_ = Phase::passing;
  }
}

Task<ContentBody::Seen> ContentBody::prime(AdaptedMessage& message) {
  held_ = &message;
  bool broken = false;
  while (!has_ready() && !answered_ && !broken) {
    if (phase_ == Phase::waiting) {
      const bool waited = co_await wait();
      if (!waited) break;
    } else if (phase_ != Phase::looking) {
      break;
    } else if (source_->at_end()) {
      show_end();
    } else {
      auto slice = co_await source_->next();
      if (!slice) {
        broken = true;
        phase_ = Phase::failed;
        error_ = slice.error();
      } else if (!slice->empty()) {
        show(std::move(*slice));
      }
    }
  }
  held_ = nullptr;
  moment_->head_held = false;
  moment_->message = nullptr;
  if (answered_) co_return Seen::answer;
  if (moment_->length) promise(*moment_->length);
  const bool refused = phase_ == Phase::waiting || (phase_ == Phase::failed && !broken);
  co_return refused ? Seen::refused : Seen::enough;
}

Slice AnswerBody::take_ready() { return take_from(ready_, next_); }

Task<Result<Slice>> AnswerBody::next() {
  Moment& moment = transaction_->moment(ModuleEvent::answer_body);
  const Duration limit = transaction_->adaptation().time_limit(*transaction_);
  for (int empty = 0; empty < kMostEmptyAnswers; ++empty) {
    if (next_ < ready_.size()) co_return take_ready();
    if (ended_) co_return Slice();
    moment.begin(ModuleEvent::answer_body);
    moment.may_write = true;
    std::optional<int> returned = transaction_->caller().start(*transaction_, moment);
    std::string_view reason = transaction_->caller().failure();
    if (!returned) {
      const Result<int> late =
          co_await run_in_time(transaction_->caller().finish(*transaction_, moment), limit);
      if (!late) reason = late.error().kind == ErrorKind::timed_out ? "timed_out" : "cancelled";
      returned = late ? *late : PENSTOCK_ERROR;
    }
    ready_ = std::exchange(moment.written, {});
    if (*returned != PENSTOCK_CONTINUE && *returned != PENSTOCK_CHANGED) {
      ended_ = true;
      if (*returned == PENSTOCK_DONE) transaction_->leave();
      if (*returned != PENSTOCK_END && *returned != PENSTOCK_DONE) {
        const auto error = transaction_->adaptation().fail_content(
            *transaction_, AdaptPoint::client_response, reason, true);
        co_return fail(*error);
      }
    }
    co_await yield_turn();
  }
  const auto error = transaction_->adaptation().fail_content(
      *transaction_, AdaptPoint::client_response, "gives no content", true);
  co_return fail(*error);
}

}  // namespace penstock

#include "cache/filling.h"

#include <utility>

#include "async/sleep.h"
#include "base/check.h"

namespace penstock {
namespace {

// What others read along may become so many times as large as what is stored.
constexpr std::uint64_t kBeyondLimit = 4;
// Pieces in a row before others on this thread have their turn.
constexpr unsigned kPiecesATurn = 16;

}  // namespace

Filling::Filling(FillingOwner& owner, std::shared_ptr<StoredResponse> response,
                 std::shared_ptr<Content> into, BodySource& source, std::shared_ptr<Fill> fill,
                 std::shared_ptr<WorkerGate> gate, std::uint64_t limit)
    : owner_(owner),
      response_(std::move(response)),
      into_(std::move(into)),
      source_(source),
      fill_(std::move(fill)),
      gate_(std::move(gate)),
      limit_(limit) {}

Filling::~Filling() {
  if (growing()) end(false);
}

void Filling::take_ready() {
  first_ = source_.take_ready();
  keep(first_);
  note_end();
}

// Once it has failed the client still gets what comes.
void Filling::keep(const Slice& slice) {
  if (!growing() || slice.empty()) return;
  const std::uint64_t size = into_->size() + slice.size();
  const bool shared = fill_ && fill_->followers() > 0;
  if (size > (shared ? limit_ * kBeyondLimit : limit_) || !into_->append(slice.view())) end(false);
}

void Filling::note_end() {
  if (source_.at_end() && growing()) end(into_->finish());
}

void Filling::end(bool complete) {
  into_->fail();  // without effect on what is complete
  owner_.on_filled(complete && into_->size() <= limit_);
}

StoredBody& Filling::stored_body() {
  if (!stored_body_) {
    std::uint64_t first = passed_;
    for (const StoredPart& part : response_->parts()) {
      if (part.content == into_) first += part.first;
    }
    stored_body_.emplace(response_, gate_, first);
  }
  return *stored_body_;
}

void Filling::begin(TaskContext& context) {
  if (!growing() || !fill_) return;
  scope_.emplace(context);
  scope_->spawn(watch());
}

void Filling::pump(TaskContext& context) {
  if (!growing()) return;
  pumped_ = true;
  scope_.emplace(context);
  scope_->spawn(run_pump());
}

Task<void> Filling::watch() {
  while (fill_->followers() == 0) {
    const auto waiting = std::make_shared<Waiting>(gate_);
    fill_->leader().add(waiting);
    if (fill_->followers() > 0) break;
    if (!co_await waiting->event().wait()) co_return;
  }
  pumped_ = true;
  co_await run_pump();
}

Task<void> Filling::run_pump() {
  // What the client's own side is waiting for comes first.
  if (pulling_ && !co_await pulled_.wait()) co_return;
  for (unsigned pieces = 1; growing(); ++pieces) {
    if (pieces % kPiecesATurn == 0) co_await yield_turn();
    Slice slice = source_.take_ready();
    if (slice.empty() && !source_.at_end()) {
      auto next = co_await source_.next();
      if (!next) {
        if (growing()) end(false);
        co_return;
      }
      slice = std::move(*next);
    }
    keep(slice);
    note_end();
  }
}

Task<void> Filling::finish(bool worth) {
  TaskContext& context = co_await this_context();
  if (growing() && worth) {
    if (!pumped_) {
      if (scope_) {
        scope_->cancel();
        co_await scope_->join();
      }
      pump(context);
    }
  } else {
    if (growing()) end(false);
    if (scope_) scope_->cancel();
  }
  if (scope_) co_await scope_->join();
  if (growing()) end(false);
}

Slice Filling::Tee::take_ready() {
  Filling& filling = *filling_;
  if (filling.first_.empty() && filling.pumped_) return filling.stored_body().take_ready();
  Slice slice = std::exchange(filling.first_, {});
  if (slice.empty()) {
    slice = filling.source_.take_ready();
    filling.keep(slice);
    filling.note_end();
  }
  filling.passed_ += slice.size();
  return slice;
}

Task<Result<Slice>> Filling::Tee::next() {
  Filling& filling = *filling_;
  if (Slice ready = take_ready(); !ready.empty() || at_end()) co_return ready;
  if (filling.pumped_) co_return co_await filling.stored_body().next();
  filling.pulling_ = true;
  filling.pulled_.reset();
  auto next = co_await filling.source_.next();
  filling.pulling_ = false;
  filling.pulled_.set();
  if (next) {
    filling.keep(*next);
    filling.note_end();
    filling.passed_ += next->size();
  } else if (filling.growing()) {
    filling.end(false);
  }
  co_return next;
}

bool Filling::Tee::at_end() const {
  if (!filling_->first_.empty()) return false;
  return filling_->pumped_ ? filling_->stored_body().at_end() : filling_->source_.at_end();
}

std::optional<std::uint64_t> Filling::Tee::remaining() const {
  if (filling_->pumped_) return filling_->stored_body().remaining();
  auto remaining = filling_->source_.remaining();
  if (remaining) *remaining += filling_->first_.size();
  return remaining;
}

}  // namespace penstock

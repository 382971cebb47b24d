// Hedging: a second try of a safe request beside a slow first one (Dean and Barroso, "The Tail at
// Scale", 2013). The first answer counts; the other try is given up.
#include <memory>
#include <utility>

#include "async/event.h"
#include "async/scope.h"
#include "async/wait.h"
#include "message/method.h"
#include "upstream/delivery.h"

namespace penstock {
// One of the tries. What its exchange runs in has to stay as long as its lease.
struct Delivery::Rival {
  explicit Rival(TaskContext& context) : scope(context) {}

  Scope scope;
  Choice choice;
  std::optional<Lease> lease;
  ResponseHead response;
  // What was sent to its server.
  std::shared_ptr<Authenticator> authenticator;
  std::string_view sent_login;
  Result<void> answered = fail(ErrorKind::cancelled);
  DeliveryStep step = DeliveryStep::acquire;
  bool done = false;
};

struct Delivery::Race {
  explicit Race(TaskContext& context) : first(context), second(context) {}

  Rival first;
  Rival second;
  Event news;  // one of them is done
};

Delivery::Delivery(ServerSide& side, DeliveryOwner& owner, PinStore* pins)
    : side_(&side), owner_(&owner), pins_(pins) {}

Delivery::~Delivery() = default;

// Only what may be done twice, and only where no state of the client's is bound to one server.
std::optional<Duration> Delivery::hedge_delay() const {
  ServerGroup* const group = destination_->group;
  if (group == nullptr || !group->hedges()) return std::nullopt;
  if (attempts_ > 1 || request_->framing.has_body()) return std::nullopt;
  if (!is_safe(request_->head->method) || carries_login_) return std::nullopt;
  if (request_->head->fields.has(FieldId::upgrade)) return std::nullopt;
  if (pins_ != nullptr && !pins_->empty()) return std::nullopt;
  return group->hedge_delay();
}

Task<Result<void>> Delivery::attempt_with_hedge(Duration delay) {
  TaskContext& context = co_await this_context();
  Executor& executor = context.executor();
  race_ = std::make_unique<Race>(context);
  Rival& first = race_->first;
  Rival& second = race_->second;
  first.choice = choice_;
  first.scope.spawn(run_rival(*this, first, race_->news));
  const auto in_time = co_await wait_until(race_->news, executor.now() + delay);
  const bool slow = !in_time && in_time.error().kind == ErrorKind::timed_out;
  if (slow && first.choice.hop && !first.choice.by_cookie && allowed_to_retry()) {
    ++attempts_;
    second.choice = first.choice;
    second.choice.avoid_hop();
    second.scope.spawn(run_rival(*this, second, race_->news));
  } else {
    second.done = true;
  }
  while (!(first.done && (first.answered || second.done)) && !(second.done && second.answered)) {
    race_->news.reset();
    const bool told = co_await race_->news.wait();
    if (!told) break;
  }
  Rival& winner = second.done && second.answered ? second : first;
  co_await end_rival(&winner == &first ? second : first);
  co_await winner.scope.join();
  choice_ = winner.choice;
  lease_ = std::move(winner.lease);
  response_ = std::move(winner.response);
  step_ = winner.step;
  authenticator_ = std::move(winner.authenticator);
  sent_login_ = winner.sent_login;
  if (lease_ && attempts_ > 1) owner_->on_acquired(*lease_, choice_.hop.get());
  co_return winner.answered;
}

Task<void> Delivery::run_rival(Delivery& delivery, Rival& rival, Event& news) {
  ServerGroup& group = *delivery.destination_->group;
  const TimePoint begun = delivery.side_->pool().executor().now();
  auto lease = co_await group.acquire(rival.choice, false);
  if (lease) {
    rival.lease.emplace(std::move(*lease));
    rival.step = DeliveryStep::exchange;
    delivery.owner_->on_acquired(*rival.lease, rival.choice.hop.get());
    delivery.add_logins(*rival.lease, rival.choice);
    rival.authenticator = delivery.authenticator_;
    rival.sent_login = delivery.sent_login_;
    // Of a try that may yet lose.
    IgnoredInformational unheard;
    rival.answered = co_await rival.lease->exchange(*delivery.request_, rival.response, unheard);
    if (rival.answered) group.note_latency(begun);
  } else {
    rival.answered = fail(lease.error());
  }
  rival.done = true;
  news.set();
}

// One that has failed by itself says something of its server.
Task<void> Delivery::end_rival(Rival& rival) {
  if (rival.done && !rival.answered) {
    note(rival.choice, rival.lease ? &*rival.lease : nullptr, rival.answered, 0);
  }
  rival.scope.cancel();
  co_await rival.scope.join();
  if (!rival.lease) co_return;
  bytes_sent_ += rival.lease->bytes_sent();
  co_await rival.lease->settle(Settlement::close);
  rival.lease.reset();
}

}  // namespace penstock

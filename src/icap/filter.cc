#include "icap/filter.h"

#include <algorithm>
#include <string>
#include <utility>

#include "async/wait.h"
#include "icap/consultation.h"
#include "icap/service_counters.h"
#include "icap/trickle_body.h"

namespace penstock::icap {
namespace {

// Until it is looked again whether the client may get some of a message.
constexpr Duration kPause = std::chrono::seconds(1);
constexpr int kBadRequest = 400;
constexpr int kRequestTimeout = 408;
constexpr int kContentTooLarge = 413;
constexpr int kServiceUnavailable = 503;
constexpr int kGatewayTimeout = 504;
// That look at one message, with those that answers name.
constexpr unsigned kMostServices = 16;

// Of a message that broke off.
int status_of_source(const Error& error) {
  const bool client = error.side == Side::client;
  if (error.kind == ErrorKind::timed_out) return client ? kRequestTimeout : kGatewayTimeout;
  if (client && error.kind == ErrorKind::protocol) return kBadRequest;
  return client && error.kind == ErrorKind::limit ? kContentTooLarge : 0;
}

// What clients are told; 0: the usual status.
int status_of(const Failure& failure) {
  if (failure.fault == Fault::source) return status_of_source(failure.error);
  if (failure.fault == Fault::timed_out) return kGatewayTimeout;
  const bool busy = failure.fault == Fault::down || failure.fault == Fault::overloaded ||
                    (failure.fault == Fault::status && failure.status == kServiceUnavailable);
  return busy ? kServiceUnavailable : 0;
}

bool takes(const Service& service, bool requests) {
  return requests ? service.settings().reqmod : service.settings().respmod;
}

}  // namespace

IcapFilter::IcapFilter(std::vector<Service*> services, const IcapFilterPlan& plan)
    : services_(std::move(services)), plan_(plan) {
  for (const Service* const service : services_) {
    if (service->settings().reqmod) interests_ |= interest(request_point(plan.side));
    if (service->settings().respmod) interests_ |= interest(response_point(plan.side));
  }
}

// Nothing is to be had at once, and what has to be waited for depends on the peers.
std::optional<FilterOutcome> IcapFilter::start(AdaptedMessage& message,
                                               std::unique_ptr<FilterState>& state) {
  if (!state) state = std::make_unique<IcapState>(message.adaptation());
  return FilterOutcome{.kind = FilterOutcome::Kind::look};
}

Task<FilterOutcome> IcapFilter::look(AdaptedMessage& message, std::unique_ptr<FilterState>& state) {
  IcapState& kept = static_cast<IcapState&>(*state);
  kept.begin(message.point());
  const TrickleSettings* const trickle = trickle_of(message);
  if (trickle != nullptr) co_return co_await look_patiently(*trickle, message, kept);
  co_return co_await ask_all(message, kept);
}

Task<FilterOutcome> IcapFilter::ask_all(AdaptedMessage& message, IcapState& state) const {
  const bool of_request = message.response() == nullptr;
  std::optional<Failure> failure;
  for (Service* const service : services_) {
    if (!takes(*service, of_request)) continue;
    Consultation consultation(*service, message, state);
    const auto advice = co_await consultation.ask();
    if (advice && !advice->offered) continue;
    if (advice) {
      const bool goes_on = advice->outcome.kind == FilterOutcome::Kind::go_on;
      if (advice->next.empty() || !goes_on) co_return advice->outcome;
      std::deque<Service*> next;
      find_all(advice->next, of_request, next);
      co_return co_await ask_next(std::move(next), message, state);
    }
    failure = advice.error();
    // With these no service could do better.
    if (failure->fault == Fault::source || failure->fault == Fault::cancelled) break;
    if (failure->had_begun || !state.is_whole()) break;
    state.rewind();
  }
  co_return failure ? settle(*failure, state) : kGoOn;
}

Task<FilterOutcome> IcapFilter::ask_next(std::deque<Service*> next, AdaptedMessage& message,
                                         IcapState& state) const {
  for (unsigned asked = 1; !next.empty() && asked < kMostServices; ++asked) {
    Service& service = *next.front();
    next.pop_front();
    state.let_pass();
    state.virgin = nullptr;
    Consultation consultation(service, message, state);
    const auto advice = co_await consultation.ask();
    if (!advice) co_return settle(advice.error(), state);
    if (advice->outcome.kind != FilterOutcome::Kind::go_on) co_return advice->outcome;
    find_all(advice->next, message.response() == nullptr, next);
  }
  co_return kGoOn;
}

void IcapFilter::find_all(const std::vector<std::string>& names, bool of_request,
                          std::deque<Service*>& services) const {
  if (plan_.directory == nullptr) return;
  for (const std::string& name : names) {
    Service* const service = plan_.directory->find(name);
    if (service != nullptr && takes(*service, of_request)) services.push_back(service);
  }
}

const TrickleSettings* IcapFilter::trickle_of(const AdaptedMessage& message) const {
  if (message.response() == nullptr || !message.has_content() || plan_.directory != nullptr) {
    return nullptr;
  }
  const auto first =
      std::ranges::find_if(services_, [](const Service* one) { return takes(*one, false); });
  if (first == services_.end()) return nullptr;
  const TrickleSettings& trickle = (*first)->settings().trickle;
  return trickle.from == TrickleSettings::From::nothing ? nullptr : &trickle;
}

Task<FilterOutcome> IcapFilter::look_patiently(const TrickleSettings& trickle,
                                               AdaptedMessage& message, IcapState& state) {
  Executor& executor = (co_await this_context()).executor();
  state.patience.emplace(message);
  AdaptedMessage& seen = state.patience->message;
  auto virgin = std::make_unique<VirginBody>(seen.body(), services_.front()->settings().keep);
  state.virgin = virgin.get();
  seen.wrap(std::move(virgin));
  state.adaptation().start_work(executor, ask_apart(*this, state));
  for (Duration wait = trickle.after; !state.trickles; wait = kPause) {
    const auto decided =
        co_await wait_until(state.patience->decided, deadline_after(executor.now(), wait));
    // Both may have happened by now.
    if (state.patience->decided.is_set()) {
      message = seen;
      co_return state.patience->outcome;
    }
    if (!decided && decided.error().kind != ErrorKind::timed_out) {
      co_return FilterOutcome{.kind = FilterOutcome::Kind::refuse};
    }
    state.trickles = state.may_trickle && state.is_whole();
  }
  message = seen;
  message.wrap(std::make_unique<TrickleBody>(trickle, state, executor));
  co_return kGoOn;
}

Task<void> IcapFilter::ask_apart(const IcapFilter& filter, IcapState& state) {
  state.patience->outcome = co_await filter.ask_all(state.patience->message, state);
  state.patience->decided.set();
}

FilterOutcome IcapFilter::settle(const Failure& failure, IcapState& state) const {
  if (failure.fault == Fault::cancelled) return {.kind = FilterOutcome::Kind::refuse};
  // The filter whose content broke off has said so.
  const bool said = failure.fault == Fault::source && failure.error.kind == ErrorKind::adaptation;
  if (said) return {.kind = FilterOutcome::Kind::refuse};
  if (state.is_whole() && !failure.had_begun) {
    state.let_pass();
    // Its own end says best what is wrong with it; but what has come of it goes on unseen.
    if (failure.fault == Fault::source && plan_.bypasses) return kGoOn;
    if (plan_.bypasses) state.consulted.back().outcome = Outcome::bypassed;
    return {.kind = FilterOutcome::Kind::failed,
            .reason = to_string(failure),
            .status = status_of(failure)};
  }
  // There is nothing left that could go on, whatever the policy.
  state.adaptation().fail_content(state, state.point(), to_string(failure), true);
  return {.kind = FilterOutcome::Kind::refuse};
}

void IcapFilter::on_logged(const LoggedMessages& messages, const RecordView& /*record*/,
                           std::unique_ptr<FilterState>& state) {
  if (!state) return;
  const bool recorded = messages.adaptation.facts().recorded;
  for (Consulted& one : static_cast<IcapState&>(*state).consulted) {
    one.close();
    if (one.counters != nullptr) one.counters->count(one);
    if (!recorded || messages.adaptation.add_record_item("icap", to_json(one))) continue;
    one.fields.clear();
    messages.adaptation.add_record_item("icap", to_json(one));
  }
}

}  // namespace penstock::icap

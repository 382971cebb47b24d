#include "icap/filter.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "adapt/retarget.h"
#include "icap/adapted_message.h"
#include "icap/request_fields.h"

namespace penstock::icap {
namespace {

constexpr int kServiceUnavailable = 503;
constexpr int kGatewayTimeout = 504;

// What services that come later are to be told.
void share(const ServiceSettings& settings, const IcapResponse& response, Adaptation& adaptation) {
  for (const std::string& name : settings.share) {
    const Field* const field = response.fields.find(name);
    if (field != nullptr) adaptation.leave_note(name, field->value);
  }
}

// What clients are told; 0: the usual status.
int status_of(const Failure& failure) {
  if (failure.fault == Fault::timed_out) return kGatewayTimeout;
  const bool busy = failure.fault == Fault::down || failure.fault == Fault::overloaded ||
                    (failure.fault == Fault::status && failure.status == kServiceUnavailable);
  return busy ? kServiceUnavailable : 0;
}

}  // namespace

// What belongs to one transaction: the virgin body of the message at hand, and what heads that were
// replaced have left behind.
class IcapFilter::State final : public FilterState, public ExchangeOwner {
 public:
  explicit State(Adaptation& adaptation) : adaptation_(&adaptation) {}

  // Of the present message; null where it has no content, or none was sent yet.
  VirginBody* virgin = nullptr;
  ReplacedHeads heads;

  void begin(AdaptPoint at) {
    virgin = nullptr;
    point_ = at;
  }
  // The message can still go on as it came.
  [[nodiscard]] bool is_whole() const { return virgin == nullptr || virgin->has(0); }
  void rewind() const {
    if (virgin == nullptr) return;
    virgin->go_to(0);
    virgin->end_at_end();
  }
  // It goes on as it came, and is not wanted again.
  void let_pass() const {
    rewind();
    if (virgin != nullptr) virgin->forget();
  }
  [[nodiscard]] Adaptation& adaptation() const { return *adaptation_; }

  void on_broken(const Failure& failure) override {
    adaptation_->fail_content(*this, point_, to_string(failure), true);
  }

 private:
  Adaptation* adaptation_;
  AdaptPoint point_ = AdaptPoint::client_request;
};

IcapFilter::IcapFilter(std::vector<Service*> services, FilterSide side)
    : services_(std::move(services)) {
  for (const Service* const service : services_) {
    if (service->settings().reqmod) interests_ |= interest(request_point(side));
    if (service->settings().respmod) interests_ |= interest(response_point(side));
  }
}

// Nothing is to be had at once, and what has to be waited for depends on the peers.
std::optional<FilterOutcome> IcapFilter::start(AdaptedMessage& message,
                                               std::unique_ptr<FilterState>& state) {
  if (!state) state = std::make_unique<State>(message.adaptation());
  return FilterOutcome{.kind = FilterOutcome::Kind::look};
}

Task<FilterOutcome> IcapFilter::look(AdaptedMessage& message, std::unique_ptr<FilterState>& state) {
  State& kept = static_cast<State&>(*state);
  kept.begin(message.point());
  const bool request = message.response() == nullptr;
  std::optional<Failure> failure;
  for (Service* const service : services_) {
    const ServiceSettings& settings = service->settings();
    if (!(request ? settings.reqmod : settings.respmod)) continue;
    const Said said = co_await consult(*service, message, kept);
    if (said) co_return *said;
    failure = said.error();
    // With these no service could do better.
    if (failure->fault == Fault::source || failure->fault == Fault::cancelled) break;
    if (failure->had_begun) break;
    if (!kept.is_whole()) break;
    kept.rewind();
  }
  co_return failure ? settle(*failure, message, kept) : kGoOn;
}

FilterOutcome IcapFilter::settle(const Failure& failure, const AdaptedMessage& message,
                                 State& state) {
  if (failure.fault == Fault::cancelled) return {.kind = FilterOutcome::Kind::refuse};
  if (state.is_whole() && !failure.had_begun) {
    state.let_pass();
    // Its own end says best what is wrong with it.
    if (failure.fault == Fault::source) return kGoOn;
    return {.kind = FilterOutcome::Kind::failed,
            .reason = to_string(failure),
            .status = status_of(failure)};
  }
  // There is nothing left that could go on, whatever the policy.
  state.adaptation().fail_content(state, message.point(), to_string(failure), true);
  return {.kind = FilterOutcome::Kind::refuse};
}

Task<IcapFilter::Said> IcapFilter::consult(Service& service, AdaptedMessage& message,
                                           State& state) {
  const ServiceSettings& settings = service.settings();
  const bool is_request = message.response() == nullptr;
  const auto options = co_await service.options();
  if (!options) co_return std::unexpected(options.error());
  const Options& offered = **options;
  if (!(is_request ? offered.reqmod : offered.respmod)) {
    // Who has named both methods takes what there is.
    if (settings.reqmod && settings.respmod && (offered.reqmod || offered.respmod)) co_return kGoOn;
    co_return std::unexpected(Failure{.fault = Fault::no_method});
  }
  const Transfer transfer = offered.transfer_for(path_of(message.request()));
  if (transfer == Transfer::ignore) co_return kGoOn;
  std::optional<std::uint64_t> length = 0;
  if (message.has_content()) length = message.body().remaining();
  if (settings.size_limit != 0 && length.value_or(0) > settings.size_limit) {
    if (settings.over_size == SizePolicy::bypass) co_return kGoOn;
    co_return std::unexpected(Failure{.fault = Fault::too_large});
  }

  const bool has_body = message.has_content();
  if (has_body && state.virgin == nullptr) {
    auto body = std::make_unique<VirginBody>(message.body(), settings.keep);
    state.virgin = body.get();
    message.wrap(std::move(body));
  }
  IcapRequest request{.method = is_request ? IcapMethod::reqmod : IcapMethod::respmod,
                      .service = &service.uri(),

                      .allow_204 = settings.allow_204 && offered.allow_204 &&
                                   length.value_or(0) <= settings.keep.total,
                      .allow_206 = settings.allow_206 && offered.allow_206 && has_body,
                      .request = &message.request(),
                      .response = message.response(),
                      .secure = message.facts().client->secure(),
                      .has_body = has_body};
  if (has_body && settings.previews && transfer == Transfer::preview && offered.preview) {
    request.preview =
        std::min({*offered.preview, settings.preview, length.value_or(~std::uint64_t{0})});
  }
  const RequestFields fields(settings.fields, message);
  request.fields = fields.all();
  co_return co_await send(service, request, message, state);
}

Task<IcapFilter::Said> IcapFilter::send(Service& service, const IcapRequest& request,
                                        AdaptedMessage& message, State& state) {
  Executor& executor = (co_await this_context()).executor();
  const ServiceSettings& settings = service.settings();
  Choice choice;
  bool fresh = false;
  for (std::uint32_t repeats = 0;;) {
    auto lease = co_await service.connect(choice, fresh);
    if (!lease) {
      service.note_failure(lease.error(), choice);
      const bool passes = lease.error().fault == Fault::overloaded &&
                          settings.on_overload == OverloadPolicy::bypass;
      if (passes) state.let_pass();
      if (passes) co_return kGoOn;
      co_return std::unexpected(lease.error());
    }
    auto exchange = std::make_unique<Exchange>(std::move(*lease), state.virgin,
                                               service.exchange_limits(), executor, &state);
    const auto verdict = co_await exchange->ask(request);
    if (verdict) {
      service.note_answer(exchange->response(), choice);
      service.note_quirks(exchange->quirks());
      share(settings, exchange->response(), message.adaptation());
      co_return co_await take(std::move(exchange), *verdict, message, state);
    }
    co_await exchange->abandon();
    const Failure failure = verdict.error();
    if (failure.fault == Fault::cancelled || failure.fault == Fault::source) {
      co_return std::unexpected(failure);
    }
    const bool again = state.is_whole() && !failure.had_begun;
    if (again) state.rewind();
    // Once on a new connection where an old one was at its end; that is nobody's fault.
    if (failure.was_stale && again && !fresh) {
      fresh = true;
      continue;
    }
    service.note_failure(failure, choice);
    if (!again || repeats >= settings.repeat) co_return std::unexpected(failure);
    ++repeats;
    choice.avoid_hop();
    fresh = true;
  }
}

Task<IcapFilter::Said> IcapFilter::take(std::unique_ptr<Exchange> exchange, Verdict verdict,
                                        AdaptedMessage& message, State& state) {
  if (verdict == Verdict::unmodified) {
    const bool whole = co_await exchange->leave();
    if (!whole) co_return std::unexpected(Failure{.fault = Fault::not_kept});
    // Nobody is to be asked whether to go on with content that has come.
    if (state.virgin != nullptr && message.response() == nullptr) drop_expectation(message);
    co_return kGoOn;
  }
  Exchange& body = *exchange;
  const Said adopted = adopt(exchange, message, state.heads);
  if (!adopted) {
    co_await exchange->abandon();
    co_return adopted;
  }
  if (body.is_writing()) {
    Executor& executor = (co_await this_context()).executor();
    state.adaptation().start_work(executor, Exchange::see_writer_off(body));
  }
  co_return adopted;
}

}  // namespace penstock::icap

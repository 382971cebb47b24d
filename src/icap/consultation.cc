#include "icap/consultation.h"

#include <algorithm>
#include <utility>

#include "adapt/retarget.h"
#include "async/sleep.h"
#include "icap/adapted_message.h"
#include "icap/request_fields.h"

namespace penstock::icap {
namespace {

constexpr std::size_t kMostNextServices = 16;

bool is_listed(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::any_of(
      names, [name](std::string_view one) { return equals_ignoring_case(one, name); });
}

}  // namespace

Consultation::Consultation(Service& service, AdaptedMessage& message, IcapState& state)
    : service_(&service),
      message_(&message),
      state_(&state),
      is_request_(message.response() == nullptr) {
  if (message.has_content()) length_ = message.body().remaining();
  record_.service = &service.settings();
  record_.counters = &service.share().counters();
  record_.method = is_request_ ? IcapMethod::reqmod : IcapMethod::respmod;
}

Task<Consultation::Said> Consultation::ask() {
  executor_ = &(co_await this_context()).executor();
  auto options = service_->known_options();
  if (!options) {
    auto learnt = co_await service_->options();
    if (!learnt) co_return fails(learnt.error());
    options = std::move(*learnt);
  }
  const auto taken = takes(*options);
  if (!taken) co_return fails(taken.error());
  if (!*taken) {
    Said elsewhere = go_on(Outcome::skipped);
    elsewhere->offered = false;
    co_return elsewhere;
  }
  const Transfer transfer = options->transfer_for(path_of(message_->request()));
  const auto skipped = skips(transfer);
  if (!skipped) co_return fails(skipped.error());
  if (*skipped) {
    state_->let_pass();
    co_return go_on(Outcome::skipped);
  }
  IcapRequest request = request_for(*options, transfer);
  const RequestFields fields(service_->field_texts(), *message_);
  request.fields = fields.all();
  co_return co_await send(request);
}

std::expected<bool, Failure> Consultation::takes(const Options& offered) const {
  if (is_request_ ? offered.reqmod : offered.respmod) return true;
  // Who has named both methods takes what there is.
  const ServiceSettings& settings = service_->settings();
  if (settings.reqmod && settings.respmod && (offered.reqmod || offered.respmod)) return false;
  return std::unexpected(Failure{.fault = Fault::no_method});
}

std::expected<bool, Failure> Consultation::skips(Transfer transfer) const {
  const ServiceSettings& settings = service_->settings();
  if (transfer == Transfer::ignore) return true;
  if (settings.size_limit == 0 || length_.value_or(0) <= settings.size_limit) return false;
  if (settings.over_size == SizePolicy::bypass) return true;
  return std::unexpected(Failure{.fault = Fault::too_large});
}

// All of it, for as long as it takes. Of what a client is to get some meanwhile as much is kept as
// may be, as the service could not leave it as it is else.
bool Consultation::can_keep() const {
  return length_ ? *length_ <= service_->settings().keep.total : state_->patience.has_value();
}

IcapRequest Consultation::request_for(const Options& offered, Transfer transfer) {
  const ServiceSettings& settings = service_->settings();
  const bool has_body = message_->has_content();
  if (has_body && state_->virgin == nullptr) {
    auto body = std::make_unique<VirginBody>(message_->body(), settings.keep);
    state_->virgin = body.get();
    message_->wrap(std::move(body));
  }
  IcapRequest request{.method = record_.method,
                      .service = &service_->uri(),
                      .allow_204 = settings.allow_204 && offered.allow_204 && can_keep(),
                      .allow_206 = settings.allow_206 && offered.allow_206 && has_body,
                      .request = &message_->request(),
                      .response = message_->response(),
                      .secure = message_->facts().client->secure(),
                      .has_body = has_body,
                      .length = has_body ? length_ : std::nullopt};
  if (has_body && settings.previews && transfer == Transfer::preview && offered.preview) {
    request.preview =
        std::min({*offered.preview, settings.preview, length_.value_or(~std::uint64_t{0})});
  }
  return request;
}

Task<Consultation::Said> Consultation::send(const IcapRequest& request) {
  const ServiceSettings& settings = service_->settings();
  record_.begun = now();
  for (bool fresh = false;;) {
    state_->may_trickle = false;
    auto lease = co_await service_->connect(choice_, fresh);
    record_.connected = now();
    if (!lease) {
      service_->note_failure(lease.error(), choice_);
      const bool passes = lease.error().fault == Fault::overloaded &&
                          settings.on_overload == OverloadPolicy::bypass;
      if (!passes) co_return fails(lease.error());
      state_->let_pass();
      co_return go_on(Outcome::bypassed);
    }
    if (deadline_ == kNever) deadline_ = deadline_after(now(), settings.total_timeout);
    std::unique_ptr<Exchange> tried;
    const auto verdict = co_await exchange(std::move(*lease), request, tried);
    record_.look_at(*tried);
    record_.decided = now();
    if (verdict) co_return co_await take(std::move(tried), *verdict);
    co_await tried->abandon();
    const Failure failure = verdict.error();
    if (failure.fault == Fault::cancelled || failure.fault == Fault::source) {
      co_return fails(failure);
    }
    const bool again = state_->is_whole() && !failure.had_begun && !state_->trickles;
    if (again) state_->rewind();
    // Once on a new connection where an old one was at its end; that is nobody's fault.
    if (failure.was_stale && again && !fresh) {
      fresh = true;
      continue;
    }
    service_->note_failure(failure, choice_);
    if (!again || record_.repeats >= settings.repeat || now() >= deadline_) {
      co_return fails(failure);
    }
    ++record_.repeats;
    choice_.avoid_hop();
    fresh = true;
  }
}

Task<std::expected<Verdict, Failure>> Consultation::exchange(Lease lease,
                                                             const IcapRequest& request,
                                                             std::unique_ptr<Exchange>& exchange) {
  exchange = std::make_unique<Exchange>(std::move(lease), state_->virgin,
                                        service_->exchange_limits(), *executor_, state_);
  // Its heads are written at once.
  state_->may_trickle = request.allow_204;
  if (deadline_ == kNever) co_return co_await exchange->ask(request);
  ChildContext asking(co_await this_context());
  const CancelAt limit(asking, deadline_);
  auto verdict = co_await exchange->ask(request).in(asking);
  if (!verdict && limit.fired()) {
    const bool begun = verdict.error().had_begun;
    verdict = std::unexpected(Failure{.fault = Fault::timed_out, .had_begun = begun});
  }
  co_return verdict;
}

Task<Consultation::Said> Consultation::take(std::unique_ptr<Exchange> exchange, Verdict verdict) {
  service_->note_answer(exchange->response(), choice_);
  service_->note_quirks(exchange->quirks());
  read_fields(exchange->response());
  Said said = verdict == Verdict::unmodified ? co_await keep(*exchange)
                                             : co_await replace(std::move(exchange));
  if (!said) co_return said;
  const bool answers = said->outcome.kind == FilterOutcome::Kind::answer;
  FieldSection& fields = answers ? state_->adaptation().answer().head.fields : message_->fields();
  for (const auto& [name, value] : passed_) fields.set(fields.keep(name), fields.keep(value));
  said->next = std::move(next_);
  co_return said;
}

void Consultation::read_fields(const IcapResponse& response) {
  const ServiceSettings& settings = service_->settings();
  Adaptation& adaptation = state_->adaptation();
  for (const Field& field : response.fields) {
    const bool told = is_listed(settings.share, field.name);
    if (told || is_listed(settings.note, field.name)) {
      adaptation.leave_note(
          {.name = std::string(field.name), .text = std::string(field.value), .told = told});
      append_member(record_.fields, field.name, field.value);
    }
    if (is_listed(settings.pass, field.name)) passed_.emplace_back(field.name, field.value);
  }
  const auto next = response.next_services();
  if (!next) return;
  const auto most = std::min(next->size(), kMostNextServices);
  next_.assign(next->begin(), next->begin() + static_cast<std::ptrdiff_t>(most));
}

Consultation::Said Consultation::go_on(Outcome outcome) {
  record_.outcome = outcome;
  state_->consulted.push_back(std::move(record_));
  return Advice{};
}

std::unexpected<Failure> Consultation::fails(const Failure& failure) {
  record_.outcome = Outcome::failed;
  record_.failure = failure;
  record_.has_failure = true;
  state_->consulted.push_back(std::move(record_));
  return std::unexpected(failure);
}

Task<Consultation::Said> Consultation::keep(Exchange& exchange) {
  const bool whole = co_await exchange.leave();
  record_.look_at(exchange);
  if (!whole) co_return fails({.fault = Fault::not_kept});
  // Nobody is to be asked whether to go on with content that has come.
  if (state_->virgin != nullptr && is_request_) drop_expectation(*message_);
  co_return go_on(Outcome::unmodified);
}

Task<Consultation::Said> Consultation::replace(std::unique_ptr<Exchange> exchange) {
  if (state_->trickles) {
    co_await exchange->abandon();
    co_return fails({.fault = Fault::too_late, .had_begun = true});
  }
  Exchange& body = *exchange;
  const auto adopted = adopt(exchange, *message_, state_->heads);
  if (!adopted) {
    co_await exchange->abandon();
    co_return fails(adopted.error());
  }
  record_.body = &body;
  const bool answers = adopted->kind == FilterOutcome::Kind::answer;
  Said said = go_on(answers ? Outcome::satisfied : Outcome::adapted);
  if (body.is_writing()) {
    state_->adaptation().start_work(*executor_, Exchange::see_writer_off(body));
  }
  // What comes next sees another message.
  state_->virgin = nullptr;
  said->outcome = *adopted;
  co_return said;
}

}  // namespace penstock::icap

#include "module/module_filter.h"

#include <utility>

#include "module/connection.h"
#include "module/content_body.h"

namespace penstock {
namespace {

constexpr FilterOutcome kGoOn{};
constexpr FilterOutcome kLeave{.kind = FilterOutcome::Kind::leave};

FilterOutcome failed(std::string_view reason) {
  return {.kind = FilterOutcome::Kind::failed, .reason = reason};
}

bool has_request_callbacks(const ModuleCaller& caller) {
  return caller.calls(ModuleEvent::request_head) || caller.calls(ModuleEvent::request_body) ||
         caller.calls(ModuleEvent::request_complete);
}

bool has_response_callbacks(const ModuleCaller& caller) {
  return caller.calls(ModuleEvent::response_head) || caller.calls(ModuleEvent::response_body) ||
         caller.calls(ModuleEvent::response_complete);
}

ModuleEvent head_event(const AdaptedMessage& message) {
  return is_request(message.point()) ? ModuleEvent::request_head : ModuleEvent::response_head;
}

}  // namespace

ModuleFilter::ModuleFilter(std::shared_ptr<ModuleCaller> caller, FilterSide side)
    : caller_(std::move(caller)) {
  const bool client = side == FilterSide::client;
  if (has_request_callbacks(*caller_)) {
    interests_ |= interest(client ? AdaptPoint::client_request : AdaptPoint::server_request);
  }
  if (has_response_callbacks(*caller_)) {
    interests_ |= interest(client ? AdaptPoint::client_response : AdaptPoint::server_response);
  }
  if (caller_->instance().callbacks().connection != nullptr) interests_ |= kConnectionInterest;
  if (caller_->calls(ModuleEvent::cache_lookup)) interests_ |= kLookupInterest;
  if (caller_->calls(ModuleEvent::before_connect)) interests_ |= kConnectInterest;
  if (caller_->calls(ModuleEvent::logged)) interests_ |= kLogInterest;
}

ModuleTransaction& ModuleFilter::transaction_of(Adaptation& adaptation,
                                                std::unique_ptr<FilterState>& state) {
  if (!state) state = std::make_unique<ModuleTransaction>(*this, *caller_, adaptation);
  return static_cast<ModuleTransaction&>(*state);
}

bool ModuleFilter::wants_content(AdaptPoint point) const {
  return is_request(point) ? caller_->calls(ModuleEvent::request_body) ||
                                 caller_->calls(ModuleEvent::request_complete)
                           : caller_->calls(ModuleEvent::response_body) ||
                                 caller_->calls(ModuleEvent::response_complete);
}

std::optional<FilterOutcome> ModuleFilter::start(AdaptedMessage& message,
                                                 std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  const ModuleEvent event = head_event(message);
  transaction.request = &message.request();
  if (message.response() == nullptr) {
    transaction.request_framing = message.framing();
  } else {
    transaction.response = message.response();
    transaction.response_framing = message.framing();
  }
  Moment& moment = transaction.moment(event);
  moment.begin_message(event);
  moment.message = &message;
  if (!caller_->calls(event)) {
    return settle_head(transaction, moment, message, PENSTOCK_CONTINUE);
  }
  const std::optional<int> returned = caller_->start(transaction, moment);
  if (!returned) return std::nullopt;
  return settle_head(transaction, moment, message, *returned);
}

// What start() has left: the callback takes time, or the one for the end of what has no content
// does.
Task<FilterOutcome> ModuleFilter::finish(AdaptedMessage& message,
                                         std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  Moment& moment = transaction.moment(head_event(message));
  while (true) {
    const bool at_head = is_head(moment.event);
    const int returned = co_await caller_->finish(transaction, moment);
    const auto outcome = at_head ? settle_head(transaction, moment, message, returned)
                                 : settle_end(transaction, moment, message, returned);
    if (outcome) co_return *outcome;
  }
}

std::optional<FilterOutcome> ModuleFilter::settle_head(ModuleTransaction& transaction,
                                                       Moment& moment, AdaptedMessage& message,
                                                       int returned) {
  const bool changes = returned == PENSTOCK_CHANGED || returned == PENSTOCK_HOLD_HEAD;
  switch (returned) {
    case PENSTOCK_ANSWER:
      return answer(transaction, moment, message);
    case PENSTOCK_DONE:
      return kLeave;
    case PENSTOCK_SKIP_CONTENT:
      return kGoOn;
    case PENSTOCK_CONTINUE:
    case PENSTOCK_CHANGED:
    case PENSTOCK_HOLD_HEAD:
      break;
    default:
      return failed(caller_->failure());
  }
  // Content that is empty can become something else, where there may be some.
  const bool has_content =
      message.has_content() || (changes && message.framing().kind != BodyKind::none);
  if (!has_content) {
    if (changes) message.content_would_change();
    return show_end(transaction, moment, message, returned == PENSTOCK_HOLD_HEAD);
  }
  if (!wants_content(message.point())) return kGoOn;
  if (returned == PENSTOCK_HOLD_HEAD) return FilterOutcome{.kind = FilterOutcome::Kind::look};
  put_around(transaction, moment, message, changes);
  return kGoOn;
}

std::optional<FilterOutcome> ModuleFilter::show_end(ModuleTransaction& transaction, Moment& moment,
                                                    AdaptedMessage& message, bool head_held) {
  const ModuleEvent complete =
      is_request(message.point()) ? ModuleEvent::request_complete : ModuleEvent::response_complete;
  if (!caller_->calls(complete)) return kGoOn;
  moment.begin(complete);
  moment.head_held = head_held;
  moment.message = head_held ? &message : nullptr;
  const auto returned = caller_->start(transaction, moment);
  if (!returned) return std::nullopt;
  return settle_end(transaction, moment, message, *returned);
}

FilterOutcome ModuleFilter::settle_end(ModuleTransaction& transaction, Moment& moment,
                                       AdaptedMessage& message, int returned) {
  const bool head_held = std::exchange(moment.head_held, false);
  switch (returned) {
    case PENSTOCK_CONTINUE:
    case PENSTOCK_CHANGED:
    case PENSTOCK_SKIP_CONTENT:
      return kGoOn;
    case PENSTOCK_DONE:
      return kLeave;
    case PENSTOCK_ANSWER:
      return head_held ? answer(transaction, moment, message) : failed("answered too late");
    default:
      return failed(caller_->failure());
  }
}

void ModuleFilter::put_around(ModuleTransaction& transaction, Moment& moment,
                              AdaptedMessage& message, bool may_change) {
  auto body =
      std::make_unique<ContentBody>(transaction, message.body(), message.point(), may_change);
  if (may_change) {
    const auto length = std::exchange(moment.length, std::nullopt);
    if (length) body->promise(*length);
    message.replace(std::move(body), length);
  } else {
    message.wrap(std::move(body));
  }
}

FilterOutcome ModuleFilter::answer(ModuleTransaction& transaction, Moment& moment,
                                   AdaptedMessage& message) {
  if (!moment.answered) return failed("answered without an answer");
  if (moment.answer_streams) moment.answered->body = std::make_unique<AnswerBody>(transaction);
  message.answer_with(std::move(*moment.answered));
  moment.answered.reset();
  return {.kind = FilterOutcome::Kind::answer};
}

// The head stays until the module has seen enough of the content.
Task<FilterOutcome> ModuleFilter::look(AdaptedMessage& message,
                                       std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  Moment& moment = transaction.moment(head_event(message));
  auto body = std::make_unique<ContentBody>(transaction, message.body(), message.point(), true);
  ContentBody& looking = *body;
  const auto seen = co_await looking.prime(message);
  // Some of it has been pulled: whatever becomes of the message, the rest is had through this.
  message.replace(std::move(body), std::exchange(moment.length, std::nullopt));
  switch (seen) {
    case ContentBody::Seen::enough:
      co_return kGoOn;
    case ContentBody::Seen::answer:
      co_return answer(transaction, moment, message);
    default:
      co_return FilterOutcome{.kind = FilterOutcome::Kind::refuse};
  }
}

FilterOutcome ModuleFilter::settle_choice(int returned) const {
  if (returned == PENSTOCK_DONE) return kLeave;
  const bool good = returned == PENSTOCK_CONTINUE || returned == PENSTOCK_CHANGED;
  return good ? kGoOn : failed(caller_->failure());
}

MaybeTask<FilterOutcome> ModuleFilter::ask(ModuleTransaction& transaction, Moment& moment) {
  const auto returned = caller_->start(transaction, moment);
  if (returned) return settle_choice(*returned);
  return finish_asking(transaction, moment);
}

Task<FilterOutcome> ModuleFilter::finish_asking(ModuleTransaction& transaction, Moment& moment) {
  co_return settle_choice(co_await caller_->finish(transaction, moment));
}

Task<Result<bool>> ModuleFilter::on_connection(const ClientInfo& client,
                                               std::unique_ptr<FilterState>& state) {
  auto connection = std::make_unique<ModuleConnection>(*caller_, client);
  ModuleConnection& begun = *connection;
  state = std::move(connection);
  co_return co_await caller_->begin(begun);
}

MaybeTask<FilterOutcome> ModuleFilter::on_lookup(const AdaptedMessage& message,
                                                 std::string_view result,
                                                 std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  transaction.request = &message.request();
  Moment& moment = transaction.moment(ModuleEvent::cache_lookup);
  moment.begin(ModuleEvent::cache_lookup);
  transaction.lookup_result = result;
  return ask(transaction, moment);
}

MaybeTask<FilterOutcome> ModuleFilter::on_connect(const AdaptedMessage& message,
                                                  ConnectChoice& choice,
                                                  std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  transaction.request = &message.request();
  Moment& moment = transaction.moment(ModuleEvent::before_connect);
  moment.begin(ModuleEvent::before_connect);
  moment.choice = &choice;
  return ask(transaction, moment);
}

void ModuleFilter::on_logged(const LoggedMessages& messages, const RecordView& record,
                             std::unique_ptr<FilterState>& state) {
  if (state && state->left) return;
  ModuleTransaction& transaction = transaction_of(messages.adaptation, state);
  transaction.request = &messages.request;
  transaction.response = messages.response;
  Moment& moment = transaction.moment(ModuleEvent::logged);
  moment.begin(ModuleEvent::logged);
  moment.record = &record;
  static_cast<void>(caller_->start(transaction, moment));
  moment.record = nullptr;
}

}  // namespace penstock

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

bool has_request_callbacks(const penstock_module& module) {
  return module.request_head != nullptr || module.request_body != nullptr ||
         module.request_complete != nullptr;
}

bool has_response_callbacks(const penstock_module& module) {
  return module.response_head != nullptr || module.response_body != nullptr ||
         module.response_complete != nullptr;
}

bool has_callback(const penstock_module& module, ModuleEvent event) {
  switch (event) {
    case ModuleEvent::request_head:
      return module.request_head != nullptr;
    case ModuleEvent::request_complete:
      return module.request_complete != nullptr;
    case ModuleEvent::response_head:
      return module.response_head != nullptr;
    default:
      return module.response_complete != nullptr;
  }
}

}  // namespace

ModuleFilter::ModuleFilter(std::unique_ptr<ModuleCaller> caller, FilterSide side)
    : caller_(std::move(caller)) {
  const penstock_module& module = caller_->instance().callbacks();
  const bool client = side == FilterSide::client;
  if (has_request_callbacks(module)) {
    interests_ |= interest(client ? AdaptPoint::client_request : AdaptPoint::server_request);
  }
  if (has_response_callbacks(module)) {
    interests_ |= interest(client ? AdaptPoint::client_response : AdaptPoint::server_response);
  }
  if (module.connection != nullptr) interests_ |= kConnectionInterest;
  if (module.cache_lookup != nullptr) interests_ |= kLookupInterest;
  if (module.before_connect != nullptr) interests_ |= kConnectInterest;
  if (module.logged != nullptr) interests_ |= kLogInterest;
}

ModuleTransaction& ModuleFilter::transaction_of(Adaptation& adaptation,
                                                std::unique_ptr<FilterState>& state) {
  if (!state) state = std::make_unique<ModuleTransaction>(*this, *caller_, adaptation);
  return static_cast<ModuleTransaction&>(*state);
}

bool ModuleFilter::wants_content(AdaptPoint point) const {
  const penstock_module& module = caller_->instance().callbacks();
  return is_request(point) ? module.request_body != nullptr || module.request_complete != nullptr
                           : module.response_body != nullptr || module.response_complete != nullptr;
}

std::optional<FilterOutcome> ModuleFilter::start(AdaptedMessage& message,
                                                 std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  if (transaction.left) return kLeave;
  const ModuleEvent event =
      message.response() == nullptr ? ModuleEvent::request_head : ModuleEvent::response_head;
  transaction.request = &message.request();
  if (message.response() == nullptr) {
    transaction.request_framing = message.framing();
  } else {
    transaction.response = message.response();
    transaction.response_framing = message.framing();
  }
  Moment& moment = transaction.moment(event);
  moment.clear_call();
  moment.event = event;
  moment.message = &message;
  if (!has_callback(caller_->instance().callbacks(), event)) {
    return settle_head(transaction, moment, message, PENSTOCK_CONTINUE);
  }
  const std::optional<int> returned = caller_->start(transaction, moment);
  if (!returned) return std::nullopt;
  return settle_head(transaction, moment, message, *returned);
}

// What start() has left: the callback takes time, or the one for the end of what has no content
// does, or content has to be seen.
Task<FilterOutcome> ModuleFilter::finish(AdaptedMessage& message,
                                         std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  const ModuleEvent event =
      message.response() == nullptr ? ModuleEvent::request_head : ModuleEvent::response_head;
  Moment& moment = transaction.moment(event);
  if (moment.head_held) co_return co_await hold_head(transaction, message, moment);
  while (true) {
    const bool at_head = is_head(moment.event);
    const int returned = co_await caller_->finish(transaction, moment);
    if (!at_head) {
      co_return returned < 0      ? failed(caller_->failure())
      : returned == PENSTOCK_DONE ? kLeave
                                  : kGoOn;
    }
    const auto outcome = settle_head(transaction, moment, message, returned);
    if (outcome) co_return *outcome;
    if (moment.head_held) co_return co_await hold_head(transaction, message, moment);
  }
}

std::optional<FilterOutcome> ModuleFilter::settle_head(ModuleTransaction& transaction,
                                                       Moment& moment, AdaptedMessage& message,
                                                       int returned) {
  moment.written.clear();
  switch (returned) {
    case PENSTOCK_ANSWER:
      return answer(transaction, moment, message);
    case PENSTOCK_DONE:
      transaction.left = true;
      return kLeave;
    case PENSTOCK_SKIP_CONTENT:
      return kGoOn;
    case PENSTOCK_CONTINUE:
    case PENSTOCK_CHANGED:
      break;
    case PENSTOCK_HOLD_HEAD:
      if (!message.has_content()) break;
      moment.head_held = true;
      return std::nullopt;
    default:
      return failed(caller_->failure());
  }
  if (message.has_content()) {
    if (wants_content(message.point())) {
      put_around(transaction, message, returned == PENSTOCK_CHANGED);
    }
    return kGoOn;
  }
  if (returned != PENSTOCK_CONTINUE) message.content_would_change();
  // There is nothing to wait for: what has no content is complete.
  const ModuleEvent complete = message.response() == nullptr ? ModuleEvent::request_complete
                                                             : ModuleEvent::response_complete;
  if (!has_callback(caller_->instance().callbacks(), complete)) return kGoOn;
  moment.clear_call();
  moment.event = complete;
  const auto at_end = caller_->start(transaction, moment);
  if (!at_end) return std::nullopt;
  if (*at_end < 0) return failed(caller_->failure());
  return *at_end == PENSTOCK_DONE ? kLeave : kGoOn;
}

void ModuleFilter::put_around(ModuleTransaction& transaction, AdaptedMessage& message,
                              bool may_change) {
  auto body =
      std::make_unique<ContentBody>(transaction, message.body(), message.point(), may_change);
  if (may_change) {
    message.replace(std::move(body), std::exchange(transaction
                                                       .moment(message.response() == nullptr
                                                                   ? ModuleEvent::request_head
                                                                   : ModuleEvent::response_head)
                                                       .length,
                                                   std::nullopt));
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
Task<FilterOutcome> ModuleFilter::hold_head(ModuleTransaction& transaction, AdaptedMessage& message,
                                            Moment& moment) {
  auto body = std::make_unique<ContentBody>(transaction, message.body(), message.point(), true);
  const Result<int> primed = co_await body->prime();
  moment.head_held = false;
  if (!primed) {
    // The message itself is broken; whoever pulls it next hears of that.
    message.replace(std::move(body), std::nullopt);
    co_return kGoOn;
  }
  if (*primed == PENSTOCK_ANSWER) co_return answer(transaction, moment, message);
  const bool went_wrong = *primed == PENSTOCK_ERROR;
  message.replace(std::move(body), std::exchange(moment.length, std::nullopt));
  co_return went_wrong ? failed(caller_->failure()) : kGoOn;
}

Task<FilterOutcome> ModuleFilter::ask(ModuleTransaction& transaction, Moment& moment) {
  if (transaction.left) co_return kLeave;
  auto returned = caller_->start(transaction, moment);
  if (!returned) returned = co_await caller_->finish(transaction, moment);
  if (*returned == PENSTOCK_DONE) {
    transaction.left = true;
    co_return kLeave;
  }
  const bool good = *returned == PENSTOCK_CONTINUE || *returned == PENSTOCK_CHANGED;
  co_return good ? kGoOn : failed(caller_->failure());
}

Task<bool> ModuleFilter::on_connection(const ClientInfo& client,
                                       std::unique_ptr<FilterState>& state) {
  auto connection = std::make_unique<ModuleConnection>(*caller_, client);
  ModuleConnection& begun = *connection;
  state = std::move(connection);
  co_return co_await caller_->begin(begun);
}

Task<FilterOutcome> ModuleFilter::on_lookup(const AdaptedMessage& message, std::string_view result,
                                            std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  transaction.request = &message.request();
  Moment& moment = transaction.moment(ModuleEvent::cache_lookup);
  moment.clear_call();
  moment.event = ModuleEvent::cache_lookup;
  moment.lookup_result = result;
  transaction.moment(ModuleEvent::response_head).lookup_result = result;
  co_return co_await ask(transaction, moment);
}

Task<FilterOutcome> ModuleFilter::on_connect(const AdaptedMessage& message, ConnectChoice& choice,
                                             std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(message.adaptation(), state);
  transaction.request = &message.request();
  Moment& moment = transaction.moment(ModuleEvent::before_connect);
  moment.clear_call();
  moment.event = ModuleEvent::before_connect;
  moment.choice = &choice;
  const FilterOutcome outcome = co_await ask(transaction, moment);
  moment.choice = nullptr;
  co_return outcome;
}

void ModuleFilter::on_logged(const LoggedMessages& messages, const RecordView& record,
                             std::unique_ptr<FilterState>& state) {
  ModuleTransaction& transaction = transaction_of(messages.adaptation, state);
  if (transaction.left) return;
  transaction.request = &messages.request;
  transaction.response = messages.response;
  Moment& moment = transaction.moment(ModuleEvent::logged);
  moment.clear_call();
  moment.event = ModuleEvent::logged;
  moment.record = &record;
  static_cast<void>(caller_->start(transaction, moment));
  moment.record = nullptr;
}

}  // namespace penstock

#include "icap/adapted_message.h"

#include <string>
#include <utility>
#include <variant>

#include "adapt/retarget.h"
#include "base/check.h"

namespace penstock::icap {
namespace {

constexpr std::string_view kExpect = "Expect";
constexpr int kMultipleChoices = 300;

std::unexpected<Failure> refused() {
  return std::unexpected(
      Failure{.fault = Fault::malformed, .problem = Problem::adapted_head_refused});
}

// CONNECT and "OPTIONS *" are for what they are for.
bool has_place(const RequestHead& head) {
  return head.target.form == TargetForm::origin || head.target.form == TargetForm::absolute;
}

bool can_change(const RequestHead& to, const RequestHead& from) {
  if (from.method_text != to.method_text && !can_become(to.method_text, from.method_text)) {
    return false;
  }
  if (to.method == Method::connect) return from.target.authority == to.target.authority;
  if (!has_place(to)) return from.fields.value(FieldId::host) == to.fields.value(FieldId::host);
  return is_path(path_of(from)) && is_authority(from.fields.value(FieldId::host));
}

// The head keeps what is not changed: others have views of it.
void change_request(RequestHead& to, RequestHead& from, AdaptedMessage& message,
                    ReplacedHeads& replaced) {
  const std::string path(path_of(from));
  const std::string authority(from.fields.value(FieldId::host));
  const bool other_path = path != path_of(to);
  const bool other_host = authority != to.fields.value(FieldId::host);
  replaced.fields.push_back(std::exchange(to.fields, std::move(from.fields)));
  replaced.bytes.push_back(std::move(from.bytes));
  if (from.method_text != to.method_text) PENSTOCK_CHECK(set_method(to, from.method_text));
  if (!has_place(to)) return;
  if (other_host) PENSTOCK_CHECK(set_authority(to, authority));
  if (other_path) PENSTOCK_CHECK(set_path(to, path));
  if (other_host || other_path) message.retarget();
}

void take_body(std::unique_ptr<Exchange> exchange, AdaptedMessage& message) {
  const Exchange& body = *exchange;
  if (body.has_content()) {
    const auto length = body.length();
    message.replace(std::move(exchange), length);
  } else {
    const bool may_have_body = exchange->head().may_have_body;
    message.empty(std::move(exchange), may_have_body);
  }
}

FilterOutcome answer(std::unique_ptr<Exchange> exchange, ResponseHead head,
                     AdaptedMessage& message) {
  FilterAnswer answer;
  answer.head = std::move(head);
  if (exchange->has_content()) {
    const auto length = exchange->length();
    answer.framing = length ? Framing{.kind = BodyKind::length, .length = *length}
                            : Framing{.kind = BodyKind::chunked};
  } else if (exchange->head().may_have_body) {
    answer.framing = {.kind = BodyKind::length, .length = 0};
  }
  answer.body = std::move(exchange);
  message.answer_with(std::move(answer));
  return {.kind = FilterOutcome::Kind::answer};
}

}  // namespace

void drop_expectation(const AdaptedMessage& message) { message.request().fields.remove(kExpect); }

std::expected<FilterOutcome, Failure> adopt(std::unique_ptr<Exchange>& exchange,
                                            AdaptedMessage& message, ReplacedHeads& replaced) {
  AdaptedHead& head = exchange->head();
  if (auto* const response = std::get_if<ResponseHead>(&head.head)) {
    if (message.response() == nullptr) {
      // A client would take it for the tunnel (RFC 9110 section 9.3.6).
      if (message.request().method == Method::connect && response->status < kMultipleChoices) {
        return refused();
      }
      ResponseHead own = std::move(*response);
      return answer(std::move(exchange), std::move(own), message);
    }
    replaced.responses.push_back(std::exchange(*message.response(), std::move(*response)));
    take_body(std::move(exchange), message);
    return FilterOutcome{};
  }
  RequestHead& request = std::get<RequestHead>(head.head);
  if (!can_change(message.request(), request)) return refused();
  change_request(message.request(), request, message, replaced);
  drop_expectation(message);
  take_body(std::move(exchange), message);
  return FilterOutcome{};
}

}  // namespace penstock::icap

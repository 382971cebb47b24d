#include "adapt/filter.h"

#include <array>

#include "adapt/adaptation.h"
#include "base/check.h"

namespace penstock {

std::string_view to_string(AdaptPoint point) {
  constexpr std::array<std::string_view, 4> kNames{"client_request", "server_request",
                                                   "server_response", "client_response"};
  return kNames[static_cast<std::size_t>(point)];
}

void AdaptedMessage::wrap(std::unique_ptr<OwnBody> body) {
  body_ = body.get();
  adaptation_->bodies_.push(std::move(body));
}

void AdaptedMessage::replace(std::unique_ptr<OwnBody> body, std::optional<std::uint64_t> length) {
  wrap(std::move(body));
  // What is said to be empty would not be pulled, and who makes it would never see its source.
  if (length && *length > 0) {
    framing_ = {.kind = BodyKind::length, .length = *length};
    if (fields().has(FieldId::content_length)) set_content_length(fields(), *length);
  } else {
    framing_ = {.kind = BodyKind::chunked};
    content_would_change();
  }
}

void AdaptedMessage::empty(std::unique_ptr<OwnBody> nothing, bool may_have_content) {
  wrap(std::move(nothing));
  framing_ = {};
  if (response_ == nullptr) {
    fields().remove(FieldId::content_length);
  } else if (may_have_content) {
    framing_.kind = BodyKind::length;
    set_content_length(fields(), 0);
  }
}

void AdaptedMessage::content_would_change() { fields().remove(FieldId::content_length); }

void AdaptedMessage::answer_with(FilterAnswer answer) {
  // What it takes the place of may be the message itself.
  adaptation_->extra().answers.push_back(std::move(answer));
}

Task<FilterOutcome> Filter::finish(AdaptedMessage& /*message*/,
                                   std::unique_ptr<FilterState>& /*state*/) {
  PENSTOCK_CHECK(false);  // start() never asks for it
  co_return FilterOutcome{};
}

Task<FilterOutcome> Filter::look(AdaptedMessage& /*message*/,
                                 std::unique_ptr<FilterState>& /*state*/) {
  PENSTOCK_CHECK(false);  // nobody comes to that
  co_return FilterOutcome{};
}

Task<Result<bool>> Filter::on_connection(const ClientInfo& /*client*/,
                                         std::unique_ptr<FilterState>& /*state*/) {
  co_return true;
}

MaybeTask<FilterOutcome> Filter::on_lookup(const AdaptedMessage& /*message*/,
                                           std::string_view /*result*/,
                                           std::unique_ptr<FilterState>& /*state*/) {
  return FilterOutcome{};
}

MaybeTask<FilterOutcome> Filter::on_connect(const AdaptedMessage& /*message*/,
                                            ConnectChoice& /*choice*/,
                                            std::unique_ptr<FilterState>& /*state*/) {
  return FilterOutcome{};
}

void Filter::on_logged(const LoggedMessages& /*messages*/, const RecordView& /*record*/,
                       std::unique_ptr<FilterState>& /*state*/) {}

}  // namespace penstock

// What the filters that are built in have in common.
#pragma once

#include "adapt/adaptation.h"
#include "adapt/coding.h"
#include "adapt/filter.h"
#include "adapt/settings.h"
#include "adapt/variables.h"

namespace penstock {

// The point at which a filter of that side sees requests, or responses.
[[nodiscard]] constexpr AdaptPoint request_point(FilterSide side) {
  return side == FilterSide::client ? AdaptPoint::client_request : AdaptPoint::server_request;
}
[[nodiscard]] constexpr AdaptPoint response_point(FilterSide side) {
  return side == FilterSide::client ? AdaptPoint::client_response : AdaptPoint::server_response;
}

inline constexpr FilterOutcome kGoOn{};
// `reason`: static text.
[[nodiscard]] constexpr FilterOutcome failed(std::string_view reason) {
  return {.kind = FilterOutcome::Kind::failed, .reason = reason};
}

// What variables stand for at that point.
[[nodiscard]] inline VariableContext variables_of(const AdaptedMessage& message) {
  const TransactionFacts& facts = message.facts();
  return {.client = *facts.client,
          .request = facts.request,
          .head = &message.request(),
          .host = facts.host,
          .route = facts.route,
          .status = message.response() != nullptr ? message.response()->status : 0,
          .login = facts.login,
          .notes = message.adaptation().notes()};
}

// The Accept-Encoding of the client, whatever a filter has made of it with keep_accepted_codings().
[[nodiscard]] inline std::string_view accepted_codings(const AdaptedMessage& message) {
  const auto kept = message.adaptation().accepted_codings();
  return kept ? *kept : accept_encoding(message.request().fields);
}
// For a filter that is about to change it, so that what servers send can be undone: what it is so
// far is what counts for responses to the client.
inline std::string_view keep_accepted_codings(const AdaptedMessage& message) {
  const std::string_view accepted = accepted_codings(message);
  message.adaptation().keep_accepted_codings(accepted);
  return accepted;
}

}  // namespace penstock

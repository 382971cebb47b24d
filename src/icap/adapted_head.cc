#include "icap/adapted_head.h"

#include <utility>

#include "base/check.h"
#include "message/framing.h"
#include "message/hop.h"
#include "message/status.h"

namespace penstock::icap {
namespace {

using http1::HeadKind;
using http1::HeadLimits;
using http1::HeadScanner;
using http1::Progress;
using std::unexpected;
using Fault = AdaptedHeadFault;

// Whether the bytes are one head from the first to the last.
std::expected<void, Fault> check_extent(std::string_view bytes, HeadKind kind,
                                        const HeadLimits& limits) {
  HeadScanner scanner(limits, kind);
  switch (scanner.scan(bytes)) {
    case Progress::refused:
      return unexpected(Fault{Problem::adapted_head_refused, scanner.refusal()});
    case Progress::need_more:
      return unexpected(Fault{Problem::adapted_head_length});
    case Progress::done:
      break;
  }
  // Empty lines before it, which a connection may have, are no part of a head.
  if (scanner.start() != 0 || scanner.size() != bytes.size()) {
    return unexpected(Fault{Problem::adapted_head_length});
  }
  return {};
}

// What is the same for both kinds, after the head was parsed.
template <class Head>
std::expected<void, Fault> settle(Head& head, AdaptedHead& adapted) {
  if (head.version == Version::http10) adapted.quirks.add(Quirk::http10_head);
  head.version = Version::http11;
  const std::size_t lines = head.fields.size();
  remove_hop_by_hop(head.fields, connection_options(head.fields));
  if (head.fields.size() != lines) adapted.quirks.add(Quirk::hop_by_hop_fields);
  const auto length = content_length(head.fields);
  if (!length) return unexpected(Fault{Problem::adapted_head_refused, length.error()});
  if (length->kind == BodyKind::length) adapted.content_length = length->length;
  return {};
}

std::expected<void, Fault> read_request(std::string_view bytes, const HeadLimits& limits,
                                        AdaptedHead& adapted) {
  RequestHead& head = adapted.head.emplace<RequestHead>();
  const Refusal refusal = http1::parse_request_head(bytes, limits, head);
  if (refusal != Refusal::none) return unexpected(Fault{Problem::adapted_head_refused, refusal});
  if (const auto settled = settle(head, adapted); !settled) return settled;
  const auto framing = request_framing(head);
  if (!framing) return unexpected(Fault{Problem::adapted_head_refused, framing.error()});
  adapted.may_have_body = head.method != Method::connect;
  return {};
}

std::expected<void, Fault> read_response(std::string_view bytes, Method request_method,
                                         const HeadLimits& limits, AdaptedHead& adapted) {
  ResponseHead& head = adapted.head.emplace<ResponseHead>();
  const Refusal refusal = http1::parse_response_head(bytes, limits, head);
  if (refusal != Refusal::none) return unexpected(Fault{Problem::adapted_head_refused, refusal});
  if (is_informational(head.status)) return unexpected(Fault{Problem::adapted_status_interim});
  if (const auto settled = settle(head, adapted); !settled) return settled;
  const auto framing = response_framing(request_method, head);
  if (!framing) return unexpected(Fault{Problem::adapted_head_refused, framing.error()});
  adapted.may_have_body = framing->kind != BodyKind::none;
  return {};
}

}  // namespace

std::expected<std::size_t, Problem> adapted_head_size(const IcapResponse& response,
                                                      const HeadLimits& limits) {
  if (!response.encapsulated) return unexpected(Problem::encapsulated_missing);
  const Encapsulated& parts = *response.encapsulated;
  if (parts.heads() == 0) return unexpected(Problem::adapted_head_missing);
  if (parts.request_head > limits.head || parts.response_head > limits.head) {
    return unexpected(Problem::adapted_head_too_large);
  }
  return static_cast<std::size_t>(parts.heads());
}

std::expected<AdaptedHead, AdaptedHeadFault> parse_adapted_head(std::string_view bytes,
                                                                const Encapsulated& encapsulated,
                                                                Method request_method,
                                                                const HeadLimits& limits) {
  PENSTOCK_CHECK(bytes.size() == encapsulated.heads() && !bytes.empty());
  const std::string_view request = bytes.substr(0, encapsulated.request_head);
  const std::string_view response = bytes.substr(encapsulated.request_head);
  AdaptedHead adapted;
  if (!request.empty()) {
    const auto extent = check_extent(request, HeadKind::request, limits);
    if (!extent) return unexpected(extent.error());
  }
  if (!response.empty()) {
    const auto extent = check_extent(response, HeadKind::response, limits);
    if (!extent) return unexpected(extent.error());
  }
  const auto read = response.empty() ? read_request(request, limits, adapted)
                                     : read_response(response, request_method, limits, adapted);
  if (!read) return unexpected(read.error());
  const bool has_length = adapted.content_length.value_or(0) != 0;
  if (has_length && adapted.may_have_body && !encapsulated.has_body()) {
    return unexpected(Fault{Problem::adapted_length_without_body});
  }
  return adapted;
}

}  // namespace penstock::icap

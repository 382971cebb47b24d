#include "server/http2_exchange.h"

#include <utility>

#include "message/date.h"
#include "message/status.h"
#include "message/websocket.h"

namespace penstock {
namespace {

// Refusals that are answered in full, as nothing is wrong with the message itself.
bool is_malformed(Refusal refusal) {
  switch (info(refusal).status) {
    case 414:
    case 431:
    case 501:
      return false;
    default:
      return true;
  }
}

}  // namespace

Http2Exchange::Http2Exchange(const ClientInfo& client, ClientControl& control,
                             http2::Stream& stream, const ServerSettings& settings,
                             const bool& draining, std::uint64_t requests_before,
                             Executor& executor)
    : Exchange(client, control),
      stream_(&stream),
      settings_(&settings),
      draining_(&draining),
      executor_(&executor) {
  traffic_.started = executor.now();
  traffic_.head_complete = traffic_.started;
  traffic_.requests_before = requests_before;
  take_head();
}

void Http2Exchange::refuse(Error error) { problem_ = error.at(Side::client); }

void Http2Exchange::take_head() {
  const bool absolute = client().listener->mode == ListenerMode::forward && !client().intercepted;
  Refusal refusal = http2::make_request(stream_->head(), absolute, request_);
  if (refusal == Refusal::none) {
    const auto framing = http2::message_framing(request_.fields, stream_->head_was_all());
    if (!framing) refusal = framing.error();
    if (framing) body_framing_ = *framing;
  }
  if (refusal != Refusal::none) {
    malformed_ = is_malformed(refusal);
    return refuse({.kind = ErrorKind::protocol, .cause = static_cast<int>(refusal)});
  }
  const bool upgrade = request_.fields.has(FieldId::upgrade);
  if (request_.method == Method::connect || upgrade) {
    // What follows is the tunnel's.
    tunnel_ = true;
    body_framing_ = {};
    request_.fields.remove(FieldId::content_length);
  } else {
    has_body_ = body_framing_.has_body();
    stream_->expect(body_framing_);
  }
  if (SlabPool::bytes_in_use() + http2::HeldSections::total() > settings_->buffer_bytes) {
    refuse({.kind = ErrorKind::overloaded});
  }
}

BodySource& Http2Exchange::body() {
  if (has_body_ && !problem_) return *stream_;
  return no_body_;
}

const ClientTraffic& Http2Exchange::traffic() {
  traffic_.received = tunnel_ ? 0 : stream_->received();
  traffic_.sent = stream_->sent();
  return traffic_;
}

Task<Result<void>> Http2Exchange::inform(ResponseHead& head) {
  if (head.status == 101) co_return Result<void>{};
  head.fields.remove(FieldId::content_length);
  co_return stream_->send_response(head, false);
}

// Content-Length is for those who want to know beforehand (RFC 9110 section 8.6); the end of a
// message is the stream's.
void Http2Exchange::frame_for_client(ResponseHead& head, Framing& framing) const {
  FieldSection& fields = head.fields;
  if (request_.method == Method::head || never_has_content(head.status)) {
    framing = {};
    const auto own = content_length(fields);
    if (head.status == 204 || !own) fields.remove(FieldId::content_length);
    return;
  }
  if (framing.kind == BodyKind::none) framing = {.kind = BodyKind::length, .length = 0};
  if (framing.kind == BodyKind::length) {
    set_content_length(fields, framing.length);
  } else {
    fields.remove(FieldId::content_length);
    framing = {.kind = BodyKind::chunked};
  }
}

Task<Result<void>> Http2Exchange::respond(ResponseHead& head, BodySource& body,
                                          const Framing& framing) {
  Framing wire = framing;
  frame_for_client(head, wire);
  if (!head.fields.has(FieldId::date)) {
    head.fields.add(FieldId::date, http_date(executor_->wall_now()));
  }
  fate_ = problem_ ? close_reason_of(problem_->kind) : CloseReason::kept;
  if (close_after_ != CloseReason::kept) fate_ = close_after_;
  if (fate_ == CloseReason::kept && *draining_) fate_ = CloseReason::draining;
  response_begun_ = true;
  traffic_.response_started = executor_->now();
  const bool only_head = !wire.has_body();
  if (malformed_) stream_->keep_open();
  Result<void> sent = stream_->send_response(head, only_head && !malformed_);
  if (sent && only_head) {
    sent = co_await stream_->flush();
  } else if (sent) {
    sent = co_await stream_->send_body(body, wire);
  }
  traffic_.content_sent = stream_->content_sent();
  response_complete_ = sent.has_value();
  if (!sent) fate_ = fate_after(sent.error());
  co_return sent;
}

bool Http2Exchange::is_accepted(const ResponseHead& head) const {
  const Field* const key = request_.fields.find(kWebSocketKeyField);
  const Field* const accept = head.fields.find(kWebSocketAcceptField);
  if (key == nullptr || accept == nullptr) return false;
  const WebSocketAccept wanted = websocket_accept(key->value);
  return accept->value == std::string_view(wanted.data(), wanted.size());
}

Task<Result<void>> Http2Exchange::open_tunnel(ResponseHead& head, std::string_view upgrade) {
  if (!upgrade.empty()) {
    if (!tunnel_ || !is_accepted(head)) {
      co_return fail({.kind = ErrorKind::protocol, .side = Side::server});
    }
    head.status = 200;
    head.fields.remove(kWebSocketAcceptField);
  }
  head.fields.remove(FieldId::content_length);
  fate_ = CloseReason::tunnel_ended;
  response_begun_ = true;
  traffic_.response_started = executor_->now();
  const auto sent = stream_->send_response(head, false);
  response_complete_ = sent.has_value();
  co_return sent;
}

Task<void> Http2Exchange::finish() {
  if (fate_ == CloseReason::tunnel_ended && response_complete_) {
    static_cast<void>(co_await stream_->flush());
  } else if (!response_complete_) {
    const bool gone = stream_->failure().has_value() || (co_await this_context()).cancelled();
    stream_->reset(gone ? http2::ErrorCode::cancel : http2::ErrorCode::internal_error);
  } else if (malformed_) {
    stream_->reset(http2::ErrorCode::protocol_error);
  }
}

}  // namespace penstock

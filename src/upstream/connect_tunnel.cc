#include "upstream/connect_tunnel.h"

#include <string>

#include "async/sleep.h"
#include "http1/head_reader.h"
#include "message/characters.h"
#include "message/status.h"
#include "upstream/peer_failure.h"

namespace penstock {
namespace {

// As many as a server may send before its final response in an exchange.
constexpr int kMaxInformational = 64;

// `authority` and `proxy_authorization` must outlive what is returned.
RequestHead connect_head(std::string_view authority, std::string_view proxy_authorization) {
  RequestHead head;
  head.method = Method::connect;
  head.method_text = "CONNECT";
  head.target.form = TargetForm::authority;
  head.target.authority = authority;
  head.fields.add(FieldId::host, authority);
  if (!proxy_authorization.empty()) {
    head.fields.add(FieldId::proxy_authorization, proxy_authorization);
  }
  return head;
}

Task<Result<void>> write_text(ByteStream& stream, std::string_view text) {
  const Executor& executor = (co_await this_context()).executor();
  iovec part = to_iovec(text);
  const auto written = co_await write_all(stream, {&part, 1}, executor.now(), {});
  if (!written) co_return fail(written.error());
  co_return Result<void>{};
}

Task<Result<void>> read_one_head(ByteStream& stream, InputBuffer& input,
                                 const http1::HeadLimits& limits, ResponseHead& response) {
  http1::HeadScanner scanner(limits, http1::HeadKind::response);
  const auto got = co_await http1::read_head(stream, input, scanner, kNever);
  if (!got) co_return fail(got.error());
  response.bytes = input.take(scanner.size());
  const Refusal refusal =
      http1::parse_response_head(response.bytes.view().substr(scanner.start()), limits, response);
  if (refusal != Refusal::none) {
    co_return fail(ErrorKind::protocol, static_cast<int>(refusal));
  }
  co_return Result<void>{};
}

Task<Result<int>> ask(ByteStream& stream, InputBuffer& input, std::string_view request,
                      const http1::HeadLimits& limits, ResponseHead& response) {
  const auto written = co_await write_text(stream, request);
  // A proxy that refuses the request may have said so before it closed.
  if (!written && written.error().kind == ErrorKind::cancelled) co_return fail(written.error());
  for (int skipped = 0; skipped <= kMaxInformational; ++skipped) {
    const auto got = co_await read_one_head(stream, input, limits, response);
    if (!got) co_return fail(written ? got.error() : written.error());
    if (response.status == 101) co_return fail(peer_error(PeerFailure::unexpected_upgrade));
    if (!is_informational(response.status)) {
      // No tunnel begins with a request that did not get through.
      if (!written && response.status < 300) co_return fail(written.error());
      co_return response.status;
    }
    response = ResponseHead{};
  }
  co_return fail(ErrorKind::limit);
}

}  // namespace

Task<Result<int>> http_connect(ByteStream& stream, InputBuffer& input, const TunnelTarget& target,
                               std::string_view proxy_authorization,
                               const http1::HeadLimits& limits, TimePoint deadline,
                               ResponseHead& response) {
  TaskContext& context = co_await this_context();
  const auto authority = authority_of(target);
  if (!authority) co_return fail(authority.error());
  if (!is_field_value(proxy_authorization)) {
    co_return fail(peer_error(PeerFailure::login_unusable));
  }
  const RequestHead head = connect_head(*authority, proxy_authorization);
  const auto request = http1::serialise(head, http1::RequestForm::authority, {});
  if (!request) co_return fail(peer_error(PeerFailure::login_unusable));
  ChildContext limited(context);
  const CancelAt limit(limited, deadline);
  const auto status = co_await ask(stream, input, request->view(), limits, response).in(limited);
  if (!status) co_return fail(tunnel_error(status.error(), limit.fired()));
  co_return *status;
}

Error connect_refusal(int status) {
  switch (status) {
    case 407:
      return peer_error(PeerFailure::login_refused);
    case 403:
    case 405:
      return peer_error(PeerFailure::not_allowed);
    case 502:
    case 503:
      return peer_error(PeerFailure::host_unreachable);
    case 504:
      return peer_error(PeerFailure::ttl_expired);
    default:
      return peer_error(PeerFailure::general_failure);
  }
}

}  // namespace penstock

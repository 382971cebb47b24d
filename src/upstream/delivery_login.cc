// Where a delivery authenticates itself: to the origin server, and to the peer on the way.
#include <string>
#include <string_view>
#include <utility>

#include "upstream/delivery.h"
#include "upstream/peer_failure.h"

namespace penstock {
namespace {

// Challenges that are met for one request: of the peer, of the origin, and one with a stale nonce.
constexpr int kMaxLogins = 3;
// Of a challenge's content so much is read for the sake of the connection.
constexpr std::uint64_t kWorthReading = 64UL * 1024;

std::string_view path_of(const RequestHead& head, Arena& arena) {
  const Target& target = head.target;
  return target.needs_slash ? arena.join("/", target.path_and_query) : target.path_and_query;
}

// As it is sent to a proxy.
std::string_view absolute_uri(const RequestHead& head, Arena& arena) {
  const Target& target = head.target;
  const std::string_view scheme = target.scheme.empty() ? "http" : target.scheme;
  const std::string_view authority =
      target.authority.empty() ? head.fields.value(FieldId::host) : target.authority;
  // OPTIONS * of a server is its URI without a path (RFC 9112 section 3.2.4).
  const bool asterisk = target.path_and_query == "*";
  return arena.join(scheme, "://", authority, asterisk ? "" : path_of(head, arena));
}

// True when the body was read to its end, as far as that is worth it.
Task<bool> read_away(BodySource& body) {
  std::uint64_t seen = 0;
  while (!body.at_end() && seen <= kWorthReading) {
    const auto slice = co_await body.next();
    if (!slice) co_return false;
    seen += slice->size();
  }
  co_return body.at_end();
}

void tell_problem(Log* log, const std::string& problem) {
  if (log != nullptr && !problem.empty()) log->warning("{}", problem);
}

}  // namespace

// The fields of this attempt: another server may have other credentials, or none.
void Delivery::add_logins(const Lease& lease, const Choice& choice) {
  RequestHead& head = *request_->head;
  FieldSection& fields = head.fields;
  const TimePoint now = side_->pool().executor().now();
  if (!std::exchange(looked_for_login_, true)) {
    client_logs_in_ = fields.has(FieldId::authorization);
  }
  // For this server: what is meant for another one of the group is not for it.
  if (!client_logs_in_) {
    authenticator_ = side_->credentials().find(origin(choice));
    sent_login_ = {};
    fields.remove(FieldId::authorization);
  }
  if (authenticator_) {
    const AuthRequest request{.method = head.method_text, .uri = path_of(head, fields.arena())};
    sent_login_ = authenticator_->authorization(request, fields.arena(), now);
    tell_problem(side_->pool().log(), side_->credentials().take_problem());
    if (!sent_login_.empty()) fields.add(FieldId::authorization, sent_login_);
  }
  sent_peer_login_ = {};
  if (destination_->via.empty()) return;
  fields.remove(FieldId::proxy_authorization);
  if (peer() == nullptr || !lease.leads_to_proxy()) return;
  if (Authenticator* const ours = peer()->authenticator()) {
    const AuthRequest request{.method = head.method_text,
                              .uri = absolute_uri(head, fields.arena())};
    sent_peer_login_ = ours->authorization(request, fields.arena(), now);
    tell_problem(side_->pool().log(), peer()->credential()->take_problem());
  } else if (peer()->settings().pass_login) {
    sent_peer_login_ = destination_->peer_login;
  }
  if (!sent_peer_login_.empty()) fields.add(FieldId::proxy_authorization, sent_peer_login_);
}

OriginView Delivery::origin(const Choice& choice) const {
  if (destination_->group == nullptr) {
    return {.secure = destination_->secure, .host = destination_->host, .port = destination_->port};
  }
  const bool secure = destination_->group->share().tls() != nullptr;
  if (!choice.hop) return {.secure = secure};
  return {.secure = secure, .host = choice.hop->name(), .port = choice.hop->port};
}

// The answer is a challenge. True when the request is to be sent again, with an answer to it. An
// origin's challenge that we can't meet is the client's to see; one of a peer is not, unless it is
// the client who logs in there.
Task<Result<bool>> Delivery::log_in_again() {
  const TimePoint now = side_->pool().executor().now();
  const bool of_peer = response_.status == 407 && lease_->leads_to_proxy() && peer() != nullptr;
  bool met = false;
  if (of_peer && peer()->authenticator() != nullptr) {
    met = peer()->authenticator()->challenged(response_.fields, FieldId::proxy_authenticate,
                                              sent_peer_login_, now);
  } else if (response_.status == 401 && authenticator_) {
    met = authenticator_->challenged(response_.fields, FieldId::www_authenticate, sent_login_, now);
  }
  if (met && !carries_login_ && may_send_again() && logins_ < kMaxLogins) {
    ++logins_;
    const bool whole = co_await read_away(lease_->response_body());
    bytes_sent_ += lease_->bytes_sent();
    co_await lease_->settle(whole ? Settlement::reuse : Settlement::close);
    lease_.reset();
    body_->rewind();
    co_return true;
  }
  if (of_peer && !peer()->settings().pass_login) {
    co_return fail(peer_error(PeerFailure::login_refused));
  }
  co_return false;
}

}  // namespace penstock

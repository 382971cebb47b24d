// Steps of a transaction before any connection is made: checks, routing, preparing the request.
#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "adapt/retarget.h"
#include "base/hash.h"
#include "message/hop.h"
#include "proxy/client_state.h"
#include "proxy/error_page.h"
#include "proxy/transaction.h"
#include "upstream/rendezvous.h"

namespace penstock {
namespace {

// What TRACE gives back: the request as it arrived here, without what others must not learn
// (RFC 9110 section 9.3.8).
std::string trace_content(const RequestHead& request) {
  std::string text;
  const auto add = [&text](std::string_view a, std::string_view b, std::string_view c) {
    text.append(a).append(b).append(c).append("\r\n");
  };
  add(request.method_text, " ", std::string(request.target_text) + " HTTP/1.1");
  for (const Field& field : request.fields) {
    const bool secret = field.id == FieldId::authorization || field.id == FieldId::cookie ||
                        field.id == FieldId::proxy_authorization;
    if (!secret) add(field.name, ": ", field.value);
  }
  return text + "\r\n";
}

}  // namespace

std::optional<Failure> Transaction::check_request() const {
  if (exchange_.problem()) return failure_of(*exchange_.problem(), Step::head);
  if (via_names(request_.fields, parts_.pseudonym)) return kLoop;
  for (const Field& field : request_.fields) {
    if (field.id == FieldId::expect && !equals_ignoring_case(field.value, "100-continue")) {
      return kExpectationUnknown;
    }
  }
  const std::uint64_t max_body = parts_.settings.max_body;
  const Framing& framing = exchange_.body_framing();
  if (max_body > 0 && framing.kind == BodyKind::length && framing.length > max_body) {
    return kBodyTooLarge;
  }
  return std::nullopt;
}

// OPTIONS * asks the proxy itself on a forward listener (RFC 9110 section 9.3.7); OPTIONS and TRACE
// with Max-Forwards: 0 do so anywhere, and take one off it elsewhere (section 7.6.2).
bool Transaction::is_for_the_proxy_itself() {
  if (request_.method != Method::options && request_.method != Method::trace) return false;
  const ClientInfo& client = exchange_.client();
  if (request_.target.form == TargetForm::asterisk && !client.intercepted &&
      client.listener->mode == ListenerMode::forward) {
    return true;
  }
  const std::string_view text = request_.fields.value(FieldId::max_forwards);
  unsigned hops = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), hops);
  if (error != std::errc{} || end != text.data() + text.size()) return false;
  if (hops == 0) return true;
  request_.fields.set(FieldId::max_forwards, request_.fields.keep(std::to_string(hops - 1)));
  return false;
}

Task<void> Transaction::answer_itself() {
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  std::string content;
  if (request_.method == Method::trace) {
    head.fields.add(FieldId::content_type, "message/http");
    content = trace_content(request_);
  } else {
    head.fields.add(FieldId::other, "Allow", kAllowedMethods);
  }
  TextBody body(content);
  record_.status = head.status;
  const auto sent =
      co_await exchange_.respond(head, body, {.kind = BodyKind::length, .length = content.size()});
  if (!sent) note_client_gone();
}

std::optional<Failure> Transaction::route() {
  return exchange_.client().listener->mode == ListenerMode::forward ? route_forward()
                                                                    : route_reverse();
}

std::optional<Failure> Transaction::route_forward() {
  if (exchange_.client().intercepted) return route_intercepted();
  const Target& target = request_.target;
  if (target.form == TargetForm::authority) {
    const auto& ports = parts_.settings.forward.connect_ports;
    if (std::find(ports.begin(), ports.end(), target.host.port) == ports.end()) {
      return kConnectPortDenied;
    }
    destination_.host = host_ = target.host.host;
    destination_.port = target.host.port;
    destination_.name = target.authority;
    choose_way();
    return std::nullopt;
  }
  if (target.form != TargetForm::absolute) return kNotForThisListener;
  if (!equals_ignoring_case(target.scheme, "http")) return kSchemeNotSupported;
  destination_.host = host_ = target.host.host;
  destination_.port = target.host.port == 0 ? std::uint16_t{80} : target.host.port;
  destination_.name = host_field_ = target.authority;
  choose_way();
  return std::nullopt;
}

// The client knows nothing of a proxy: where its connection was on its way to is where its requests
// go, whatever host they name. So no client is led, or leads others by what is kept of the answers,
// to a server that the name in Host does not have. Servers get Host as it came.
std::optional<Failure> Transaction::route_intercepted() {
  const Target& target = request_.target;
  if (target.form == TargetForm::authority) return kConnectIntercepted;
  const bool absolute = target.form == TargetForm::absolute;
  if (absolute && !equals_ignoring_case(target.scheme, "http")) return kSchemeNotSupported;
  const Address& original = exchange_.client().local;
  if (parts_.own_addresses.reaches_us(original)) return kInterceptedLoop;
  FieldSection& fields = request_.fields;
  destination_.host = fields.keep(original.host_text());
  destination_.port = original.port();
  destination_.name = fields.keep(original.to_string());
  // A peer could make another address of the name in Host.
  destination_.only_tunnel = true;
  host_field_ = absolute ? target.authority : fields.value(FieldId::host);
  if (host_field_.empty()) host_field_ = destination_.name;
  const auto named = parse_authority(host_field_);
  const bool is_address = named && named->host == destination_.host &&
                          (named->port == 0 ? 80 : named->port) == destination_.port;
  host_unverified_ = !is_address;
  host_ = named ? named->host : destination_.host;
  choose_way();
  return std::nullopt;
}

// "http://host?query" has the path "/", as has CONNECT for routes.
// Directly, unless a route says otherwise.
void Transaction::choose_way() {
  route_ = parts_.routes.match_via(exchange_.client(), host_, path_of(request_));
  if (route_ == nullptr) return;
  via_.assign(route_->via.begin(), route_->via.end());
  if (route_->settings->via_by_host) {
    std::vector<std::uint32_t, PoolAllocator<std::uint32_t>> order(via_.size());
    rendezvous_order(route_->nodes, hash_key(host_), order);
    for (std::size_t i = 0; i < order.size(); ++i) via_[i] = route_->via[order[i]];
  }
  destination_.via = via_;
  destination_.peer_login =
      adaptation_ ? hop_.login : request_.fields.value(FieldId::proxy_authorization);
}

std::optional<Failure> Transaction::route_reverse() {
  const Target& target = request_.target;
  if (target.form == TargetForm::authority) return kConnectNotHere;
  // The target's authority where it has one (RFC 9112 section 3.2.2).
  host_field_ = request_.fields.value(FieldId::host);
  const auto authority = parse_authority(host_field_);
  host_ = authority ? authority->host : std::string_view();
  route_ = parts_.routes.match(exchange_.client(), host_, path_of(request_));
  if (route_ == nullptr) return kMisdirected;
  destination_.group = route_->group;
  destination_.name = route_->group->name();
  destination_.key = route_->group->key_of(request_, &exchange_.client().peer);
  if (route_->group->settings().proxy_header != ProxyHeader::none) name_client();
  return std::nullopt;
}

// The servers are to be told whom a connection is for. All streams of a connection share those.
void Transaction::name_client() {
  ClientState& state =
      ClientState::of(exchange_.connection().whole(), exchange_.client(), parts_.servers.pool());
  destination_.client = &state.header;
  destination_.own = &state.own;
}

// A forward proxy may not be led to everything that has an address.
Task<Result<AddressList>> Transaction::target_addresses() {
  Network& network = parts_.servers.network();
  AddressList addresses;
  if (!chosen_addresses_.empty()) {
    addresses = chosen_addresses_;
  } else if (exchange_.client().intercepted && !target_chosen_) {
    addresses.push_back(exchange_.client().local);
  } else {
    const TimePoint deadline =
        deadline_after(network.executor().now(), parts_.servers.settings().connect);
    auto resolution = co_await network.resolve(destination_.host, destination_.port, deadline);
    if (!resolution) co_return fail(resolution.error().at(Side::server));
    addresses = std::move(resolution->addresses);
  }
  denied_ =
      filter_targets(addresses, parts_.own_addresses, parts_.settings.forward, exchange_.client());
  if (denied_) co_return fail({.kind = ErrorKind::denied, .side = Side::server});
  co_return std::move(addresses);
}

void Transaction::prepare() {
  asked_host_ = host_field_;
  if (route_ != nullptr && route_->settings->host_policy == HostPolicy::set) {
    host_field_ = route_->settings->host_value;
  }
  if (!adaptation_) hop_ = take_hop(request_, request_framing_);
  prepare_request(request_, request_framing_, host_field_, parts_.pseudonym, hop_);
  if (destination_.group != nullptr) {
    destination_.cookie = destination_.group->take_cookie(request_);
    add_forwarding_fields(request_, exchange_, asked_host_, parts_.settings);
  }
  if (route_ == nullptr) return;
  if (route_->request.empty()) return;
  route_->request.apply(variables(), request_.fields);
  body_.withhold(route_->request.claimed());
}

}  // namespace penstock

// The life of one transaction: a request, from its head to its access record.
#pragma once

#include <optional>
#include <string_view>

#include "message/text_body.h"
#include "proxy/access_record.h"
#include "proxy/failure.h"
#include "proxy/proxy.h"
#include "proxy/replay_body.h"
#include "proxy/rewrite.h"
#include "proxy/tunnel.h"
#include "upstream/lease.h"

namespace penstock {

// Where a request goes: decided by routing, before any connection is made.
struct Destination {
  const Route* route = nullptr;  // reverse: the group; null: the target itself
  std::string_view host;         // forward: name or address to resolve
  std::uint16_t port = 80;
  std::string_view host_field;  // what the server gets as Host
};

class Transaction final : private InformationalSink {
 public:
  // Both must outlive it.
  Transaction(const ProxyParts& parts, Exchange& exchange);

  // From the head to the access record; see docs/internals/life-of-a-transaction.md.
  Task<void> run();

 private:
  // All of it but the record.
  Task<void> serve();

  // Steps of serve(), in its order.
  [[nodiscard]] std::optional<Failure> check_request() const;
  [[nodiscard]] std::optional<Failure> route();
  [[nodiscard]] std::optional<Failure> route_forward();
  [[nodiscard]] std::optional<Failure> route_reverse();
  [[nodiscard]] bool is_for_the_proxy_itself();
  Task<void> answer_itself();
  Task<Result<void>> find_addresses();
  [[nodiscard]] std::optional<Failure> check_addresses();
  void prepare();
  void note_acquired(const Lease& lease);
  [[nodiscard]] bool may_retry(const Error& error, const Lease& lease) const;
  Task<void> send_response(Lease& lease, ResponseHead& response);
  Task<void> settle(Lease& lease, bool reusable);
  Task<void> connect_tunnel();
  Task<void> upgrade_tunnel(Lease& lease, ResponseHead& response);
  Task<void> tunnel(Lease& lease, ResponseHead& head, std::string_view upgrade);
  Task<void> give_up(Error error, Step step);
  Task<void> fail_with(Failure failure);
  void note_client_gone();
  Task<Result<void>> on_informational(ResponseHead& head) override;

  const ProxyParts& parts_;
  Exchange& exchange_;
  RequestHead& request_;
  AccessRecord record_;
  Address server_;  // for the record: the one connected to
  Destination destination_;
  Candidates candidates_;
  RequestHop hop_;
  ReplayBody body_;
};

}  // namespace penstock

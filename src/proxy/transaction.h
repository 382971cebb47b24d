// The life of one transaction: a request, from its head to its access record.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "adapt/adaptation.h"
#include "cache/visit.h"
#include "message/text_body.h"
#include "proxy/access_record.h"
#include "proxy/failure.h"
#include "proxy/proxy.h"
#include "proxy/rewrite.h"
#include "proxy/tunnel.h"
#include "upstream/delivery.h"

namespace penstock {

class Transaction final : private DeliveryOwner, private ContentOwner {
 public:
  // Who it is for: a client, or the cache, which validates what is stored or fetches it beforehand.
  enum class Origin : std::uint8_t { client, cache };

  // Both must outlive it.
  Transaction(const ProxyParts& parts, Exchange& exchange, Origin origin = Origin::client);

  // From the head to the access record; see docs/internals/life-of-a-transaction.md.
  Task<void> run();

 private:
  // All of it but the record.
  Task<void> serve();

  // Steps of serve(), in its order.
  [[nodiscard]] std::optional<Failure> check_request() const;
  [[nodiscard]] std::optional<Failure> route();
  [[nodiscard]] std::optional<Failure> route_forward();
  [[nodiscard]] std::optional<Failure> route_intercepted();
  void choose_way();
  [[nodiscard]] std::optional<Failure> route_reverse();
  void name_client();
  [[nodiscard]] bool is_for_the_proxy_itself();
  Task<void> answer_itself();
  // In transaction_cache.cc.
  [[nodiscard]] bool begin_visit();
  [[nodiscard]] CacheKeyParts cache_key_parts() const;
  [[nodiscard]] bool is_purge() const;
  Task<void> purge();
  [[nodiscard]] RequestFacts facts() const;
  Task<void> serve_through_cache();
  Task<void> send_stored();
  Task<bool> take_to_cache(ResponseHead& response, BodySource*& body, const Framing& framing);
  void choose_response_rule(const ResponseHead& response, const Framing& framing);
  Task<void> fetch();
  void prepare();
  // In transaction_adapt.cc. False: the client has got something else instead.
  void begin_adaptation();
  MaybeTask<bool> adapt_request();
  Task<bool> finish_request(MaybeTask<AdaptResult> adapted, AdaptedMessage& message);
  AdaptedMessage& begin_request_message(AdaptPoint point);
  MaybeTask<bool> adapt_for_server();
  Task<bool> finish_lookup(MaybeTask<AdaptResult> asked);
  MaybeTask<bool> adapt_server_request();
  Task<bool> finish_server_request(MaybeTask<AdaptResult> adapted, AdaptedMessage& message);
  MaybeTask<bool> choose_server();
  Task<bool> resolve_and_choose(ConnectChoice& choice);
  MaybeTask<bool> ask_for_choice(ConnectChoice& choice);
  Task<bool> finish_choice(MaybeTask<AdaptResult> asked, ConnectChoice& choice);
  [[nodiscard]] bool take_choice(ConnectChoice& choice);
  void take_request_body(const AdaptedMessage& message);
  MaybeTask<bool> adapt_response(AdaptPoint point, BodySource*& body, Framing& framing);
  Task<bool> finish_response(MaybeTask<AdaptResult> adapted, AdaptedMessage& message,
                             BodySource*& body, Framing& framing);
  Task<bool> end_by_filter(AdaptResult result);
  Task<Result<void>> respond_itself(ResponseHead& head, BodySource& body, const Framing& framing);
  void report_to_filters();
  Task<void> send_response();
  Task<Result<void>> respond_during_upload(ResponseHead& head, BodySource& body,
                                           const Framing& framing);
  Task<void> settle(bool reusable);
  Task<void> connect_tunnel();
  Task<void> hand_on_challenge();
  Task<void> upgrade_tunnel();
  Task<void> tunnel(ResponseHead& head, std::string_view upgrade);
  Task<void> give_up(Error error);
  Task<void> fail_with(Failure failure);
  void note_client_gone();
  void note_cut(const Error& error);
  [[nodiscard]] VariableContext variables();
  Task<Result<void>> on_informational(ResponseHead& head) override;
  Task<void> on_content_wanted() override;
  Task<Result<AddressList>> target_addresses() override;
  void on_acquired(const Lease& lease, const NextHop* server) override;

  const ProxyParts& parts_;
  Exchange& exchange_;
  const Origin origin_;
  RequestHead& request_;
  AccessRecord record_;
  Address server_;  // for the record: the one connected to
  // Where the request goes: decided by routing, before any connection is made.
  const Route* route_ = nullptr;
  std::vector<Peer*> via_;
  Destination destination_;
  std::string_view host_;          // that is asked for, without port: conditions are about it
  std::string_view host_field_;    // what the server gets as Host
  std::string_view asked_host_;    // the host the client asked for, with its port
  AddressList chosen_addresses_;   // by a filter, in place of resolving
  bool target_chosen_ = false;     // by a filter
  std::optional<Failure> denied_;  // why none of the target's addresses may be reached
  // Intercepted: the client chose the server's address as well as Host, and that the name has that
  // address was not checked. What the server answers is for this client only: a cache must not give
  // it to others who ask for that host.
  bool host_unverified_ = false;
  RequestHop hop_;
  // Null where no filter has a say. Before whatever pulls bodies, which may be the filters'.
  std::unique_ptr<Adaptation> adaptation_;
  bool own_shown_ = false;             // see respond_itself()
  std::optional<ReplayBody> bounded_;  // of what filters take, which may be less in the end
  BodySource* request_body_;           // as filters have left it
  Framing request_framing_;
  ReplayBody body_;
  Delivery delivery_;
  ResponseHead* response_;           // of the server, or what is stored
  std::optional<CacheVisit> visit_;  // where the cache is asked
};

}  // namespace penstock

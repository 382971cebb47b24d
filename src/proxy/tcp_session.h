// The life of one session of TCP mode: a client connection whose bytes go to a server as they are.
#pragma once

#include <optional>

#include "proxy/failure.h"
#include "proxy/proxy.h"
#include "proxy/session_record.h"
#include "server/stream_handler.h"
#include "upstream/delivery.h"

namespace penstock {

// The StreamHandler of tcp listeners: each connection becomes a session.
class TcpProxy final : public StreamHandler {
 public:
  explicit TcpProxy(ProxyParts parts) : parts_(std::move(parts)) {}
  Task<void> handle(StreamSession& session) override;

 private:
  ProxyParts parts_;
};

class TcpSession final : private DeliveryOwner, private StreamObserver {
 public:
  // Both must outlive it.
  TcpSession(const ProxyParts& parts, StreamSession& session);

  // From routing to the access record.
  Task<void> run();

 private:
  // All of it but the record.
  Task<void> serve();

  // Steps of serve(), in its order. What is only needed to connect is gone when that is done: not
  // inlined, or the compiler would make it part of serve()'s frame, which idle sessions keep.
  [[nodiscard]] bool route();
  [[gnu::noinline]] Task<std::optional<Lease>> connect();
  void note_end(const Result<void>& ended);
  void refuse(const Failure& failure);
  void give_up(Error error, DeliveryStep step);
  Task<Result<AddressList>> target_addresses() override;
  void on_acquired(const Lease& lease, const NextHop* server) override;
  Task<Result<void>> on_informational(ResponseHead& head) override;
  void on_stream_event(bool broken) override;

  const ProxyParts& parts_;
  StreamSession& session_;
  SessionRecord record_;
  Address server_;                 // for the record: the one connected to
  const Route* route_ = nullptr;   // null: to where it was on its way to
  std::optional<Failure> denied_;  // why that may not be reached
  TaskContext* connecting_ = nullptr;
};

}  // namespace penstock

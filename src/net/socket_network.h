// The Network of real sockets on an event loop.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "net/event_loop.h"
#include "net/network.h"
#include "net/resolver.h"
#include "net/settings.h"

namespace penstock {

class SocketNetwork final : public Network {
 public:
  explicit SocketNetwork(EventLoop& loop, const DnsSettings& dns = {});
  [[nodiscard]] Executor& executor() override { return loop_->executor(); }
  Task<Result<std::unique_ptr<ByteStream>>> connect(const Address& to, TimePoint deadline) override;
  Task<Result<Resolution>> resolve(std::string_view host, std::uint16_t port,
                                   TimePoint deadline) override;
  Task<Result<ServiceResolution>> resolve_service(std::string_view name,
                                                  TimePoint deadline) override;
  void call(std::function<void()> f) override { loop_->call(std::move(f)); }

 private:
  EventLoop* loop_;
  Resolver resolver_;
};

}  // namespace penstock

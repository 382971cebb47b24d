// The Network of real sockets on an event loop.
#pragma once

#include <memory>

#include "net/event_loop.h"
#include "net/network.h"
#include "net/resolver.h"

namespace penstock {

class SocketNetwork final : public Network {
 public:
  explicit SocketNetwork(EventLoop& loop);
  [[nodiscard]] Executor& executor() override { return loop_->executor(); }
  Task<Result<std::unique_ptr<ByteStream>>> connect(const Address& to, TimePoint deadline) override;
  Task<Result<AddressList>> resolve(std::string_view host, std::uint16_t port,
                                    TimePoint deadline) override;

 private:
  EventLoop* loop_;
  Resolver resolver_;
};

}  // namespace penstock

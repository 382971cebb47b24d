// The network as `penstock fetch` sees it: it tells what it does, and knows hosts of --resolve.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "app/fetch_command.h"
#include "app/fetch_trace.h"
#include "net/network.h"

namespace penstock {

class FetchNetwork final : public Network {
 public:
  // All must outlive it.
  FetchNetwork(Network& below, std::span<const FetchHost> hosts, FetchTrace& trace)
      : below_(&below), hosts_(hosts), trace_(&trace) {}

  [[nodiscard]] Executor& executor() override { return below_->executor(); }
  Task<Result<std::unique_ptr<ByteStream>>> connect(const Address& to, TimePoint deadline) override;
  Task<Result<Resolution>> resolve(std::string_view host, std::uint16_t port,
                                   TimePoint deadline) override;
  Task<Result<ServiceResolution>> resolve_service(std::string_view name,
                                                  TimePoint deadline) override {
    return below_->resolve_service(name, deadline);
  }
  void call(std::function<void()> f) override { below_->call(std::move(f)); }

 private:
  Network* below_;
  std::span<const FetchHost> hosts_;
  FetchTrace* trace_;
};

}  // namespace penstock

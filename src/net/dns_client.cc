#include "net/dns_client.h"

#include <chrono>
#include <utility>

namespace penstock {
namespace {
// Between looks whether channels of before are still in use.
constexpr Duration kSweepEvery = std::chrono::seconds(1);
}  // namespace

DnsClient::DnsClient(EventLoop& loop, const DnsSettings& settings, FileWatch resolv_conf)
    : loop_(&loop), settings_(&settings), resolv_conf_(std::move(resolv_conf)) {
  resolv_conf_.look(loop.executor().now());
  channel_ = std::make_unique<DnsChannel>(*loop_, *settings_, resolv_conf_.path());
}

void DnsClient::ask(const std::string& name, DnsType type, DnsChannel::Done done) {
  if (resolv_conf_.changed(loop_->executor().now())) renew();
  channel_->ask(name, type, std::move(done));
}

std::size_t DnsClient::under_way() const {
  std::size_t sum = channel_->under_way();
  for (const auto& channel : old_channels_) sum += channel->under_way();
  return sum;
}

void DnsClient::renew() {
  old_channels_.push_back(std::move(channel_));
  channel_ = std::make_unique<DnsChannel>(*loop_, *settings_, resolv_conf_.path());
  loop_->executor().timers().arm(*this, loop_->executor().now());
}

// Timers fire when all events of a turn are handled: none is left in a channel's sockets.
void DnsClient::on_timer() {
  std::erase_if(old_channels_, [](const auto& channel) { return channel->under_way() == 0; });
  if (!old_channels_.empty()) {
    loop_->executor().timers().arm(*this, loop_->executor().now() + kSweepEvery);
  }
}

}  // namespace penstock

// The name servers to ask at present: follows changes of resolv.conf.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "async/timer.h"
#include "base/file_watch.h"
#include "net/dns_channel.h"
#include "net/event_loop.h"
#include "net/settings.h"

namespace penstock {

// Belongs to one thread.
class DnsClient final : private Timer {
 public:
  // The settings must outlive it.
  DnsClient(EventLoop& loop, const DnsSettings& settings, FileWatch resolv_conf);

  // As DnsChannel::ask(). A resolv.conf that has changed is taken up here; questions that are under
  // way then end with the servers they were put to.
  void ask(const std::string& name, DnsType type, DnsChannel::Done done);
  [[nodiscard]] std::size_t under_way() const;

 private:
  void renew();
  void on_timer() override;

  EventLoop* loop_;
  const DnsSettings* settings_;
  FileWatch resolv_conf_;
  std::unique_ptr<DnsChannel> channel_;
  std::vector<std::unique_ptr<DnsChannel>> old_channels_;
};

}  // namespace penstock

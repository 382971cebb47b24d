// Host names to addresses, by c-ares on the event loop.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "async/task.h"
#include "base/error.h"
#include "net/address.h"
#include "net/event_loop.h"

namespace penstock {

// Asks /etc/hosts and the name servers of /etc/resolv.conf. Answers are kept for their time to
// live (1 s to 1 h), failures for a few seconds; concurrent questions for one name are asked once.
// Belongs to one thread.
class Resolver {
 public:
  explicit Resolver(EventLoop& loop);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // All addresses with `port` set, IPv6 and IPv4 in the order of RFC 6724. An IP literal (an IPv6
  // one without brackets) is its own answer. Fails with resolve_failed, timed_out or cancelled.
  Task<Result<AddressList>> resolve(std::string_view host, std::uint16_t port, TimePoint deadline);

 private:
  class Channel;
  std::unique_ptr<Channel> channel_;
};

}  // namespace penstock

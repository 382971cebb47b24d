// A server of a group as one worker sees it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "upstream/endpoint.h"
#include "upstream/hop_share.h"
#include "upstream/settings.h"
#include "upstream/sticky.h"

namespace penstock {

// What connections are made to: by address, or by a name that is resolved again and again.
class NextHop {
 public:
  // `server` is "host[:port]", "[v6]:port" or "unix:/path", as checked when the configuration was
  // read. An address has its Endpoint's addresses at once.
  NextHop(const ServerEntry& server, GroupShare& group);

  [[nodiscard]] bool has_addresses() const { return !endpoint->addresses().empty(); }
  // What Host names it: as configured, "localhost" for a unix socket.
  [[nodiscard]] std::string_view host_field() const {
    return entry.address.starts_with("unix:") ? std::string_view("localhost")
                                              : std::string_view(entry.address);
  }

  // Its host, as configured, without port.
  [[nodiscard]] const std::string& name() const { return name_; }

  ServerEntry entry;
  std::string host;  // a name to resolve; empty when there is an address
  std::uint16_t port = 80;
  std::shared_ptr<HopShare> share;
  std::shared_ptr<Endpoint> endpoint;
  StickyId sticky_id{};  // its value of the group's cookie
  // Of the name: when to ask again, how often in a row that failed, and why.
  TimePoint resolve_at{};
  std::uint32_t resolve_failures = 0;
  Error resolve_error{};
  bool opening_spare = false;

 private:
  std::string name_;
};

}  // namespace penstock

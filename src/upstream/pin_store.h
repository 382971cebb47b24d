// Server connections that are bound to one client connection.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/executor.h"
#include "upstream/next_hop.h"
#include "upstream/server_connection.h"

namespace penstock {

// NTLM and Negotiate log a connection in, not a request (RFC 4559 section 6): a server connection
// that carried such a login serves nobody but the client connection that sent it, and ends with it.
// Such a connection is never in a pool. Lives as long as the client connection; one thread.
class PinStore final : private ServerConnection::Watcher {
 public:
  // A connection that is kept for the requests to one destination.
  struct Pin {
    std::string destination;
    std::unique_ptr<ServerConnection> connection;  // null while it is in use, and when it is lost
    std::shared_ptr<NextHop> hop;  // the server of a group; null where there is none
    bool lost = false;  // it has ended: what the client believes of its login is no longer so
  };

  // `on_lost` is called from the loop when a server has ended a connection that waits here.
  PinStore(Executor& executor, std::function<void()> on_lost)
      : executor_(&executor), on_lost_(std::move(on_lost)) {}
  PinStore(const PinStore&) = delete;
  PinStore& operator=(const PinStore&) = delete;

  // The connection for that destination, to be given back by keep(), and the server of a group that
  // it leads to: null and `lost` set where there was one; null where there was none.
  struct Taken {
    std::unique_ptr<ServerConnection> connection;
    std::shared_ptr<NextHop> hop;
    bool lost = false;
  };
  Taken take(std::string_view destination);
  void keep(std::string_view destination, std::unique_ptr<ServerConnection> connection,
            std::shared_ptr<NextHop> hop);
  // The one that was taken has ended.
  void lose(std::string_view destination);
  [[nodiscard]] bool empty() const { return pins_.empty(); }

 private:
  void on_idle_connection_dead() override;
  Pin& pin_for(std::string_view destination);

  Executor* executor_;
  std::function<void()> on_lost_;
  std::vector<Pin> pins_;  // those used last at the end
};

}  // namespace penstock

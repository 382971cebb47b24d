// The helpers' side: takes calls from workers and runs the callbacks of one instance.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "helper/channel.h"
#include "module/instance.h"
#include "module/remote_connection.h"
#include "module/remote_transaction.h"

namespace penstock {

// Shared by the threads of the helpers; safe to use from all of them. Calls of one transaction do
// not come at the same time (see HelperSeat).
class RemoteHost {
 public:
  // The instance must outlive it.
  RemoteHost(ModuleInstance& instance, std::uint64_t hold_limit)
      : instance_(&instance), hold_limit_(hold_limit) {}
  // Frees what transactions and connections that have not ended have left.
  ~RemoteHost();
  RemoteHost(const RemoteHost&) = delete;
  RemoteHost& operator=(const RemoteHost&) = delete;

  // What a thread of the helpers does, until there is no more to do. `other` takes messages that
  // are not about transactions; may be null.
  using Other = std::function<void(std::string_view message)>;
  void work(HelperSeat& seat, const Other& other = nullptr);

 private:
  void handle(const HelperRequest& request, const Other& other);
  void handle_call(WireReader& in, const HelperRequest& request, bool answered);
  void handle_connection(WireReader& in, const HelperRequest& request);
  [[nodiscard]] std::shared_ptr<RemoteTransaction> transaction(std::uint64_t number, bool first);
  void end_transaction(std::uint64_t number, std::uint64_t connection);
  // What is known of a connection. Messages about it and about its transactions come in any order.
  struct Connection {
    std::shared_ptr<RemoteConnection> begun;  // null: it was not told of, or begins yet
    std::uint64_t ended = 0;                  // transactions
    std::optional<std::uint64_t> all;         // transactions, where it has ended itself
  };
  [[nodiscard]] void* connection_opaque(std::uint64_t number);
  // Frees it if nothing of it is left; the lock is let go for that.
  void end_connection(std::uint64_t number, std::unique_lock<std::mutex> lock);

  ModuleInstance* instance_;
  std::uint64_t hold_limit_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::shared_ptr<RemoteTransaction>> transactions_;
  std::unordered_map<std::uint64_t, Connection> connections_;
};

}  // namespace penstock

// What an instance of a module keeps for a client's connection.
#pragma once

#include <string>
#include <string_view>

#include "adapt/filter.h"
#include "module/connection_face.h"
#include "module/transaction.h"
#include "server/client_info.h"

namespace penstock {

// What is known of a connection under one of the numbers of get_text(); empty where nothing is.
[[nodiscard]] std::string_view connection_text(const ClientInfo& client, int text);

// Lives as long as the connection.
class ModuleConnection final : public FilterState, public ConnectionFace {
 public:
  // Both must outlive it.
  ModuleConnection(ModuleCaller& caller, const ClientInfo& client);
  ~ModuleConnection() override;
  ModuleConnection(const ModuleConnection&) = delete;
  ModuleConnection& operator=(const ModuleConnection&) = delete;

  [[nodiscard]] const ClientInfo& client() const { return *client_; }
  [[nodiscard]] ModuleCall& call() { return call_; }
  [[nodiscard]] void* opaque() const { return call_.opaque; }
  // For callbacks beside the worker: its number there, 0 where it is not known; which helper knows
  // it; and how many of its transactions that helper has been told of.
  std::uint64_t known_as = 0;
  std::uint64_t helper = 0;
  std::uint64_t transactions = 0;

  int get_text(int text, penstock_str& value) override;
  int get_number(int number, std::int64_t& value) override;

 private:
  ModuleCaller* caller_;
  const ClientInfo* client_;
  ModuleCall call_;
  std::string scratch_;
};

}  // namespace penstock

// A client's connection as callbacks beside the worker see it.
#pragma once

#include <cstdint>

#include <sys/socket.h>

#include "module/connection_face.h"
#include "module/instance.h"
#include "module/remote_transaction.h"
#include "module/wire.h"

namespace penstock {

// Lives with the helpers as long as the connection. Used by one thread at a time.
class RemoteConnection final : public ConnectionFace {
 public:
  RemoteConnection(ModuleInstance& instance, std::uint64_t id);

  // Reads what is known of it and calls the callback; what that has returned.
  std::int32_t begin(WireReader& in);
  // The last call, if there is something to free.
  void free();
  // Not while begin() runs.
  [[nodiscard]] void* opaque() const { return call_.opaque; }

  int get_text(int text, penstock_str& value) override;
  int get_number(int number, std::int64_t& value) override;

 private:
  ModuleInstance* instance_;
  ModuleCall call_;
  sockaddr_storage client_{};
  RemoteFacts facts_;
};

}  // namespace penstock

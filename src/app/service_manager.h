// What systemd, or another service manager that speaks its protocols, gives to a service and wants
// to be told: see sd_listen_fds(3) and sd_notify(3).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/fd.h"

namespace penstock {

// A socket that was opened for us.
struct PassedSocket {
  std::string name;  // FileDescriptorName of its unit; "unknown" where it is not said
  Fd socket;
};

// Takes the descriptors that LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES tell of, if it is us that
// they are meant for, and unsets these variables, so that no child takes them for its own. They are
// closed on exec. To be called once, while there is one thread.
[[nodiscard]] std::vector<PassedSocket> take_passed_sockets();

// Sends a state such as "READY=1" to the socket that NOTIFY_SOCKET names. Without one, or where
// that fails, nothing happens.
void notify_service_manager(std::string_view state);

}  // namespace penstock

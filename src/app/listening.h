// Opening the listening sockets of a configuration, for all workers.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "app/service_manager.h"
#include "net/address.h"
#include "net/fd.h"
#include "net/socket_listener.h"
#include "server/settings.h"

namespace penstock {

// One of a worker's listening sockets.
struct ListeningSocket {
  std::size_t listener;  // the number of the snapshot's listener it belongs to
  Fd socket;
  AcceptOptions options;
};

// The file of a unix socket, as it is now. Removes it when destroyed, unless another has taken its
// place since.
class SocketFile {
 public:
  explicit SocketFile(std::string path);
  SocketFile(SocketFile&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  SocketFile& operator=(SocketFile&&) = delete;
  ~SocketFile();

 private:
  std::string path_;  // empty: nothing to remove
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

// All that is listened on.
struct Listening {
  std::vector<std::vector<ListeningSocket>> sockets;  // a row for each worker
  std::vector<Address> addresses;                     // with ports; a systemd socket's, too
  std::vector<std::string> lines;     // for the log: an address each, and what it is for
  std::vector<std::string> warnings;  // sentences
  std::vector<SocketFile> files;      // to be kept as long as is listened
};

// Opens what the listeners want, or takes it from the passed sockets; those nobody wants are closed
// with a warning. TCP sockets are opened once for each worker, others are opened once and shared.
// The error is a sentence that names the listener, the address and the system's reason.
[[nodiscard]] std::expected<Listening, std::string> open_listeners(
    std::span<const ListenerSettings> listeners, unsigned workers,
    std::vector<PassedSocket> passed);

}  // namespace penstock

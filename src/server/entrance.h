// What lies between accepting a client connection and its protocol: a header of the PROXY protocol,
// a TLS handshake, a look at the name that a ClientHello asks for.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "async/input_buffer.h"
#include "async/stream.h"
#include "async/task.h"
#include "base/error.h"
#include "net/address_prefix.h"
#include "server/client_info.h"
#include "server/settings.h"
#include "tls/server_context.h"

namespace penstock {

// A connection on its way in.
struct Arrival {
  std::unique_ptr<ByteStream> stream;
  InputBuffer input;  // bytes that were read and belong to what comes next
  ClientInfo client;
  std::string server_name;  // what a ClientHello asks for, lower case; may be empty
  TimePoint accepted{};
};

// What connections of one listener go through. Made once, used by all workers.
class Entrance {
 public:
  // Reads the certificates. The error is a sentence that says what is wrong.
  static std::expected<Entrance, std::string> create(const ListenerSettings& settings);
  // For a listener whose protocol begins at once.
  Entrance() = default;

  // True when there is nothing to go through.
  [[nodiscard]] bool open() const { return senders_.empty() && !tls_ && !look_for_name_; }
  // Goes through. On failure `reason` says why, for the log. The deadline is for all of it
  // together.
  Task<Result<void>> pass(Arrival& arrival, TimePoint deadline, std::string& reason) const;

  // Null without TLS.
  [[nodiscard]] TlsServerContext* tls() const { return tls_.get(); }

 private:
  Task<Result<void>> take_proxy_header(Arrival& arrival, ConnectionFacts& facts, TimePoint deadline,
                                       std::string& reason) const;
  Task<Result<void>> take_tls(Arrival& arrival, ConnectionFacts& facts, TimePoint deadline,
                              std::string& reason) const;
  static Task<Result<void>> look_for_name(Arrival& arrival, TimePoint deadline);

  AddressPrefixes senders_;  // whose connections begin with a PROXY header
  std::shared_ptr<TlsServerContext> tls_;
  bool look_for_name_ = false;
};

}  // namespace penstock

// What `penstock fetch --verbose` tells of the way of a request, and how long each part took.
#pragma once

#include <string_view>

#include <fmt/format.h>

#include "async/executor.h"
#include "base/error.h"
#include "base/time.h"
#include "message/head.h"
#include "net/address.h"
#include "upstream/lease.h"

namespace penstock {

// Lines on stderr, if anything is told at all: "* " for what happens, "> " for what is sent, "< "
// for what comes. Times are those of the loop's turns.
class FetchTrace {
 public:
  FetchTrace(bool enabled, const Executor& executor) : enabled_(enabled), executor_(&executor) {}

  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    if (enabled_) write("* ", fmt::format(format, std::forward<Args>(args)...));
  }

  // A request begins; what is told of the parts of the way from now on counts for it.
  void begin();
  void resolving(std::string_view host);
  void resolved(const AddressList& addresses);
  void not_resolved(const Error& error);
  void connecting(const Address& address);
  void connected(const Address& address);
  // There is a connection for the request, over TLS and through a peer where that is wanted.
  // `peer`: its address, empty for none.
  void acquired(Lease& lease, std::string_view peer);
  void sending(const Lease& lease, const ServerRequest& request);
  void received(const ResponseHead& head);
  void trailers(const FieldSection& fields);
  // The response is there, or will not be: tells how long it took.
  void end();

 private:
  void write(std::string_view mark, std::string_view lines);
  void tell_tls(const ByteStream& stream);

  bool enabled_;
  const Executor* executor_;
  TimePoint begun_{};
  TimePoint resolving_{};
  TimePoint connecting_{};
  TimePoint connected_{};
  Duration resolve_{};
  Duration connect_{};
  Duration secure_{};
  Duration head_{};
};

}  // namespace penstock

#include "app/fetch_network.h"

#include "message/fields.h"

namespace penstock {

Task<Result<std::unique_ptr<ByteStream>>> FetchNetwork::connect(const Address& to,
                                                                TimePoint deadline) {
  trace_->connecting(to);
  auto stream = co_await below_->connect(to, deadline);
  if (stream) {
    trace_->connected(to);
  } else if (stream.error().kind != ErrorKind::cancelled) {
    trace_->note("no connection to {}: {}", to.to_string(), to_string(stream.error().kind));
  }
  co_return stream;
}

Task<Result<Resolution>> FetchNetwork::resolve(std::string_view host, std::uint16_t port,
                                               TimePoint deadline) {
  trace_->resolving(host);
  for (const FetchHost& known : hosts_) {
    if (known.port != port || !equals_ignoring_case(known.host, host)) continue;
    trace_->resolved(known.addresses);
    co_return Resolution{.addresses = known.addresses};
  }
  auto resolution = co_await below_->resolve(host, port, deadline);
  if (resolution) {
    trace_->resolved(resolution->addresses);
  } else if (resolution.error().kind != ErrorKind::cancelled) {
    trace_->not_resolved(resolution.error());
  }
  co_return resolution;
}

}  // namespace penstock

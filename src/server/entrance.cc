#include "server/entrance.h"

#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "net/proxy_header.h"
#include "tls/accept.h"
#include "tls/client_hello.h"

namespace penstock {

namespace {

std::string_view why_no_header(const Error& error) {
  switch (error.kind) {
    case ErrorKind::protocol:
      return to_string(static_cast<ProxyHeaderProblem>(error.cause));
    case ErrorKind::timed_out:
      return "it did not come in time";
    case ErrorKind::closed:
      return "the sender closed before it was complete";
    case ErrorKind::reset:
      return "the connection broke before it was complete";
    default:
      return to_string(error.kind);
  }
}

}  // namespace

std::expected<Entrance, std::string> Entrance::create(const ListenerSettings& settings) {
  Entrance entrance;
  if (const auto* const problem = entrance.senders_.add(settings.proxy_protocol_from)) {
    return std::unexpected(*problem + " is no network");
  }
  entrance.look_for_name_ = settings.look_for_name;
  if (!settings.tls) return entrance;
  TlsServerSettings tls = *settings.tls;
  if (tls.alpn.empty() && settings.mode != ListenerMode::tcp) {
    if (settings.http2) tls.alpn.emplace_back("h2");
    tls.alpn.emplace_back("http/1.1");
  }
  auto context = TlsServerContext::create(std::move(tls));
  if (!context) return std::unexpected(std::move(context.error()));
  entrance.tls_ = std::move(*context);
  return entrance;
}

Task<Result<void>> Entrance::pass(Arrival& arrival, TimePoint deadline, std::string& reason) const {
  ConnectionFacts facts;
  if (senders_.contains(arrival.client.peer)) {
    const auto taken = co_await take_proxy_header(arrival, facts, deadline, reason);
    if (!taken) co_return taken;
  }
  if (tls_) {
    const auto taken = co_await take_tls(arrival, facts, deadline, reason);
    if (!taken) co_return taken;
  } else if (look_for_name_ && arrival.server_name.empty()) {
    const auto looked = co_await look_for_name(arrival, deadline);
    if (!looked) reason = to_string(looked.error().kind);
    if (!looked) co_return looked;
  }
  if (facts.tls || facts.sender) {
    arrival.client.facts = std::make_shared<const ConnectionFacts>(std::move(facts));
  }
  co_return Result<void>{};
}

// RFC-less, but the same everywhere: the sender is trusted, and what it says takes the place of
// what the socket says.
Task<Result<void>> Entrance::take_proxy_header(Arrival& arrival, ConnectionFacts& facts,
                                               TimePoint deadline, std::string& reason) const {
  const auto header = co_await read_proxy_header(*arrival.stream, arrival.input, deadline);
  if (!header) {
    const Error& error = header.error();
    reason = fmt::format("no header of the PROXY protocol: {}", why_no_header(error));
    co_return fail(error.at(Side::client));
  }
  facts.sender = arrival.client.peer;
  if (header->local) co_return Result<void>{};
  facts.tls_at_sender = header->tls.has_value();
  arrival.server_name = as_server_name(header->authority).value_or("");
  arrival.client.peer = header->source;
  arrival.client.local = header->destination;
  // Whoever it stands for need not be on this machine.
  arrival.client.listener_is_local = false;
  co_return Result<void>{};
}

Task<Result<void>> Entrance::take_tls(Arrival& arrival, ConnectionFacts& facts, TimePoint deadline,
                                      std::string& reason) const {
  TlsClientFacts& learned = facts.tls.emplace();
  auto stream = co_await accept_tls(std::move(arrival.stream), std::move(arrival.input), tls_,
                                    deadline, learned);
  if (!stream) {
    reason = "no TLS: " + tls_accept_reason(stream.error());
    if (!learned.server_name.empty()) reason += fmt::format(" (for {})", learned.server_name);
    co_return fail(stream.error());
  }
  arrival.stream = std::move(*stream);
  arrival.input = InputBuffer();
  arrival.server_name = learned.server_name;
  co_return Result<void>{};
}

// One that speaks another protocol, or waits for its server to speak, has no name.
Task<Result<void>> Entrance::look_for_name(Arrival& arrival, TimePoint deadline) {
  auto look = co_await peek_client_hello(*arrival.stream, arrival.input, deadline);
  if (look) {
    arrival.server_name = std::move(look->hello.server_name);
  } else if (look.error().kind != ErrorKind::timed_out && look.error().kind != ErrorKind::closed) {
    co_return fail(look.error().at(Side::client));
  }
  co_return Result<void>{};
}

}  // namespace penstock

// Most of the tables that exist once.
#include "config/sections.h"

#include <array>
#include <cstdint>
#include <limits>
#include <utility>

#include "config/field_rules.h"
#include "config/values.h"

namespace penstock::config {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr std::uint64_t kGiB = 1024 * kMiB;
constexpr std::uint64_t kMostConnections = 10'000'000;

constexpr std::array kLogLevels{
    std::pair{std::string_view("debug"), LogLevel::debug},
    std::pair{std::string_view("info"), LogLevel::info},
    std::pair{std::string_view("warning"), LogLevel::warning},
    std::pair{std::string_view("error"), LogLevel::error},
};
constexpr std::array kAccessFormats{
    std::pair{std::string_view("json"), AccessLogFormat::json},
    std::pair{std::string_view("common"), AccessLogFormat::common},
    std::pair{std::string_view("combined"), AccessLogFormat::combined},
    std::pair{std::string_view("squid"), AccessLogFormat::squid},
};
using LocalTargets = ForwardSettings::PrivateTargets;
constexpr std::array kLocalTargets{
    std::pair{std::string_view("auto"), LocalTargets::automatic},
    std::pair{std::string_view("allow"), LocalTargets::allow},
    std::pair{std::string_view("deny"), LocalTargets::deny},
};

Complaint check_log_target(std::string_view text) {
  if (text.empty()) return R"(expected "stderr", "stdout" or a path, found an empty text)";
  if (text.find('\0') != std::string_view::npos) return "a path cannot contain a zero byte";
  return {};
}

constexpr TextRule kPseudonym{.type = "name", .plural = {}, .check = &check_token};
constexpr TextRule kLogFile{
    .type = "\"stderr\", \"stdout\" or path", .plural = {}, .check = &check_log_target};
constexpr TextRule kAccessLog{
    .type = "\"off\", \"stderr\", \"stdout\" or path", .plural = {}, .check = &check_log_target};

// Heads have to be contiguous in memory: the largest must fit a SlabSize::huge, and have room for
// what is added on the way.
constexpr std::array kLimitKeys{
    key<Draft, SizeValue<256, kMiB / 4>>(
        "head", R"("64KiB")",
        "The most a message's start line and header fields may take together.",
        [](auto& d) {
          return std::tie(d.snapshot.server.request_head.head,
                          d.snapshot.upstream.response_head.head);
        }),
    key<Draft, SizeValue<64, kMiB / 4>>(
        "start_line", R"("16KiB")", "The most a request line or a status line may take.",
        [](auto& d) {
          return std::tie(d.snapshot.server.request_head.start_line,
                          d.snapshot.upstream.response_head.start_line);
        }),
    key<Draft, CountValue<1, 10'000>>("fields", "200", "How many header lines a message may have.",
                                      [](auto& d) {
                                        return std::tie(d.snapshot.server.request_head.fields,
                                                        d.snapshot.upstream.response_head.fields);
                                      }),
    key<Draft, UnlimitedSizeValue>(
        "body", R"("unlimited")",
        "The largest request body taken; a larger one is answered with 413. `0` is unlimited, too.",
        [](auto& d) { return std::tie(d.snapshot.proxy.max_body); }),
    key<Draft, SizeValue<0, 16 * kMiB>>(
        "chunk_extensions", R"("4KiB")",
        "The most the chunk extensions of one body may take, all chunks together.",
        [](auto& d) {
          return std::tie(d.snapshot.server.request_chunks.extensions,
                          d.snapshot.upstream.response_chunks.extensions);
        }),
    key<Draft, SizeValue<256, 16 * kMiB>>(
        "trailers", R"("16KiB")", "The most the trailer fields after a chunked body may take.",
        [](auto& d) {
          return std::tie(d.snapshot.server.request_chunks.trailers.head,
                          d.snapshot.upstream.response_chunks.trailers.head);
        }),
    key<Draft, SizeValue<kMiB, 1024 * kGiB>>(
        "buffers", R"("512MiB")",
        "Memory for messages under way, shared out evenly among the workers. A worker that has "
        "used its share answers new requests with 503.",
        [](auto& d) { return std::tie(d.snapshot.server.buffer_bytes); }),
    key<Draft, CountValue<1, kMostConnections>>(
        "connections", "10000",
        "Client connections at a time, for each listener that has no `max_connections`.",
        [](auto& d) { return std::tie(d.connections); }),
    key<Draft, CountValue<0, 1'000'000>>(
        "idle_server_connections", "4096",
        "How many idle connections to servers each worker keeps for the next request.",
        [](auto& d) { return std::tie(d.snapshot.upstream.max_idle); }),
};

constexpr std::array kTimeoutKeys{
    key<Draft, DurationValue>(
        "client_handshake", R"("10s")",
        "From accepting a connection to where its protocol begins: a TLS handshake, a header of "
        "the PROXY protocol.",
        [](auto& d) { return std::tie(d.snapshot.server.client_handshake); }),
    key<Draft, DurationValue>("client_head", R"("30s")",
                              "From the first byte of a request to the end of its head.",
                              [](auto& d) { return std::tie(d.snapshot.server.client_head); }),
    key<Draft, DurationValue>("client_idle", R"("2m")",
                              "How long a client connection may wait for its next request.",
                              [](auto& d) { return std::tie(d.snapshot.server.client_idle); }),
    key<Draft, DurationValue>("connect", R"("5s")", "For a connection to a server to come about.",
                              [](auto& d) { return std::tie(d.snapshot.upstream.connect); }),
    key<Draft, DurationValue>(
        "stall", R"("1m")",
        "How long nothing may move, on either side, while a message is under way.",
        [](auto& d) { return std::tie(d.snapshot.server.stall, d.snapshot.upstream.stall); }),
    key<Draft, DurationValue>(
        "server_idle", R"("1m")",
        "How long an idle connection to a server is kept, where its `pool` does not say.",
        [](auto& d) { return std::tie(d.server_idle, d.snapshot.upstream.targets.idle); }),
    key<Draft, DurationValue>(
        "tunnel_idle", R"("1h")",
        "How long nothing may move in either direction of a tunnel (CONNECT, upgrades).",
        [](auto& d) { return std::tie(d.snapshot.proxy.tunnel_idle); }),
    key<Draft, DurationValue>(
        "drain", R"("30s")",
        "How long transactions under way may take to finish when the proxy is told to stop.",
        [](auto& d) { return std::tie(d.snapshot.workers.drain); }),
};

constexpr std::array kHttp2Keys{
    key<Draft, CountValue<1, 10'000>>(
        "max_streams", "100", "Requests that a client may have under way on one connection.",
        [](auto& d) { return std::tie(d.snapshot.server.http2.max_streams); }),
    key<Draft, SizeValue<64 * kKiB - 1, 16 * kMiB>>(
        "stream_window", R"("256KiB")",
        "How much of one message's content a peer may send ahead of its being passed on.",
        [](auto& d) {
          return std::tie(d.snapshot.server.http2.stream_window,
                          d.snapshot.upstream.http2.stream_window);
        }),
    key<Draft, SizeValue<64 * kKiB - 1, 64 * kMiB>>(
        "connection_window", R"("1MiB")", "The same for all messages of one connection together.",
        [](auto& d) {
          return std::tie(d.snapshot.server.http2.connection_window,
                          d.snapshot.upstream.http2.connection_window);
        }),
};

constexpr std::array kForwardKeys{
    key<Draft, PortsValue>(
        "connect_ports", "[443]", "The ports CONNECT may reach; an empty list forbids CONNECT.",
        [](auto& d) { return std::tie(d.snapshot.proxy.forward.connect_ports); }),
    key<Draft, ChoiceValue<kLocalTargets>>(
        "local_targets", R"("auto")",
        "Whether clients may reach loopback, link-local and unspecified addresses through the "
        "proxy. `\"auto\"`: only through listeners on a loopback address or a unix socket.",
        [](auto& d) { return std::tie(d.snapshot.proxy.forward.local_targets); }),
};

constexpr std::array kProxyKeys{
    key<Draft, TextValue<kPseudonym>>(
        "name", R"("penstock")",
        "What the proxy calls itself in `Via` and `Proxy-Status`. A request that comes back with "
        "this name in `Via` is a loop, so proxies in a row need different names; `\"penstock\"` is "
        "followed by eight random digits for that reason.",
        [](auto& d) { return std::tie(d.snapshot.proxy.name); }),
    key<Draft, FlagValue>("x_forwarded", "true",
                          "Reverse listeners tell servers about the client in `X-Forwarded-For`, "
                          "`X-Forwarded-Proto` and `X-Forwarded-Host`.",
                          [](auto& d) { return std::tie(d.snapshot.proxy.x_forwarded); }),
    key<Draft, FlagValue>("forwarded", "false",
                          "Reverse listeners tell servers about the client in `Forwarded`.",
                          [](auto& d) { return std::tie(d.snapshot.proxy.forwarded); }),
};

constexpr std::array kLogKeys{
    key<Draft, ChoiceValue<kLogLevels>>("level", R"("info")", "The least severe messages to log.",
                                        [](auto& d) { return std::tie(d.snapshot.log.level); }),
    key<Draft, TextValue<kLogFile>>("file", R"("stderr")", "Where messages go.",
                                    [](auto& d) { return std::tie(d.snapshot.log.file); }),
    key<Draft, TextValue<kAccessLog>>("access", R"("off")", "Where a line for each request goes.",
                                      [](auto& d) { return std::tie(d.snapshot.log.access); }),
    key<Draft, ChoiceValue<kAccessFormats>>(
        "access_format", R"("json")", "How such a line is written.",
        [](auto& d) { return std::tie(d.snapshot.log.access_format); }),
};

constexpr std::array kWorkerKeys{
    key<Draft, CountValue<0, 1024>>("count", "0",
                                    "Threads that serve connections. `0`: one for each core.",
                                    [](auto& d) { return std::tie(d.snapshot.workers.count); }),
};

}  // namespace

constexpr Section<Draft> kLimits{.name = "limits", .title = "[limits]", .keys = kLimitKeys};
constexpr Section<Draft> kTimeouts{.name = "timeouts", .title = "[timeouts]", .keys = kTimeoutKeys};
constexpr Section<Draft> kHttp2{.name = "http2", .title = "[http2]", .keys = kHttp2Keys};
constexpr Section<Draft> kForward{.name = "forward", .title = "[forward]", .keys = kForwardKeys};
constexpr Section<Draft> kProxy{.name = "proxy", .title = "[proxy]", .keys = kProxyKeys};
constexpr Section<Draft> kLog{.name = "log", .title = "[log]", .keys = kLogKeys};
constexpr Section<Draft> kWorkers{.name = "workers", .title = "[workers]", .keys = kWorkerKeys};

std::span<const Section<Draft>* const> single_sections() {
  static constexpr std::array<const Section<Draft>*, 11> kAll{
      &kForward, &kProxy, &kLimits,  &kTimeouts, &kHttp2,  &kCache,
      &kTargets, &kDns,   &kModules, &kLog,      &kWorkers};
  return kAll;
}

}  // namespace penstock::config

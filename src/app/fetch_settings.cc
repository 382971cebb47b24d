#include "app/fetch_settings.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace penstock {
namespace {

// Servers that say they are busy, or that something broke: for a while, perhaps.
constexpr std::uint16_t kPassing[] = {408, 429, 500, 502, 503, 504};

RetrySettings retry_settings(std::uint32_t count) {
  RetrySettings retry{.count = count,
                      .on_timeout = true,
                      .back_off = std::chrono::milliseconds(200),
                      .max_back_off = std::chrono::seconds(5)};
  if (count > 0) retry.on_status.assign(std::begin(kPassing), std::end(kPassing));
  return retry;
}

}  // namespace

DnsSettings fetch_dns_settings(const FetchCommand& command) {
  DnsSettings settings;
  settings.servers = command.dns;
  return settings;
}

UpstreamSettings fetch_upstream_settings(const FetchCommand& command) {
  UpstreamSettings settings;
  settings.connect = command.connect_timeout;
  if (command.http2) settings.target_http = HttpChoice::http2;
  settings.target_retry = retry_settings(command.retries);
  // Reading the system's certificates takes time.
  const bool may_need_tls = command.follow || std::ranges::any_of(command.urls, &Url::secure);
  if (may_need_tls) settings.target_tls = command.tls;
  for (const std::optional<PeerSettings>& peer : command.peers) {
    if (peer) settings.peers.push_back(*peer);
  }
  for (const Url& url : command.urls) {
    if (!url.login) continue;
    settings.credentials.push_back(
        {.host = url.origin(),
         .credentials = {
             .scheme = command.auth, .user = url.login->user, .password = url.login->password}});
  }
  return settings;
}

}  // namespace penstock

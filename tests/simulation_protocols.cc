#include "tests/simulation_protocols.h"

#include <array>
#include <chrono>

#include <gtest/gtest.h>

namespace penstock::simulation {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<ProxyHeader, 4> kHeaders = {ProxyHeader::none, ProxyHeader::none,
                                                 ProxyHeader::v1, ProxyHeader::v2};
constexpr std::uint32_t kSmallestWindow = 65535;  // as configuration allows it
constexpr std::uint32_t kLargestWindow = 1024 * 1024;

http2::Settings draw_own_settings(Random& random) {
  http2::Settings settings;
  if (random.chance(0.5)) return settings;
  settings.max_streams = static_cast<std::uint32_t>(random.skewed(1, 100));
  settings.stream_window =
      static_cast<std::uint32_t>(random.skewed(kSmallestWindow, kLargestWindow));
  settings.connection_window =
      static_cast<std::uint32_t>(random.skewed(kSmallestWindow, kLargestWindow));
  return settings;
}

std::shared_ptr<const TlsClientContext> client_context(const std::string& protocol) {
  TlsClientSettings settings = tls_client_settings();
  settings.alpn = {protocol};
  auto made = TlsClientContext::create(settings);
  EXPECT_TRUE(made) << made.error();
  return made ? *made : nullptr;
}

}  // namespace

Protocols draw_protocols(Random random, const Versions& versions, bool through_proxy,
                         bool reliable) {
  Protocols drawn{.versions = versions};
  if (!through_proxy) return drawn;
  drawn.to_clients = draw_own_settings(random);
  drawn.to_origins = draw_own_settings(random);
  drawn.client_header = random.pick(kHeaders);
  drawn.origin_header = random.pick(kHeaders);
  drawn.client_tls = random.chance(0.2);
  drawn.origin_tls = random.chance(0.2);
  drawn.negotiated = drawn.origin_tls && random.chance(0.5);
  drawn.patient = reliable;
  // A request may cross the proxy's farewell: only HTTP/2 can tell that it was not looked at.
  if (reliable && versions.http2_clients < 1) return drawn;
  if (random.chance(0.3)) drawn.client_idle = random.between(milliseconds(1), seconds(5));
  if (random.chance(0.3)) drawn.worker_ends = Protocols::Ending::gentle;
  if (!reliable && random.chance(0.2)) drawn.worker_ends = Protocols::Ending::abrupt;
  return drawn;
}

std::string Protocols::text() const {
  std::string text = "clients h1";
  if (versions.http2_clients > 0) {
    text = versions.http2_clients < 1 ? "clients h1+h2" : "clients h2";
  }
  if (client_tls) text += " tls";
  if (client_header != ProxyHeader::none) text += " header";
  text += versions.http2_origins ? ", origins h2" : ", origins h1";
  if (origin_tls) text += negotiated ? " alpn" : " tls";
  if (origin_header != ProxyHeader::none) text += " header";
  if (client_idle != ServerSettings().client_idle) text += ", idle clients end";
  if (worker_ends != Ending::none) text += ", worker ends";
  if (worker_ends == Ending::abrupt) text += " abruptly";
  return text;
}

void apply(const Protocols& protocols, ClientOptions& clients) {
  clients.http2 = protocols.versions.http2_clients;
  clients.beginning.header = protocols.client_header;
  if (!protocols.client_tls) return;
  clients.beginning.tls_http1 = client_context("http/1.1");
  clients.beginning.tls_http2 = client_context("h2");
}

void apply(const Protocols& protocols, OriginOptions& origins) {
  origins.expected.http2 = protocols.versions.http2_origins;
  origins.expected.header = protocols.origin_header;
  origins.expected.patience = origins.patience;
  if (!protocols.origin_tls) return;
  TlsServerSettings settings = tls_server_settings();
  settings.alpn = {protocols.versions.http2_origins ? "h2" : "http/1.1"};
  auto made = TlsServerContext::create(settings);
  EXPECT_TRUE(made) << made.error();
  if (made) origins.expected.tls = *made;
}

void apply(const Protocols& protocols, ProxyOptions& proxy) {
  proxy.to_clients = protocols.to_clients;
  proxy.to_origins = protocols.to_origins;
  if (protocols.client_header != ProxyHeader::none) {
    proxy.header_from = {std::string(kClientHost) + "/32"};
  }
  if (protocols.client_tls) proxy.tls = tls_server_settings();
  proxy.client_idle = protocols.client_idle;
  proxy.patient = protocols.patient;
  proxy.group.http = protocols.versions.http2_origins ? HttpChoice::http2 : HttpChoice::http1;
  if (protocols.negotiated) proxy.group.http = HttpChoice::negotiate;
  proxy.group.proxy_header = protocols.origin_header;
  if (!protocols.origin_tls) return;
  proxy.group.tls = tls_client_settings();
}

}  // namespace penstock::simulation

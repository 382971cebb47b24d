#include "proxy/client_state.h"

#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace penstock {
namespace {

ClientInfo client() {
  ClientInfo info;
  info.peer = Address::parse("192.0.2.7:1000").value();
  info.local = Address::parse("192.0.2.1:443").value();
  return info;
}

ClientInfo tls_client(const std::string& subject) {
  ClientInfo info = client();
  auto facts = std::make_shared<ConnectionFacts>();
  facts->tls = {.version = TlsVersion::v1_2,
                .cipher = "ECDHE-RSA-AES128-GCM-SHA256",
                .server_name = "a.test",
                .alpn = "h2",
                .subject = subject,
                .fingerprint = subject.empty() ? "" : "00ff"};
  info.facts = std::move(facts);
  return info;
}

TEST(ProxyHeaderOfClient, NamesItsAddresses) {
  EXPECT_EQ(proxy_header_fields(client()),
            (ProxyHeaderFields{.source = client().peer, .destination = client().local}));
}

TEST(ProxyHeaderOfClient, TellsOfItsTls) {
  const ProxyHeaderFields fields = proxy_header_fields(tls_client(""));
  EXPECT_EQ(fields.alpn, "h2");
  EXPECT_EQ(fields.authority, "a.test");
  EXPECT_EQ(fields.tls,
            (ProxyHeaderTls{.version = "TLSv1.2", .cipher = "ECDHE-RSA-AES128-GCM-SHA256"}));
}

TEST(ProxyHeaderOfClient, TellsOfItsCertificate) {
  const std::pair<std::string, std::string> cases[] = {
      {"CN=Ann", "Ann"},
      {"CN=Ann,O=A", "Ann"},
      {"O=A,CN=Ann+OU=B", "Ann"},
      {"O=CN=x,CN=Ann", "Ann"},
      {"O=A\\,CN=x,CN=Ann", "Ann"},
      {"CN=Ann\\, B\\+C", "Ann, B+C"},
      {"CN=J\\C3\\BCrgen,O=x", "J\xC3\xBCrgen"},
      {"CN=a\\0Ab\\7Fc\\2Cd", "a\\0Ab\\7Fc,d"},
      {"CN=a\\C", "a\\C"},
      {"O=A", ""},
      {"CN=", ""},
      {"CN=a\\", "a\\"},
  };
  for (const auto& [subject, name] : cases) {
    const ProxyHeaderFields fields = proxy_header_fields(tls_client(subject));
    ASSERT_TRUE(fields.tls);
    EXPECT_TRUE(fields.tls->certificate);
    EXPECT_TRUE(fields.tls->verified);
    EXPECT_EQ(fields.tls->common_name, name) << subject;
  }
}

}  // namespace
}  // namespace penstock

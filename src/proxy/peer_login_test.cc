// Logins on the way: whose they are, and who gets them.
#include <string>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"

namespace penstock {
namespace {

const ServerScript kAnswers(20, ServerStep{.until = kEnd, .answer = kOk});
const ServerScript kCloses = {{.until = kEnd, .then = ServerStep::Then::close}};

class PeerLoginTest : public ProxyTest {
 protected:
  void go_through_peer(bool pass_login) {
    be_forward();
    upstream.peers = {{.name = "p", .address = "10.0.0.9:3128", .pass_login = pass_login}};
    settings.routes = {{.via = {"p"}}};
  }
};

TEST_F(PeerLoginTest, AConnectionThatAClientLogsInOnAtAPeerIsForThatClientOnly) {
  go_through_peer(true);
  const ScriptedServer peer(network, "10.0.0.9:3128", {kAnswers});
  const auto alice = connect();
  const auto bob = connect();
  const std::string target = "GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\n";
  alice->send(target + "Proxy-Authorization: NTLM alice\r\n\r\n");
  EXPECT_EQ(status_of(alice->take()), "200");
  bob->send(target + "\r\n");
  EXPECT_EQ(status_of(bob->take()), "200");
  ASSERT_EQ(peer.connections(), 2U);
  EXPECT_EQ(peer.received(1).find("alice"), std::string::npos);
  alice->send(target + "\r\n");
  EXPECT_EQ(status_of(alice->take()), "200");
  ASSERT_EQ(peer.connections(), 2U);
  EXPECT_NE(peer.received(0).find("GET", 10), std::string::npos);
}

TEST_F(PeerLoginTest, AKeptConnectionGoesWithTheLoginOfItsOwnPeer) {
  be_forward();
  const auto login = [](const std::string& user) {
    return CredentialSettings{
        .scheme = CredentialSettings::Scheme::basic, .user = user, .password = "secret"};
  };
  upstream.peers = {{.name = "p", .address = "10.0.0.8:3128", .login = login("first")},
                    {.name = "q", .address = "10.0.0.9:3128", .login = login("second")}};
  settings.routes = {{.via = {"p", "q"}}};
  const ScriptedServer q(network, "10.0.0.9:3128", {kAnswers});
  const auto alice = connect();
  const std::string target = "GET http://origin.example/ HTTP/1.1\r\nHost: origin.example\r\n";
  // The first peer is away: it is the second one on whose connection the client logs in.
  alice->send(target + "Authorization: NTLM alice\r\n\r\n");
  EXPECT_EQ(status_of(alice->take()), "200");
  const ScriptedServer p(network, "10.0.0.8:3128", {kAnswers});
  alice->send(target + "\r\n");
  EXPECT_EQ(status_of(alice->take()), "200");
  EXPECT_EQ(p.connections(), 0U);
  ASSERT_EQ(q.connections(), 1U);
  const std::string again = q.received(0).substr(q.received(0).find(kEnd) + kEnd.size());
  EXPECT_NE(again.find("Proxy-Authorization: Basic c2Vjb25kOnNlY3JldA=="), std::string::npos)
      << again;
}

TEST_F(PeerLoginTest, AQueryWithoutAPathIsOfTheRouteToo) {
  go_through_peer(false);
  const ScriptedServer peer(network, "10.0.0.9:3128", {kAnswers});
  EXPECT_EQ(status_of(ask("GET http://origin.example?x HTTP/1.1\r\nHost: origin.example\r\n\r\n")),
            "200");
  EXPECT_EQ(peer.connections(), 1U);
}

TEST_F(PeerLoginTest, CredentialsAreForTheServerTheyNameOnly) {
  groups[0].servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
  groups[0].balance.algorithm = Balance::first;
  upstream.credentials = {
      {.host = "10.0.0.1:80",
       .credentials = {.scheme = CredentialSettings::Scheme::basic, .user = "u", .password = "p"}}};
  const ScriptedServer one(network, "10.0.0.1:80", {kCloses});
  const ScriptedServer two(network, "10.0.0.2:80", {kAnswers});
  EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), "200");
  EXPECT_NE(one.received(0).find("Authorization: Basic"), std::string::npos);
  EXPECT_EQ(two.received(0).find("Authorization"), std::string::npos);
}

TEST_F(PeerLoginTest, AChallengeIsAnsweredToWhomItCameFrom) {
  groups[0].servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
  upstream.credentials = {{.host = "10.0.0.1:80", .credentials = {.user = "u", .password = "p"}},
                          {.host = "10.0.0.2:80", .credentials = {.user = "v", .password = "q"}}};
  const std::string challenge =
      "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=a\r\nContent-Length: 0\r\n\r\n";
  const ServerScript script = {{.until = kEnd, .answer = challenge},
                               {.until = kEnd, .answer = kOk}};
  const ScriptedServer one(network, "10.0.0.1:80", {script});
  const ScriptedServer two(network, "10.0.0.2:80", {script});
  EXPECT_EQ(status_of(ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n")), "200");
  EXPECT_EQ(one.connections() + two.connections(), 1U);
}

}  // namespace
}  // namespace penstock

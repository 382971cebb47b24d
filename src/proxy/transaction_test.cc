#include "proxy/transaction.h"

#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "proxy/proxy_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const ServerScript kAnswers(8, ServerStep{.until = kEnd, .answer = kOk});

class TransactionTest : public ProxyTest {};

TEST_F(TransactionTest, ReverseExactBytes) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  EXPECT_EQ(ask("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nVia: 1.1 us\r\nDate: Thu, 29 Feb 2024 12:00:00 GMT\r\n"
            "Content-Length: 2\r\n\r\nok");
  EXPECT_EQ(origin.received(0),
            "GET /x HTTP/1.1\r\nHost: a\r\nVia: 1.1 us\r\nX-Forwarded-For: 192.0.2.77\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n");
}

TEST_F(TransactionTest, ForwardExactBytes) {
  be_forward();
  const ScriptedServer origin(network, "10.0.0.1:81", {kAnswers});
  EXPECT_EQ(status_of(ask("GET http://origin.example:81/x?y HTTP/1.1\r\nHost: other\r\n"
                          "Proxy-Connection: keep-alive\r\nProxy-Authorization: x\r\n\r\n")),
            "200");
  EXPECT_EQ(origin.received(0),
            "GET /x?y HTTP/1.1\r\nHost: origin.example:81\r\nVia: 1.1 us\r\n\r\n");
}

TEST_F(TransactionTest, HostOfTheServer) {
  struct Case {
    HostPolicy policy;
    const char* request;
    const char* host;
  };
  for (const Case& c : {Case{HostPolicy::keep, "HTTP/1.1\r\nHost: www\r\n\r\n", "www"},
                        Case{HostPolicy::keep, "HTTP/1.0\r\n\r\n", "10.0.0.1:80"},
                        Case{HostPolicy::server, "HTTP/1.1\r\nHost: www\r\n\r\n", "10.0.0.1:80"},
                        Case{HostPolicy::set, "HTTP/1.1\r\nHost: www\r\n\r\n", "inner"}}) {
    settings.routes[0].host_policy = c.policy;
    settings.routes[0].host_value = "inner";
    ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
    EXPECT_EQ(status_of(ask("GET / " + std::string(c.request))), "200");
    EXPECT_NE(origin.received(0).find("\r\nHost: " + std::string(c.host) + "\r\n"),
              std::string::npos)
        << origin.received(0);
    wait(groups[0].pool.idle * 2);
  }
}

TEST_F(TransactionTest, EditsOfTheRoute) {
  settings.routes[0].request = {.remove = {"Cookie"}, .set = {{"X-A", "1"}}, .add = {}};
  settings.routes[0].response = {.remove = {"Server"}, .set = {}, .add = {{"X-B", "2"}}};
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = "HTTP/1.1 204 No Content\r\nServer: s\r\n\r\n"}}});
  const std::string answer = ask("GET / HTTP/1.1\r\nHost: a\r\nCookie: c\r\n\r\n");
  EXPECT_EQ(origin.received(0).find("Cookie"), std::string::npos);
  EXPECT_NE(origin.received(0).find("\r\nX-A: 1\r\n"), std::string::npos);
  EXPECT_EQ(answer.find("Server"), std::string::npos);
  EXPECT_NE(answer.find("\r\nX-B: 2\r\n"), std::string::npos);
}

// Nor by another spelling, nor in a trailer section.
TEST_F(TransactionTest, ClientsHaveNoSayInWhatTheRouteSets) {
  settings.routes[0].request = {.remove = {"X-Old"}, .set = {{"X-User", "${client_ip}"}}};
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "\r\n0\r\n", .answer = kOk}}});
  ask("POST / HTTP/1.1\r\nHost: a\r\nX_User: root\r\nx-user: root\r\nTransfer-Encoding: "
      "chunked\r\n\r\n1\r\nx\r\n0\r\nX-USER: root\r\nx_old: root\r\nX-Sum: 1\r\n\r\n");
  const std::string received = origin.received(0);
  EXPECT_EQ(received.find("root"), std::string::npos) << received;
  EXPECT_NE(received.find("\r\nx-user: 192.0.2.77\r\n"), std::string::npos) << received;
  EXPECT_TRUE(received.ends_with("\r\n0\r\nX-Sum: 1\r\n\r\n")) << received;
}

struct RefusedCase {
  const char* name;
  ListenerMode mode;
  const char* request;
  const char* status;
  const char* error;
};

constexpr RefusedCase kRefusedCases[] = {
    {"malformed", ListenerMode::reverse, "GET\r\n\r\n", "400", "http_request_error"},
    {"loop", ListenerMode::reverse, "GET / HTTP/1.1\r\nHost: a\r\nVia: 1.1 US (x)\r\n\r\n", "508",
     "proxy_loop_detected"},
    {"expectation", ListenerMode::reverse, "GET / HTTP/1.1\r\nHost: a\r\nExpect: cake\r\n\r\n",
     "417", "http_request_error"},
    {"too large", ListenerMode::reverse,
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", "413", "http_request_error"},
    {"no route", ListenerMode::reverse, "GET / HTTP/1.1\r\nHost: other\r\n\r\n", "421",
     "destination_not_found"},
    {"CONNECT", ListenerMode::reverse, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "405",
     "http_request_denied"},
    {"origin form", ListenerMode::forward, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400",
     "http_request_error"},
    {"https", ListenerMode::forward, "GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "501",
     "http_request_error"},
    {"port", ListenerMode::forward, "CONNECT a:25 HTTP/1.1\r\nHost: a\r\n\r\n", "403",
     "http_request_denied"},
    {"local target", ListenerMode::forward, "GET http://127.0.0.1/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "403", "destination_ip_prohibited"},
    {"ourselves", ListenerMode::forward, "GET http://192.0.2.1:8080/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "508", "proxy_loop_detected"},
    {"unknown name", ListenerMode::forward, "GET http://nowhere/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "502", "dns_error"},
    {"silent name server", ListenerMode::forward,
     "GET http://slow.example/ HTTP/1.1\r\nHost: a\r\n\r\n", "504", "dns_timeout"},
    {"nobody there", ListenerMode::forward, "GET http://10.9.9.9/ HTTP/1.1\r\nHost: a\r\n\r\n",
     "502", "connection_refused"},
    {"CONNECT to nobody", ListenerMode::forward, "CONNECT 10.9.9.9:443 HTTP/1.1\r\nHost: a\r\n\r\n",
     "502", "connection_refused"},
};

TEST_F(TransactionTest, NoServerIsAsked) {
  settings.max_body = 100;
  settings.routes[0].host = "a";
  world.set_name("slow.example", {.answered = false});
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  for (const RefusedCase& c : kRefusedCases) {
    SCOPED_TRACE(c.name);
    listener.mode = c.mode;
    const std::string answer = ask(c.request, seconds(6));
    EXPECT_EQ(status_of(answer), c.status) << answer;
    EXPECT_EQ(error_of(answer), c.error);
  }
  EXPECT_EQ(origin.connections(), 0U);
}

TEST_F(TransactionTest, BodyThatTurnsOutTooLarge) {
  settings.max_body = 10;
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "never"}}});
  const std::string answer =
      ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
          "6\r\n123456\r\n6\r\n789012\r\n0\r\n\r\n");
  EXPECT_EQ(status_of(answer), "413") << answer;
}

TEST_F(TransactionTest, AnswersForItself) {
  struct Case {
    ListenerMode mode;
    const char* request;
    bool itself;
    const char* max_forwards;  // what the server gets
  };
  for (const Case& c :
       {Case{ListenerMode::forward, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", true, ""},
        Case{ListenerMode::reverse, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false, ""},
        Case{ListenerMode::reverse, "OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
             true, ""},
        Case{ListenerMode::reverse, "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", true,
             ""},
        Case{ListenerMode::reverse, "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n", false,
             "Max-Forwards: 2\r\n"},
        Case{ListenerMode::reverse, "GET / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n", false,
             "Max-Forwards: 0\r\n"},
        Case{ListenerMode::reverse, "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: x\r\n\r\n", false,
             "Max-Forwards: x\r\n"}}) {
    SCOPED_TRACE(c.request);
    listener.mode = c.mode;
    wait(groups[0].pool.idle * 2);
    ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
    EXPECT_EQ(status_of(ask(c.request)), "200");
    ASSERT_EQ(origin.connections(), c.itself ? 0U : 1U);
    if (!c.itself) EXPECT_NE(origin.received(0).find(c.max_forwards), std::string::npos);
  }
}

TEST_F(TransactionTest, TraceGivesBackTheRequestWithoutSecrets) {
  const std::string answer =
      ask("TRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nCookie: s\r\nAuthorization: s\r\n"
          "X-A: 1\r\n\r\n");
  EXPECT_TRUE(
      answer.ends_with("\r\n\r\nTRACE /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\nX-A: 1\r\n\r\n"))
      << answer;
}

TEST_F(TransactionTest, InformationalResponsesArePassedOn) {
  const std::string hints =
      "HTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\nConnection: y\r\n\r\n";
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kEnd, .answer = hints + kOk}}});
  const std::string answer = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(
      answer.starts_with("HTTP/1.1 100 Continue\r\nVia: 1.1 us\r\n\r\n"
                         "HTTP/1.1 103 Early Hints\r\nLink: x\r\nVia: 1.1 us\r\n\r\n"
                         "HTTP/1.1 200 OK\r\n"))
      << answer;
}

// The connection is logged in as that user: nobody else may have it.
TEST_F(TransactionTest, LoggedInConnectionIsNotShared) {
  for (const char* field : {"Authorization: NTLM x\r\n", "Authorization: Basic x\r\n"}) {
    ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
    ask("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n");
    EXPECT_EQ(pool().idle_count(), std::string(field).find("NTLM") != std::string::npos ? 0U : 1U);
  }
}

TEST_F(TransactionTest, ResponseThatIsCutIsSeenToBeCut) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"},
        {.until = "", .then = Then::end}}});
  const auto client = connect();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n", seconds(1));
  EXPECT_TRUE(client->received.ends_with("\r\n\r\nhalf"));
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(client->received.find("502"), std::string::npos);
}

TEST_F(TransactionTest, ClientThatLeavesTakesItsServerConnectionAlong) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kEnd}}});
  const auto client = connect();
  client->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(origin.connections(), 1U);
  EXPECT_FALSE(origin.end(0));
  client->reset();
  wait(milliseconds(10));
  EXPECT_TRUE(origin.end(0));
  EXPECT_EQ(pool().idle_count(), 0U);
  EXPECT_EQ(server().connections(), 0U);
}

TEST_F(TransactionTest, ConnectTunnel) {
  be_forward();
  const ScriptedServer origin(network, "10.0.0.1:443",
                              {{{.until = "hello", .answer = "and you"}, {.until = "bye"}}});
  const auto client = connect();
  client->send("CONNECT origin.example:443 HTTP/1.1\r\nHost: x\r\n\r\nhello");
  EXPECT_EQ(client->take(), "HTTP/1.1 200 Connection established\r\n\r\nand you");
  client->send("bye");
  EXPECT_EQ(origin.received(0), "hellobye");
  client->end();
  wait(milliseconds(20));
  EXPECT_TRUE(origin.end(0));
  EXPECT_TRUE(client->closed());
  EXPECT_EQ(pool().idle_count(), 0U);
}

TEST_F(TransactionTest, Upgrades) {
  struct Case {
    const char* name;
    const char* asked;
    const char* switched;
    const char* status;
  };
  for (const Case& c :
       {Case{"as asked", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "websocket", "101"},
        Case{"other version", "Upgrade: x/1\r\nConnection: Upgrade\r\n", "X/2", "101"},
        Case{"not asked", "", "websocket", "502"},
        Case{"something else", "Upgrade: websocket\r\nConnection: Upgrade\r\n", "evil", "502"},
        Case{"more than asked", "Upgrade: x\r\nConnection: Upgrade\r\n", "x, evil", "502"},
        Case{"nothing", "Upgrade: x\r\nConnection: Upgrade\r\n", "", "502"}}) {
    SCOPED_TRACE(c.name);
    const ScriptedServer origin(
        network, "10.0.0.1:80",
        {{{.until = kEnd,
           .answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: " +
                     std::string(c.switched) + "\r\n\r\nfirst"},
          {.until = "talk", .answer = "back"}}});
    const auto client = connect();
    client->send("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(c.asked) + "\r\n");
    const std::string answer = client->take();
    EXPECT_EQ(status_of(answer), c.status) << answer;
    if (status_of(answer) != "101") continue;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nfirst")) << answer;
    EXPECT_NE(answer.find("Connection: upgrade\r\n"), std::string::npos);
    client->send("talk");
    EXPECT_EQ(client->take(), "back");
  }
}

}  // namespace
}  // namespace penstock

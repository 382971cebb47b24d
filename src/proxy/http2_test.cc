// Requests that come over HTTP/2, through the whole proxy to servers of HTTP/1.
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "message/websocket.h"
#include "proxy/http2_client_test.h"

namespace penstock {
namespace {

using http2::Lines;
using http2::RawPeer;
using http2::Received;

class ProxyHttp2Test : public ProxyTest {
 protected:
  RawPeer& client() { return client_.peer(handler(), listener, server_settings); }
  Received& websocket() {
    client().send(RawPeer::headers(1,
                                   {{":method", "CONNECT"},
                                    {":protocol", "websocket"},
                                    {":scheme", "https"},
                                    {":path", "/chat"},
                                    {":authority", "example.com"},
                                    {"sec-websocket-version", "13"}},
                                   false),
                  std::chrono::milliseconds(50));
    return client()[1];
  }
  // The field of a request of HTTP/1.
  static std::string field_of(const std::string& request, const std::string& name) {
    const std::size_t at = request.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return request.substr(begin, request.find("\r\n", begin) - begin);
  }
  static std::string switching(std::string_view key) {
    const WebSocketAccept accept = websocket_accept(key);
    return "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
           "Sec-WebSocket-Accept: " +
           std::string(accept.data(), accept.size()) + "\r\n\r\n";
  }

 private:
  Http2Client client_{world};
};

TEST_F(ProxyHttp2Test, RequestsAndResponses) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = "0\r\n\r\n",
         .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                   "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"}}});
  client().send(RawPeer::headers(1, RawPeer::request("POST", "/x", {{"te", "trailers"}}), false) +
                RawPeer::data(1, "hello", true));
  wait(std::chrono::seconds(1));
  const std::string& request = origin.received(0);
  EXPECT_TRUE(request.starts_with("POST /x HTTP/1.1\r\nHost: example.com\r\n")) << request;
  EXPECT_EQ(field_of(request, "Via"), "2 us");
  EXPECT_EQ(field_of(request, "Transfer-Encoding"), "chunked");
  EXPECT_NE(request.find("\r\n5\r\nhello\r\n"), std::string::npos) << request;
  const Received& got = client()[1];
  EXPECT_EQ(got.status(), "200");
  EXPECT_EQ(got.field("via"), "1.1 us");
  EXPECT_EQ(got.field("connection") + got.field("transfer-encoding"), "");
  EXPECT_EQ(got.content, "ok");
  ASSERT_EQ(got.heads.size(), 2U);
  EXPECT_EQ(got.heads[1], (Lines{{"x-sum", "1"}}));
  EXPECT_TRUE(got.ended);
}

TEST_F(ProxyHttp2Test, StreamsShareTheConnectionThatNamesTheirClient) {
  groups.front().proxy_header = ProxyHeader::v1;
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = answer}, {.until = kEnd, .answer = answer}}});
  for (const int id : {1, 3}) {
    client().send(RawPeer::headers(id, RawPeer::request("GET", "/x"), true),
                  std::chrono::milliseconds(50));
    EXPECT_EQ(client()[id].content, "ok");
  }
  EXPECT_EQ(origin.connections(), 1U);
  EXPECT_TRUE(origin.received(0).starts_with("PROXY TCP4 192.0.2.77 "));
}

TEST_F(ProxyHttp2Test, AMalformedRequestGetsAPage) {
  client().send(RawPeer::headers(1, RawPeer::request("GET", "/", {{"upgrade", "h2c"}}), true));
  EXPECT_EQ(client()[1].status(), "400");
  EXPECT_NE(client()[1].field("proxy-status").find("connection-field"), std::string::npos);
  EXPECT_EQ(client()[1].reset, NGHTTP2_PROTOCOL_ERROR);
}

TEST_F(ProxyHttp2Test, WebSocket) {
  ScriptedServer origin(network, "10.0.0.1:80",
                        {{{.until = kEnd}, {.until = "talk", .answer = "back"}}});
  const Received& got = websocket();
  const std::string& request = origin.received(0);
  EXPECT_TRUE(request.starts_with("GET /chat HTTP/1.1\r\n")) << request;
  EXPECT_EQ(field_of(request, "Upgrade"), "websocket");
  EXPECT_EQ(field_of(request, "sec-websocket-version"), "13");
  const std::string key =
      field_of(request, "Sec-WebSocket-Key") + field_of(request, "sec-websocket-key");
  EXPECT_EQ(key.size(), 24U) << request;
  origin.say(0, switching(key) + "first");
  wait(std::chrono::milliseconds(50));
  EXPECT_EQ(got.status(), "200");
  EXPECT_EQ(got.content, "first");
  client().send(RawPeer::data(1, "talk", false), std::chrono::milliseconds(50));
  EXPECT_EQ(got.content, "firstback");
  client().send(RawPeer::data(1, "", true), std::chrono::milliseconds(50));
  EXPECT_TRUE(got.ended);
}

TEST_F(ProxyHttp2Test, AWebSocketThatWasNotMeant) {
  ScriptedServer origin(network, "10.0.0.1:80",
                        {{{.until = kEnd, .answer = switching("some other key")}}});
  EXPECT_EQ(websocket().status(), "502");
}

TEST_F(ProxyHttp2Test, AWebSocketThatIsRefused) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}}});
  const Received& got = websocket();
  EXPECT_EQ(got.status(), "403");
  EXPECT_EQ(got.content, "no");
  EXPECT_TRUE(got.ended);
}

}  // namespace
}  // namespace penstock

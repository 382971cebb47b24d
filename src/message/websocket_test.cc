#include "message/websocket.h"

#include <string_view>

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(WebSocket, AcceptOfTheExampleInTheRfc) {
  const WebSocketAccept accept = websocket_accept("dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_EQ(std::string_view(accept.data(), accept.size()), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, KeysDiffer) {
  const WebSocketKey one = make_websocket_key();
  EXPECT_EQ(std::string_view(one.data(), one.size()).substr(22), "==");
  EXPECT_NE(one, make_websocket_key());
}

}  // namespace
}  // namespace penstock

// Whose fault it is when there is no way through a peer.
#include <chrono>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "upstream/order_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

const std::string kPeerAddress = "10.0.0.9:3128";
const std::string kTunnel = "HTTP/1.1 200 OK\r\n\r\n";

class BlameTest : public DeliveryTest {
 protected:
  BlameTest() {
    settings.connect = seconds(1);
    settings.target_tls = TlsClientSettings{.insecure = true};
    settings.peers = {{.name = "p", .address = kPeerAddress, .ejection = {.failures = 1}}};
  }
  // What asking for the target by TLS comes to.
  ErrorKind ask() {
    std::vector<Peer*> via{side().peer("p")};
    Order order;
    order.to_target = true;
    order.destination.secure = true;
    order.destination.host = "10.0.0.1";
    order.destination.port = 443;
    order.destination.via = via;
    deliver(order, seconds(3));
    EXPECT_TRUE(order.answered && !*order.answered);
    return order.answered->error().kind;
  }
  bool peer_available() {
    return side().peer("p")->group().hops().front()->share->available(world.now());
  }
};

TEST_F(BlameTest, ATargetWithoutTlsIsNotThePeers) {
  const ScriptedServer peer(
      network, kPeerAddress,
      {{{.until = kEnd, .answer = kTunnel},
        {.until = "\x16", .answer = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"}}});
  EXPECT_EQ(to_string(ask()), to_string(ErrorKind::tls_protocol));
  EXPECT_TRUE(peer_available());
}

TEST_F(BlameTest, SilenceInsideATunnelIsNotThePeers) {
  const ScriptedServer peer(network, kPeerAddress, {{{.until = kEnd, .answer = kTunnel}}});
  EXPECT_EQ(to_string(ask()), to_string(ErrorKind::timed_out));
  EXPECT_TRUE(peer_available());
}

TEST_F(BlameTest, AnAnswerOfThePeerIsNoFault) {
  const ScriptedServer peer(
      network, kPeerAddress,
      {{{.until = kEnd, .answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"}}});
  ask();
  EXPECT_TRUE(peer_available());
}

TEST_F(BlameTest, APeerThatIsAwayIsAtFault) {
  EXPECT_EQ(to_string(ask()), to_string(ErrorKind::refused));
  EXPECT_FALSE(peer_available());
}

}  // namespace
}  // namespace penstock

#include "upstream/pin_store.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "upstream/upstream_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;

class PinStoreTest : public testing::Test {
 protected:
  ~PinStoreTest() override {
    pins.reset();
    world.run_for({});
  }
  std::unique_ptr<ServerConnection> connection() {
    std::unique_ptr<ByteStream> stream;
    scope.spawn(connect(network, stream));
    world.run_for(milliseconds(5));
    EXPECT_TRUE(share->open_connection());
    return std::make_unique<ServerConnection>(std::move(stream), InputBuffer(),
                                              Address::parse("10.0.0.1:80").value(), endpoint,
                                              ConnectionPlace(share), world.now());
  }
  static Task<void> connect(SimNetwork& network, std::unique_ptr<ByteStream>& stream) {
    const Address to = Address::parse("10.0.0.1:80").value();
    auto connected = co_await network.connect(to, kNever);
    if (connected) stream = std::move(*connected);
  }

  SimWorld world{1};
  SimNetwork network{world};
  Scope scope{world.executor()};
  ScriptedServer server{network, "10.0.0.1:80", {{}}};
  UpstreamGroupSettings settings;
  GroupShare group{settings};
  std::shared_ptr<HopShare> share = group.server("10.0.0.1:80", 0);
  std::shared_ptr<Endpoint> endpoint = std::make_shared<Endpoint>(settings.pool, share);
  int lost_events = 0;
  std::unique_ptr<PinStore> pins =
      std::make_unique<PinStore>(world.executor(), [this] { ++lost_events; });
  bool lost = true;
};

TEST_F(PinStoreTest, NothingIsThereAtFirst) {
  EXPECT_TRUE(pins->empty());
  EXPECT_EQ(pins->take("g", lost), nullptr);
  EXPECT_FALSE(lost);
}

TEST_F(PinStoreTest, TheConnectionOfADestination) {
  auto one = connection();
  auto two = connection();
  const ServerConnection* const first = one.get();
  const ServerConnection* const second = two.get();
  pins->keep("g", std::move(one));
  pins->keep("h", std::move(two));
  EXPECT_FALSE(pins->empty());
  EXPECT_EQ(pins->take("h", lost).get(), second);
  auto taken = pins->take("g", lost);
  EXPECT_EQ(taken.get(), first);
  EXPECT_FALSE(lost);
  // And again, after it was given back.
  pins->keep("g", std::move(taken));
  EXPECT_EQ(pins->take("g", lost).get(), first);
}

TEST_F(PinStoreTest, StaysForAsLongAsTheClient) {
  pins->keep("g", connection());
  world.run_for(std::chrono::hours(20));
  EXPECT_NE(pins->take("g", lost), nullptr);
  EXPECT_EQ(lost_events, 0);
}

TEST_F(PinStoreTest, TheServerEndsIt) {
  pins->keep("g", connection());
  pins->keep("h", connection());
  server.close(0);
  world.run_for(milliseconds(5));
  EXPECT_EQ(lost_events, 1);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(pins->take("g", lost), nullptr);
    EXPECT_TRUE(lost);
  }
  EXPECT_NE(pins->take("h", lost), nullptr);
  EXPECT_FALSE(lost);
  // Its descriptor and its place are given back at the latest when somebody asks.
  EXPECT_EQ(share->connections(), 0U);
  pins->keep("g", connection());  // logged in anew
  EXPECT_NE(pins->take("g", lost), nullptr);
  EXPECT_FALSE(lost);
}

TEST_F(PinStoreTest, TheServerSpeaksUnasked) {
  pins->keep("g", connection());
  server.say(0, "HTTP/1.1 408 Request Timeout\r\n\r\n");
  world.run_for(milliseconds(5));
  EXPECT_EQ(lost_events, 1);
  EXPECT_EQ(pins->take("g", lost), nullptr);
  EXPECT_TRUE(lost);
}

TEST_F(PinStoreTest, LostWhileInUse) {
  pins->keep("g", connection());
  EXPECT_NE(pins->take("g", lost), nullptr);
  pins->lose("g");
  EXPECT_EQ(pins->take("g", lost), nullptr);
  EXPECT_TRUE(lost);
  EXPECT_EQ(lost_events, 0);
}

TEST_F(PinStoreTest, LostBeforeItWasKept) {
  pins->lose("g");
  EXPECT_FALSE(pins->empty());
  EXPECT_EQ(pins->take("g", lost), nullptr);
  EXPECT_TRUE(lost);
}

TEST_F(PinStoreTest, NoMoreDestinationsThanAreUseful) {
  for (int i = 0; i < 16; ++i) pins->keep(std::to_string(i), connection());
  pins->keep("0", pins->take("0", lost));  // used last
  pins->keep("more", connection());
  EXPECT_EQ(share->connections(), 16U);
  EXPECT_EQ(pins->take("1", lost), nullptr);
  EXPECT_TRUE(lost);  // the client is not logged in there any more
  EXPECT_NE(pins->take("0", lost), nullptr);
  EXPECT_NE(pins->take("2", lost), nullptr);
  EXPECT_NE(pins->take("more", lost), nullptr);
}

TEST_F(PinStoreTest, EndsWithTheClient) {
  pins->keep("g", connection());
  pins.reset();
  world.run_for(milliseconds(5));
  EXPECT_TRUE(server.end(0));
  EXPECT_EQ(share->connections(), 0U);
}

}  // namespace
}  // namespace penstock

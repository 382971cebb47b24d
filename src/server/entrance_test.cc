#include "server/entrance.h"

#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "base/log.h"
#include "net/proxy_header.h"
#include "server/server_test.h"
#include "sim/network.h"
#include "tls/certificates_test.h"
#include "tls/client_context.h"
#include "tls/stream.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kGet = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kHeader = "PROXY TCP4 198.51.100.7 203.0.113.1 5555 443\r\n";

const ServedCertificate& certificates() {
  static const ServedCertificate made("DNS:site.example");
  return made;
}

TlsServerSettings tls_settings() {
  TlsServerSettings settings;
  settings.certificates = {{.certificate = certificates().certificate_file.path(),
                            .key = certificates().key_file.path()}};
  return settings;
}

// What a connection has gone through.
class Gate final : public AcceptHandler {
 public:
  Gate(SimWorld& world, const ListenerSettings& settings) : scope_(world.executor()) {
    auto made = Entrance::create(settings);
    EXPECT_TRUE(made.has_value()) << made.error();
    entrance = std::move(*made);
    deadline = world.now() + seconds(10);
  }
  ~Gate() {
    scope_.cancel();
    EXPECT_EQ(scope_.running(), 0U);
  }

  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override {
    arrival.stream = std::move(stream);
    arrival.client.peer = peer;
    arrival.client.local = local;
    arrival.client.listener_is_local = true;
    scope_.spawn(run(*this));
  }

  Entrance entrance;
  TimePoint deadline;
  Arrival arrival;
  std::optional<Result<void>> passed;
  std::string reason;

 private:
  static Task<void> run(Gate& gate) {
    const auto passed = co_await gate.entrance.pass(gate.arrival, gate.deadline, gate.reason);
    gate.passed = passed;
  }

  Scope scope_;
};

class EntranceTest : public testing::Test {
 protected:
  // A connection to a listener of such settings that says this.
  void arrive(const std::string& said, Duration time = seconds(1)) {
    client.reset();
    accepting.reset();
    gate = std::make_unique<Gate>(world, listener);
    accepting = network.listen(Address::parse("192.0.2.1:443").value(), *gate);
    client = std::make_unique<TestClient>(network, accepting->local_address());
    if (!said.empty()) client->send(said);
    world.run_for(time);
  }
  [[nodiscard]] bool passed() const { return gate->passed && *gate->passed; }
  [[nodiscard]] std::string waiting() const { return std::string(gate->arrival.input.unread()); }

  SimWorld world{1};
  SimNetwork network{world, "192.0.2.77"};
  ListenerSettings listener{.mode = ListenerMode::reverse};
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Listener> accepting;
  std::unique_ptr<TestClient> client;
};

TEST_F(EntranceTest, IsOpenWhereThereIsNothingToGoThrough) {
  EXPECT_TRUE(Entrance::create(listener)->open());
  listener.proxy_protocol_from = {"192.0.2.0/24"};
  EXPECT_FALSE(Entrance::create(listener)->open());
  EXPECT_FALSE(Entrance::create({.tls = tls_settings()})->open());
}

TEST_F(EntranceTest, SaysWhatIsWrongWithFiles) {
  TlsServerSettings tls = tls_settings();
  tls.certificates.front().certificate = "/none/such.pem";
  const auto made = Entrance::create({.tls = tls});
  ASSERT_FALSE(made.has_value());
  EXPECT_NE(made.error().find("/none/such.pem"), std::string::npos) << made.error();
}

TEST_F(EntranceTest, TakesAHeaderFromWhomItIsToldTo) {
  listener.proxy_protocol_from = {"192.0.2.0/24"};
  arrive(kHeader + kGet);
  ASSERT_TRUE(passed()) << gate->reason;
  const ClientInfo& info = gate->arrival.client;
  EXPECT_EQ(info.peer.to_string(), "198.51.100.7:5555");
  EXPECT_EQ(info.local.to_string(), "203.0.113.1:443");
  EXPECT_EQ(info.facts->sender->host_text(), "192.0.2.77");
  EXPECT_EQ(waiting(), kGet);
  // Who stands behind the sender need not be on this machine.
  EXPECT_FALSE(info.listener_is_local);
}

// TLS ended at the sender.
TEST_F(EntranceTest, LearnsOfTlsFromTheHeader) {
  listener.proxy_protocol_from = {"192.0.2.0/24"};
  ProxyHeaderFields header{.source = Address::parse("198.51.100.7:5555").value(),
                           .destination = Address::parse("203.0.113.1:443").value(),
                           .authority = "Site.Example."};
  for (const bool secure : {false, true}) {
    if (secure) header.tls.emplace();
    arrive(proxy_header_v2(header) + kGet);
    ASSERT_TRUE(passed()) << gate->reason;
    EXPECT_EQ(gate->arrival.client.secure(), secure);
    EXPECT_EQ(gate->arrival.client.tls(), nullptr);
    EXPECT_EQ(gate->arrival.server_name, "site.example");
  }
  listener.mode = ListenerMode::tcp;
  listener.look_for_name = true;
  arrive(proxy_header_v2(header));
  EXPECT_TRUE(passed());  // there is nothing more to look for
  listener.look_for_name = false;
  header.authority = "a..b";
  arrive(proxy_header_v2(header) + kGet);
  ASSERT_TRUE(passed());
  EXPECT_EQ(gate->arrival.server_name, "");
}

TEST_F(EntranceTest, RefusesToGoOnWithoutTheHeader) {
  listener.proxy_protocol_from = {"192.0.2.77"};
  arrive(kGet);
  EXPECT_FALSE(passed());
  EXPECT_EQ(gate->reason,
            "no header of the PROXY protocol: the connection begins with something else");
}

TEST_F(EntranceTest, TakesNoHeaderFromOthers) {
  listener.proxy_protocol_from = {"192.0.2.78"};
  arrive(kHeader + kGet);
  ASSERT_TRUE(passed());
  EXPECT_EQ(gate->arrival.client.peer.host_text(), "192.0.2.77");
  EXPECT_EQ(gate->arrival.client.facts, nullptr);
}

TEST_F(EntranceTest, WaitsForAHeaderNoLongerThanToTheDeadline) {
  listener.proxy_protocol_from = {"unix", "192.0.2.0/24"};
  arrive("PROXY TCP4", seconds(9));
  EXPECT_FALSE(gate->passed.has_value());
  world.run_for(seconds(2));
  ASSERT_TRUE(gate->passed.has_value());
  EXPECT_EQ(gate->passed->error().kind, ErrorKind::timed_out);
  EXPECT_EQ(gate->reason, "no header of the PROXY protocol: it did not come in time");
}

TEST_F(EntranceTest, LooksForAName) {
  listener.mode = ListenerMode::tcp;
  listener.look_for_name = true;
  arrive("SSH-2.0-x\r\n");
  ASSERT_TRUE(passed());
  EXPECT_EQ(gate->arrival.server_name, "");
  EXPECT_EQ(waiting(), "SSH-2.0-x\r\n");
  gate.reset();
  // A client that waits for its server to speak.
  arrive("", seconds(11));
  EXPECT_TRUE(passed());
}

// A server that speaks TLS after a PROXY header, asked by a client of ours.
class TlsEntranceTest : public EntranceTest {
 protected:
  static Task<void> ask(TlsEntranceTest& test, Address to) {
    TlsClientSettings settings{.ca_file = certificates().authority_file.path(),
                               .alpn = {"h2", "http/1.1"}};
    const auto context = TlsClientContext::create(settings).value();
    auto plain = co_await test.network.connect(to, kNever);
    iovec part = to_iovec(kHeader);
    const TimePoint now = test.world.now();
    const auto sent = co_await write_all(**plain, {&part, 1}, now, seconds(1));
    EXPECT_TRUE(sent.has_value());
    const TlsServer server{.host = "site.example", .address = {}};
    auto stream = co_await connect_tls(std::move(*plain), *context, server, kNever);
    EXPECT_TRUE(stream.has_value());
    if (stream) test.alpn = (*stream)->alpn();
    if (stream) test.asked = std::move(*stream);
  }

  std::string alpn;
  std::unique_ptr<TlsStream> asked;
};

TEST_F(TlsEntranceTest, HeaderThenTls) {
  listener.proxy_protocol_from = {"192.0.2.0/24"};
  listener.tls = tls_settings();
  gate = std::make_unique<Gate>(world, listener);
  accepting = network.listen(Address::parse("192.0.2.1:443").value(), *gate);
  Scope scope(world.executor());
  scope.spawn(ask(*this, accepting->local_address()));
  world.run_for(seconds(1));
  ASSERT_TRUE(passed()) << gate->reason;
  const ClientInfo& info = gate->arrival.client;
  ASSERT_NE(info.tls(), nullptr);
  EXPECT_EQ(info.tls()->server_name, "site.example");
  EXPECT_EQ(info.tls()->alpn, "h2");
  EXPECT_EQ(alpn, "h2");
  EXPECT_EQ(info.peer.to_string(), "198.51.100.7:5555");
  EXPECT_EQ(gate->arrival.server_name, "site.example");
  EXPECT_EQ(scope.running(), 0U);
}

TEST_F(TlsEntranceTest, ProtocolsAreThoseOfTheListener) {
  struct Case {
    ListenerMode mode;
    bool http2;
    std::vector<std::string> expected;
  };
  for (const Case& c :
       {Case{ListenerMode::reverse, true, {"h2", "http/1.1"}},
        Case{ListenerMode::forward, false, {"http/1.1"}}, Case{ListenerMode::tcp, true, {}}}) {
    const auto made = Entrance::create({.mode = c.mode, .tls = tls_settings(), .http2 = c.http2});
    EXPECT_EQ(made->tls()->settings().alpn, c.expected);
  }
}

TEST_F(TlsEntranceTest, SaysWhyThereIsNoTls) {
  listener.tls = tls_settings();
  arrive(kGet);
  EXPECT_FALSE(passed());
  EXPECT_NE(gate->reason.find("HTTP"), std::string::npos) << gate->reason;
  arrive("", seconds(11));
  EXPECT_FALSE(passed());
  EXPECT_NE(gate->reason.find("too long"), std::string::npos) << gate->reason;
}

}  // namespace
}  // namespace penstock

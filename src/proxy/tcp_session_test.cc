#include "proxy/tcp_session.h"

#include <chrono>
#include <list>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "proxy/parts_test.h"
#include "server/server_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

class TcpSessionTest : public PartsTest, private AcceptHandler {
 protected:
  TcpSessionTest() {
    listener.mode = ListenerMode::tcp;
    listener.name = "edge";
    upstream.groups = {{.name = "a", .servers = {{.address = "10.0.0.1:443"}}},
                       {.name = "b", .servers = {{.address = "10.0.0.2:443"}}}};
    settings.routes.push_back({.to = "a"});
  }
  ~TcpSessionTest() override {
    accepting_.reset();
    tasks_.cancel();
    world.run_for({});
    stop();
  }

  std::unique_ptr<TestClient> connect() {
    if (!accepting_) {
      parts();
      proxy_.emplace(parts());
      accepting_ = network.listen(Address::parse(listener.addresses.front()).value(), *this);
    }
    return std::make_unique<TestClient>(clients, accepting_->local_address());
  }
  void wait(Duration time) { world.run_for(time); }
  // Which server gets the connection, by what it says first.
  std::string server_for(const std::string& name) {
    server_name = name;
    const auto client = connect();
    wait(milliseconds(20));
    return client->take();
  }
  std::string end_and_log() {
    wait(seconds(1));
    accepting_.reset();
    tasks_.cancel();
    wait(milliseconds(20));
    proxy_.reset();
    return log_lines();
  }
  static bool has(const std::string& line, std::string_view part) {
    return line.find(part) != std::string::npos;
  }

  std::string server_name;
  std::string early;  // what was read already
  std::optional<Address> original;
  std::shared_ptr<ConnectionFacts> facts;
  std::size_t sessions = 0;
  Scope tasks_{world.executor()};

 private:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& peer,
                 const Address& local) override {
    tasks_.spawn(run(*this, std::move(stream), peer, local));
  }
  static Task<void> run(TcpSessionTest& self, std::unique_ptr<ByteStream> stream, Address peer,
                        Address local) {
    const ClientInfo client{.connection_id = 7,
                            .peer = peer,
                            .local = self.original.value_or(local),
                            .listener = &self.listener,
                            .intercepted = self.original.has_value(),
                            .facts = self.facts};
    InputBuffer input;
    if (!self.early.empty()) {
      self.early.copy(input.writable().data(), self.early.size());
      input.commit(self.early.size());
    }
    const std::string name = self.server_name;
    StreamSession session{*stream, input, client, name, self.world.now()};
    ++self.sessions;
    co_await self.proxy_->handle(session);
    --self.sessions;
    stream.reset();
  }

  std::optional<TcpProxy> proxy_;
  std::unique_ptr<Listener> accepting_;
};

TEST_F(TcpSessionTest, BytesBothWaysAndTheRecord) {
  early = "hel";
  server_name = "www.example";
  const ScriptedServer origin(network, "10.0.0.1:443",
                              {{{.until = "hello", .answer = "and you"}, {.until = "bye"}}});
  const auto client = connect();
  client->send("lo");
  EXPECT_EQ(client->take(), "and you");
  client->send("bye");
  EXPECT_EQ(origin.received(0), "hellobye");
  EXPECT_EQ(sessions, 1U);
  client->end();
  wait(milliseconds(20));
  EXPECT_TRUE(client->closed());
  EXPECT_TRUE(origin.end(0) && *origin.end(0));
  EXPECT_EQ(sessions, 0U);
  const std::string line = end_and_log();
  EXPECT_TRUE(has(line, R"("connection":7,"mode":"tcp","client":"192.0.2.77:)")) << line;
  EXPECT_TRUE(has(line, R"("listener":"edge","tls_server_name":"www.example",)")) << line;
  EXPECT_TRUE(has(line, R"("bytes_in":8,"bytes_out":7,)")) << line;
  EXPECT_TRUE(has(line, R"("server":"10.0.0.1:443","upstream":"a","attempts":1,)")) << line;
  EXPECT_TRUE(has(line, R"("client_close":"tunnel_ended","server_close":"tunnel_ended"})")) << line;
  EXPECT_EQ(std::ranges::count(line, '\n'), 1);
}

TEST_F(TcpSessionTest, HalfCloseOfTheClient) {
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "never"}}});
  const auto client = connect();
  client->send("question");
  client->end();
  wait(milliseconds(20));
  // A scripted server answers to the end by its own; nothing is cut.
  EXPECT_EQ(origin.received(0), "question");
  EXPECT_TRUE(origin.end(0));
  EXPECT_TRUE(client->closed());
}

TEST_F(TcpSessionTest, HalfCloseOfTheServer) {
  const ScriptedServer origin(network, "10.0.0.1:443",
                              {{{.until = "", .answer = "hi", .then = Then::end}}});
  const auto client = connect();
  wait(milliseconds(20));
  EXPECT_EQ(client->take(), "hi");
  EXPECT_TRUE(client->closed());
  client->send("still talking");
  EXPECT_EQ(origin.received(0), "still talking");
  EXPECT_EQ(sessions, 1U);
  client->end();
  wait(milliseconds(20));
  EXPECT_EQ(sessions, 0U);
}

TEST_F(TcpSessionTest, IdleForTooLong) {
  settings.tunnel_idle = seconds(10);
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "never"}}});
  const auto client = connect();
  client->send("x");
  wait(seconds(9));
  EXPECT_EQ(sessions, 1U);
  wait(seconds(12));
  EXPECT_EQ(sessions, 0U);
  EXPECT_TRUE(origin.was_reset(0));
  EXPECT_FALSE(client->closed());
  const std::string line = end_and_log();
  EXPECT_TRUE(has(line, R"("client_close":"timed_out","server_close":"timed_out",)"
                        R"("detail":"timed_out"})"))
      << line;
}

TEST_F(TcpSessionTest, AnotherServerWhereOneRefuses) {
  upstream.groups[0].servers = {{.address = "10.0.0.8:443"}, {.address = "10.0.0.1:443"}};
  upstream.groups[0].balance.algorithm = Balance::first;
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "", .answer = "here"}}});
  EXPECT_EQ(server_for(""), "here");
  EXPECT_TRUE(has(end_and_log(), R"("server":"10.0.0.1:443","upstream":"a","attempts":2,)"));
}

TEST_F(TcpSessionTest, NoServerIsAResetAndALine) {
  const auto client = connect();
  wait(seconds(1));
  ASSERT_TRUE(client->ended);
  EXPECT_FALSE(client->closed());
  const std::string line = end_and_log();
  EXPECT_TRUE(has(line, R"("attempts":1,"client_close":"tunnel_refused",)"
                        R"("server_close":"not_opened","error":"connection_refused"})"))
      << line;
}

TEST_F(TcpSessionTest, NoRouteIsAResetAndALine) {
  settings.routes[0].host = "other.example";
  server_name = "www.example";
  const ScriptedServer origin(network, "10.0.0.1:443", {{}});
  const auto client = connect();
  wait(milliseconds(20));
  EXPECT_TRUE(client->ended);
  EXPECT_FALSE(client->closed());
  EXPECT_EQ(origin.connections(), 0U);
  const std::string line = end_and_log();
  EXPECT_TRUE(has(line, R"("error":"destination_not_found","detail":"no_route"})")) << line;
}

TEST_F(TcpSessionTest, ClientThatGoesMeanwhileNeedsNoServer) {
  upstream.groups[0].max_connections = 1;
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "never"}}});
  const auto first = connect();
  const auto second = connect();
  wait(milliseconds(20));
  EXPECT_EQ(sessions, 2U);
  second->reset();
  wait(milliseconds(20));
  EXPECT_EQ(sessions, 1U);
  EXPECT_EQ(origin.connections(), 1U);
  first->end();
  EXPECT_TRUE(has(end_and_log(), R"("client_close":"broken","server_close":"not_opened",)"
                                 R"("error":"client_gone"})"));
}

TEST_F(TcpSessionTest, WaitsForItsTurnAndTakesNoUsedConnection) {
  upstream.groups[0].max_connections = 1;
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "", .answer = "hi"}}});
  const auto first = connect();
  const auto second = connect();
  wait(milliseconds(20));
  EXPECT_EQ(first->take(), "hi");
  EXPECT_EQ(second->take(), "");
  first->end();
  wait(seconds(1));
  EXPECT_EQ(second->take(), "hi");
  EXPECT_EQ(origin.connections(), 2U);
}

TEST_F(TcpSessionTest, TheServersBreakIsTheClients) {
  const ScriptedServer origin(network, "10.0.0.1:443",
                              {{{.until = "x"}, {.until = "y", .then = Then::reset}}});
  const auto client = connect();
  client->send("x");
  client->send("y");
  wait(milliseconds(20));
  EXPECT_TRUE(client->ended);
  EXPECT_FALSE(client->closed());
  const std::string line = end_and_log();
  EXPECT_TRUE(has(line, R"("client_close":"other_side_failed","server_close":"broken",)"
                        R"("detail":"reset"})"))
      << line;
}

TEST_F(TcpSessionTest, RoutesByName) {
  settings.routes = {{.host = "*.example", .to = "a"},
                     {.host = "www.example", .to = "b"},  // behind the first
                     {.host = "b.test", .path = "/x", .to = "a"},
                     {.host = "b.test", .to = "a", .request = {.remove = {"X"}}},
                     {.listeners = {"other"}, .to = "a"},
                     {.client = ClientProof::certificate, .to = "a"},
                     {.listeners = {"edge"}, .host = "b.test", .to = "b"}};
  const ScriptedServer a(network, "10.0.0.1:443", {{{.until = "", .answer = "a"}}});
  const ScriptedServer b(network, "10.0.0.2:443", {{{.until = "", .answer = "b"}}});
  EXPECT_EQ(server_for("www.example"), "a");
  EXPECT_EQ(server_for("WWW.EXAMPLE"), "a");
  EXPECT_EQ(server_for("b.test"), "b");
  EXPECT_EQ(server_for("example"), "");
  EXPECT_EQ(server_for(""), "");
  facts = std::make_shared<ConnectionFacts>();
  facts->tls.emplace().fingerprint = "ab";
  EXPECT_EQ(server_for("b.test"), "a");
}

TEST_F(TcpSessionTest, ByHashOfTheNameOrTheClient) {
  upstream.groups[0].servers = {{.address = "10.0.0.1:443"}, {.address = "10.0.0.2:443"}};
  upstream.groups[0].balance = {.algorithm = Balance::hash, .hash_on = HashOn::host};
  const ScriptedServer a(network, "10.0.0.1:443", {{{.until = "", .answer = "a"}}});
  const ScriptedServer b(network, "10.0.0.2:443", {{{.until = "", .answer = "b"}}});
  std::size_t at_a = 0;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "host" + std::to_string(i);
    const std::string first = server_for(name);
    EXPECT_EQ(server_for(name), first);
    at_a += first == "a" ? 1 : 0;
  }
  EXPECT_GT(at_a, 2U);
  EXPECT_LT(at_a, 18U);
  const std::string unnamed = server_for("");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(server_for(""), unnamed);
}

TEST_F(TcpSessionTest, InterceptedGoesWhereItWasOnItsWayTo) {
  settings.routes[0].host = "known.example";
  original = Address::parse("10.0.0.9:25").value();
  const ScriptedServer other(network, "10.0.0.9:25", {{{.until = "", .answer = "220"}}});
  const ScriptedServer a(network, "10.0.0.1:443", {{{.until = "", .answer = "a"}}});
  EXPECT_EQ(server_for("unknown.example"), "220");
  EXPECT_EQ(server_for("known.example"), "a");
  const std::string lines = end_and_log();
  EXPECT_TRUE(has(lines, R"("intercepted":true,"destination":"10.0.0.9:25",)")) << lines;
  EXPECT_TRUE(has(lines, R"("server":"10.0.0.9:25","attempts":1,)")) << lines;
}

TEST_F(TcpSessionTest, InterceptedToOurselvesIsALoop) {
  settings.routes.clear();
  for (const char* to : {"192.0.2.1:8080", "127.0.0.1:22"}) {
    original = Address::parse(to).value();
    const auto client = connect();
    wait(milliseconds(20));
    EXPECT_TRUE(client->ended && !client->closed()) << to;
  }
  const std::string lines = end_and_log();
  EXPECT_TRUE(has(lines, R"("error":"proxy_loop_detected","detail":"intercepted_loop"})")) << lines;
  EXPECT_TRUE(has(lines, R"("error":"destination_ip_prohibited","detail":"local_target"})"))
      << lines;
}

TEST_F(TcpSessionTest, MuchBothWays) {
  const std::string up(300'000, 'u');
  const std::string down(200'000, 'd');
  const ScriptedServer origin(network, "10.0.0.1:443",
                              {{{.until = "", .answer = down}, {.until = "never"}}});
  const auto client = connect();
  client->send(up);
  wait(seconds(5));
  EXPECT_EQ(client->take(), down);
  EXPECT_EQ(origin.received(0), up);
}

TEST_F(TcpSessionTest, BreakOffEndsSessions) {
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "never"}}});
  const auto client = connect();
  client->send("x");
  tasks_.cancel();
  wait(milliseconds(20));
  EXPECT_EQ(sessions, 0U);
  EXPECT_TRUE(origin.was_reset(0));
  EXPECT_TRUE(client->ended && !client->closed());
}

struct FormatCase {
  AccessLogFormat format;
  const char* name;
  const char* line;
};

TEST_F(TcpSessionTest, TextFormats) {
  const ClientInfo client{.peer = Address::parse("192.0.2.9:1234").value(),
                          .local = Address::parse("192.0.2.1:443").value()};
  const Address server = Address::parse("10.0.0.1:8443").value();
  SessionRecord record{.server = &server, .status = 200};
  record.traffic = {.up = 5, .down = 99};
  const TimePoint start{std::chrono::hours(1)};
  const std::chrono::system_clock::time_point wall{milliseconds(1'709'208'000'042)};
  InputBuffer input;
  StreamPair pair = make_stream_pair(world);
  for (const FormatCase& c :
       {FormatCase{AccessLogFormat::common, "",
                   "192.0.2.9 - - [29/Feb/2024:12:00:00 +0000] \"CONNECT 192.0.2.1:443 TCP\" 200 "
                   "99\n"},
        FormatCase{AccessLogFormat::combined, "a\"b",
                   "192.0.2.9 - - [29/Feb/2024:12:00:00 +0000] \"CONNECT a\\x22b:443 TCP\" 200 99 "
                   "\"-\" \"-\"\n"},
        FormatCase{AccessLogFormat::squid, "www.example",
                   "1709208000.042     12 192.0.2.9 TCP_TUNNEL/200 99 CONNECT www.example:443 - "
                   "HIER_DIRECT/10.0.0.1 -\n"}}) {
    const StreamSession session{*pair.accepting, input, client, c.name, start};
    std::string out;
    format_session_line(out, c.format, session, record, start + milliseconds(12), wall);
    EXPECT_EQ(out, c.line);
  }
}

}  // namespace
}  // namespace penstock

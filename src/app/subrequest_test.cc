#include "app/subrequest.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/network.h"
#include "tls/tls_test.h"
#include "upstream/scripted_server_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;
using Then = ServerStep::Then;

const std::string kEnd = "\r\n\r\n";
constexpr const char* kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Answers one request on each connection, by TLS.
class TlsOrigin final : private AcceptHandler {
 public:
  TlsOrigin(SimNetwork& network, std::string_view address)
      : scope_(network.executor()),
        listener_(network.listen(Address::parse(address).value(), *this)) {}
  ~TlsOrigin() {
    listener_.reset();
    scope_.cancel();
    Executor& executor = scope_.context().executor();
    while (executor.has_ready()) executor.run_ready();
  }
  TlsOrigin(const TlsOrigin&) = delete;
  TlsOrigin& operator=(const TlsOrigin&) = delete;

  std::string received;
  std::string server_name;

 private:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    scope_.spawn(serve(*this, std::move(stream)));
  }
  static Task<void> serve(TlsOrigin& self, std::unique_ptr<ByteStream> stream) {
    TlsServerEnd end(self.context_.get(), *stream);
    if (!co_await end.handshake()) co_return;
    if (const char* name = SSL_get_servername(end.ssl(), TLSEXT_NAMETYPE_host_name)) {
      self.server_name = name;
    }
    while (!self.received.ends_with(kEnd)) {
      const auto got = co_await end.read(self.received);
      if (!got || *got == 0) co_return;
    }
    static_cast<void>(co_await end.write(kOk));
    std::string rest;
    static_cast<void>(co_await end.read(rest));
  }

  SslContextPtr context_ = make_server_context(TestCertificates::get().server);
  Scope scope_;
  std::unique_ptr<Listener> listener_;
};

class SubrequestTest : public testing::Test {
 protected:
  SubrequestTest() {
    world.set_name("a.example", {.ips = {"10.0.0.1"}});
    settings.target_retry.count = 0;
    settings.groups.push_back({.name = "g", .servers = {{.address = "10.0.0.2:80"}}});
  }
  ~SubrequestTest() override { stop(); }

  void make() {
    share.emplace(settings);
    side.emplace(network, settings, *share, 1);
    side->start(false);
    subrequests.emplace(*side, "penstock-test");
  }
  void stop() {
    if (!side) return;
    Scope scope(network.executor());
    scope.spawn(stop_all(*this));
    world.run_for({});
    EXPECT_EQ(scope.running(), 0U);
    subrequests.reset();
    side.reset();
  }
  static Task<void> stop_all(SubrequestTest& self) {
    co_await self.subrequests->stop();
    co_await self.side->stop();
  }

  static SubrequestJob job(const std::string& url) {
    SubrequestJob made;
    made.method = "GET";
    made.url = url;
    return made;
  }
  // Begins it; `result` has what comes of it.
  void begin(SubrequestJob job, const void* owner = nullptr) {
    if (!side) make();
    subrequests->start(owner, std::move(job), [this](SubrequestResult got) {
      ++done;
      result = std::move(got);
    });
  }
  const SubrequestResult& ask(SubrequestJob job) {
    const int before = done;
    begin(std::move(job));
    EXPECT_EQ(done, before) << "told from inside start()";
    world.run_for(seconds(1));
    EXPECT_EQ(done, before + 1);
    return result;
  }
  std::string error_of(SubrequestJob job) {
    const SubrequestResult& got = ask(std::move(job));
    EXPECT_EQ(got.status, 0);
    EXPECT_EQ(got.content, "");
    EXPECT_THAT(got.fields, IsEmpty());
    return got.error;
  }
  // The content of an answer of that head.
  std::string error_of_answer(const std::string& answer, std::uint64_t max_content = 100) {
    const ScriptedServer a(network, "10.0.0.1:80", {{{kEnd, answer, Then::close}}});
    SubrequestJob one = job("http://a.example/");
    one.max_content = max_content;
    ask(std::move(one));
    return result.error;
  }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings settings;
  std::optional<UpstreamShare> share;
  std::optional<ServerSide> side;
  std::optional<Subrequests> subrequests;
  SubrequestResult result;
  int done = 0;
};

TEST_F(SubrequestTest, AsksTheHostOfTheUrl) {
  const ScriptedServer a(
      network, "10.0.0.1:8080",
      {{{kEnd,
         "HTTP/1.1 203 Fine\r\nA: 1\r\na: 2\r\nConnection: X-Mine\r\nX-Mine: 1\r\n"
         "Keep-Alive: timeout=5\r\nContent-Length: 4\r\n\r\ntext"}}});
  const SubrequestResult& got = ask(job("http://A.example:8080/path?query#fragment"));
  EXPECT_EQ(a.received(0),
            "GET /path?query HTTP/1.1\r\nHost: a.example:8080\r\nVia: 1.1 penstock-test\r\n\r\n");
  EXPECT_EQ(got.status, 203);
  EXPECT_EQ(got.error, "");
  EXPECT_EQ(got.content, "text");
  EXPECT_THAT(got.fields, ElementsAre(Pair("A", "1"), Pair("a", "2"), Pair("Content-Length", "4")));
}

TEST_F(SubrequestTest, SendsContentAndFieldsOfTheModule) {
  const ScriptedServer a(network, "10.0.0.1:80", {{{"text", kOk}}});
  SubrequestJob one = job("http://a.example/");
  one.method = "POST";
  one.fields = {{"User-Agent", "mine/1"},   {"X-One", " 1 "},
                {"Via", "1.1 before"},      {"Connection", "X-One"},
                {"TE", "trailers"},         {"Transfer-Encoding", "chunked"},
                {"Content-Length", "99"},   {"Upgrade", "other"},
                {"Expect", "100-continue"}, {"X-One", "2"}};
  one.content = "text";
  EXPECT_EQ(ask(std::move(one)).status, 200);
  EXPECT_EQ(a.received(0),
            "POST / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: mine/1\r\nX-One: 1\r\n"
            "Via: 1.1 before\r\nX-One: 2\r\nVia: 1.1 penstock-test\r\nContent-Length: 4\r\n\r\n"
            "text");
}

TEST_F(SubrequestTest, AsksAGroup) {
  const ScriptedServer b(network, "10.0.0.2:80", {{{kEnd, kOk}, {kEnd, kOk}}});
  SubrequestJob one = job("http://whoever/path");
  one.upstream = "g";
  EXPECT_EQ(ask(one).content, "ok");
  EXPECT_THAT(b.received(0), StartsWith("GET /path HTTP/1.1\r\nHost: whoever\r\n"));
  one.fields = {{"Host", "someone.else:81"}};
  EXPECT_EQ(ask(one).content, "ok");
  EXPECT_THAT(b.received(0), HasSubstr("Host: someone.else:81\r\n"));
  EXPECT_EQ(b.connections(), 1U);
  one.upstream = "none";
  EXPECT_EQ(error_of(one), "no_such_upstream");
}

TEST_F(SubrequestTest, AsksByTls) {
  TlsOrigin a(network, "10.0.0.1:443");
  EXPECT_EQ(error_of(job("https://a.example/")), "tls_unavailable");
  stop();
  settings.target_tls = TlsClientSettings{.insecure = true};
  make();
  EXPECT_EQ(ask(job("https://a.example/")).content, "ok");
  EXPECT_EQ(a.server_name, "a.example");
  EXPECT_THAT(a.received, StartsWith("GET / HTTP/1.1\r\nHost: a.example\r\n"));
}

TEST_F(SubrequestTest, ACertificateIsVerified) {
  const TlsOrigin a(network, "10.0.0.1:443");
  settings.target_tls = TlsClientSettings{};
  EXPECT_EQ(error_of(job("https://a.example/")), "tls_certificate_error");
}

TEST_F(SubrequestTest, HeadHasNoContent) {
  const ScriptedServer a(network, "10.0.0.1:80",
                         {{{kEnd, "HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n"}}});
  SubrequestJob one = job("http://a.example/");
  one.method = "HEAD";
  EXPECT_EQ(ask(one).status, 200);
  EXPECT_EQ(result.content, "");
  EXPECT_THAT(result.fields, ElementsAre(Pair("Content-Length", "5000000")));
}

TEST_F(SubrequestTest, NoRedirectIsFollowedAndInterimResponsesAreLeftOut) {
  const ScriptedServer a(
      network, "10.0.0.1:80",
      {{{kEnd,
         "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
         "HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\nContent-Length: 0\r\n\r\n"}}});
  EXPECT_EQ(ask(job("http://a.example/")).status, 302);
  EXPECT_THAT(result.fields, Not(testing::Contains(Pair("Link", "x"))));
}

TEST_F(SubrequestTest, WhatCannotBeSentIsRefused) {
  for (const char* const url : {"", "/path", "ftp://a.example/", "http://", "http://a b/",
                                "http://u:p@a.example/", "http://a.example/\r\nX: y"}) {
    EXPECT_EQ(error_of(job(url)), "invalid_url") << url;
  }
  for (const char* const method : {"", "CONNECT", "GET /", "G\r\n"}) {
    SubrequestJob one = job("http://a.example/");
    one.method = method;
    EXPECT_EQ(error_of(one), "invalid_method") << method;
  }
  const std::vector<std::pair<std::string, std::string>> fields = {
      {"", "x"}, {"A b", "x"}, {"A", "x\r\nB: y"}, {"A", std::string("x\0", 2)}, {"Host", "a b"}};
  for (const auto& field : fields) {
    SubrequestJob one = job("http://a.example/");
    one.fields = {field};
    EXPECT_EQ(error_of(one), "invalid_field") << field.first;
  }
  SubrequestJob two_hosts = job("http://a.example/");
  two_hosts.fields = {{"Host", "a"}, {"host", "b"}};
  EXPECT_EQ(error_of(two_hosts), "invalid_field");
  EXPECT_EQ(world.connections_made(), 0U);
}

TEST_F(SubrequestTest, FailuresHaveTheNamesOfProxyStatus) {
  EXPECT_EQ(error_of(job("http://nowhere.example/")), "dns_error");
  EXPECT_EQ(error_of(job("http://a.example:81/")), "connection_refused");
  EXPECT_EQ(error_of_answer(""), "connection_terminated");
  EXPECT_EQ(error_of_answer("SSH-2.0\r\n\r\n"), "http_protocol_error");
  EXPECT_EQ(error_of_answer("HTTP/1.1 101 Yes\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
            "http_protocol_error");
}

TEST_F(SubrequestTest, ContentThatIsCutIsNoContent) {
  EXPECT_EQ(error_of_answer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ntext"),
            "http_response_incomplete");
  EXPECT_EQ(result.status, 0);
  EXPECT_EQ(result.content, "");
}

TEST_F(SubrequestTest, OnlySoMuchContentIsKept) {
  EXPECT_EQ(error_of_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345", 5), "");
  EXPECT_EQ(result.content, "12345");
  EXPECT_EQ(error_of_answer("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n123456", 5), "too_large");
  EXPECT_EQ(error_of_answer("HTTP/1.1 200 OK\r\n\r\n12345", 5), "");
  EXPECT_EQ(error_of_answer("HTTP/1.1 200 OK\r\n\r\n123456", 5), "too_large");
  EXPECT_EQ(error_of_answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "3\r\n123\r\n3\r\n456\r\n0\r\n\r\n",
                            5),
            "too_large");
}

TEST_F(SubrequestTest, TheTimeIsForAllOfIt) {
  const ScriptedServer a(network, "10.0.0.1:80",
                         {{{kEnd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\ntext"}}});
  SubrequestJob one = job("http://a.example/");
  one.timeout_ms = 500;
  begin(one);
  world.run_for(milliseconds(499));
  EXPECT_EQ(done, 0);
  world.run_for(milliseconds(2));
  EXPECT_EQ(done, 1);
  EXPECT_EQ(result.error, "timed_out");
  EXPECT_TRUE(a.end(0)) << "its connection was to be closed";
  one.timeout_ms = UINT64_MAX;
  begin(one);
  world.run_for(seconds(30));
  EXPECT_EQ(done, 1);
}

TEST_F(SubrequestTest, AnOwnersAreCancelledAndNoOthers) {
  const ScriptedServer a(network, "10.0.0.1:80", {{{kEnd, ""}}});
  const int one = 0;
  const int other = 0;
  begin(job("http://a.example/"), &one);
  world.run_for(seconds(1));
  begin(job("http://a.example/"), &one);  // has not begun yet
  begin(job("http://a.example/"), &other);
  subrequests->cancel(&one);
  EXPECT_EQ(done, 0);
  world.run_for(milliseconds(1));
  EXPECT_EQ(done, 2);
  EXPECT_EQ(result.error, "cancelled");
  subrequests->cancel(&one);
  world.run_for(seconds(1));
  EXPECT_EQ(done, 2);
}

TEST_F(SubrequestTest, StoppingEndsAll) {
  const ScriptedServer a(network, "10.0.0.1:80", {{{kEnd, ""}}});
  begin(job("http://a.example/"));
  begin(job("http://slow.example/"));
  world.run_for(milliseconds(100));
  Scope scope(network.executor());
  const auto stop_it = [](Subrequests& all) -> Task<void> { co_await all.stop(); };
  scope.spawn(stop_it(*subrequests));
  world.run_for({});
  EXPECT_EQ(scope.running(), 0U);
  EXPECT_EQ(done, 2);
  EXPECT_EQ(result.error, "cancelled");
  result = {};
  begin(job("http://a.example/"));
  EXPECT_EQ(done, 3);
  EXPECT_EQ(result.error, "cancelled");
}

// Done may begin the next one, and cancel what is under way.
TEST_F(SubrequestTest, DoneMayGoOn) {
  const ScriptedServer a(network, "10.0.0.1:80", {{{kEnd, kOk}, {kEnd, kOk}}});
  make();
  const int owner = 0;
  std::vector<std::string> seen;
  subrequests->start(&owner, job("http://a.example/1"), [&](const SubrequestResult& first) {
    seen.push_back(first.content);
    subrequests->cancel(&owner);
    subrequests->start(&owner, job("http://a.example/2"),
                       [&](const SubrequestResult& second) { seen.push_back(second.content); });
  });
  world.run_for(seconds(1));
  EXPECT_THAT(seen, ElementsAre("ok", "ok"));
  EXPECT_EQ(a.connections(), 1U);
}

TEST_F(SubrequestTest, AreRepeatedAsConfigured) {
  settings.target_retry.count = 1;
  const ScriptedServer a(network, "10.0.0.1:80", {{{kEnd, "", Then::close}}, {{kEnd, kOk}}});
  EXPECT_EQ(ask(job("http://a.example/")).content, "ok");
  EXPECT_EQ(a.connections(), 2U);
}

}  // namespace
}  // namespace penstock

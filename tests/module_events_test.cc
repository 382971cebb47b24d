// What modules are called for, in which order, and that what they leave is freed once: over
// HTTP/1.1 and HTTP/2, for whatever becomes of a transaction.
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "proxy/http2_client_test.h"
#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using http2::RawPeer;
using http2::Received;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kHead = "request_head request_complete cache_lookup before_connect ";
const std::string kUpload = "request_head cache_lookup before_connect ";
const std::string kOkResponse = "response_head response_body:2 response_complete ";
const std::string kLast = "logged free";

class ModuleEvents : public ModuleTest {
 protected:
  void TearDown() override {
    http2_.close();
    ModuleTest::TearDown();
  }
  RawPeer& http2() { return http2_.peer(handler(), listener, server_settings); }

  Recorder recorder;

 private:
  Http2Client http2_{world};
};

// A request and what the server says to it.
struct Exchange {
  const char* name;
  std::string request;  // of HTTP/1.1
  std::string until;    // what the server waits for
  std::string response;
  std::string events;
  std::string ends_with = "ok";  // of what the client gets
};

std::vector<Exchange> exchanges() {
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  return {
      {"GET", kGet, kEnd, kOk, kHead + kOkResponse + kLast},
      {"an upload with length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
       "hello", kOk, kUpload + "request_body:5 request_complete " + kOkResponse + kLast},
      {"an upload of no bytes", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", kEnd,
       kOk, kHead + kOkResponse + kLast},
      {"a chunked upload",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"
       "0\r\n\r\n",
       "0\r\n\r\n", kOk,
       kUpload + "request_body:3 request_body:2 request_complete " + kOkResponse + kLast},
      {"a chunked upload of no bytes",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "0\r\n\r\n",
       kOk, kUpload + "request_complete " + kOkResponse + kLast},
      {"an upload that waits for 100",
       "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
       "hello", kOk, kUpload + "request_body:5 request_complete " + kOkResponse + kLast},
      {"a chunked response", kGet, kEnd, chunked + "2\r\nok\r\n0\r\n\r\n",
       kHead + kOkResponse + kLast, "2\r\nok\r\n0\r\n\r\n"},
      {"a chunked response in two pieces", kGet, kEnd,
       chunked + "1\r\no\r\n1\r\nk\r\n0\r\nX-Sum: 1\r\n\r\n",
       kHead + "response_head response_body:1 response_body:1 response_complete " + kLast,
       "0\r\nX-Sum: 1\r\n\r\n"},
      {"a chunked response of no bytes", kGet, kEnd, chunked + "0\r\n\r\n",
       kHead + "response_head response_complete " + kLast, "0\r\n\r\n"},
      {"a response of no bytes", kGet, kEnd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
       kHead + "response_head response_complete " + kLast, kEnd},
      {"HEAD", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", kEnd,
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
       kHead + "response_head response_complete " + kLast, kEnd},
      {"204", kGet, kEnd, "HTTP/1.1 204 No Content\r\n\r\n",
       kHead + "response_head response_complete " + kLast, kEnd},
      {"304", kGet, kEnd, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n",
       kHead + "response_head response_complete " + kLast, kEnd},
      {"1xx before the response", kGet, kEnd,
       "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + kOk,
       kHead + kOkResponse + kLast},
      {"a response before the upload has ended",
       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "he",
       "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nok",
       kUpload + "request_body:2 " + kOkResponse + kLast},
      {"what has no routes", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", kEnd, kOk, "nothing",
       ""},
      {"what is malformed", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", kEnd, kOk, "nothing",
       ""},
      {"what is for the proxy itself", "TRACE / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 0\r\n\r\n",
       kEnd, kOk, "nothing", ""},
  };
}

TEST_F(ModuleEvents, OfEachKindOfExchange) {
  Recorder* seen = nullptr;
  for (const Exchange& one : exchanges()) {
    SCOPED_TRACE(one.name);
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80",
                                {{{.until = one.until, .answer = one.response}}});
    Recorder own;
    seen = &own;
    ModuleHost host_of_one(world);
    host_of_one.add(own.module(), seen);
    filters.current = host_of_one.make_set();
    const std::string answer = ask(one.request);
    EXPECT_TRUE(answer.ends_with(one.ends_with)) << answer;
    EXPECT_EQ(own.events(0), one.events);
    EXPECT_LE(own.transactions(), 1U);
    filters.current.reset();
  }
}

TEST_F(ModuleEvents, WhatIsSeenIsWhatWasSent) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = "0\r\nX-Sum: 1", .answer = kOk}}});
  add(recorder);
  std::string trailer;
  recorder.on(request_complete, [&trailer](const Call& call) {
    trailer = call.field(PENSTOCK_REQUEST_TRAILERS, "x-sum");
    return PENSTOCK_CONTINUE;
  });
  ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_EQ(recorder.request_content(0), "hello");
  EXPECT_EQ(recorder.response_content(0), "ok");
  EXPECT_EQ(trailer, "1");
}

TEST_F(ModuleEvents, OfPipelinedRequests) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {ServerScript(3, {.until = kEnd, .answer = kOk})});
  add(recorder);
  std::vector<std::int64_t> numbers;
  recorder.on(request_head, [&numbers](const Call& call) {
    numbers.push_back(call.number(PENSTOCK_REQUEST_NUMBER));
    return PENSTOCK_CONTINUE;
  });
  ask(kGet + kGet + kGet);
  ASSERT_EQ(recorder.transactions(), 3U);
  EXPECT_EQ(recorder.open(), 0U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(recorder.events(i), kHead + kOkResponse + kLast);
    EXPECT_EQ(recorder.id(i), recorder.id(0) + i);
  }
  EXPECT_EQ(numbers, (std::vector<std::int64_t>{1, 2, 3}));
}

TEST_F(ModuleEvents, OfRequestsOneAfterTheOtherOnTheirConnection) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {ServerScript(3, {.until = kEnd, .answer = kOk})});
  add(recorder);
  const auto client = connect();
  for (std::size_t i = 0; i < 3; ++i) {
    client->send(kGet);
    // The last is over when the response has gone, not when the connection ends.
    EXPECT_EQ(recorder.events(i), kHead + kOkResponse + kLast);
  }
}

// What was sent again is one transaction, and its content is shown once.
TEST_F(ModuleEvents, OfARequestThatIsSentAgain) {
  const ServerScript closes = {{.until = "hello", .then = Then::close}};
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {closes, closes, {{.until = "hello", .answer = kOk}}});
  add(recorder);
  EXPECT_TRUE(ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").ends_with("ok"));
  EXPECT_EQ(origin.connections(), 3U);
  EXPECT_EQ(recorder.only_events(),
            kUpload + "request_body:5 request_complete " + kOkResponse + kLast);
}

TEST_F(ModuleEvents, OfConnect) {
  be_forward();
  ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "ping", .answer = "pong"}}});
  add(recorder);
  {
    const auto client = connect();
    client->send("CONNECT origin.example:443 HTTP/1.1\r\nHost: origin.example:443\r\n\r\n");
    client->send("ping");
    EXPECT_TRUE(client->take().ends_with("pong"));
    // CONNECT has no content, and the cache is not asked; the tunnel's bytes are none of theirs.
    EXPECT_EQ(recorder.only_events(), "request_head request_complete before_connect");
    client->end();
    wait(seconds(1));
  }
  EXPECT_EQ(recorder.only_events(), "request_head request_complete before_connect " + kLast);
}

TEST_F(ModuleEvents, OfAnUpgrade) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd,
         .answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                   "Upgrade: x\r\n\r\nfirst"},
        {.until = "ping", .answer = "pong"}}});
  add(recorder);
  {
    const auto client = connect();
    client->send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    client->send("ping");
    EXPECT_TRUE(client->take().ends_with("firstpong"));
    client->end();
    wait(seconds(1));
  }
  EXPECT_EQ(recorder.only_events(), kHead + kLast);
}

TEST_F(ModuleEvents, WhereThereIsNoServer) {
  add(recorder);
  EXPECT_EQ(status_of(ask(kGet)), "502");
  EXPECT_EQ(recorder.only_events(), kHead + kLast);
}

// What a client or server does in the middle of an exchange, and what is called until then.
struct Cut {
  const char* name;
  std::string request;
  ServerScript script;
  std::string events;
};

std::vector<Cut> cuts() {
  const std::string upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok";
  const std::string half_chunked =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
  const std::string until_half = kHead + "response_head response_body:2 " + kLast;
  return {
      {"silence after the head", kGet, {{.until = kEnd}}, kHead + kLast},
      {"reset after the head",
       "POST" + kGet.substr(3),
       {{.until = kEnd, .then = Then::reset}},
       kHead + kLast},
      {"closed after the head",
       "POST" + kGet.substr(3),
       {{.until = kEnd, .then = Then::close}},
       kHead + kLast},
      {"closed within the response's head",
       kGet,
       {{.until = kEnd, .answer = "HTTP/1.1 200 O", .then = Then::close}},
       kHead + kLast},
      {"closed within the content",
       kGet,
       {{.until = kEnd, .answer = half, .then = Then::close}},
       until_half},
      {"closed within chunks",
       kGet,
       {{.until = kEnd, .answer = half_chunked, .then = Then::close}},
       until_half},
      {"wrong chunks", kGet, {{.until = kEnd, .answer = half_chunked + "zz\r\n"}}, until_half},
      {"stalls within the content", kGet, {{.until = kEnd, .answer = half}}, until_half},
      {"a response that is none",
       kGet,
       {{.until = kEnd, .answer = "SSH-2.0\r\n\r\n"}},
       kHead + kLast},
      {"an upload that stalls",
       upload + "he",
       {{.until = "hello"}},
       kUpload + "request_body:2 " + kLast},
      {"an upload with wrong chunks",
       "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\nzz\r\n",
       {{.until = "hello"}},
       kUpload + "request_body:2 " + kLast},
  };
}

TEST_F(ModuleEvents, WhenServersFail) {
  for (const Cut& one : cuts()) {
    SCOPED_TRACE(one.name);
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80", {one.script});
    Recorder own;
    ModuleHost host_of_one(world);
    host_of_one.add(own.module(), &own);
    filters.current = host_of_one.make_set();
    ask(one.request, upstream.stall + server_settings.stall + seconds(10));
    EXPECT_EQ(own.only_events(), one.events);
    filters.current.reset();
  }
}

// The client leaves, in an orderly way or not, at each step.
TEST_F(ModuleEvents, WhenClientsLeave) {
  struct Step {
    const char* name;
    std::string request;
    ServerScript script;
    std::string events;
  };
  const std::string upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  const Step steps[] = {
      {"before the response", kGet, {{.until = kEnd}}, kHead + kLast},
      {"within the upload", upload + "he", {{.until = kEnd}}, kUpload + "request_body:2 " + kLast},
      {"within the response",
       kGet,
       {{.until = kEnd, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok"}},
       kHead + "response_head response_body:2 " + kLast}};
  for (const Step& step : steps) {
    SCOPED_TRACE(step.name);
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80", {step.script});
    Recorder own;
    ModuleHost host_of_one(world);
    host_of_one.add(own.module(), &own);
    filters.current = host_of_one.make_set();
    const auto client = connect();
    client->send(step.request);
    EXPECT_EQ(own.open(), 1U);
    client->reset();
    wait(seconds(1));
    EXPECT_EQ(own.only_events(), step.events);
    filters.current.reset();
  }
}

TEST_F(ModuleEvents, OverHttp2) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = "0\r\n\r\n",
                                 .answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                           "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"}}});
  add(recorder);
  http2().send(RawPeer::headers(1, RawPeer::request("POST", "/x"), false));
  http2().send(RawPeer::data(1, "hel", false));
  http2().send(RawPeer::data(1, "lo", true), seconds(1));
  EXPECT_EQ(http2()[1].content, "ok");
  EXPECT_EQ(recorder.only_events(),
            kUpload + "request_body:3 request_body:2 request_complete " + kOkResponse + kLast);
}

TEST_F(ModuleEvents, OfStreamsSideBySide) {
  const ServerScript slow = {{.until = kEnd}};
  ScriptedServer origin(network, "10.0.0.1:80", {slow});
  add(recorder);
  for (const int id : {1, 3, 5}) {
    http2().send(RawPeer::headers(id, RawPeer::request("GET", "/x"), true), milliseconds(50));
  }
  ASSERT_EQ(recorder.open(), 3U);
  // One is reset, one answered, the last one cut with the connection.
  http2().send(RawPeer::reset_frame(1, NGHTTP2_CANCEL), milliseconds(50));
  EXPECT_EQ(recorder.events(0), kHead + kLast);
  origin.say(1, kOk);
  wait(milliseconds(50));
  EXPECT_EQ(http2()[3].content, "ok");
  EXPECT_EQ(recorder.events(1), kHead + kOkResponse + kLast);
  EXPECT_EQ(recorder.open(), 1U);
  http2().close();
  wait(milliseconds(50));
  EXPECT_EQ(recorder.events(2), kHead + kLast);
}

TEST_F(ModuleEvents, WhenAStreamIsResetWithinItsUpload) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "hello"}}});
  add(recorder);
  http2().send(RawPeer::headers(1, RawPeer::request("POST", "/x"), false));
  http2().send(RawPeer::data(1, "he", false));
  http2().send(RawPeer::reset_frame(1, NGHTTP2_CANCEL), milliseconds(50));
  EXPECT_EQ(recorder.only_events(), kUpload + "request_body:2 " + kLast);
}

// All that is under way when the proxy ends.
TEST_F(ModuleEvents, WhenTheProxyEnds) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "never"}}});
  add(recorder);
  const auto client = connect();
  client->send(kGet);
  EXPECT_EQ(recorder.open(), 1U);
  stop();
  EXPECT_EQ(recorder.only_events(), kHead + kLast);
}

// New transactions get new modules, those under way keep theirs.
TEST_F(ModuleEvents, WhenTheFiltersAreExchanged) {
  ScriptedServer origin(network, "10.0.0.1:80", {ServerScript(1, {.until = kEnd})});
  add(recorder);
  const auto client = connect();
  client->send(kGet);
  filters.current.reset();
  origin.say(0, kOk);
  wait(milliseconds(50));
  client->send(kGet);
  origin.say(0, kOk);
  wait(milliseconds(50));
  const std::string answers = client->take();
  EXPECT_TRUE(answers.ends_with("ok")) << answers;
  EXPECT_LT(answers.find("ok"), answers.rfind("HTTP/1.1 200"));
  EXPECT_EQ(recorder.only_events(), kHead + kOkResponse + kLast);
}

}  // namespace
}  // namespace penstock::module_test

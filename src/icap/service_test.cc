#include "icap/service.h"

#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "icap/service_worlds_test.h"

namespace penstock::icap {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Lines = std::vector<std::string>;
using Then = ServerStep::Then;

// ---- Settings.

TEST(ServiceGroupTest, ServersAreThoseOfTheUrl) {
  const auto address_of = [](const char* url) {
    ServiceSettings settings;
    settings.url = url;
    const auto group = group_settings_of(settings);
    EXPECT_EQ(group.servers.size(), 1U);
    return group.servers.front().address;
  };
  EXPECT_EQ(address_of("icap://Scan.Test/x"), "scan.test:1344");
  EXPECT_EQ(address_of("icap://scan.test:99/x"), "scan.test:99");
  EXPECT_EQ(address_of("icaps://scan.test"), "scan.test:11344");
  EXPECT_EQ(address_of("icap://[::1]/x"), "[::1]:1344");
  EXPECT_EQ(address_of("icaps://[::1]:5/x"), "[::1]:5");
}

TEST(ServiceGroupTest, ServersOfTheSettings) {
  ServiceSettings settings;
  settings.name = "av";
  settings.url = "icaps://scan.test/x";
  settings.servers = {"a.test", "b.test:1", "[::1]", "[::1]:2", "unix:/run/x"};
  settings.max_connections = 7;
  settings.pool.max_idle = 3;
  const auto group = group_settings_of(settings);
  EXPECT_EQ(group.name, "icap:av");
  std::vector<std::string> servers;
  for (const ServerEntry& server : group.servers) servers.push_back(server.address);
  EXPECT_EQ(servers, (Lines{"a.test:11344", "b.test:1", "[::1]:11344", "[::1]:2", "unix:/run/x"}));
  EXPECT_EQ(group.max_connections, 7U);
  EXPECT_EQ(group.pool.max_idle, 3U);
  EXPECT_EQ(group.queue.timeout, settings.queue.timeout);
  ASSERT_TRUE(group.tls);
  EXPECT_EQ(group.tls->server_name, "scan.test");
}

TEST(ServiceGroupTest, TlsIsForIcaps) {
  ServiceSettings settings;
  settings.url = "icaps://scan.test/x";
  settings.tls = TlsClientSettings{.ca_file = "ca.pem", .server_name = "other.test"};
  EXPECT_EQ(group_settings_of(settings).tls, settings.tls);
  settings.url = "icap://scan.test/x";
  EXPECT_FALSE(group_settings_of(settings).tls);
}

// ---- OPTIONS.

TEST_F(ServiceTest, TheFirstMessageWaits) {
  const auto server = serve(options_answer());
  const Asked first = ask();
  const Asked second = ask();
  EXPECT_FALSE(first->knows);
  wait(milliseconds(20));
  ASSERT_TRUE(first->options);
  EXPECT_EQ((*first->options)->preview, 1024U);
  EXPECT_EQ(*first->options, *second->options);
  EXPECT_EQ(server->received(0),
            "OPTIONS icap://10.0.0.1/s ICAP/1.0\r\nHost: 10.0.0.1\r\nAllow: 204, 206\r\n\r\n");
  ASSERT_TRUE(first->lease);
  EXPECT_TRUE(first->lease->reused());  // that of the lookup
  const Asked third = ask();
  EXPECT_TRUE(third->knows);  // without having to wait
  EXPECT_EQ(lookups(*server), 1U);
}

TEST_F(ServiceTest, WorkersShareALookup) {
  const auto server = serve(options_answer());
  worker(2);
  const Asked first = ask(0);
  const Asked second = ask(1);
  wait(milliseconds(20));
  ASSERT_TRUE(first->options);
  ASSERT_TRUE(second->options);
  EXPECT_NE(*first->options, *second->options);  // a copy of each worker's own
  EXPECT_EQ((*second->options)->preview, 1024U);
  EXPECT_EQ(lookups(*server), 1U);
  EXPECT_TRUE(get(2)->options);
}

TEST_F(ServiceTest, AMessageThatIsGivenUpHarmsNobody) {
  const auto server = serve(options_answer());
  const Asked first = ask();
  first->scope.cancel();
  wait(milliseconds(20));
  EXPECT_TRUE(first->done);
  EXPECT_EQ(first->fault(), Fault::cancelled);
  EXPECT_EQ(share->generation(), 1U);
}

TEST_F(ServiceTest, IsAskedAnewUnderLoadWithoutAnybodyWaiting) {
  const auto server = serve(options_answer("Options-TTL: 1\r\n"));
  get()->give_back();
  for (int i = 0; i < 100; ++i) {
    const Asked message = ask(0, false);
    EXPECT_TRUE(message->knows);
    wait(milliseconds(100));
  }
  EXPECT_GE(lookups(*server), 9U);
  EXPECT_LE(lookups(*server), 12U);
  EXPECT_EQ(server->connections(), 1U);
}

TEST_F(ServiceTest, OptBodyIsSkipped) {
  const auto server = serve(
      "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\nISTag: a\r\nOptions-TTL: 5\r\n"
      "Encapsulated: opt-body=0\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
  const Asked message = get();
  ASSERT_TRUE(message->options);
  EXPECT_TRUE((*message->options)->reqmod);
  EXPECT_FALSE((*message->options)->respmod);
  ASSERT_TRUE(message->lease);
  EXPECT_TRUE(message->lease->reused());
}

// What follows the answer must never answer the next request.
TEST_F(ServiceTest, ConnectionsThatAreNotClean) {
  const std::string answers[] = {
      options_answer() + "ICAP/1.0 204 Unmodified\r\n\r\n", options_answer("Connection: close\r\n"),
      "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\nEncapsulated: opt-body=0\r\n\r\nno chunk\r\n",
      "ICAP/1.0 200 OK\r\nMethods: REQMOD\r\nEncapsulated: opt-body=0\r\n\r\n100000\r\n" +
          std::string(100'000, 'x')};
  for (const std::string& answer : answers) {
    const auto server = serve(answer);
    const Asked message = get();
    ASSERT_TRUE(message->options);
    ASSERT_TRUE(message->lease);
    EXPECT_FALSE(message->lease->reused());
    message->drop();
    workers.clear();
    share.reset();
  }
}

TEST_F(ServiceTest, MethodsThatAreNotNamedAreBoth) {
  const auto server = serve("ICAP/1.0 200 OK\r\nISTag: a\r\n\r\n");
  const Asked message = get();
  ASSERT_TRUE(message->options);
  EXPECT_TRUE((*message->options)->reqmod);
  EXPECT_TRUE((*message->options)->respmod);
  EXPECT_EQ(log.take_lines(), (Lines{"info  icap:s: tolerated in its answers: " +
                                     to_string((*message->options)->quirks)}));
}

struct SenselessCase {
  const char* answer;
  const char* why;
};

TEST_F(ServiceTest, AnswersWithoutSenseAreTolerated) {
  const SenselessCase cases[] = {
      {"ICAP/1.0 501 Not Implemented\r\n\r\n", "the status is an error 501"},
      {"ICAP/1.0 405 Method Not Allowed\r\n\r\n", "the status is an error 405"},
      {"ICAP/1.0 505 Version Not Supported\r\n\r\n", "the status is an error 505"},
      {"ICAP/1.0 400 Bad Request\r\n\r\n", "the status is an error 400"}};
  Lines expected;
  for (const SenselessCase& one : cases) {
    SCOPED_TRACE(one.answer);
    const auto server = serve(one.answer);
    const Asked message = get();
    ASSERT_TRUE(message->options);
    EXPECT_TRUE((*message->options)->respmod);
    EXPECT_FALSE((*message->options)->preview);
    EXPECT_FALSE((*message->options)->allow_204);
    EXPECT_TRUE(message->lease);
    message->drop();
    wait(seconds(200));
    EXPECT_GE(lookups(*server), 4U);
    workers.clear();
    share.reset();
    expected.push_back(fmt::format(
        "warn  icap:s: no answer to OPTIONS that makes sense ({}): it gets no previews", one.why));
  }
  EXPECT_EQ(log.take_lines(), expected);
}

TEST_F(ServiceTest, AnswersThatSayThatThereIsNoService) {
  for (const char* answer : {"ICAP/1.0 404 Service not found\r\nConnection: close\r\n\r\n",
                             "ICAP/1.0 503 Busy\r\n\r\n", "ICAP/1.0 500 Server Error\r\n\r\n",
                             "ICAP/1.0 100 Continue\r\n\r\nICAP/1.0 100 Continue\r\n\r\n",
                             "HTTP/1.1 400 Bad Request\r\n\r\n"}) {
    const auto server = serve(answer);
    EXPECT_EQ(get()->fault(), Fault::down);
    workers.clear();
    share.reset();
  }
}

TEST_F(ServiceTest, AStrayContinueIsIgnored) {
  const auto server = serve("ICAP/1.0 100 Continue\r\n\r\n" + options_answer());
  const Asked message = get();
  ASSERT_TRUE(message->options);
  EXPECT_EQ((*message->options)->preview, 1024U);
}

TEST_F(ServiceTest, SilenceIsBounded) {
  settings.timeout = seconds(3);
  settings.servers = {"10.0.0.1", "10.0.0.2"};
  ScriptedServer one(network, "10.0.0.1:1344", {{}});
  // A byte now and then is no answer either.
  ScriptedServer two(network, "10.0.0.2:1344", {{}});
  int two_said = 0;
  for (int i = 1; i < 40; ++i) {
    world.call_at(world.now() + i * milliseconds(200), [&two, &two_said] {
      if (two.connections() > 0) two.say(0, two_said++ == 0 ? "ICAP/1.0 200 OK\r\nX: " : "x");
    });
  }
  const Asked message = ask();
  wait(milliseconds(6500));
  EXPECT_TRUE(message->done);
  EXPECT_EQ(message->fault(), Fault::down);
  EXPECT_EQ(one.connections() + two.connections(), 2U);
}

// An idle connection that died is no failure.
TEST_F(ServiceTest, LookupOnAConnectionThatHasDied) {
  const std::string answer = options_answer("Options-TTL: 10\r\n");
  ScriptedServer server(network, "10.0.0.1:1344",
                        {{{.until = "\r\n\r\n", .answer = answer},
                          {.until = "\r\n\r\n", .answer = "", .then = Then::close}},
                         {{.until = "\r\n\r\n", .answer = answer}}});
  get()->give_back();
  wait(seconds(10));
  EXPECT_EQ(server.connections(), 2U);
  EXPECT_EQ(share->generation(), 2U);
  EXPECT_EQ(log.take_lines(), Lines());
}

TEST_F(ServiceTest, AnotherServerIsAskedWhereOneFails) {
  settings.servers = {"10.0.0.1", "10.0.0.2"};
  for (const auto then : {Then::close, Then::reset}) {
    ScriptedServer one(network, "10.0.0.1:1344", {{{.until = "\r\n\r\n", .then = then}}});
    const auto two = serve(options_answer(), "10.0.0.2:1344");
    EXPECT_FALSE(get()->fault());
    EXPECT_EQ(lookups(*two), 1U);
    workers.clear();
    share.reset();
  }
}

// ---- Down and up again.

TEST_F(ServiceTest, DownAtFirst) {
  const Asked first = get();
  EXPECT_EQ(first->fault(), Fault::down);
  const Asked second = ask();
  EXPECT_TRUE(second->done);  // at once
  wait(seconds(30));
  const auto server = serve(options_answer());
  wait(seconds(60));
  EXPECT_FALSE(get()->fault());
  EXPECT_EQ(log.take_lines(),
            (Lines{"warn  icap:s: down (refused): it gets no messages until it answers OPTIONS",
                   "info  icap:s: works again"}));
}

TEST_F(ServiceTest, OneProberOfAllWorkers) {
  const ScriptedServer server(network, "10.0.0.1:1344", {{{.until = "\r\n", .then = Then::close}}});
  worker(3);
  wait(milliseconds(20));
  EXPECT_TRUE(share->down());
  EXPECT_EQ(server.connections(), 1U);
  wait(seconds(29));
  // After about 1, 3, 7 and 15 s, a little less each time; perhaps after 29.
  EXPECT_GE(server.connections(), 5U);
  EXPECT_LE(server.connections(), 6U);
}

TEST_F(ServiceTest, MessagesThatFailTakeItDown) {
  settings.breaker.failures = 3;
  const auto server = serve(options_answer());
  const Asked message = get();
  ASSERT_FALSE(message->fault());
  Service& service = worker().service;
  service.note_failure({.fault = Fault::timed_out}, message->choice);
  service.note_failure({.fault = Fault::status, .status = 500}, message->choice);
  // Those that say nothing of the service.
  for (const Fault fault :
       {Fault::cancelled, Fault::source, Fault::unsendable, Fault::not_kept, Fault::wrong_length,
        Fault::down, Fault::overloaded, Fault::no_method}) {
    for (int i = 0; i < 3; ++i) service.note_failure({.fault = fault}, message->choice);
  }
  for (int i = 0; i < 3; ++i) {
    service.note_failure({.fault = Fault::connection, .was_stale = true}, message->choice);
    service.note_failure({.fault = Fault::status, .status = 418}, message->choice);
    service.note_failure({.fault = Fault::malformed, .problem = Problem::adapted_head_refused},
                         message->choice);
  }
  EXPECT_FALSE(share->down());
  service.note_failure({.fault = Fault::malformed, .problem = Problem::not_icap}, message->choice);
  EXPECT_TRUE(share->down());
  EXPECT_EQ(get(1)->fault(), Fault::down);
  wait(seconds(2));
  EXPECT_EQ(lookups(*server), 2U);
  EXPECT_FALSE(get(1)->fault());
  EXPECT_EQ(log.take_lines(),
            (Lines{"warn  icap:s: down (the answer does not begin with ICAP/): it gets no messages "
                   "until it answers OPTIONS",
                   "info  icap:s: works again"}));
}

// Old connections may lead nowhere when new ones work again.
TEST_F(ServiceTest, ProbesAreMadeOnNewConnections) {
  settings.breaker.failures = 1;
  const std::string answer = options_answer();
  const ScriptedServer server(
      network, "10.0.0.1:1344",
      {{{.until = "\r\n\r\n", .answer = answer}}, {{.until = "\r\n\r\n", .answer = answer}}});
  const Asked message = get();
  worker().service.note_failure({.fault = Fault::timed_out}, message->choice);
  message->give_back();
  EXPECT_TRUE(share->down());
  wait(seconds(2));
  EXPECT_FALSE(share->down());
  EXPECT_EQ(server.connections(), 2U);
}

TEST_F(ServiceTest, GoneForAWhile) {
  auto server = serve(options_answer("Options-TTL: 10\r\n"));
  get()->give_back();
  server.reset();
  wait(seconds(20));
  EXPECT_TRUE(get(0, false)->options);  // what it said before
  server = serve(options_answer("Options-TTL: 10\r\n"));
  wait(seconds(10));
  EXPECT_FALSE(share->down());
  server.reset();
  wait(seconds(60));
  EXPECT_TRUE(share->down());
  server = serve(options_answer());
  wait(seconds(60));
  EXPECT_FALSE(get()->fault());
  EXPECT_EQ(log.take_lines(),
            (Lines{"warn  icap:s: OPTIONS failed (refused); what it said before stays in use",
                   "info  icap:s: works again",
                   "warn  icap:s: OPTIONS failed (refused); what it said before stays in use",
                   "warn  icap:s: down (refused): it gets no messages until it answers OPTIONS",
                   "info  icap:s: works again"}));
}

IcapResponse response_of(int status, std::string_view istag) {
  IcapResponse response;
  response.status = status;
  response.istag = istag;
  return response;
}

TEST_F(ServiceTest, WhatMakesOptionsBeAskedForSoon) {
  const auto server = serve(options_answer());
  const Asked message = get();
  Service& service = worker().service;
  wait(seconds(5));
  service.note_answer(response_of(200, "a"), message->choice);
  service.note_failure({.fault = Fault::status, .status = 500}, message->choice);
  wait(seconds(5));
  EXPECT_EQ(lookups(*server), 1U);
  service.note_answer(response_of(200, "b"), message->choice);
  wait(milliseconds(20));
  EXPECT_EQ(lookups(*server), 2U);
  service.note_failure({.fault = Fault::status, .status = 404}, message->choice);
  wait(milliseconds(20));
  EXPECT_EQ(lookups(*server), 2U);  // not within a second
  wait(seconds(1));
  EXPECT_EQ(lookups(*server), 3U);
  // The server's answers to OPTIONS have the old tag: it is the last again.
  EXPECT_EQ(share->istag(), "a");
  EXPECT_EQ(share->istag_version(), 3U);
}

TEST_F(ServiceTest, WorkerThatStopsAmidALookup) {
  settings.timeout = seconds(20);
  ScriptedServer silent(network, "10.0.0.1:1344",
                        {{}, ServerScript(9, {"\r\n\r\n", options_answer()})});
  worker(1);
  const Asked first = ask(0);
  const Asked second = ask(1);
  wait(milliseconds(20));
  EXPECT_EQ(silent.connections(), 1U);
  worker(0).upkeep.cancel();
  wait(milliseconds(20));
  EXPECT_TRUE(first->done);
  EXPECT_EQ(first->fault(), Fault::down);
  EXPECT_FALSE(second->done);
  wait(seconds(1));
  EXPECT_TRUE(second->done);
  EXPECT_FALSE(second->fault());
}

TEST_F(ServiceTest, WorkerThatStopsWhileAnotherAsks) {
  const ScriptedServer silent(network, "10.0.0.1:1344", {{}});
  worker(1);
  const Asked first = ask(0);
  const Asked second = ask(1);
  wait(milliseconds(20));
  worker(1).upkeep.cancel();
  wait(milliseconds(20));
  EXPECT_FALSE(first->done);
  EXPECT_EQ(second->fault(), Fault::down);
  EXPECT_TRUE(second->done);
  const Asked third = ask(1);
  EXPECT_TRUE(third->done);
}

TEST_F(ServiceTest, WhatIsKnownIsOfUseWhenNobodyAsksAnyMore) {
  const auto server = serve(options_answer());
  get()->give_back();
  worker().upkeep.cancel();
  wait(milliseconds(20));
  EXPECT_FALSE(get()->fault());
}

TEST_F(ServiceTest, QuirksAreSaidOnce) {
  const auto server = serve(options_answer());
  worker(1);
  get()->give_back();
  for (int i = 0; i < 3; ++i) {
    worker(0).service.note_quirks(Quirks(Quirk::created));
    worker(1).service.note_quirks(Quirks(Quirk::created));
  }
  EXPECT_EQ(log.take_lines(),
            (Lines{"info  icap:s: tolerated in its answers: status 201 in place of 200"}));
}

}  // namespace
}  // namespace penstock::icap

// Where modules send requests: by another target, another group, server or address.
#include <chrono>
#include <string>
#include <vector>

#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using std::chrono::seconds;
using Then = ServerStep::Then;

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

class ModuleChoice : public ModuleTest {
 protected:
  // What the events tell, for modules that only ask.
  template <class F>
  void ask_at(ModuleEvent event, F f) {
    recorder.on(event, [f](const Call& call) {
      f(call);
      return PENSTOCK_CONTINUE;
    });
  }
  const std::string kForwardGet =
      "GET http://origin.example:81/x?y HTTP/1.1\r\nHost: origin.example:81\r\n\r\n";
  const ServerScript kAnswers{4, {.until = kEnd, .answer = kOk}};

  Recorder recorder;
};

TEST_F(ModuleChoice, AnotherPath) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    for (const char* path : {"", "x", "*", "/a b", "/a#b", "/a\r\nX: y", "http://b/"}) {
      EXPECT_EQ(call.set_text(PENSTOCK_PATH, path), PENSTOCK_INVALID) << path;
    }
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/new?a=b"), PENSTOCK_OK);
    EXPECT_EQ(call.text(PENSTOCK_URL), "http://a/new?a=b");
  });
  ask(kGet);
  EXPECT_TRUE(origin.received(0).starts_with("GET /new?a=b HTTP/1.1\r\nHost: a\r\n"));
}

TEST_F(ModuleChoice, AnotherMethod) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    for (const char* method : {"", "HEAD", "CONNECT", "A B", "A\r\n"}) {
      EXPECT_EQ(call.set_text(PENSTOCK_METHOD, method), PENSTOCK_INVALID) << method;
    }
    EXPECT_EQ(call.set_text(PENSTOCK_METHOD, "BREW"), PENSTOCK_OK);
  });
  ask(kGet);
  EXPECT_TRUE(origin.received(0).starts_with("BREW / HTTP/1.1\r\n"));
}

TEST_F(ModuleChoice, AnotherHostIsAnotherRoute) {
  settings.routes[0].name = "main";
  settings.routes.insert(settings.routes.begin(),
                         {.name = "side", .host = "other", .path = "/p", .to = "others"});
  groups.push_back({.name = "others", .servers = {{.address = "10.0.0.2:80"}}});
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  const ScriptedServer other(network, "10.0.0.2:80", {kAnswers});
  add(recorder);
  std::string route;
  std::string host = "other:8080";
  recorder.on(request_head, [&host](const Call& call) {
    for (const char* bad : {"", "a b", "a\r\n", "user@a", "a:b", "a:0", "a/b"}) {
      EXPECT_EQ(call.set_text(PENSTOCK_HOST, bad), PENSTOCK_INVALID) << bad;
    }
    EXPECT_EQ(call.set_text(PENSTOCK_HOST, host), PENSTOCK_OK);
    EXPECT_EQ(call.text(PENSTOCK_HOST), host);
    return PENSTOCK_CONTINUE;
  });
  ask_at(before_connect, [&route](const Call& call) { route = call.text(PENSTOCK_ROUTE); });
  EXPECT_TRUE(ask("GET /p HTTP/1.1\r\nHost: a\r\n\r\n").ends_with("ok"));
  EXPECT_EQ(route, "side");
  EXPECT_EQ(origin.connections(), 0U);
  EXPECT_TRUE(other.received(0).starts_with("GET /p HTTP/1.1\r\nHost: other:8080\r\n"))
      << other.received(0);
  // The path has a say as well.
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_EQ(route, "main");
  EXPECT_EQ(origin.connections(), 1U);
}

TEST_F(ModuleChoice, AHostThatNoRouteTakes) {
  settings.routes[0].host = "a";
  add(recorder);
  ask_at(request_head, [](const Call& call) { call.set_text(PENSTOCK_HOST, "other"); });
  EXPECT_EQ(status_of(ask(kGet)), "421");
  EXPECT_EQ(recorder.only_events(), "request_head request_complete logged free");
}

TEST_F(ModuleChoice, AnotherHostForAForwardProxy) {
  be_forward();
  world.set_name("other.example", {.ips = {"10.0.0.2"}});
  const ScriptedServer other(network, "10.0.0.2:82", {kAnswers});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_URL), "http://origin.example:81/x?y");
    EXPECT_EQ(call.set_text(PENSTOCK_HOST, "other.example:82"), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/z"), PENSTOCK_OK);
  });
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
  EXPECT_TRUE(other.received(0).starts_with("GET /z HTTP/1.1\r\nHost: other.example:82\r\n"));
}

// Behind the cache the request goes where it was going to go.
TEST_F(ModuleChoice, AnotherHostBehindTheCache) {
  settings.routes.insert(settings.routes.begin(), {.host = "other", .to = "others"});
  groups.push_back({.name = "others", .servers = {{.address = "10.0.0.2:80"}}});
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder, {.at = FilterSide::server});
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_HOST, "other"), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/new"), PENSTOCK_OK);
  });
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_TRUE(origin.received(0).starts_with("GET /new HTTP/1.1\r\nHost: other\r\n"));
}

TEST_F(ModuleChoice, ConnectHasNoPartsToChange) {
  be_forward();
  const ScriptedServer origin(network, "10.0.0.1:443", {{{.until = "x"}}});
  add(recorder);
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_HOST, "other"), PENSTOCK_INVALID);
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/"), PENSTOCK_INVALID);
    EXPECT_EQ(call.set_text(PENSTOCK_METHOD, "GET"), PENSTOCK_INVALID);
    EXPECT_EQ(call.set_text(PENSTOCK_METHOD, "CONNECT"), PENSTOCK_OK);
  });
  EXPECT_EQ(status_of(ask("CONNECT origin.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")), "200");
}

// -- The server. ------------------------------------------------------------------------

TEST_F(ModuleChoice, AnotherUpstream) {
  groups.push_back({.name = "others", .servers = {{.address = "10.0.0.2:80"}}});
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  const ScriptedServer other(network, "10.0.0.2:80", {kAnswers});
  add(recorder);
  std::string upstream = "others";
  ask_at(before_connect, [&upstream](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_UPSTREAM, upstream), PENSTOCK_OK);
    EXPECT_EQ(call.text(PENSTOCK_UPSTREAM), upstream);
  });
  ask_at(request_head, [](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_UPSTREAM, "others"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_text(PENSTOCK_SERVER, "others"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_text(PENSTOCK_TARGET_HOST, "others"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set_number(PENSTOCK_TARGET_PORT, 80), PENSTOCK_NOT_NOW);
  });
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_EQ(origin.connections(), 0U);
  EXPECT_EQ(other.connections(), 1U);
  upstream = "none";
  const std::string answer = ask(kGet);
  EXPECT_EQ(status_of(answer), "502");
  EXPECT_EQ(error_of(answer), "proxy_configuration_error");
}

// Out of the group, to a target; and from a target to a group.
TEST_F(ModuleChoice, FromAnUpstreamToATarget) {
  world.set_name("there.example", {.ips = {"10.0.0.3"}});
  const ScriptedServer there(network, "10.0.0.3:8080", {kAnswers});
  add(recorder);
  ask_at(before_connect, [](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_UPSTREAM, ""), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_TARGET_HOST, "there.example"), PENSTOCK_OK);
    EXPECT_EQ(call.set_number(PENSTOCK_TARGET_PORT, 8080), PENSTOCK_OK);
  });
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_TRUE(has(there.received(0), "\r\nHost: a\r\n"));
}

TEST_F(ModuleChoice, FromATargetToAnUpstream) {
  be_forward();
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  add(recorder);
  ask_at(before_connect, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_UPSTREAM), "");
    EXPECT_EQ(call.text(PENSTOCK_TARGET_HOST), "origin.example");
    EXPECT_EQ(call.number(PENSTOCK_TARGET_PORT), 81);
    EXPECT_EQ(call.set_text(PENSTOCK_UPSTREAM, "origins"), PENSTOCK_OK);
  });
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
  EXPECT_TRUE(has(origin.received(0), "\r\nHost: origin.example:81\r\n"));
}

TEST_F(ModuleChoice, AServerOfTheGroup) {
  groups[0].servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
  const ScriptedServer first(network, "10.0.0.1:80", {ServerScript(9, kAnswers[0])});
  const ScriptedServer second(network, "10.0.0.2:80", {ServerScript(9, kAnswers[0])});
  add(recorder);
  std::string server = "10.0.0.2:80";
  ask_at(before_connect, [&server](const Call& call) { call.set_text(PENSTOCK_SERVER, server); });
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_EQ(first.connections(), 0U);
  server = "10.0.0.1:80";
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(ask(kGet).ends_with("ok"));
  EXPECT_EQ(first.connections(), 1U);
  // One that is not there is no reason to fail.
  server = "10.0.0.9:80";
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
}

// The preferred one is down: another one of the group.
TEST_F(ModuleChoice, AServerThatIsDown) {
  groups[0].servers = {{.address = "10.0.0.1:80"}, {.address = "10.0.0.2:80"}};
  const ScriptedServer second(network, "10.0.0.2:80", {kAnswers});
  add(recorder);
  ask_at(before_connect, [](const Call& call) { call.set_text(PENSTOCK_SERVER, "10.0.0.1:80"); });
  EXPECT_TRUE(ask(kGet).ends_with("ok"));
}

TEST_F(ModuleChoice, AddressesOfATarget) {
  be_forward();
  settings.forward.local_targets = ForwardSettings::PrivateTargets::allow;
  world.set_name("origin.example", {.ips = {"10.0.0.1", "10.0.0.2"}});
  const ScriptedServer second(network, "10.0.0.2:81", {kAnswers});
  const ScriptedServer third(network, "10.0.0.3:83", {kAnswers});
  add(recorder);
  recorder.on(before_connect, [](const Call& call) {
    EXPECT_EQ(call.api().address_count(call.raw()), 2U);
    penstock_str first{};
    penstock_str next{};
    EXPECT_EQ(call.api().address_at(call.raw(), 0, &first), PENSTOCK_OK);
    EXPECT_EQ(call.api().address_at(call.raw(), 1, &next), PENSTOCK_OK);
    EXPECT_EQ(string_of(first), "10.0.0.1:81");
    EXPECT_EQ(string_of(next), "10.0.0.2:81");
    EXPECT_EQ(call.api().address_at(call.raw(), 2, &next), PENSTOCK_NOT_FOUND);
    const std::vector<penstock_str> many(65, first);
    EXPECT_EQ(call.api().address_set(call.raw(), many.data(), many.size()), PENSTOCK_LIMIT);
    EXPECT_EQ(call.api().address_set(call.raw(), nullptr, 1), PENSTOCK_INVALID);
    EXPECT_EQ(call.api().address_set(call.raw(), many.data(), 0), PENSTOCK_INVALID);
    for (const char* bad : {"", "origin.example:80", "10.0.0.1", "10.0.0.1:0", "unix:/x"}) {
      const penstock_str address = str(bad);
      EXPECT_EQ(call.api().address_set(call.raw(), &address, 1), PENSTOCK_INVALID) << bad;
    }
    EXPECT_EQ(call.api().address_count(call.raw()), 2U);
    const penstock_str chosen = str("10.0.0.3:83");
    EXPECT_EQ(call.api().address_set(call.raw(), &chosen, 1), PENSTOCK_OK);
    EXPECT_EQ(call.api().address_count(call.raw()), 1U);
    return PENSTOCK_CONTINUE;
  });
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
  EXPECT_EQ(third.connections(), 1U);
  EXPECT_TRUE(has(third.received(0), "\r\nHost: origin.example:81\r\n"));
}

// A module does not lead clients of a forward proxy to where they may not go.
TEST_F(ModuleChoice, LocalAddressesStayForbidden) {
  be_forward();
  settings.forward.local_targets = ForwardSettings::PrivateTargets::deny;
  world.set_name("origin.example", {.ips = {"198.51.100.1"}});
  const ScriptedServer origin(network, "198.51.100.1:81", {ServerScript(9, kAnswers[0])});
  const ScriptedServer local(network, "127.0.0.1:81", {kAnswers});
  add(recorder);
  std::vector<std::string> chosen = {"127.0.0.1:81", "[::1]:81", "192.0.2.1:8080"};
  recorder.on(before_connect, [&chosen](const Call& call) {
    std::vector<penstock_str> list;
    for (const std::string& address : chosen) list.push_back(str(address));
    EXPECT_EQ(call.api().address_set(call.raw(), list.data(), list.size()), PENSTOCK_OK);
    return PENSTOCK_CONTINUE;
  });
  EXPECT_GE(std::stoi(status_of(ask(kForwardGet))), 400);
  EXPECT_EQ(local.connections() + origin.connections(), 0U);
  // What may be reached of them is.
  chosen.insert(chosen.begin() + 1, "198.51.100.1:81");
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
  recorder.on(before_connect, [](const Call& call) {
    call.set_text(PENSTOCK_TARGET_HOST, "127.0.0.1");
    return PENSTOCK_CONTINUE;
  });
  EXPECT_EQ(status_of(ask(kForwardGet)), "403");
  EXPECT_EQ(local.connections(), 0U);
}

// One that would have been denied, and is led elsewhere.
TEST_F(ModuleChoice, AwayFromAForbiddenAddress) {
  be_forward();
  settings.forward.local_targets = ForwardSettings::PrivateTargets::deny;
  world.set_name("origin.example", {.ips = {"127.0.0.1"}});
  add(recorder);
  ask_at(before_connect, [](const Call& call) {
    EXPECT_EQ(call.api().address_count(call.raw()), 0U);
    call.set_text(PENSTOCK_UPSTREAM, "origins");
  });
  // Not "403": nobody may go there, but nobody is going to.
  EXPECT_EQ(status_of(ask(kForwardGet)), "502");
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswers});
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
}

TEST_F(ModuleChoice, TargetsThatAreNone) {
  be_forward();
  const ScriptedServer origin(network, "10.0.0.1:82", {kAnswers});
  add(recorder);
  ask_at(before_connect, [](const Call& call) {
    for (const char* bad : {"", "a b", "a:80", "[::1]:80", "a/b", "[::1"}) {
      EXPECT_EQ(call.set_text(PENSTOCK_TARGET_HOST, bad), PENSTOCK_INVALID) << bad;
    }
    for (const int port : {0, -1, 65536}) {
      EXPECT_EQ(call.set_number(PENSTOCK_TARGET_PORT, port), PENSTOCK_INVALID);
    }
    EXPECT_EQ(call.set_number(PENSTOCK_TARGET_PORT, 82), PENSTOCK_OK);
  });
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
}

TEST_F(ModuleChoice, ATargetByItsAddress) {
  be_forward();
  const ScriptedServer four(network, "10.0.0.7:81", {kAnswers});
  const ScriptedServer six(network, "[2001:db8::7]:81", {kAnswers});
  add(recorder);
  std::string target = "10.0.0.7";
  ask_at(before_connect, [&target](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_TARGET_HOST, target), PENSTOCK_OK);
  });
  EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
  EXPECT_EQ(four.connections(), 1U);
  for (const char* six_text : {"2001:db8::7", "[2001:db8::7]"}) {
    target = six_text;
    EXPECT_TRUE(ask(kForwardGet).ends_with("ok"));
  }
  EXPECT_GE(six.connections(), 1U);
}

TEST_F(ModuleChoice, WhereConnectLeadsTo) {
  be_forward();
  const ScriptedServer other(network, "10.0.0.2:443", {{{.until = "ping", .answer = "pong"}}});
  add(recorder);
  recorder.on(before_connect, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_TARGET_HOST), "origin.example");
    const penstock_str address = str("10.0.0.2:443");
    EXPECT_EQ(call.api().address_set(call.raw(), &address, 1), PENSTOCK_OK);
    return PENSTOCK_CONTINUE;
  });
  const auto client = connect();
  client->send("CONNECT origin.example:443 HTTP/1.1\r\nHost: x\r\n\r\n");
  client->send("ping");
  EXPECT_TRUE(client->take().ends_with("pong"));
}

}  // namespace
}  // namespace penstock::module_test

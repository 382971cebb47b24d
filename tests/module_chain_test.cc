// Several modules at work on one transaction, modules with few callbacks, and when they are asked.
#include <chrono>
#include <string>
#include <vector>

#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using std::chrono::seconds;

const std::string kUpload =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
const ServerScript kAnswersUpload = {{.until = "hello", .answer = kOk}};

class ModuleChain : public ModuleTest {
 protected:
  // Puts a letter behind each piece, and into a field. What another one has put there is a piece.
  static void append(Recorder& recorder, const std::string& letter) {
    for (const ModuleEvent head : {request_head, response_head}) {
      recorder.on(head, [letter](const Call& call) {
        const int section = call.event == request_head ? PENSTOCK_REQUEST : PENSTOCK_RESPONSE;
        call.set(section, "X-Way", call.field(section, "x-way") + letter);
        return PENSTOCK_CHANGED;
      });
    }
    for (const ModuleEvent body : {request_body, response_body}) {
      recorder.on(body, [letter](const Call& call) {
        call.pass(0, call.content.size());
        call.write(letter);
        return PENSTOCK_CHANGED;
      });
    }
  }
};

TEST_F(ModuleChain, InTheOrderOfTheConfiguration) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "0\r\n\r\n", .answer = kOk}}});
  Recorder first;
  Recorder second;
  Recorder third;
  append(first, "1");
  append(third, "3");
  add(first);
  add(second);
  add(third);
  const std::string answer = ask(kUpload);
  EXPECT_NE(origin.received(0).find("X-Way: 13\r\n"), std::string::npos);
  EXPECT_NE(origin.received(0).find("hello313\r\n"), std::string::npos) << origin.received(0);
  EXPECT_NE(answer.find("X-Way: 13\r\n"), std::string::npos);
  EXPECT_NE(answer.find("ok313\r\n"), std::string::npos) << answer;
  EXPECT_EQ(second.request_content(0), "hello1");
  EXPECT_EQ(second.response_content(0), "ok1");
  EXPECT_EQ(first.id(0), second.id(0));
}

TEST_F(ModuleChain, BeforeAndBehindTheCache) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "0\r\n\r\n", .answer = kOk}}});
  Recorder at_server;
  Recorder at_client;
  append(at_server, "s");
  append(at_client, "c");
  add(at_server, {.at = FilterSide::server});
  add(at_client, {.at = FilterSide::client});
  const std::string answer = ask(kUpload);
  EXPECT_NE(origin.received(0).find("X-Way: cs\r\n"), std::string::npos);
  EXPECT_NE(origin.received(0).find("helloscs\r\n"), std::string::npos);
  EXPECT_NE(answer.find("X-Way: sc\r\n"), std::string::npos);
  EXPECT_NE(answer.find("okcsc\r\n"), std::string::npos);
  EXPECT_TRUE(at_server.only_events().starts_with("cache_lookup request_head=CHANGED "));
  EXPECT_TRUE(at_client.only_events().starts_with("request_head=CHANGED cache_lookup "));
}

TEST_F(ModuleChain, TheSameModuleTwice) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
  // Each of the two leaves its own opaque, which the recorder could not tell apart: so two of them
  // in one structure's callbacks, told apart by their data.
  Recorder one;
  Recorder other;
  host.add(one.module(), &one);
  host.add(one.module(), &other);
  filters.current = host.make_set();
  EXPECT_TRUE(ask(kUpload).ends_with("ok"));
  EXPECT_EQ(one.only_events(), other.only_events());
  EXPECT_EQ(one.response_content(0), "ok");
}

TEST_F(ModuleChain, WhoLeavesDoesNotTakeTheOthersAlong) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
  Recorder leaves;
  Recorder skips;
  Recorder stays;
  leaves.on(request_head, [](const Call& /*call*/) { return PENSTOCK_DONE; });
  skips.on(response_head, [](const Call& /*call*/) { return PENSTOCK_SKIP_CONTENT; });
  add(leaves);
  add(skips);
  add(stays);
  EXPECT_TRUE(ask(kUpload).ends_with("ok"));
  EXPECT_EQ(leaves.only_events(), "request_head=DONE free");
  EXPECT_TRUE(skips.only_events().ends_with("response_head=SKIP_CONTENT logged free"));
  EXPECT_TRUE(
      stays.only_events().ends_with("response_head response_body:2 response_complete logged free"));
}

TEST_F(ModuleChain, WhoAnswersIsTheLastThatIsAsked) {
  Recorder before;
  Recorder answers;
  Recorder behind;
  answers.on(request_head, [](const Call& call) {
    call.answer(200, "here");
    return PENSTOCK_ANSWER;
  });
  add(before);
  add(answers);
  add(behind);
  EXPECT_TRUE(ask(kGet).ends_with("here"));
  EXPECT_EQ(before.only_events(), "request_head request_complete logged free");
  EXPECT_EQ(answers.only_events(), "request_head=ANSWER logged free");
  EXPECT_EQ(behind.only_events(), "logged free");
}

// What one of them does with content it was given by another, which fails.
TEST_F(ModuleChain, AFailureFurtherIn) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
  Recorder inner;
  Recorder outer;
  inner.on(response_body, [](const Call& /*call*/) { return PENSTOCK_ERROR; });
  add(inner, {.name = "inner", .on_failure = FailurePolicy::closed});
  add(outer, {.on_failure = FailurePolicy::open});
  std::string filter;
  outer.on(logged, [&filter](const Call& call) {
    penstock_str value{};
    if (call.api().record_get(call.raw(), str("filter"), &value) == PENSTOCK_OK) {
      filter = string_of(value);
    }
    return PENSTOCK_CONTINUE;
  });
  const std::string answer = ask(kUpload);
  EXPECT_FALSE(answer.ends_with("ok")) << answer;
  EXPECT_TRUE(outer.only_events().ends_with("response_head logged free")) << outer.only_events();
  EXPECT_EQ(filter, "inner");
}

TEST_F(ModuleChain, TwoThatHoldTheHead) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}}});
  Recorder first;
  Recorder second;
  for (Recorder* one : {&first, &second}) {
    one->on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
    one->on(response_body, [](const Call& call) {
      call.set(PENSTOCK_RESPONSE, "X-Size", call.field(PENSTOCK_RESPONSE, "x-size") + "5");
      EXPECT_EQ(call.hold(0, 5) != nullptr, true);
      return PENSTOCK_CONTINUE;
    });
    add(*one);
  }
  const std::string answer = ask(kGet);
  EXPECT_NE(answer.find("X-Size: 55\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("hello"), std::string::npos);
}

// -- Modules with few callbacks. --------------------------------------------------------

TEST_F(ModuleChain, NothingIsCalledThatIsNotThere) {
  struct Case {
    ModuleEvent event;
    const char* events;
  };
  for (const Case& c :
       {Case{request_head, "request_head"}, Case{request_body, "request_body:5"},
        Case{request_complete, "request_complete"}, Case{cache_lookup, "cache_lookup"},
        Case{before_connect, "before_connect"}, Case{response_head, "response_head"},
        Case{response_body, "response_body:2"}, Case{response_complete, "response_complete"},
        Case{logged, "logged"}, Case{answer_body, "nothing"}, Case{ModuleEvent::free, "nothing"}}) {
    SCOPED_TRACE(to_string(c.event));
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
    Recorder recorder(std::vector<ModuleEvent>{c.event});
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    const std::string answer = ask(kUpload);
    EXPECT_TRUE(answer.ends_with("ok"));
    EXPECT_EQ(recorder.events(0), c.events);
    filters.current.reset();
  }
}

// Each with an opaque, which is freed.
TEST_F(ModuleChain, OneCallbackAndFree) {
  for (const ModuleEvent event :
       {request_head, request_body, request_complete, cache_lookup, before_connect, response_head,
        response_body, response_complete, logged}) {
    SCOPED_TRACE(to_string(event));
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
    Recorder recorder({event, ModuleEvent::free});
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    EXPECT_TRUE(ask(kUpload).ends_with("ok"));
    EXPECT_TRUE(recorder.only_events().ends_with(" free")) << recorder.only_events();
    filters.current.reset();
  }
}

// What has left nothing needs no freeing.
TEST_F(ModuleChain, NothingToFree) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
  Recorder recorder;
  recorder.leave_opaque_null();
  add(recorder);
  EXPECT_TRUE(ask(kUpload).ends_with("ok"));
  EXPECT_TRUE(recorder.only_events().ends_with("logged"));
}

// -- In free, the transaction is no more. -----------------------------------------------

TEST_F(ModuleChain, NothingCanBeDoneInFree) {
  const ScriptedServer origin(network, "10.0.0.1:80", {kAnswersUpload});
  static const penstock_module module = [] {
    penstock_module made{};
    made.abi = PENSTOCK_ABI;
    made.size = sizeof made;
    made.name = "last_words";
    made.version = "1";
    made.summary = "Asks for all in free.";
    made.request_head = [](penstock_call* call) -> int {
      call->opaque = call->data;
      return PENSTOCK_HOLD_HEAD;
    };
    made.request_body = [](penstock_call* call, const char*, std::size_t size) -> int {
      penstock_held* held = nullptr;
      EXPECT_EQ(call->api->content_hold(call, 0, size, &held), PENSTOCK_OK);
      return PENSTOCK_CONTINUE;
    };
    made.response_head = [](penstock_call*) -> int { return PENSTOCK_CONTINUE; };
    made.free = [](penstock_call* raw) {
      const Call call(raw, ModuleEvent::free, {});
      for (int text = -1; text < 20; ++text) static_cast<void>(call.text(text));
      for (int number = -1; number < 10; ++number) static_cast<void>(call.number(number));
      EXPECT_EQ(call.text(PENSTOCK_URL), "NOT_NOW");
      EXPECT_EQ(call.text(PENSTOCK_CLIENT_IP), "192.0.2.77");
      EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/"), PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.set_number(PENSTOCK_STATUS, 200), PENSTOCK_NOT_NOW);
      for (int section = -1; section < 6; ++section) {
        EXPECT_EQ(call.field(section, "host"), "");
        EXPECT_EQ(call.set(section, "X-A", "1"), PENSTOCK_NOT_NOW);
        EXPECT_EQ(call.api().field_count(raw, section), 0U);
      }
      EXPECT_EQ(call.write("x"), PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.hold(0, 0), nullptr);
      EXPECT_EQ(call.length(1), PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.answer(200, ""), PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.waiter(), nullptr);
      EXPECT_EQ(call.api().address_count(raw), 0U);
      EXPECT_EQ(call.api().record_add(raw, str("a"), str("b")), PENSTOCK_NOT_NOW);
      ++*static_cast<int*>(raw->opaque);
    };
    return made;
  }();
  int freed = 0;
  host.add(module, &freed);
  filters.current = host.make_set();
  EXPECT_TRUE(ask(kUpload).ends_with("ok"));
  EXPECT_EQ(freed, 1);
}

// -- When they are asked. ---------------------------------------------------------------

TEST_F(ModuleChain, ConditionsOfTheRequest) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {ServerScript(4, {.until = kEnd, .answer = kOk})});
  Recorder meant;
  Recorder not_meant;
  add(meant, {.conditions = {.paths = {"/in"}, .methods = {"GET"}}});
  add(not_meant, {.conditions = {.hosts = {"other"}}});
  ask("GET /in/side HTTP/1.1\r\nHost: a\r\n\r\nGET /out HTTP/1.1\r\nHost: a\r\n\r\n"
      "HEAD /in HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(meant.transactions(), 1U);
  EXPECT_EQ(not_meant.transactions(), 0U);
}

TEST_F(ModuleChain, ConditionsOfTheResponse) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = kOk},
        {.until = kEnd, .answer = "HTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno"}}});
  Recorder recorder;
  add(recorder, {.conditions = {.statuses = {"4xx"}}});
  ask(kGet + kGet);
  ASSERT_EQ(recorder.transactions(), 2U);
  EXPECT_EQ(recorder.events(0), "logged free");
  EXPECT_EQ(recorder.events(1), "response_head response_body:2 response_complete logged free");
}

}  // namespace
}  // namespace penstock::module_test

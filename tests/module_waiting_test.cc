// Modules that take time: PENSTOCK_WAIT at each event, resumed in place, later, from other threads,
// too late or never.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The server can tell whether it has all of it.
const std::string kUpload =
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    "5\r\nhello\r\n0\r\n\r\n";
constexpr ModuleEvent kEvents[] = {request_head,  request_body,     request_complete,
                                   cache_lookup,  before_connect,   response_head,
                                   response_body, response_complete};
const std::string kAll =
    "request_head cache_lookup before_connect request_body:5 request_complete response_head "
    "response_body:2 response_complete logged free";

// What stands in the way of the others: it says that it waits, and is then told to go on.
class ModuleWaiting : public ModuleTest {
 protected:
  // Makes that event wait once; the waiter is kept.
  void wait_at(Recorder& recorder, ModuleEvent event) {
    recorder.on(event, [this](const Call& call) {
      if (call.resumed()) return PENSTOCK_CONTINUE;
      api_ = &call.api();
      waiter_ = call.waiter();
      EXPECT_NE(waiter_, nullptr);
      return PENSTOCK_WAIT;
    });
  }
  [[nodiscard]] bool waits() const { return waiter_ != nullptr; }
  void resume() { api_->resume(std::exchange(waiter_, nullptr)); }
  // The events of a transaction that has waited at that one.
  static std::string with_wait(ModuleEvent event) {
    std::string events = kAll;
    const std::string name(to_string(event));
    const std::size_t at = events.find(name);
    const std::size_t end = events.find_first_of(" ", at);
    const std::string whole = events.substr(at, end - at);
    const std::string again = whole.find(':') == std::string::npos
                                  ? name + "(resumed)"
                                  : name + "(resumed)" + whole.substr(whole.find(':'));
    return events.replace(at, end - at, whole + "=WAIT " + again);
  }
  std::unique_ptr<ScriptedServer> origin() {
    wait(groups[0].pool.idle * 2);
    return std::make_unique<ScriptedServer>(
        network, "10.0.0.1:80",
        std::vector<ServerScript>{
            {{.until = "0\r\n\r\n", .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}});
  }

 private:
  const penstock_api* api_ = nullptr;
  penstock_waiter* waiter_ = nullptr;
};

TEST_F(ModuleWaiting, AtEachEvent) {
  for (const ModuleEvent event : kEvents) {
    SCOPED_TRACE(to_string(event));
    const auto server = origin();
    Recorder recorder;
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    wait_at(recorder, event);
    const auto client = connect();
    client->send(kUpload, seconds(5));
    ASSERT_TRUE(waits());
    EXPECT_EQ(recorder.open(), 1U);
    resume();
    wait(seconds(1));
    EXPECT_TRUE(client->take().ends_with("\r\n\r\nok"));
    EXPECT_EQ(recorder.only_events(), with_wait(event));
    filters.current.reset();
  }
}

// A server that has got as much as it was told to expect answers, and what is left of the upload is
// cancelled then: so it gets the last piece only when the module is done with the end.
TEST_F(ModuleWaiting, TheEndIsSeenBeforeTheLastPieceIsSent) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      std::vector<ServerScript>{
          {{.until = "hello", .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}});
  Recorder recorder;
  ModuleHost own(world);
  own.add(recorder.module(), &recorder);
  filters.current = own.make_set();
  wait_at(recorder, request_complete);
  const auto client = connect();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", seconds(5));
  ASSERT_TRUE(waits());
  EXPECT_TRUE(client->received.empty());
  resume();
  wait(seconds(1));
  EXPECT_TRUE(client->take().ends_with("ok"));
  EXPECT_EQ(recorder.only_events(), with_wait(request_complete));
  filters.current.reset();
}

// The callback itself resumes, before it says that it waits.
TEST_F(ModuleWaiting, ResumedInPlace) {
  for (const ModuleEvent event : kEvents) {
    SCOPED_TRACE(to_string(event));
    const auto server = origin();
    Recorder recorder;
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    recorder.on(event, [](const Call& call) {
      if (call.resumed()) return PENSTOCK_CONTINUE;
      call.resume(call.waiter());
      return PENSTOCK_WAIT;
    });
    EXPECT_TRUE(ask(kUpload).ends_with("ok"));
    EXPECT_EQ(recorder.only_events(), with_wait(event));
    filters.current.reset();
  }
}

TEST_F(ModuleWaiting, ResumedByAnotherThread) {
  for (const ModuleEvent event : kEvents) {
    SCOPED_TRACE(to_string(event));
    const auto server = origin();
    Recorder recorder;
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    wait_at(recorder, event);
    const auto client = connect();
    client->send(kUpload, seconds(1));
    ASSERT_TRUE(waits());
    std::thread other([this] { resume(); });
    other.join();
    own.run_posted();
    wait(seconds(1));
    EXPECT_TRUE(client->take().ends_with("ok"));
    EXPECT_EQ(recorder.only_events(), with_wait(event));
    filters.current.reset();
  }
}

TEST_F(ModuleWaiting, AgainAndAgain) {
  const auto server = origin();
  Recorder recorder;
  recorder.leave_opaque_null();
  int left = 5;
  recorder.on(request_body, [&left](const Call& call) {
    if (left-- == 0) return PENSTOCK_CONTINUE;
    EXPECT_EQ(call.content, "hello");
    call.resume(call.waiter());
    return PENSTOCK_WAIT;
  });
  add(recorder);
  EXPECT_TRUE(ask(kUpload).ends_with("ok"));
}

// What is written before the wait goes before what is written after it.
TEST_F(ModuleWaiting, ContentAcrossAWait) {
  const auto server = origin();
  Recorder recorder;
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
  recorder.on(response_body, [](const Call& call) {
    if (!call.resumed()) {
      call.write("<");
      call.pass(0, 1);
      call.resume(call.waiter());
      return PENSTOCK_WAIT;
    }
    call.write("|");
    call.pass(1, 1);
    call.write(">");
    return PENSTOCK_CHANGED;
  });
  add(recorder);
  const std::string answer = ask(kUpload);
  EXPECT_NE(answer.find("5\r\n<o|k>\r\n"), std::string::npos) << answer;
}

// A waiter that was not waited for does not wake anybody later.
TEST_F(ModuleWaiting, AWaiterThatIsNotUsed) {
  const auto server = origin();
  Recorder recorder;
  recorder.on(request_head, [](const Call& call) {
    call.resume(call.waiter());
    return PENSTOCK_CONTINUE;
  });
  // No waiter was asked for in this call.
  recorder.on(request_body, [](const Call& /*call*/) { return PENSTOCK_WAIT; });
  add(recorder);
  EXPECT_EQ(status_of(ask(kUpload)), "502");
  EXPECT_TRUE(recorder.only_events().ends_with("request_body:5=WAIT logged free"));
}

// The filter's time: it is over, and the waiter is resumed when nobody waits any more.
TEST_F(ModuleWaiting, TooLong) {
  for (const FailurePolicy policy :
       {FailurePolicy::closed, FailurePolicy::open, FailurePolicy::skip}) {
    for (const ModuleEvent event : kEvents) {
      SCOPED_TRACE(std::string(to_string(event)) + " under policy " +
                   std::to_string(static_cast<int>(policy)));
      const auto server = origin();
      Recorder recorder;
      if (policy == FailurePolicy::skip) recorder.may_be_left_out();
      ModuleHost own(world);
      own.add(recorder.module(), &recorder, {.on_failure = policy, .timeout = seconds(2)});
      filters.current = own.make_set();
      wait_at(recorder, event);
      const auto client = connect();
      const TimePoint begin = world.now();
      client->send(kUpload, milliseconds(1900));
      EXPECT_EQ(recorder.open(), 1U);
      EXPECT_FALSE(client->received.ends_with("ok"));
      wait(milliseconds(300));
      EXPECT_EQ(recorder.open(), 0U);
      const std::string answer = client->take();
      if (policy != FailurePolicy::closed) {
        EXPECT_TRUE(answer.ends_with("ok")) << answer;
      } else if (event < response_body) {
        EXPECT_EQ(status_of(answer), "502") << answer;
      } else {
        EXPECT_TRUE(client->ended);
        EXPECT_FALSE(answer.ends_with("ok")) << answer;
      }
      EXPECT_LT(world.now() - begin, seconds(3));
      resume();
      wait(seconds(1));
      filters.current.reset();
    }
  }
}

// The time counts anew for each piece, and only while the module has it.
TEST_F(ModuleWaiting, TheTimeIsForOnePiece) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = "hello", .answer = kOk}}});
  Recorder recorder;
  wait_at(recorder, request_body);
  add(recorder, {.timeout = seconds(2)});
  const auto client = connect();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", seconds(5));
  for (const char c : std::string("hello")) {
    client->send(std::string(1, c), milliseconds(1500));
    ASSERT_TRUE(waits());
    resume();
    wait(seconds(5));
  }
  EXPECT_TRUE(client->take().ends_with("ok"));
}

TEST_F(ModuleWaiting, WhenTheClientLeaves) {
  for (const ModuleEvent event : kEvents) {
    SCOPED_TRACE(to_string(event));
    const auto server = origin();
    Recorder recorder;
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    wait_at(recorder, event);
    const auto client = connect();
    client->send(kUpload, seconds(1));
    ASSERT_TRUE(waits());
    client->reset();
    wait(seconds(1));
    EXPECT_EQ(recorder.open(), 0U) << "waits on for a client that is gone";
    resume();
    wait(seconds(1));
    filters.current.reset();
  }
}

TEST_F(ModuleWaiting, WhenTheProxyEnds) {
  for (const ModuleEvent event : kEvents) {
    SCOPED_TRACE(to_string(event));
    const auto server = origin();
    Recorder recorder;
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    wait_at(recorder, event);
    {
      const auto client = connect();
      client->send(kUpload, seconds(1));
      ASSERT_TRUE(waits());
      stop();
      EXPECT_EQ(recorder.open(), 0U);
    }
    // Whoever resumes has no way to know; nor that the worker is gone by then.
    own.gate().close();
    std::thread other([this] { resume(); });
    other.join();
    filters.current.reset();
  }
}

TEST_F(ModuleWaiting, BetweenPiecesOfAnAnswer) {
  Recorder recorder;
  recorder.on(request_head, [](const Call& call) {
    call.answer_stream(200);
    return PENSTOCK_ANSWER;
  });
  int pieces = 0;
  recorder.on(answer_body, [&pieces](const Call& call) {
    if (!call.resumed()) {
      call.write("a");
      call.resume(call.waiter());
      return PENSTOCK_WAIT;
    }
    call.write("b");
    return ++pieces == 2 ? PENSTOCK_END : PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_TRUE(ask(kGet).ends_with("\r\n\r\n2\r\nab\r\n2\r\nab\r\n0\r\n\r\n"));
}

TEST_F(ModuleWaiting, AnAnswerThatTakesTooLong) {
  Recorder recorder;
  recorder.on(request_head, [](const Call& call) {
    call.answer_stream(200);
    return PENSTOCK_ANSWER;
  });
  wait_at(recorder, answer_body);
  add(recorder, {.timeout = seconds(2)});
  const auto client = connect();
  client->send(kGet, seconds(3));
  EXPECT_TRUE(client->ended);
  EXPECT_FALSE(client->received.ends_with("0\r\n\r\n"));
  EXPECT_EQ(recorder.open(), 0U);
  resume();
}

// No waiting at the end of all.
TEST_F(ModuleWaiting, InLogged) {
  const auto server = origin();
  Recorder recorder;
  recorder.on(logged, [](const Call& call) {
    EXPECT_EQ(call.waiter(), nullptr);
    call.resume(nullptr);
    return PENSTOCK_WAIT;
  });
  add(recorder);
  EXPECT_TRUE(ask(kUpload).ends_with("ok"));
  EXPECT_EQ(recorder.only_events(), kAll.substr(0, kAll.size() - 5) + "=WAIT free");
}

// While the upload waits, the response is on its way; the module leaves there.
TEST_F(ModuleWaiting, DoneInTheOtherDirection) {
  ScriptedServer server(network, "10.0.0.1:80",
                        {{{.until = kEnd, .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"},
                          {.until = "hello", .answer = "ok"}}});
  Recorder recorder;
  wait_at(recorder, request_body);
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_DONE; });
  add(recorder);
  const auto client = connect();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", seconds(1));
  EXPECT_EQ(recorder.only_events(),
            "request_head cache_lookup before_connect request_body:5=WAIT response_head=DONE");
  resume();
  wait(seconds(1));
  EXPECT_TRUE(client->take().ends_with("ok"));
  EXPECT_TRUE(recorder.only_events().ends_with("response_head=DONE free"));
}

}  // namespace
}  // namespace penstock::module_test

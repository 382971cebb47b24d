// What becomes of a transaction by what a callback returns: each value at each event, under each
// policy for failures.
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using std::chrono::milliseconds;
using std::chrono::seconds;

const std::string kUpload =
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
constexpr int kReturns[] = {PENSTOCK_CONTINUE,
                            PENSTOCK_CHANGED,
                            PENSTOCK_ANSWER,
                            PENSTOCK_WAIT,
                            PENSTOCK_DONE,
                            PENSTOCK_END,
                            PENSTOCK_SKIP_CONTENT,
                            PENSTOCK_HOLD_HEAD,
                            PENSTOCK_ERROR,
                            PENSTOCK_LIMIT,
                            42};
constexpr ModuleEvent kEvents[] = {request_head,  request_body,     request_complete,
                                   cache_lookup,  before_connect,   response_head,
                                   response_body, response_complete};

bool is_body(ModuleEvent event) { return event == request_body || event == response_body; }
bool is_complete(ModuleEvent event) {
  return event == request_complete || event == response_complete;
}
bool is_head_event(ModuleEvent event) { return event == request_head || event == response_head; }

// Whether it means something there. WAIT without a waiter, ANSWER without an answer do not.
bool is_good(ModuleEvent event, int returned) {
  switch (returned) {
    case PENSTOCK_CONTINUE:
    case PENSTOCK_DONE:
      return true;
    case PENSTOCK_CHANGED:
      return !is_body(event);  // it had to be said at the head
    case PENSTOCK_SKIP_CONTENT:
      return is_head_event(event) || is_body(event) || is_complete(event);
    case PENSTOCK_HOLD_HEAD:
      return is_head_event(event);
    default:
      return false;
  }
}

class ModuleReturns : public ModuleTest {
 protected:
  struct Seen {
    std::string answer;
    std::string events;
    std::string uploaded;
  };
  // Asks through one recorder, which returns that at the event.
  Seen run(ModuleEvent event, int returned, FailurePolicy policy,
           const std::string& request = kUpload) {
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80",
                                {{{.until = request.ends_with("hello") ? "ello" : kEnd,
                                   .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}}});
    Recorder recorder;
    if (policy == FailurePolicy::skip) recorder.may_be_left_out();
    ModuleHost host_of_one(world);
    recorder.on(event, [returned](const Call& /*call*/) { return returned; });
    host_of_one.add(recorder.module(), &recorder, {.on_failure = policy, .failure_status = 503});
    filters.current = host_of_one.make_set();
    Seen seen;
    seen.answer = ask(request);
    seen.events = recorder.only_events();
    if (origin.connections() > 0) seen.uploaded = origin.received(0);
    filters.current.reset();
    return seen;
  }
  static std::string after(const std::string& events, ModuleEvent event) {
    const std::size_t at = events.find(to_string(event));
    return at == std::string::npos ? "" : events.substr(events.find(' ', at) + 1);
  }
};

TEST_F(ModuleReturns, EachAtEachEvent) {
  for (const ModuleEvent event : kEvents) {
    for (const int returned : kReturns) {
      for (const FailurePolicy policy :
           {FailurePolicy::closed, FailurePolicy::open, FailurePolicy::skip}) {
        SCOPED_TRACE(std::string(to_string(event)) + " returns " + std::to_string(returned) +
                     " under policy " + std::to_string(static_cast<int>(policy)));
        const Seen seen = run(event, returned, policy);
        const bool good = is_good(event, returned);
        const bool late = is_body(event) && event == response_body;
        const bool last = event == response_complete;
        if (good || policy != FailurePolicy::closed) {
          EXPECT_EQ(status_of(seen.answer), "200");
          EXPECT_NE(seen.answer.find("ok"), std::string::npos) << seen.answer;
          EXPECT_NE(seen.uploaded.find("ello"), std::string::npos);
        } else if (late || last) {
          // The head was on its way; not so the end.
          EXPECT_EQ(status_of(seen.answer), "200");
          EXPECT_FALSE(seen.answer.ends_with("ok")) << seen.answer;
        } else {
          EXPECT_EQ(status_of(seen.answer), "503") << seen.answer;
          EXPECT_TRUE(event == response_head || seen.uploaded.find("hello") == std::string::npos);
        }
        const std::string rest = after(seen.events, event);
        const bool leaves = returned == PENSTOCK_DONE || (!good && policy == FailurePolicy::skip);
        if (leaves) {
          EXPECT_EQ(rest, "free");
        } else {
          EXPECT_TRUE(rest.ends_with("logged free")) << rest;
        }
        if (!good && policy == FailurePolicy::closed) EXPECT_EQ(rest, "logged free");
        if (returned == PENSTOCK_SKIP_CONTENT && event == request_head) {
          EXPECT_EQ(rest,
                    "cache_lookup before_connect response_head response_body:2 response_complete "
                    "logged free");
        }
        if (returned == PENSTOCK_SKIP_CONTENT && event == request_body) {
          EXPECT_EQ(rest, "response_head response_body:2 response_complete logged free");
        }
      }
    }
  }
}

// The same without content, where the end follows the head at once.
TEST_F(ModuleReturns, EachWithoutContent) {
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  for (const ModuleEvent event : {request_head, request_complete}) {
    for (const int returned : kReturns) {
      for (const FailurePolicy policy :
           {FailurePolicy::closed, FailurePolicy::open, FailurePolicy::skip}) {
        SCOPED_TRACE(std::string(to_string(event)) + " returns " + std::to_string(returned) +
                     " under policy " + std::to_string(static_cast<int>(policy)));
        const Seen seen = run(event, returned, policy, get);
        const bool good = is_good(event, returned);
        EXPECT_EQ(status_of(seen.answer), good || policy != FailurePolicy::closed ? "200" : "503");
        const std::string rest = after(seen.events, event);
        if (returned == PENSTOCK_DONE || (!good && policy == FailurePolicy::skip)) {
          EXPECT_EQ(rest, "free");
        } else {
          EXPECT_TRUE(rest.ends_with("logged free")) << rest;
        }
        if (event == request_head && returned == PENSTOCK_SKIP_CONTENT) {
          EXPECT_EQ(rest.find("request_complete"), std::string::npos);
        }
      }
    }
  }
}

// It is too late to matter.
TEST_F(ModuleReturns, EachAtTheEnd) {
  for (const int returned : kReturns) {
    SCOPED_TRACE(returned);
    const Seen seen = run(logged, returned, FailurePolicy::closed);
    EXPECT_EQ(status_of(seen.answer), "200");
    EXPECT_EQ(after(seen.events, logged), "free");
  }
}

TEST_F(ModuleReturns, DoneLetsTheRestPassInBothDirections) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = "he"}, {.until = "llo", .answer = kOk}}});
  Recorder recorder;
  recorder.on(request_body, [](const Call& /*call*/) { return PENSTOCK_DONE; });
  add(recorder);
  const auto client = connect();
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe");
  EXPECT_EQ(recorder.only_events(), "request_head cache_lookup before_connect request_body:2=DONE");
  client->send("llo");
  EXPECT_TRUE(client->take().ends_with("ok"));
  EXPECT_EQ(recorder.only_events(),
            "request_head cache_lookup before_connect request_body:2=DONE free");
}

// -- Answers. ---------------------------------------------------------------------------

TEST_F(ModuleReturns, AnAnswerInPlaceOfAServer) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kEnd, .answer = kOk}}});
  Recorder recorder;
  recorder.on(request_head, [](const Call& call) {
    EXPECT_EQ(call.set(PENSTOCK_ANSWER_FIELDS, "X-A", "1"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.answer(404, "nothing here"), PENSTOCK_OK);
    EXPECT_EQ(call.set(PENSTOCK_ANSWER_FIELDS, "X-A", "1"), PENSTOCK_OK);
    EXPECT_EQ(call.set(PENSTOCK_ANSWER_FIELDS, "Content-Length", "1"), PENSTOCK_INVALID);
    EXPECT_EQ(call.set(PENSTOCK_ANSWER_FIELDS, "Connection", "close"), PENSTOCK_INVALID);
    return PENSTOCK_ANSWER;
  });
  add(recorder);
  EXPECT_EQ(ask(kGet), "HTTP/1.1 404 Not Found\r\nX-A: 1\r\n" + std::string(kDate) +
                           "Content-Length: 12\r\n\r\nnothing here");
  EXPECT_EQ(recorder.only_events(), "request_head=ANSWER logged free");
  EXPECT_EQ(origin.connections(), 0U);
}

TEST_F(ModuleReturns, AnswersThatHaveNoContent) {
  struct Case {
    const char* method;
    int status;
    const char* head;
  };
  for (const Case& c :
       {Case{"HEAD", 200, "HTTP/1.1 200 OK\r\n"}, Case{"GET", 204, "HTTP/1.1 204 No Content\r\n"},
        Case{"GET", 304, "HTTP/1.1 304 Not Modified\r\n"}}) {
    SCOPED_TRACE(c.status);
    Recorder recorder;
    recorder.on(request_head, [&c](const Call& call) {
      call.answer(c.status, "content");
      return PENSTOCK_ANSWER;
    });
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    const std::string request = std::string(c.method) + " / HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string answer = ask(request + request);
    EXPECT_TRUE(answer.starts_with(c.head)) << answer;
    EXPECT_EQ(answer.find("content"), std::string::npos) << answer;
    EXPECT_EQ(recorder.transactions(), 2U);
    filters.current.reset();
  }
}

TEST_F(ModuleReturns, AnswersThatCannotBe) {
  Recorder recorder;
  recorder.on(request_head, [](const Call& call) {
    EXPECT_EQ(call.answer(199, ""), PENSTOCK_INVALID);
    EXPECT_EQ(call.answer(600, ""), PENSTOCK_INVALID);
    EXPECT_EQ(call.answer(200, "", "a\r\nb"), PENSTOCK_INVALID);
    EXPECT_EQ(call.api().answer(call.raw(), 200, nullptr, nullptr, 1), PENSTOCK_INVALID);
    EXPECT_EQ(call.answer_stream(101), PENSTOCK_INVALID);
    EXPECT_EQ(call.answer(200, "fine", ""), PENSTOCK_OK);
    return PENSTOCK_ANSWER;
  });
  recorder.on(logged, [](const Call& call) {
    EXPECT_EQ(call.answer(200, ""), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.answer_stream(200), PENSTOCK_NOT_NOW);
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_TRUE(ask(kGet).starts_with("HTTP/1.1 200 \r\n"));
}

TEST_F(ModuleReturns, AnAnswerInPlaceOfAResponse) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nsecrets"}}});
  Recorder recorder;
  recorder.on(response_head, [](const Call& call) {
    EXPECT_EQ(call.number(PENSTOCK_STATUS), 500);
    call.answer(503, "sorry");
    return PENSTOCK_ANSWER;
  });
  recorder.on(logged, [](const Call& call) {
    penstock_str status{};
    EXPECT_EQ(call.api().record_get(call.raw(), str("status"), &status), PENSTOCK_OK);
    EXPECT_EQ(string_of(status), "503");
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string answer = ask(kGet);
  EXPECT_EQ(status_of(answer), "503");
  EXPECT_TRUE(answer.ends_with("sorry"));
  EXPECT_EQ(answer.find("secrets"), std::string::npos);
  EXPECT_EQ(recorder.only_events(),
            "request_head request_complete cache_lookup before_connect response_head=ANSWER "
            "logged free");
}

TEST_F(ModuleReturns, AnAnswerInPieces) {
  Recorder recorder;
  int asked = 0;
  recorder.on(request_head, [](const Call& call) {
    EXPECT_EQ(call.answer_stream(200), PENSTOCK_OK);
    return PENSTOCK_ANSWER;
  });
  recorder.on(answer_body, [&asked](const Call& call) {
    EXPECT_EQ(call.answer(200, ""), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.write("piece " + std::to_string(++asked) + ";"), PENSTOCK_OK);
    return asked == 3 ? PENSTOCK_END : PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string answer = ask(kGet);
  EXPECT_NE(answer.find("\r\nTransfer-Encoding: chunked\r\n"), std::string::npos) << answer;
  for (const char* piece : {"piece 1;", "piece 2;", "piece 3;"}) {
    EXPECT_NE(answer.find(piece), std::string::npos) << answer;
  }
  EXPECT_TRUE(answer.ends_with("\r\n0\r\n\r\n")) << answer;
  EXPECT_EQ(recorder.only_events(),
            "request_head=ANSWER answer_body answer_body answer_body=END logged free");
}

// It is asked for as the client takes it, not before.
TEST_F(ModuleReturns, AnAnswerWithoutEnd) {
  Recorder recorder;
  recorder.write_nothing_down();
  recorder.on(request_head, [](const Call& call) {
    call.answer_stream(200);
    return PENSTOCK_ANSWER;
  });
  std::uint64_t written = 0;
  recorder.on(answer_body, [&written](const Call& call) {
    written += 1000;
    call.write(std::string(1000, 'x'));
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const auto client = connect();
  client->send(kGet, milliseconds(20));
  EXPECT_GT(written, 10'000U);
  client->reset();
  wait(seconds(1));
  const std::uint64_t until_then = written;
  wait(seconds(1));
  EXPECT_EQ(written, until_then);
  EXPECT_EQ(recorder.open(), 0U);
}

TEST_F(ModuleReturns, WhatAnswerBodyReturns) {
  for (const int returned : kReturns) {
    SCOPED_TRACE(returned);
    Recorder recorder;
    recorder.on(request_head, [](const Call& call) {
      call.answer_stream(200);
      return PENSTOCK_ANSWER;
    });
    bool first = true;
    recorder.on(answer_body, [&first, returned](const Call& call) {
      call.write("x");
      if (std::exchange(first, false)) return returned;
      return static_cast<int>(PENSTOCK_END);
    });
    ModuleHost own(world);
    own.add(recorder.module(), &recorder, {.on_failure = FailurePolicy::open});
    filters.current = own.make_set();
    const std::string answer = ask(kGet);
    const bool good = returned == PENSTOCK_CONTINUE || returned == PENSTOCK_CHANGED ||
                      returned == PENSTOCK_END || returned == PENSTOCK_DONE;
    EXPECT_EQ(answer.ends_with("0\r\n\r\n"), good) << answer;
    filters.current.reset();
  }
}

// The one that never gives anything does not hold the worker.
TEST_F(ModuleReturns, AnAnswerThatNeverComes) {
  Recorder recorder;
  recorder.write_nothing_down();
  recorder.on(request_head, [](const Call& call) {
    call.answer_stream(200);
    return PENSTOCK_ANSWER;
  });
  add(recorder);
  EXPECT_FALSE(ask(kGet).ends_with("0\r\n\r\n"));
  EXPECT_LE(recorder.calls(), 1010U);
}

TEST_F(ModuleReturns, StreamingNeedsItsCallback) {
  Recorder recorder({request_head, logged, ModuleEvent::free});
  recorder.on(request_head, [](const Call& call) {
    EXPECT_EQ(call.answer_stream(200), PENSTOCK_UNSUPPORTED);
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_EQ(status_of(ask(kGet)), "502");
}

TEST_F(ModuleReturns, AnAnswerToConnect) {
  be_forward();
  Recorder recorder;
  recorder.on(request_head, [](const Call& call) {
    EXPECT_EQ(call.text(PENSTOCK_METHOD), "CONNECT");
    EXPECT_EQ(call.text(PENSTOCK_URL), "origin.example:443");
    call.answer(403, "no");
    return PENSTOCK_ANSWER;
  });
  add(recorder);
  EXPECT_EQ(status_of(ask("CONNECT origin.example:443 HTTP/1.1\r\nHost: x\r\n\r\n")), "403");
  EXPECT_EQ(recorder.only_events(), "request_head=ANSWER logged free");
}

}  // namespace
}  // namespace penstock::module_test

// Content on its way through modules: looked at, changed, kept back, cut short.
#include <chrono>
#include <string>
#include <vector>

#include "base/slab.h"
#include "proxy/http2_client_test.h"
#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;
using http2::RawPeer;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kOkHead = "HTTP/1.1 200 OK\r\nContent-Length: ";
const std::string kChunkedOk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string chunk(std::string_view text) {
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}
const std::string kLastChunk = "0\r\n\r\n";

// The content of a message of HTTP/1, whole or not.
std::string content_of(std::string_view message) {
  const std::size_t head = message.find(kEnd);
  if (head == std::string_view::npos) return {};
  std::string_view rest = message.substr(head + 4);
  if (message.substr(0, head).find("Transfer-Encoding: chunked") == std::string_view::npos) {
    return std::string(rest);
  }
  std::string content;
  while (!rest.empty()) {
    const std::size_t size =
        std::stoul(std::string(rest.substr(0, rest.find("\r\n"))), nullptr, 16);
    rest.remove_prefix(rest.find("\r\n") + 2);
    if (size == 0) break;
    content += rest.substr(0, size);
    rest.remove_prefix(std::min(rest.size(), size + 2));
  }
  return content;
}

class ModuleContent : public ModuleTest {
 protected:
  void TearDown() override {
    http2_.close();
    ModuleTest::TearDown();
  }
  RawPeer& http2() { return http2_.peer(handler(), listener, server_settings); }
  // The response to a GET, with that content in that many pieces.
  std::string get(const std::vector<std::string>& pieces, bool chunked = true) {
    wait(groups[0].pool.idle * 2);
    std::string whole;
    for (const std::string& piece : pieces) whole += piece;
    ServerScript script = {
        {.until = kEnd,
         .answer = chunked ? kChunkedOk : kOkHead + std::to_string(whole.size()) + "\r\n\r\n"}};
    ScriptedServer origin(network, "10.0.0.1:80", {script});
    const auto client = connect();
    client->send(kGet);
    for (const std::string& piece : pieces) {
      origin.say(0, chunked ? chunk(piece) : piece);
      wait(milliseconds(10));
    }
    if (chunked) origin.say(0, kLastChunk);
    wait(seconds(1));
    ended_ = client->ended.has_value();
    return client->take();
  }
  [[nodiscard]] bool was_cut() const { return ended_; }
  // Sends that content in pieces; what the server got.
  std::string post(const std::vector<std::string>& pieces) {
    wait(groups[0].pool.idle * 2);
    const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kLastChunk, .answer = kOk}}});
    const auto client = connect();
    client->send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (const std::string& piece : pieces) client->send(chunk(piece));
    client->send(kLastChunk, seconds(1));
    answer_ = client->take();
    return origin.connections() > 0 ? origin.received(0) : "";
  }
  // What the client got for it.
  [[nodiscard]] const std::string& answer() const { return answer_; }
  // Says at the heads that content is going to be changed.
  static void announce(Recorder& recorder) {
    for (const ModuleEvent head : {request_head, response_head}) {
      recorder.on(head, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
    }
  }
  // In both directions.
  static void on_content(Recorder& recorder, const Recorder::Act& act) {
    recorder.on(request_body, act);
    recorder.on(response_body, act);
  }
  static void on_complete(Recorder& recorder, const Recorder::Act& act) {
    recorder.on(request_complete, act);
    recorder.on(response_complete, act);
  }

 private:
  Http2Client http2_{world};
  bool ended_ = false;
  std::string answer_;
};

TEST_F(ModuleContent, WhatPassesKeepsItsLengthWhereItIsOnlyLookedAt) {
  Recorder recorder;
  add(recorder);
  EXPECT_NE(get({"ok"}, false).find("Content-Length: 2\r\n"), std::string::npos);
}

TEST_F(ModuleContent, WhatMayBeChangedDoesNot) {
  Recorder recorder;
  announce(recorder);
  add(recorder);
  const std::string answer = get({"o", "k"}, false);
  EXPECT_EQ(answer.find("Content-Length"), std::string::npos);
  EXPECT_EQ(content_of(answer), "ok");
  EXPECT_TRUE(answer.ends_with(kLastChunk));
}

TEST_F(ModuleContent, InsertedBeforeBetweenAndBehind) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [](const Call& call) {
    call.write("<");
    call.pass(0, call.content.size());
    call.write(">");
    return PENSTOCK_CHANGED;
  });
  on_complete(recorder, [](const Call& call) {
    call.write(".");
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_EQ(content_of(get({"hello", "world"})), "<hello><world>.");
  EXPECT_EQ(content_of(get({"hello", "world"}, false)), "<hello><world>.");
  EXPECT_EQ(content_of(post({"hello", "world"})), "<hello><world>.");
}

TEST_F(ModuleContent, WrittenBeforeWhatPasses) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [](const Call& call) {
    call.write("+");
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_EQ(content_of(get({"a", "b"})), "+a+b");
  EXPECT_EQ(content_of(post({"a", "b"})), "+a+b");
}

TEST_F(ModuleContent, AllOfItDropped) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
  add(recorder);
  const std::string answer = get({"hello", "world"}, false);
  EXPECT_EQ(content_of(answer), "");
  EXPECT_TRUE(answer.ends_with(kLastChunk)) << answer;
  EXPECT_EQ(content_of(post({"hello"})), "");
}

// Where there was none.
TEST_F(ModuleContent, PutIntoAnEmptyMessage) {
  Recorder recorder;
  announce(recorder);
  on_complete(recorder, [](const Call& call) {
    const int written = call.write("new");
    // A GET has no content, and does not get any.
    EXPECT_EQ(written, call.event == request_complete && call.text(PENSTOCK_METHOD) == "GET"
                           ? PENSTOCK_NOT_NOW
                           : PENSTOCK_OK);
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_EQ(content_of(get({}, false)), "new");
  EXPECT_EQ(content_of(get({})), "new");
  EXPECT_EQ(content_of(post({})), "new");
  // And where there can be none.
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = kEnd, .answer = "HTTP/1.1 204 No Content\r\n\r\n"}}});
  on_complete(recorder, [](const Call& call) {
    EXPECT_EQ(call.write("new"), PENSTOCK_NOT_NOW);
    return PENSTOCK_CONTINUE;
  });
  EXPECT_TRUE(ask(kGet).ends_with(kEnd));
}

TEST_F(ModuleContent, ALengthThatIsRight) {
  Recorder recorder;
  for (const ModuleEvent head : {request_head, response_head}) {
    recorder.on(head, [](const Call& call) {
      EXPECT_EQ(call.length(6), PENSTOCK_OK);
      return PENSTOCK_CHANGED;
    });
  }
  on_content(recorder, [](const Call& call) {
    EXPECT_EQ(call.length(7), PENSTOCK_NOT_NOW);
    call.write("<");
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string answer = get({"hello", ""}, false);
  EXPECT_NE(answer.find("\r\nContent-Length: 6\r\n"), std::string::npos);
}

struct WrongLength {
  std::uint64_t length;
  const char* name;
};

TEST_F(ModuleContent, ALengthThatIsWrong) {
  for (const WrongLength& one : {WrongLength{4, "less"}, WrongLength{6, "more"},
                                 WrongLength{0, "nothing"}, WrongLength{1ULL << 62, "far more"}}) {
    for (const FailurePolicy policy : {FailurePolicy::closed, FailurePolicy::open}) {
      SCOPED_TRACE(one.name);
      Recorder recorder;
      for (const ModuleEvent head : {request_head, response_head}) {
        recorder.on(head, [&one](const Call& call) {
          call.length(one.length);
          return PENSTOCK_CHANGED;
        });
      }
      ModuleHost own(world);
      own.add(recorder.module(), &recorder, {.on_failure = policy});
      filters.current = own.make_set();
      const std::string request = post({"hello"});
      EXPECT_FALSE(request.ends_with(kLastChunk)) << request;
      EXPECT_EQ(status_of(answer()), "502") << answer();
      recorder.on(request_head, [](const Call& /*call*/) { return PENSTOCK_CONTINUE; });
      const std::string answer = get({"hello"}, false);
      EXPECT_TRUE(was_cut());
      EXPECT_FALSE(answer.ends_with(kLastChunk)) << answer;
      EXPECT_LT(content_of(answer).size(), one.length == 0 ? 1 : one.length);
      filters.current.reset();
    }
  }
}

TEST_F(ModuleContent, ALengthOfNothing) {
  Recorder recorder;
  recorder.on(response_head, [](const Call& call) {
    call.length(0);
    return PENSTOCK_CHANGED;
  });
  recorder.on(response_body, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
  add(recorder);
  EXPECT_EQ(content_of(get({"hello"}, false)), "");
  EXPECT_EQ(recorder.response_content(0), "hello");
  EXPECT_FALSE(was_cut());
}

TEST_F(ModuleContent, ChangedWithoutHavingSaidSo) {
  for (const bool drops : {false, true}) {
    for (const FailurePolicy policy : {FailurePolicy::closed, FailurePolicy::open}) {
      Recorder recorder;
      on_content(recorder, [drops](const Call& call) {
        if (!drops) EXPECT_EQ(call.write("+"), PENSTOCK_OK);
        return drops ? PENSTOCK_CHANGED : PENSTOCK_CONTINUE;
      });
      ModuleHost own(world);
      own.add(recorder.module(), &recorder, {.on_failure = policy});
      filters.current = own.make_set();
      const bool open = policy == FailurePolicy::open;
      const std::string request = post({"hello", "world"});
      EXPECT_EQ(content_of(request), open ? "helloworld" : "");
      EXPECT_EQ(status_of(answer()), open ? "200" : "502");
      recorder.on(request_body, [](const Call& /*call*/) { return PENSTOCK_CONTINUE; });
      EXPECT_EQ(content_of(get({"hello", "world"}, false)), open ? "helloworld" : "");
      EXPECT_EQ(was_cut(), !open);
      filters.current.reset();
    }
  }
}

// What was changed cannot pass as if nothing had happened, whatever the policy.
TEST_F(ModuleContent, AFailureAfterAChange) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [first = true](const Call& /*call*/) mutable {
    return std::exchange(first, false) ? PENSTOCK_CHANGED : PENSTOCK_ERROR;
  });
  add(recorder, {.on_failure = FailurePolicy::open});
  const std::string answer = get({"hello", "world"});
  EXPECT_TRUE(was_cut());
  EXPECT_FALSE(answer.ends_with(kLastChunk));
}

TEST_F(ModuleContent, AFailureBeforeAnyChange) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [first = true](const Call& /*call*/) mutable {
    return std::exchange(first, false) ? PENSTOCK_CONTINUE : PENSTOCK_ERROR;
  });
  add(recorder, {.on_failure = FailurePolicy::open});
  EXPECT_EQ(content_of(get({"hello", "world", "!"})), "helloworld!");
  EXPECT_FALSE(was_cut());
}

// Left out for a failure elsewhere: what it has made of this content up to then is half a thing.
TEST_F(ModuleContent, AFailureInTheOtherDirectionAfterAChange) {
  for (const bool changes : {false, true}) {
    Recorder recorder;
    recorder.may_be_left_out();
    recorder.on(request_head, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
    recorder.on(request_body, [changes](const Call& call) {
      if (!changes) return PENSTOCK_CONTINUE;
      EXPECT_NE(call.hold(0, call.content.size()), nullptr);
      return PENSTOCK_CHANGED;
    });
    recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_ERROR; });
    ModuleHost own(world);
    own.add(recorder.module(), &recorder, {.on_failure = FailurePolicy::skip});
    filters.current = own.make_set();
    ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kEnd, .answer = kChunkedOk}}});
    {
      const auto client = connect();
      client->send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                   chunk("hello"));
      client->send(chunk("world") + kLastChunk);
      EXPECT_EQ(origin.received(0).ends_with(kLastChunk), !changes) << origin.received(0);
      EXPECT_EQ(content_of(origin.received(0)), changes ? "" : "helloworld");
      origin.say(0, kLastChunk);
      wait(seconds(1));
    }
    EXPECT_EQ(recorder.open(), 0U);
    filters.current.reset();
    wait(groups[0].pool.idle * 2);
  }
}

// -- Content that is kept back. ---------------------------------------------------------

TEST_F(ModuleContent, HeldAndEmittedInAnotherOrder) {
  Recorder recorder;
  announce(recorder);
  std::vector<penstock_held*> held;
  on_content(recorder, [&held](const Call& call) {
    held.push_back(call.hold(0, call.content.size()));
    EXPECT_NE(held.back(), nullptr);
    return PENSTOCK_CHANGED;
  });
  on_complete(recorder, [&held](const Call& call) {
    while (!held.empty()) {
      EXPECT_EQ(call.emit(held.back()), PENSTOCK_OK);
      EXPECT_EQ(call.emit(held.back()), PENSTOCK_INVALID);
      EXPECT_EQ(call.drop(held.back()), PENSTOCK_INVALID);
      held.pop_back();
    }
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  EXPECT_EQ(content_of(get({"a", "bb", "ccc"})), "cccbba");
  EXPECT_EQ(content_of(post({"a", "bb", "ccc"})), "cccbba");
}

TEST_F(ModuleContent, PartsThatAreNot) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [](const Call& call) {
    const std::size_t size = call.content.size();
    EXPECT_EQ(call.pass(0, size + 1), PENSTOCK_INVALID);
    EXPECT_EQ(call.pass(size + 1, 0), PENSTOCK_INVALID);
    EXPECT_EQ(call.pass(1, SIZE_MAX), PENSTOCK_INVALID);
    EXPECT_EQ(call.hold(SIZE_MAX, 1), nullptr);
    EXPECT_EQ(call.emit(nullptr), PENSTOCK_INVALID);
    EXPECT_EQ(call.drop(nullptr), PENSTOCK_INVALID);
    EXPECT_EQ(call.api().content_hold(call.raw(), 0, 1, nullptr), PENSTOCK_INVALID);
    EXPECT_EQ(call.api().content_write(call.raw(), nullptr, 1), PENSTOCK_INVALID);
    EXPECT_EQ(call.api().content_write(call.raw(), nullptr, 0), PENSTOCK_OK);
    EXPECT_EQ(call.pass(size, 0), PENSTOCK_OK);
    EXPECT_EQ(call.pass(1, size - 1), PENSTOCK_OK);
    EXPECT_EQ(call.pass(0, 1), PENSTOCK_OK);
    return PENSTOCK_CHANGED;
  });
  add(recorder);
  EXPECT_EQ(content_of(get({"abc"})), "bca");
}

TEST_F(ModuleContent, NoMoreIsHeldThanMayBe) {
  Recorder recorder;
  announce(recorder);
  hold_limit = 8192;  // each part counts for at least 4096
  penstock_held* first = nullptr;
  recorder.on(response_body, [&first](const Call& call) {
    if (first == nullptr) {
      first = call.hold(0, 3);
      EXPECT_NE(first, nullptr);
      penstock_held* more = call.hold(0, 2);
      EXPECT_NE(more, nullptr);
      EXPECT_EQ(call.hold(0, 1), nullptr);
      EXPECT_EQ(call.hold(0, 0), nullptr);
      EXPECT_EQ(call.drop(more), PENSTOCK_OK);
    } else {
      // What was held in the call before still counts, until it is emitted.
      EXPECT_NE(call.hold(0, 3), nullptr);
      EXPECT_EQ(call.hold(0, 3), nullptr);
      EXPECT_EQ(call.emit(first), PENSTOCK_OK);
      EXPECT_NE(call.hold(0, 5), nullptr);
    }
    return PENSTOCK_CHANGED;
  });
  add(recorder);
  EXPECT_EQ(content_of(get({"hello", "world"})), "hel");
}

// What is still held at the end goes with the transaction.
TEST_F(ModuleContent, HeldUntilTheEnd) {
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [](const Call& call) {
    EXPECT_NE(call.hold(0, call.content.size()), nullptr);
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string large(50'000, 'x');
  get({large, large});
  const std::size_t before = SlabPool::bytes_in_use();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(content_of(get({large, large})), large + large);
  EXPECT_EQ(SlabPool::bytes_in_use(), before);
}

TEST_F(ModuleContent, WhereItCannotBeWritten) {
  Recorder recorder;
  for (const ModuleEvent event :
       {request_head, cache_lookup, before_connect, response_head, logged}) {
    recorder.on(event, [](const Call& call) {
      EXPECT_EQ(call.write("x"), PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.pass(0, 0), PENSTOCK_NOT_NOW);
      EXPECT_EQ(call.hold(0, 0), nullptr);
      return PENSTOCK_CONTINUE;
    });
  }
  add(recorder);
  EXPECT_EQ(content_of(get({"ok"})), "ok");
}

// -- Heads that wait for content. -------------------------------------------------------

TEST_F(ModuleContent, AHeadDecidedOnByContent) {
  Recorder recorder;
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  std::vector<penstock_held*> held;
  recorder.on(response_body, [&held](const Call& call) {
    held.push_back(call.hold(0, call.content.size()));
    return PENSTOCK_CHANGED;
  });
  recorder.on(response_complete, [&held](const Call& call) {
    EXPECT_EQ(call.set(PENSTOCK_RESPONSE, "X-Pieces", std::to_string(held.size())), PENSTOCK_OK);
    EXPECT_EQ(call.set_number(PENSTOCK_STATUS, 203), PENSTOCK_OK);
    EXPECT_EQ(call.length(10), PENSTOCK_OK);
    for (penstock_held* one : held) call.emit(one);
    held.clear();
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string answer = get({"hello", "world"});
  EXPECT_EQ(status_of(answer), "203") << answer;
  EXPECT_NE(answer.find("\r\nX-Pieces: 2\r\n"), std::string::npos) << answer;
  EXPECT_NE(answer.find("\r\nContent-Length: 10\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("helloworld"));
}

// It is on its way as soon as there is content to go with it.
TEST_F(ModuleContent, AHeadGoesWithTheFirstContent) {
  Recorder recorder;
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  int calls = 0;
  recorder.on(response_body, [&calls](const Call& call) {
    switch (++calls) {
      case 1:
        EXPECT_EQ(call.set(PENSTOCK_RESPONSE, "X-A", "1"), PENSTOCK_OK);
        return PENSTOCK_CHANGED;
      case 2:
        EXPECT_EQ(call.set(PENSTOCK_RESPONSE, "X-B", "2"), PENSTOCK_OK);
        return PENSTOCK_CONTINUE;
      default:
        EXPECT_EQ(call.set(PENSTOCK_RESPONSE, "X-C", "3"), PENSTOCK_NOT_NOW);
        EXPECT_EQ(call.set_number(PENSTOCK_STATUS, 500), PENSTOCK_NOT_NOW);
        EXPECT_EQ(call.answer(500, ""), PENSTOCK_NOT_NOW);
        return PENSTOCK_CONTINUE;
    }
  });
  recorder.on(response_complete, [](const Call& call) {
    EXPECT_EQ(call.set(PENSTOCK_RESPONSE, "X-D", "3"), PENSTOCK_NOT_NOW);
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string answer = get({"one", "two", "three"});
  EXPECT_NE(answer.find("X-A: 1\r\nX-B: 2\r\n"), std::string::npos) << answer;
  EXPECT_EQ(content_of(answer), "twothree");
}

TEST_F(ModuleContent, AnAnswerAfterContentWasSeen) {
  for (const ModuleEvent event : {response_body, response_complete}) {
    SCOPED_TRACE(to_string(event));
    Recorder recorder;
    recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
    recorder.on(response_body, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
    recorder.on(event, [](const Call& call) {
      EXPECT_EQ(call.answer(403, "not this"), PENSTOCK_OK);
      return PENSTOCK_ANSWER;
    });
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    const std::string answer = get({"bad", "thing"});
    EXPECT_EQ(status_of(answer), "403");
    EXPECT_TRUE(answer.ends_with("not this"));
    EXPECT_TRUE(recorder.only_events().ends_with(std::string(to_string(event)) +
                                                 (event == response_body ? ":3" : "") +
                                                 "=ANSWER logged free"))
        << recorder.only_events();
    filters.current.reset();
  }
}

TEST_F(ModuleContent, ARequestAnsweredAfterItsContentWasSeen) {
  Recorder recorder;
  recorder.on(request_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(request_body, [](const Call& call) {
    if (call.content != "bad") return PENSTOCK_CHANGED;
    call.answer(403, "not this");
    return PENSTOCK_ANSWER;
  });
  add(recorder);
  EXPECT_EQ(post({"good", "bad", "rest"}), "");
  EXPECT_EQ(status_of(answer()), "403");
  EXPECT_EQ(recorder.only_events(),
            "request_head=HOLD_HEAD request_body:4=CHANGED request_body:3=ANSWER logged free");
}

// Where to, by what is in it; and the content that was seen goes there whole.
TEST_F(ModuleContent, ARequestLedByItsContent) {
  settings.routes.insert(settings.routes.begin(), {.host = "other", .to = "others"});
  groups.push_back({.name = "others", .servers = {{.address = "10.0.0.2:80"}}});
  const ScriptedServer other(network, "10.0.0.2:80", {{{.until = kLastChunk, .answer = kOk}}});
  Recorder recorder;
  recorder.on(request_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(request_body, [](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_HOST, "other"), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/new?x"), PENSTOCK_OK);
    EXPECT_EQ(call.set_text(PENSTOCK_METHOD, "PUT"), PENSTOCK_OK);
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "X-Seen", call.content), PENSTOCK_OK);
    return PENSTOCK_SKIP_CONTENT;
  });
  add(recorder);
  EXPECT_EQ(post({"hello", "world"}), "");
  EXPECT_EQ(status_of(answer()), "200");
  const std::string& got = other.received(0);
  EXPECT_TRUE(got.starts_with("PUT /new?x HTTP/1.1\r\nHost: other\r\n")) << got;
  EXPECT_NE(got.find("\r\nX-Seen: hello\r\n"), std::string::npos) << got;
  EXPECT_EQ(content_of(got), "helloworld");
}

TEST_F(ModuleContent, AHeldHeadWithoutContent) {
  Recorder recorder;
  recorder.on(request_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(request_complete, [](const Call& call) {
    EXPECT_EQ(call.set_text(PENSTOCK_PATH, "/held"), PENSTOCK_OK);
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "X-Held", "1"), PENSTOCK_OK);
    return PENSTOCK_CONTINUE;
  });
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(response_complete, [](const Call& call) {
    call.answer(404, "");
    return PENSTOCK_ANSWER;
  });
  add(recorder);
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = kEnd, .answer = "HTTP/1.1 204 No Content\r\n\r\n"}}});
  EXPECT_EQ(status_of(ask(kGet)), "404");
  EXPECT_TRUE(origin.received(0).starts_with("GET /held ")) << origin.received(0);
  EXPECT_NE(origin.received(0).find("X-Held: 1"), std::string::npos);
}

// What was seen and not changed passes whole, where the module then fails or leaves.
TEST_F(ModuleContent, AHeldHeadAndThenNothing) {
  struct Case {
    int returned;
    FailurePolicy policy;
    const char* status;
  };
  for (const Case& c : {Case{PENSTOCK_DONE, FailurePolicy::closed, "200"},
                        Case{PENSTOCK_SKIP_CONTENT, FailurePolicy::closed, "200"},
                        Case{PENSTOCK_CONTINUE, FailurePolicy::closed, "200"},
                        Case{PENSTOCK_ERROR, FailurePolicy::closed, "502"},
                        Case{PENSTOCK_ERROR, FailurePolicy::open, "200"},
                        Case{PENSTOCK_ANSWER, FailurePolicy::closed, "502"},
                        Case{PENSTOCK_ANSWER, FailurePolicy::open, "200"},
                        Case{PENSTOCK_WAIT, FailurePolicy::open, "200"}}) {
    SCOPED_TRACE(c.returned);
    Recorder recorder;
    for (const ModuleEvent head : {request_head, response_head}) {
      recorder.on(head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
    }
    recorder.on(request_body, [&c](const Call& /*call*/) { return c.returned; });
    ModuleHost own(world);
    own.add(recorder.module(), &recorder, {.on_failure = c.policy});
    filters.current = own.make_set();
    const std::string request = post({"hello", "world"});
    EXPECT_EQ(status_of(answer()), c.status);
    EXPECT_EQ(content_of(request), std::string(c.status) == "200" ? "helloworld" : "");
    recorder.on(request_body, [](const Call& /*call*/) { return PENSTOCK_CONTINUE; });
    recorder.on(response_body, [&c](const Call& /*call*/) { return c.returned; });
    const std::string answer = get({"hello", "world"});
    EXPECT_EQ(status_of(answer), c.status) << answer;
    if (std::string(c.status) == "200") EXPECT_EQ(content_of(answer), "helloworld");
    filters.current.reset();
  }
}

// Dropped, and then it fails: there is nothing that could pass.
TEST_F(ModuleContent, AHeldHeadAndAFailureAfterAChange) {
  Recorder recorder;
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(response_body, [first = true](const Call& /*call*/) mutable {
    return std::exchange(first, false) ? PENSTOCK_CHANGED : PENSTOCK_ERROR;
  });
  add(recorder, {.on_failure = FailurePolicy::open, .failure_status = 503});
  EXPECT_EQ(status_of(get({"hello", "world"})), "503");
}

// The time a peer takes is not the module's.
TEST_F(ModuleContent, AHeldHeadWhileContentIsSlow) {
  Recorder recorder;
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(response_body, [](const Call& call) {
    return call.content == "last" ? PENSTOCK_CONTINUE : PENSTOCK_CHANGED;
  });
  add(recorder, {.timeout = seconds(1)});
  ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kEnd, .answer = kChunkedOk}}});
  const auto client = connect();
  client->send(kGet);
  for (const char* piece : {"one", "two", "three", "last"}) {
    wait(seconds(2));
    EXPECT_EQ(client->received, "");
    origin.say(0, chunk(piece));
  }
  origin.say(0, kLastChunk);
  wait(seconds(1));
  EXPECT_EQ(content_of(client->take()), "last");
}

TEST_F(ModuleContent, AHeldHeadAndAServerThatFails) {
  Recorder recorder;
  recorder.on(response_head, [](const Call& /*call*/) { return PENSTOCK_HOLD_HEAD; });
  recorder.on(response_body, [](const Call& /*call*/) { return PENSTOCK_CHANGED; });
  add(recorder);
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = kEnd, .answer = kChunkedOk + chunk("hello"), .then = Then::reset}}});
  const std::string answer = ask(kGet);
  EXPECT_FALSE(answer.ends_with(kLastChunk)) << answer;
  EXPECT_EQ(recorder.open(), 0U);
}

// -- HTTP/2. ----------------------------------------------------------------------------

TEST_F(ModuleContent, ChangedOverHttp2) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = kLastChunk, .answer = kOkHead + "5\r\n\r\nworld"}}});
  Recorder recorder;
  announce(recorder);
  on_content(recorder, [](const Call& call) {
    call.write("<");
    call.pass(0, call.content.size());
    call.write(">");
    return PENSTOCK_CHANGED;
  });
  on_complete(recorder, [](const Call& call) {
    call.write(".");
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  http2().send(
      RawPeer::headers(1, RawPeer::request("POST", "/x", {{"content-length", "5"}}), false) +
          RawPeer::data(1, "hello", true),
      seconds(1));
  EXPECT_EQ(content_of(origin.received(0)), "<hello>.");
  EXPECT_EQ(http2()[1].content, "<world>.");
  EXPECT_EQ(http2()[1].field("content-length"), "");
  EXPECT_TRUE(http2()[1].ended);
}

TEST_F(ModuleContent, AWrongLengthOverHttp2) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = kEnd, .answer = kOkHead + "5\r\n\r\nworld"}}});
  Recorder recorder;
  recorder.on(response_head, [](const Call& call) {
    call.length(7);
    return PENSTOCK_CHANGED;
  });
  add(recorder);
  http2().send(RawPeer::headers(1, RawPeer::request("GET", "/x"), true), seconds(1));
  EXPECT_FALSE(http2()[1].ended);
  EXPECT_TRUE(http2()[1].reset);
}

TEST_F(ModuleContent, TrailersOfAModule) {
  const ScriptedServer origin(
      network, "10.0.0.1:80",
      {{{.until = "X-Sum: 2", .answer = kChunkedOk + chunk("ok") + "0\r\nX-Old: 1\r\n\r\n"}}});
  Recorder recorder;
  recorder.on(request_complete, [](const Call& call) {
    EXPECT_EQ(call.set(PENSTOCK_REQUEST_TRAILERS, "X-Sum", "2"), PENSTOCK_OK);
    EXPECT_EQ(call.add(PENSTOCK_REQUEST_TRAILERS, "Host", "b"), PENSTOCK_INVALID);
    EXPECT_EQ(call.add(PENSTOCK_REQUEST_TRAILERS, "Authorization", "b"), PENSTOCK_INVALID);
    EXPECT_EQ(call.add(PENSTOCK_RESPONSE_TRAILERS, "X-A", "b"), PENSTOCK_NOT_NOW);
    EXPECT_EQ(call.set(PENSTOCK_REQUEST, "X-A", "b"), PENSTOCK_NOT_NOW);
    return PENSTOCK_CONTINUE;
  });
  recorder.on(response_complete, [](const Call& call) {
    EXPECT_EQ(call.remove(PENSTOCK_RESPONSE_TRAILERS, "x-old"), 1);
    EXPECT_EQ(call.add(PENSTOCK_RESPONSE_TRAILERS, "X-New", "2"), PENSTOCK_OK);
    return PENSTOCK_CONTINUE;
  });
  add(recorder);
  const std::string answer =
      ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("0\r\nX-New: 2\r\n\r\n")) << answer;
}

// Of content that is another one now, its server's trailers know nothing.
TEST_F(ModuleContent, TrailersOfChangedContent) {
  for (const bool changes : {false, true}) {
    const ScriptedServer origin(
        network, "10.0.0.1:80",
        {{{.until = kEnd,
           .answer = kChunkedOk + chunk("ok") + "0\r\nETag: \"a\"\r\nContent-Digest: b\r\n\r\n"}}});
    Recorder recorder;
    announce(recorder);
    recorder.on(response_body, [changes](const Call& call) {
      if (!changes) return PENSTOCK_CONTINUE;
      EXPECT_EQ(call.write("other"), PENSTOCK_OK);
      return PENSTOCK_CHANGED;
    });
    ModuleHost own(world);
    own.add(recorder.module(), &recorder);
    filters.current = own.make_set();
    const std::string answer = ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(answer.ends_with("0\r\nETag: W/\"a\"\r\n\r\n"), changes) << answer;
    EXPECT_EQ(answer.ends_with("ETag: \"a\"\r\nContent-Digest: b\r\n\r\n"), !changes) << answer;
    filters.current.reset();
    wait(groups[0].pool.idle * 2);
  }
}

}  // namespace
}  // namespace penstock::module_test

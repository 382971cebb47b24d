// What modules are called for, in which order, and that what they leave is freed once.
#include <string>

#include "tests/module_world.h"

namespace penstock::module_test {
namespace {

using enum ModuleEvent;

class ModuleEvents : public ModuleTest {
 protected:
  Recorder recorder;
};

TEST_F(ModuleEvents, OfAGet) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = kEnd, .answer = kOk}}});
  add(recorder);
  EXPECT_TRUE(ask(kGet).ends_with("\r\n\r\nok"));
  EXPECT_EQ(recorder.only_events(),
            "request_head request_complete cache_lookup before_connect response_head "
            "response_body:2 response_complete logged free");
  EXPECT_EQ(recorder.response_content(0), "ok");
}

TEST_F(ModuleEvents, OfAnUploadWithLength) {
  const ScriptedServer origin(network, "10.0.0.1:80", {{{.until = "hello", .answer = kOk}}});
  add(recorder);
  EXPECT_TRUE(ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").ends_with("ok"));
  EXPECT_EQ(recorder.only_events(),
            "request_head cache_lookup before_connect request_body:5 request_complete "
            "response_head response_body:2 response_complete logged free");
  EXPECT_EQ(recorder.request_content(0), "hello");
}

TEST_F(ModuleEvents, OfAChunkedUploadWithTrailers) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = "0\r\nX-Sum: 1\r\n\r\n", .answer = kOk}}});
  add(recorder);
  std::string trailer;
  recorder.on(request_complete, [&trailer](const Call& call) {
    trailer = call.field(PENSTOCK_REQUEST_TRAILERS, "x-sum");
    return PENSTOCK_CONTINUE;
  });
  const std::string answer =
      ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
          "3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 1\r\n\r\n");
  EXPECT_TRUE(answer.ends_with("ok")) << answer << origin.received(0);
  EXPECT_EQ(recorder.request_content(0), "hello");
  EXPECT_EQ(trailer, "1");
}

TEST_F(ModuleEvents, OfPipelinedRequestsOnOneConnection) {
  const ScriptedServer origin(network, "10.0.0.1:80",
                              {{{.until = kEnd, .answer = kOk},
                                {.until = kEnd, .answer = kOk},
                                {.until = kEnd, .answer = kOk}}});
  add(recorder);
  const std::string answer = ask(kGet + kGet + kGet);
  EXPECT_EQ(recorder.transactions(), 3U);
  EXPECT_EQ(recorder.open(), 0U);
  EXPECT_EQ(recorder.events(0), recorder.events(2));
  EXPECT_EQ(recorder.id(0) + 2, recorder.id(2));
}

}  // namespace
}  // namespace penstock::module_test

// Whether a client connection persists, and in what order its requests are served.
#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "server/server_test.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class PersistenceTest : public ServerTest {
 protected:
  // Sends a request and looks what the response says and whether the connection stays.
  struct Outcome {
    std::string connection;  // the response's Connection field
    bool kept = false;
  };
  Outcome try_out(const std::string& request) {
    const auto client = connect();
    client->send(request, milliseconds(100));
    Outcome outcome{.connection = "", .kept = !client->ended};
    const std::string mark = "\r\nConnection: ";
    const std::size_t begin = client->received.find(mark);
    if (begin != std::string::npos) {
      const std::size_t value = begin + mark.size();
      outcome.connection =
          client->received.substr(value, client->received.find("\r\n", value) - value);
    }
    return outcome;
  }
};

struct PersistenceCase {
  const char* version;
  const char* fields;
  bool forward_kept;
  bool reverse_kept;
};

constexpr PersistenceCase kPersistenceCases[] = {
    {"1.1", "", true, true},
    {"1.1", "Connection: close\r\n", false, false},
    {"1.1", "Connection: CLOSE\r\n", false, false},
    {"1.1", "Connection: keep-alive\r\n", true, true},
    {"1.1", "Connection: keep-alive, close\r\n", false, false},
    {"1.1", "Connection: x\r\nConnection: y, close\r\n", false, false},
    {"1.1", "Proxy-Connection: close\r\n", false, true},
    {"1.1", "Proxy-Connection: keep-alive\r\n", true, true},
    {"1.1", "Connection: close\r\nProxy-Connection: keep-alive\r\n", false, false},
    {"1.1", "Connection: keep-alive\r\nProxy-Connection: close\r\n", false, true},
    {"1.0", "", false, false},
    {"1.0", "Connection: close\r\n", false, false},
    {"1.0", "Connection: keep-alive\r\n", true, true},
    {"1.0", "Connection: Keep-Alive\r\n", true, true},
    {"1.0", "Connection: keep-alive, close\r\n", false, false},
    {"1.0", "Proxy-Connection: keep-alive\r\n", true, false},
    {"1.0", "Proxy-Connection: close\r\n", false, false},
    {"1.0", "Connection: keep-alive\r\nProxy-Connection: close\r\n", false, true},
};

TEST_F(PersistenceTest, VersionAndOptions) {
  for (const ListenerMode mode : {ListenerMode::forward, ListenerMode::reverse}) {
    listener.mode = mode;
    for (const PersistenceCase& c : kPersistenceCases) {
      SCOPED_TRACE(std::string(mode == ListenerMode::forward ? "forward " : "reverse ") +
                   c.version + " " + c.fields);
      const bool kept = mode == ListenerMode::forward ? c.forward_kept : c.reverse_kept;
      const Outcome outcome = try_out("GET http://a/ HTTP/" + std::string(c.version) +
                                      "\r\nHost: a\r\n" + c.fields + "\r\n");
      EXPECT_EQ(outcome.kept, kept);
      const std::string said = !kept                             ? "close"
                               : std::string(c.version) == "1.0" ? "keep-alive"
                                                                 : "";
      EXPECT_EQ(outcome.connection, said);
    }
  }
}

struct BodyCase {
  const char* name;
  const char* request;
  bool read_body;
  bool kept;
};

const std::string kMuch(65 * 1024, 'x');
const std::string kMuchRequest = "Content-Length: 66560\r\n\r\n" + kMuch;

TEST_F(PersistenceTest, BodyOfTheRequest) {
  for (const BodyCase& c :
       {BodyCase{"read", "Content-Length: 5\r\n\r\nhello", true, true},
        BodyCase{"short and unread", "Content-Length: 5\r\n\r\nhello", false, true},
        BodyCase{"long and unread", kMuchRequest.c_str(), false, false},
        BodyCase{"long and read", kMuchRequest.c_str(), true, true},
        BodyCase{"unknown length", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", false, false},
        BodyCase{"chunks that were read", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
                 true, true},
        BodyCase{"broken", "Transfer-Encoding: chunked\r\n\r\nx\r\n", true, false},
        // Nobody can tell whether the body comes next or another request.
        BodyCase{"expects 100", "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", false,
                 false}}) {
    SCOPED_TRACE(c.name);
    handler.reply.read_body = c.read_body;
    const Outcome outcome = try_out("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(c.request));
    EXPECT_EQ(outcome.kept, c.kept);
    EXPECT_EQ(outcome.connection, c.kept ? "" : "close");
  }
}

TEST_F(PersistenceTest, RestOfAShortBodyIsReadBeforeTheNextRequest) {
  handler.reply.read_body = false;
  const auto client = connect();
  client->send("POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 25\r\n\r\nGET /no ");
  EXPECT_EQ(handler.seen.size(), 1U);
  client->send("HTTP/1.1\r\nHost: GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(handler.seen.size(), 2U);
  EXPECT_EQ(handler.seen[1].target, "/2");
  EXPECT_FALSE(client->ended);
}

TEST_F(PersistenceTest, ExpectationIsMetBy100) {
  handler.reply.inform = {100};
  handler.reply.read_body = false;
  const Outcome outcome = try_out(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_TRUE(outcome.kept);
}

TEST_F(PersistenceTest, PipelinedRequestsAreAnsweredInOrder) {
  handler.reply.after = milliseconds(5);
  std::string requests;
  std::string expected;
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/" + std::to_string(i);
    requests += "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n";
    expected += path;
  }
  const auto client = connect();
  client->send(requests, seconds(1));
  std::string got;
  for (const TestHandler::Seen& seen : handler.seen) got += seen.target;
  EXPECT_EQ(got, expected);
  std::size_t at = 0;
  for (int i = 0; i < 20; ++i) {
    at = client->received.find("\r\n\r\n/" + std::to_string(i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

TEST_F(PersistenceTest, OneAtATime) {
  handler.reply.after = seconds(1);
  const auto client = connect();
  client->send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
               milliseconds(500));
  EXPECT_EQ(handler.seen.size(), 1U);
  wait(seconds(1));
  EXPECT_EQ(handler.seen.size(), 2U);
}

TEST_F(PersistenceTest, NothingIsServedAfterAResponseThatCloses) {
  const auto client = connect();
  client->send(
      "GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
      seconds(1));
  EXPECT_EQ(handler.seen.size(), 1U);
  EXPECT_TRUE(client->received.ends_with("\r\n\r\n/1"));
}

TEST_F(PersistenceTest, RequestInEverySplit) {
  const std::string request = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
  const auto client = connect();
  for (std::size_t cut = 1; cut < request.size(); ++cut) {
    client->send(request.substr(0, cut));
    client->send(request.substr(cut));
    ASSERT_TRUE(client->take().ends_with("\r\n\r\n/x")) << cut;
    ASSERT_EQ(handler.seen.back().content, "abc") << cut;
  }
}

TEST_F(PersistenceTest, CountsRequests) {
  const auto client = connect();
  for (int i = 0; i < 3; ++i) client->send("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(handler.seen.size(), 3U);
  EXPECT_FALSE(client->ended);
}

}  // namespace
}  // namespace penstock

// penstock/module.hpp, by what modules made with it do.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

class Wrapper : public testing::Test {
 protected:
  Outcome run(const std::string& path, const Response& response = {}) {
    Request request;
    request.path = path;
    request.content = "abcdef";
    request.fields = {{"A", "1"}, {"B", "2"}, {"a", "3"}, {"b", "4"}};
    return host_.run(request, [&](const Request&) { return response; }, {2, 4}, {2});
  }
  bool said(const std::string& line) const {
    return std::find(host_.log.begin(), host_.log.end(), line) != host_.log.end();
  }
  Host host_{"probes/wrapper_probe"};
};

TEST_F(Wrapper, ReadsSettings) {
  EXPECT_TRUE(said("mock 0 2000 65536 on"));
  const SettingTable one = {{"n", {std::int64_t{3}}}, {"list", {std::vector<std::string>{"x"}}}};
  const SettingTable two = {{"n", {std::int64_t{4}}}};
  Host other("probes/wrapper_probe", {{"inner", {std::vector<SettingTable>{one, two}}}});
  EXPECT_EQ(other.log.at(0), "mock 10 2000 65536 on");
}

TEST_F(Wrapper, RefusesSettings) {
  const auto refused = [](const SettingTable& settings) {
    return Host("probes/wrapper_probe", settings).refused;
  };
  EXPECT_EQ(refused({{"name", {std::string("bad")}}}), "name: it is bad");
  EXPECT_EQ(refused({{"name", {std::string("worse")}}}), "it is worse");
  const SettingTable inner = {{"n", {std::int64_t{3}}}, {"share", {2.0}}};
  EXPECT_EQ(refused({{"inner", {std::vector<SettingTable>{inner}}}}), "share: more than all");
}

TEST_F(Wrapper, TurnsExceptionsIntoFailures) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"/throw", "a failure"},
      {"/throw-int", "an exception of an unknown type"},
      {"/throw-at-once", "at once"},
      {"/throw-in-instance", "no server"},
      {"/invalid", "setting X: an argument that cannot be"}};
  for (const auto& [path, line] : expected) {
    EXPECT_TRUE(run(path).failed) << path;
    EXPECT_TRUE(said(line)) << path;
  }
  EXPECT_EQ(host_.metrics["alive"], 0);
}

TEST_F(Wrapper, ReadsAndChangesFields) {
  const FieldList sent = run("/lists").to_server->fields;
  EXPECT_EQ(field(sent, "X-All"), "1, 3");
  EXPECT_EQ(field(sent, "X-Removed"), "2");
  EXPECT_EQ(field(sent, "X-Second"), "4");
  EXPECT_EQ(field(sent, "X-First"), "B");
}

TEST_F(Wrapper, HoldsContent) { EXPECT_EQ(run("/hold").to_server->content, "b[a]d[c]f"); }

TEST_F(Wrapper, WaitsForSubrequests) {
  Response reply;
  host_.subrequest_server = [&](const Request&) { return reply; };
  EXPECT_FALSE(run("/ask").answered);
  EXPECT_EQ(field(host_.subrequests.at(0).fields, "X-Client"), "192.0.2.7");
  reply.status = 401;
  reply.content = "go away";
  EXPECT_EQ(run("/ask").to_client.content, "go away");
  reply.status = 0;
  EXPECT_EQ(run("/ask").to_client.content, "timed_out");
  host_.subrequests_full = true;
  EXPECT_TRUE(run("/ask").failed);
  EXPECT_TRUE(said("subrequest: a limit is reached"));
}

TEST_F(Wrapper, WaitsForWork) {
  EXPECT_EQ(run("/block").to_client.content, "done");
  EXPECT_EQ(run("/wait-twice").to_client.content, "waited twice");
  EXPECT_TRUE(said("in work"));
}

TEST_F(Wrapper, AWaiterThatEndsResumes) { EXPECT_FALSE(run("/drop-waiter").failed); }

TEST_F(Wrapper, DecidesOnAHeadWhenContentWasSeen) {
  Response response;
  response.content = "harmless";
  const Outcome passed = run("/collect", response);
  EXPECT_TRUE(passed.head_held);
  EXPECT_EQ(passed.to_client.content, "harmless");
  EXPECT_EQ(field(passed.to_client.fields, "X-Length"), "8");
  response.content = "virus";
  const Outcome refused = run("/collect", response);
  EXPECT_EQ(refused.to_client.status, 403);
  EXPECT_EQ(refused.to_client.content, "<p>no");
  EXPECT_EQ(field(refused.to_client.fields, "Content-Type"), "text/html");
}

TEST_F(Wrapper, LetsGoWhatIsTooLongToCollect) {
  Response response;
  response.content = "ten and one";
  for (const bool known : {true, false}) {
    response.length_known = known;
    const Outcome outcome = run("/collect", response);
    EXPECT_EQ(outcome.to_client.content, "ten and one");
    EXPECT_EQ(outcome.head_held, !known);
    EXPECT_EQ(field(outcome.to_client.fields, "X-Length"), "-");
  }
  response.content.pop_back();
  EXPECT_EQ(field(run("/collect", response).to_client.fields, "X-Length"), "10");
  EXPECT_EQ(host_.violations, std::vector<std::string>());
}

TEST_F(Wrapper, ReadsAndWritesLinesAndCookies) {
  Request request;
  request.path = "/cookies";
  request.fields = {{"Cookie", "a=1;b; c=d=e"}, {"B", "2"}, {"X-Line", "1"}, {"A", "1"},
                    {"Cookie", " f= ;"},        {"b", "3"}};
  const FieldList sent = host_.run(request, Response{}).to_server->fields;
  EXPECT_EQ(sent, (FieldList{{"Cookie", "a=1;b; c=d=e"},
                             {"B", "2"},
                             {"Cookie", " f= ;"},
                             {"b", "3"},
                             {"X-Line", "a[1]c[d=e]f[]"},
                             {"X-Line", "2"},
                             {"A", "2"},
                             {"A", "3"}}));
}

TEST_F(Wrapper, DescribesResponses) {
  const auto describe = [&](const FieldList& fields, int status = 200,
                            const std::string& method = "GET") {
    Request request;
    request.path = "/describe";
    request.method = method;
    Response response;
    response.status = status;
    response.fields = fields;
    response.content = method == "HEAD" ? "" : "abc";
    const FieldList got = host_.run(request, response).to_client.fields;
    return field(got, "X-Type") + " " + field(got, "X-Length") + " " +
           field(got, "X-Transformable") + " " + field(got, "Vary");
  };
  EXPECT_EQ(describe({{"Content-Type", "Text/HTML ;charset=x"}}), "text/html; 3 yes Accept");
  EXPECT_EQ(describe({{"Vary", "*"}, {"Content-Encoding", "Identity"}}), "; 3 yes *");
  EXPECT_EQ(describe({{"Vary", "Cookie, ACCEPT"}}), "; 3 yes Cookie, ACCEPT");
  EXPECT_EQ(describe({{"Content-Encoding", "gzip"}}), "; 3 no Accept");
  EXPECT_EQ(describe({{"Content-Range", "bytes 0-2/3"}}), "; 3 no Accept");
  EXPECT_EQ(describe({{"Cache-Control", "no-transform"}}), "; 3 no Accept");
  EXPECT_EQ(describe({}, 206), "; 3 no Accept");
  EXPECT_EQ(describe({{"Content-Length", "77"}}, 200, "HEAD"), "; 77 yes Accept");
  EXPECT_EQ(describe({}, 200, "HEAD"), "; -1 yes Accept");
}

TEST_F(Wrapper, AddsToTheRecordAlsoWhenContentWasSkipped) {
  host_.record["status"] = "200";
  EXPECT_EQ(field(run("/").record, "status_seen"), "200");
}

TEST_F(Wrapper, CallsTimersAndWatches) {
  host_.fire_timers();
  host_.fire_watches(POLLIN);
  EXPECT_EQ(host_.metrics["ticks"], 1 + POLLIN);
  EXPECT_TRUE(said("a tick"));
}

TEST_F(Wrapper, EndsTransactions) {
  run("/");
  EXPECT_EQ(host_.metrics["alive"], 0);
}

TEST(WrapperBare, LoadsAndStreams) {
  Host host("probes/bare_probe");
  Request request;
  EXPECT_EQ(host.run(request, Response{}).to_client.content, "streamed");
  request.path = "/count";
  EXPECT_EQ(host.run(request, Response{}).to_client.content, "1");
}

}  // namespace
}  // namespace penstock::test

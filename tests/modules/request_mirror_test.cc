#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

SettingTable to(const std::string& url) { return {{"url", {url}}}; }

Request post(const std::string& content) {
  Request request;
  request.method = "POST";
  request.path = "/a?b=c";
  request.content = content;
  request.fields = {
      {"Host", "www.example.com"}, {"Cookie", "secret"},   {"X-One", "1"}, {"X-One", "2"},
      {"connection", "close"},     {"Content-Length", "3"}};
  return request;
}

const Server kServer = [](const Request&) { return Response{}; };

TEST(RequestMirror, CopiesRequestsHoweverTheyAreCut) {
  for_all_cuts(5, [&](const Cuts& cuts) {
    Host host("request_mirror", to("http://shadow:81/"));
    const Outcome outcome = host.run(post("12345"), kServer, cuts);
    EXPECT_EQ(outcome.to_server->content, "12345");
    host.settle();
    ASSERT_EQ(host.subrequests.size(), 1U);
    const Request& copy = host.subrequests[0];
    EXPECT_EQ(copy.path, "http://shadow:81/a?b=c");
    EXPECT_EQ(copy.method, "POST");
    EXPECT_EQ(copy.content, "12345");
    EXPECT_EQ(copy.fields, (FieldList{{"X-One", "1"},
                                      {"X-One", "2"},
                                      {"X-Forwarded-Host", "www.example.com"},
                                      {"X-Mirrored", "1"}}));
    EXPECT_EQ(host.metrics["mirrored_total"], 1);
    EXPECT_EQ(host.violations, std::vector<std::string>());
  });
}

TEST(RequestMirror, CopiesNothingThatIsForTheProxyOnly) {
  Host host("request_mirror", to("http://shadow"));
  Request request;
  request.fields = {{"X-Secret", "1"},
                    {"X-Other", "2"},
                    {"x-hop", "3"},
                    {"X-Hopeless", "4"},
                    {"Connection", "close,  x-secret"},
                    {"Connection", ",X-Hop ,"}};
  host.run(request, Response{});
  host.settle();
  ASSERT_EQ(host.subrequests.size(), 1U);
  EXPECT_EQ(host.subrequests[0].fields, (FieldList{{"X-Other", "2"},
                                                   {"X-Hopeless", "4"},
                                                   {"X-Forwarded-Host", "www.example.com"},
                                                   {"X-Mirrored", "1"}}));
}

TEST(RequestMirror, CopiesRequestsWithoutContent) {
  Host host("request_mirror", to("https://shadow"));
  host.run(Request{}, Response{});
  host.settle();
  ASSERT_EQ(host.subrequests.size(), 1U);
  EXPECT_EQ(host.subrequests[0].path, "https://shadow/");
}

TEST(RequestMirror, NeverFailsTheRequest) {
  Host host("request_mirror", to("http://shadow"));
  host.subrequests_full = true;
  EXPECT_FALSE(host.run(post("x"), kServer).failed);
  EXPECT_EQ(host.metrics["mirror_skipped_total"], 1);
  host.subrequests_full = false;
  host.subrequest_server = [](const Request&) {
    Response none;
    none.status = 0;
    return none;
  };
  host.run(post("x"), kServer);
  host.settle();
  EXPECT_EQ(host.metrics["mirror_failed_total"], 1);
}

TEST(RequestMirror, SkipsWhatIsTooLargeOrNotMeant) {
  SettingTable settings = to("http://shadow");
  settings["most"] = {std::int64_t{4}};
  Host host("request_mirror", settings);
  EXPECT_EQ(host.run(post("12345"), kServer, {2}).to_server->content, "12345");
  Request unknown = post("12345");
  unknown.length_known = false;
  EXPECT_EQ(host.run(unknown, kServer, {2}).to_server->content, "12345");
  EXPECT_EQ(host.metrics["mirror_skipped_total"], 2);
  Request connect = post("");
  connect.method = "CONNECT";
  host.run(connect, kServer);
  Request asterisk = post("");
  asterisk.path = "*";
  host.run(asterisk, kServer);
  host.settle();
  EXPECT_TRUE(host.subrequests.empty());
}

TEST(RequestMirror, CopiesAShare) {
  SettingTable settings = to("http://shadow");
  settings["share"] = {25.0};
  settings["pending"] = {std::int64_t{10000}};
  Host host("request_mirror", settings);
  for (int i = 0; i < 2000; ++i) host.run(Request{}, Response{});
  host.settle();
  EXPECT_GT(host.subrequests.size(), 350U);
  EXPECT_LT(host.subrequests.size(), 650U);
}

TEST(RequestMirror, BoundsWhatIsUnderWay) {
  SettingTable settings = to("http://shadow");
  settings["pending"] = {std::int64_t{1}};
  Host host("request_mirror", settings);
  std::mutex closed;
  closed.lock();
  host.subrequest_server = [&](const Request&) {
    const std::lock_guard lock(closed);
    return Response{};
  };
  host.run(Request{}, Response{});
  host.run(Request{}, Response{});
  EXPECT_EQ(host.metrics["mirror_skipped_total"], 1);
  closed.unlock();
  host.settle();
  EXPECT_EQ(host.subrequests.size(), 1U);
  host.run(Request{}, Response{});
  host.settle();
  EXPECT_EQ(host.subrequests.size(), 2U);
}

TEST(RequestMirror, ChecksItsSettings) {
  EXPECT_EQ(Host("request_mirror").refused, "url must be given");
  EXPECT_EQ(Host("request_mirror", to("shadow:80")).refused,
            "url: it begins with http:// or https://");
  for (const char* url : {"http://", "https:///a", "http://:80/", "http://?a"}) {
    EXPECT_EQ(Host("request_mirror", to(url)).refused, "url: it lacks a host") << url;
  }
}

}  // namespace
}  // namespace penstock::test

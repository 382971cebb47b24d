#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

class ContentManager : public testing::Test {
 protected:
  ContentManager() {
    host_.has_cache = true;
    host_.cache = {{"http://a/", 1}, {"http://a/x\"y", 2}, {"http://b/", 3}};
  }
  Response ask(const std::string& method, const std::string& path,
               const std::string& client = "127.0.0.1", const FieldList& fields = {}) {
    Request request;
    request.method = method;
    request.path = path;
    request.client = client;
    request.fields = fields;
    return host_.run(request, Response{}).to_client;
  }
  Host host_{"content_manager"};
};

TEST_F(ContentManager, Lists) {
  const Response list = ask("GET", "/penstock-cache/list?prefix=http%3A%2F%2fa/");
  EXPECT_EQ(list.content,
            "{\"objects\": [{\"url\": \"http://a/\", \"status\": 200, \"age\": 5, \"fresh\": 55, "
            "\"size\": 1}, {\"url\": \"http://a/x\\u0022y\", \"status\": 200, \"age\": 5, "
            "\"fresh\": 55, \"size\": 2}]}\n");
  EXPECT_EQ(field(list.fields, "Content-Type"), "application/json");
  EXPECT_EQ(ask("GET", "/penstock-cache/list?limit=0").content, "{\"objects\": []}\n");
  EXPECT_NE(ask("GET", "/penstock-cache/list?limit=1").content.find("http://a/"),
            std::string::npos);
}

TEST_F(ContentManager, LooksAtOne) {
  EXPECT_NE(ask("GET", "/penstock-cache/object?url=http://b/").content.find("\"size\": 3"),
            std::string::npos);
  EXPECT_EQ(ask("GET", "/penstock-cache/object?url=http://c/").content, "{\"objects\": []}\n");
}

TEST_F(ContentManager, PreloadsExpiresAndPurges) {
  EXPECT_EQ(ask("POST", "/penstock-cache/purge?url=http://a/&url=http://c/").content,
            "{\"results\": [{\"url\": \"http://a/\", \"result\": \"done\"}, {\"url\": "
            "\"http://c/\", \"result\": \"not_found\"}]}\n");
  ask("POST", "/penstock-cache/preload?url=http://c/");
  ask("POST", "/penstock-cache/expire?url=http://b/");
  EXPECT_EQ(host_.cache_calls,
            (std::vector<std::string>{"remove http://a/", "remove http://c/", "prefetch http://c/",
                                      "expire http://b/"}));
  EXPECT_FALSE(host_.cache.contains("http://a/"));
}

TEST_F(ContentManager, SaysThatThereIsNoCache) {
  host_.has_cache = false;
  for (const std::string path : {"list", "object?url=http://a/"}) {
    const Response response = ask("GET", "/penstock-cache/" + path);
    EXPECT_EQ(response.status, 501);
    EXPECT_EQ(response.content, "{\"error\": \"this proxy has no cache\"}\n");
  }
  EXPECT_EQ(ask("POST", "/penstock-cache/purge?url=http://a/").status, 501);
}

TEST_F(ContentManager, RefusesOthers) {
  EXPECT_EQ(ask("GET", "/penstock-cache/list", "192.0.2.1").status, 403);
  EXPECT_EQ(ask("GET", "/penstock-cache/list", "::1").status, 200);
  EXPECT_EQ(ask("GET", "/penstock-cache/list", "::2").status, 403);
  EXPECT_EQ(ask("GET", "/penstock-cache/list", "unix").status, 403);
  EXPECT_EQ(ask("POST", "/penstock-cache/purge?url=http://a/", "127.0.0.1",
                {{"Origin", "http://evil.example"}})
                .status,
            403);
  EXPECT_EQ(host_.cache.size(), 3U);
}

TEST_F(ContentManager, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(ask("GET", "/penstock-cache/").status, 404);
  EXPECT_EQ(ask("POST", "/penstock-cache/list").status, 405);
  const Response response = ask("GET", "/penstock-cache/purge?url=http://a/");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(field(response.fields, "Allow"), "POST");
  EXPECT_EQ(ask("POST", "/penstock-cache/purge").status, 400);
  EXPECT_EQ(ask("GET", "/other").content, "");
}

TEST_F(ContentManager, ChecksItsSettings) {
  const auto refused = [](const std::string& prefix, const std::string& network) {
    return Host("content_manager",
                {{"prefix", {prefix}}, {"allow", {std::vector<std::string>{network}}}})
        .refused;
  };
  EXPECT_EQ(refused("/x/", "2001:db8::/32"), "");
  EXPECT_EQ(refused("/x", "::1"), "prefix: it begins and ends with \"/\"");
  EXPECT_EQ(refused("/x/", "10.0.0.0/33"), "allow: 10.0.0.0/33 is no network");
  EXPECT_EQ(refused("/x/", "10.0.0.0/"), "allow: 10.0.0.0/ is no network");
  EXPECT_EQ(refused("/x/", "ten"), "allow: ten is no network");
}

}  // namespace
}  // namespace penstock::test

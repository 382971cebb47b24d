#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

using Texts = std::vector<std::string>;

// What requests and responses become.
FieldList sent(const SettingTable& settings, const FieldList& fields) {
  Host host("privacy_filter", settings);
  EXPECT_EQ(host.refused, "");
  Request request;
  request.fields = fields;
  return host.run(request, Response{}).to_server->fields;
}
FieldList received(const SettingTable& settings, const FieldList& fields) {
  Host host("privacy_filter", settings);
  Response response;
  response.fields = fields;
  return host.run(Request{}, response).to_client.fields;
}

TEST(PrivacyFilter, DropsCookiesOfRequests) {
  const SettingTable settings = {{"cookies", {Texts{"_ga*", "id"}}}};
  EXPECT_EQ(sent(settings, {{"Cookie", "a=1; _ga=2;_gat=3;  id=4; idea=5"}, {"cookie", "id=6"}}),
            (FieldList{{"Cookie", "a=1; idea=5"}}));
  const FieldList untouched = {{"Cookie", "a=1;b=2"}, {"X", "y"}, {"Cookie", "c"}};
  EXPECT_EQ(sent(settings, untouched), untouched);
  EXPECT_EQ(sent(settings, {{"Cookie", "a;b;c;d;e;f;g;h;id"}}),
            (FieldList{{"Cookie", "a; b; c; d; e; f; g; h"}}));
  EXPECT_EQ(sent({{"cookies", {Texts{"*"}}}}, untouched), (FieldList{{"X", "y"}}));
  EXPECT_EQ(sent(settings, {{"Cookie", "; ;=;a;;id"}}), (FieldList{{"Cookie", "=; a"}}));
}

TEST(PrivacyFilter, DropsCookiesOfResponses) {
  const SettingTable settings = {{"cookies", {Texts{"_ga*", "id"}}}};
  EXPECT_EQ(received(settings, {{"Set-Cookie", "id=1; Path=/"},
                                {"Set-Cookie", "a=1; Path=/"},
                                {"Set-Cookie", "_ga; Path=/"}}),
            (FieldList{{"Set-Cookie", "a=1; Path=/"}}));
}

TEST(PrivacyFilter, ShortensTheReferer) {
  const auto referer = [](const std::string& how, const std::string& value) {
    return field(sent({{"referer", {how}}}, {{"Referer", value}}), "Referer");
  };
  EXPECT_EQ(referer("origin", "https://a.example/b?c=/d"), "https://a.example/");
  EXPECT_EQ(referer("origin", "https://a.example"), "https://a.example/");
  EXPECT_EQ(referer("origin", "https://a.example/"), "https://a.example/");
  EXPECT_EQ(referer("origin", "https://a.example?b"), "https://a.example/");
  EXPECT_EQ(referer("origin", "https://user:p@w@a.example:1/b@c"), "https://a.example:1/");
  for (const char* none : {"", "about:blank", "/b", "https://", "https:///b", "https://user@/b"}) {
    EXPECT_EQ(referer("origin", none), "-") << none;
  }
  EXPECT_EQ(referer("remove", "https://a.example/b"), "-");
  EXPECT_EQ(referer("keep", "https://a.example/b"), "https://a.example/b");
}

TEST(PrivacyFilter, ReplacesAndRemovesFields) {
  EXPECT_EQ(sent({{"user_agent", {std::string("Any")}}, {"request_remove", {Texts{"X-Id"}}}},
                 {{"User-Agent", "Mine"}, {"x-id", "1"}, {"X", "y"}}),
            (FieldList{{"X", "y"}, {"User-Agent", "Any"}}));
  EXPECT_EQ(
      received({{"response_remove", {Texts{"Server", "X-None"}}}}, {{"Server", "s"}, {"X", "y"}}),
      (FieldList{{"X", "y"}}));
  EXPECT_EQ(sent({}, {{"User-Agent", "Mine"}}), (FieldList{{"User-Agent", "Mine"}}));
}

TEST(PrivacyFilter, ChecksItsSettings) {
  EXPECT_EQ(Host("privacy_filter", {{"referer", {std::string("half")}}}).refused,
            "referer: it is \"keep\", \"origin\" or \"remove\"");
  for (const char* name : {"Host", "content-length", "Transfer-Encoding", "TE"}) {
    const std::string wrong = std::string(name) + " is written by the proxy itself, and stays";
    EXPECT_EQ(Host("privacy_filter", {{"request_remove", {Texts{"X-Id", name}}}}).refused,
              "request_remove: " + wrong);
    EXPECT_EQ(Host("privacy_filter", {{"response_remove", {Texts{name}}}}).refused,
              "response_remove: " + wrong);
  }
  EXPECT_EQ(Host("privacy_filter", {{"request_remove", {Texts{"Hosts", "Hos"}}}}).refused, "");
}

}  // namespace
}  // namespace penstock::test

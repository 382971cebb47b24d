#include <string>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

Response page(const std::string& content) {
  Response response;
  response.fields = {
      {"Content-Type", "text/html; charset=utf-8"}, {"ETag", "\"1\""}, {"Accept-Ranges", "bytes"}};
  response.content = content;
  response.length_known = false;
  return response;
}

SettingTable at(const std::string& place) {
  return {{"text", {std::string("[HI]")}}, {"place", {place}}};
}

// What becomes of a page, however it is cut.
void expect_injected(const std::string& place, const std::string& before,
                     const std::string& after) {
  Host host("text_injector", at(place));
  for_all_cuts(before.size(), [&](const Cuts& cuts) {
    const Outcome outcome = host.run({}, page(before), cuts);
    EXPECT_EQ(outcome.to_client.content, after) << "first cut: " << (cuts.empty() ? 0 : cuts[0]);
  });
  host.settle();
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(TextInjector, InsertsBeforeTheEndOfTheBody) {
  expect_injected("body_end", "<html><body class='a'>x</BODY ></html>",
                  "<html><body class='a'>x[HI]</BODY ></html>");
}

TEST(TextInjector, InsertsAtTheEndWithoutAnEndOfTheBody) {
  expect_injected("body_end", "<p>1 <2 a<b", "<p>1 <2 a<b[HI]");
  expect_injected("body_end", "", "[HI]");
}

TEST(TextInjector, InsertsBehindTheHead) {
  expect_injected("head", "<!doctype html><header><head data-x=\"</body>\"><title>t",
                  "<!doctype html><header><head data-x=\"</body>\">[HI]<title>t");
  expect_injected("head", "<head>", "<head>[HI]");
  expect_injected("head", "<p>none", "<p>none");
}

TEST(TextInjector, TellsTagsFromWhatLooksLikeOne) {
  expect_injected("body_end",
                  "<!-- </body> --><script>'</body>'</scripty></body></script ><style></body>"
                  "</style><a title='</body>'>a < b</body >",
                  "<!-- </body> --><script>'</body>'</scripty></body></script ><style></body>"
                  "</style><a title='</body>'>a < b[HI]</body >");
}

TEST(TextInjector, InsertsOnce) {
  expect_injected("body_end", "a</body></body>", "a[HI]</body></body>");
}

TEST(TextInjector, SaysThatTheContentIsAnother) {
  Host host("text_injector", at("head"));
  const Outcome outcome = host.run({}, page("<head>"));
  EXPECT_EQ(field(outcome.to_client.fields, "ETag"), "W/\"1\"");
  EXPECT_EQ(field(outcome.to_client.fields, "Accept-Ranges"), "-");
}

TEST(TextInjector, LeavesAloneWhatItMustNotChange) {
  Host host("text_injector", at("body_end"));
  const auto content_of = [&](const Response& response) {
    return host.run({}, response).to_client.content;
  };
  Response response = page("x");
  response.fields.emplace_back("Content-Encoding", "gzip");
  EXPECT_EQ(content_of(response), "x");
  response = page("x");
  response.fields.emplace_back("Cache-Control", "no-transform");
  EXPECT_EQ(content_of(response), "x");
  response = page("x");
  response.status = 206;
  EXPECT_EQ(content_of(response), "x");
  response = page("x");
  response.fields[0].second = "text/plain";
  EXPECT_EQ(content_of(response), "x");
  response.fields[0].second = "Text/HTML;charset=utf-8";
  EXPECT_EQ(content_of(response), "x[HI]");
}

TEST(TextInjector, WritesNothingToHead) {
  for (const bool completes : {true, false}) {
    Host host("text_injector", at("body_end"));
    host.completes_empty = completes;
    Request request;
    request.method = "HEAD";
    const Outcome outcome = host.run(request, page("x"));
    EXPECT_EQ(outcome.to_client.content, "");
    EXPECT_EQ(field(outcome.to_client.fields, "ETag"), "W/\"1\"");
    EXPECT_FALSE(outcome.failed);
  }
}

TEST(TextInjector, AsksForIdentityWhereAPageMayCome) {
  Host host("text_injector", at("head"));
  const auto accepted = [&](const std::string& accept) {
    Request request;
    request.fields = {{"Accept", accept}, {"Accept-Encoding", "gzip, br"}};
    return field(host.run(request, Response{}).to_server->fields, "Accept-Encoding");
  };
  EXPECT_EQ(accepted("text/html,*/*;q=0.8"), "identity");
  EXPECT_EQ(accepted("*/*"), "identity");
  EXPECT_EQ(accepted("image/webp"), "gzip, br");
  SettingTable settings = at("head");
  settings["identity"] = {false};
  Host other("text_injector", settings);
  Request request;
  request.fields = {{"Accept-Encoding", "gzip"}};
  EXPECT_EQ(field(other.run(request, Response{}).to_server->fields, "Accept-Encoding"), "gzip");
}

TEST(TextInjector, RefusesUnknownPlaces) {
  EXPECT_EQ(Host("text_injector", at("nowhere")).refused, "place: it is \"head\" or \"body_end\"");
  EXPECT_EQ(Host("text_injector").refused, "text must be given");
}

}  // namespace
}  // namespace penstock::test

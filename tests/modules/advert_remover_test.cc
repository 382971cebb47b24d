#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

SettingTable rule(const std::string& tag, const std::string& mark, const std::string& source) {
  return {{"tag", {tag}}, {"mark", {mark}}, {"source", {source}}};
}

SettingTable remove(const std::vector<SettingTable>& rules) { return {{"remove", {rules}}}; }

// What becomes of a page, however it is cut.
void expect_page(const SettingTable& settings, const std::string& before,
                 const std::string& after) {
  Host host("advert_remover", settings);
  ASSERT_EQ(host.refused, "");
  Response page;
  page.fields = {{"Content-Type", "text/html"}, {"ETag", "\"1\""}};
  page.content = before;
  for_all_cuts(before.size(), [&](const Cuts& cuts) {
    const Outcome outcome = host.run({}, page, cuts);
    EXPECT_EQ(outcome.to_client.content, after) << "first cut: " << (cuts.empty() ? 0 : cuts[0]);
    EXPECT_EQ(field(outcome.to_client.fields, "ETag"), "W/\"1\"");
  });
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(AdvertRemover, TakesOutElementsWithAllThatIsInThem) {
  const SettingTable settings = remove({rule("div", "advert", "")});
  expect_page(settings, "<p>a<div class=\"x Advert-1\">b<div>c</div><p>d</DIV>e<div>f</div>",
              "<p>ae<div>f</div>");
  expect_page(settings, "<div id='adverts'></div >", "");
  expect_page(settings, "<span class=advert>a</span>", "<span class=advert>a</span>");
}

TEST(AdvertRemover, TakesOutElementsWithoutAnEnd) {
  expect_page(remove({rule("img", "", "*//ads.example/*")}),
              "<img src=http://ads.example/1.gif>a<img src='/2.gif'/><b>c</b>",
              "a<img src='/2.gif'/><b>c</b>");
  expect_page(remove({rule("", "advert", "")}), "<b class=advert>x</b>y", "y");
}

TEST(AdvertRemover, EndsWithTheBodyAtTheLatest) {
  expect_page(remove({rule("p", "advert", "")}), "<body>a<p class=advert>b<i>c</body></html>",
              "<body>a</body></html>");
}

TEST(AdvertRemover, TellsTagsFromWhatLooksLikeOne) {
  const std::string page =
      "<!-- <div class=advert> --><script>'<div class=advert>'</scrip></script>"
      "<a title='<div class=advert>'>1 < 2 <<i>";
  expect_page(remove({rule("div", "advert", "")}), page, page);
  expect_page(remove({rule("script", "advert", "")}), "a<script class=advert>'</b>'<!--</script>b",
              "ab");
}

TEST(AdvertRemover, FindsTheEndBehindScripts) {
  expect_page(remove({rule("div", "advert", "")}),
              "a<div class=advert><script>\"</div>\"</script><!-- </div> --></div>b", "ab");
}

TEST(AdvertRemover, NeedsAllThatARuleNames) {
  expect_page(remove({rule("iframe", "banner", "*/ads/*")}),
              "<iframe src=/ads/1></iframe><iframe class=banner src=/ads/1>x</iframe>",
              "<iframe src=/ads/1></iframe>");
}

TEST(AdvertRemover, PassesWhatIsNotWhole) {
  expect_page(remove({rule("div", "advert", "")}), "a<div class=advert", "a<div class=advert");
}

TEST(AdvertRemover, AnswersForAdvertisements) {
  Host host("advert_remover",
            {{"block", {std::vector<std::string>{"ads.example/*", "*/banners/*.gif"}}}});
  const auto ask = [&](const std::string& where, const std::string& path, const std::string& accept,
                       const std::string& method = "GET") {
    Request request;
    request.method = method;
    request.host = where;
    request.path = path;
    request.fields = {{"Accept", accept}};
    return host.run(request, Response{}).to_client;
  };
  EXPECT_EQ(ask("ADS.example", "/x", "*/*").status, 204);
  EXPECT_EQ(ask("ads.example", "/x", "image/webp,*/*").status, 200);
  EXPECT_EQ(ask("ads.example", "/x", "image/webp").content.substr(0, 6), "GIF89a");
  EXPECT_EQ(field(ask("ads.example", "/x", "image/webp").fields, "Content-Type"), "image/gif");
  EXPECT_EQ(ask("www.example", "/a/banners/b.gif", "*/*").status, 204);
  EXPECT_EQ(ask("www.example", "/a/banners/b.gif?x", "*/*").status, 200);
  EXPECT_EQ(ask("ads.example:8080", "/x", "*/*").status, 204);
  EXPECT_EQ(ask("Ads.Example.", "/x", "*/*").status, 204);
  EXPECT_EQ(ask("ads.example.:80", "/x", "*/*").status, 204);
  EXPECT_EQ(ask("ads.example.net", "/x", "*/*").status, 200);
  EXPECT_EQ(host.metrics["adverts_blocked_total"], 8);
  EXPECT_EQ(ask("ads.example:443", "", "image/webp", "CONNECT").status, 403);
  EXPECT_EQ(ask("ads.example.:443", "", "", "CONNECT").status, 403);
  EXPECT_EQ(ask("www.example:443", "", "", "CONNECT").status, 200);
  EXPECT_EQ(ask("[::1]:443", "", "", "CONNECT").status, 200);
}

TEST(AdvertRemover, RefusesEmptyRules) {
  EXPECT_EQ(Host("advert_remover", remove({rule("", "", "")})).refused,
            "tag: one of tag, mark and source must be given");
}

}  // namespace
}  // namespace penstock::test

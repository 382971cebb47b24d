// Modules that read HTML in a stream, on pages that make no sense: what comes out must not depend
// on where the content was cut, and nothing may be read that is not there.
#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

constexpr std::array<const char*, 34> kPieces = {"<div class=advert>",
                                                 "<div>",
                                                 "</div>",
                                                 "<DIV ID='xadvert'",
                                                 "<",
                                                 ">",
                                                 "</",
                                                 "/>",
                                                 "<!--",
                                                 "-->",
                                                 "--",
                                                 "<!",
                                                 "<script>",
                                                 "</script>",
                                                 "</scr",
                                                 "<style ",
                                                 "</style>",
                                                 "<textarea>",
                                                 "\"",
                                                 "'",
                                                 "=",
                                                 " ",
                                                 "a",
                                                 "\n",
                                                 "<head",
                                                 "<head>",
                                                 "</body>",
                                                 "</BODY ",
                                                 "<body>",
                                                 "</html>",
                                                 "<title>x",
                                                 "<img src=advert class=advert>",
                                                 "<p class = advert",
                                                 "&lt;"};

class RandomPages {
 public:
  explicit RandomPages(unsigned seed) : random_(seed) {}

  std::string page() {
    std::string out;
    for (std::size_t n = below(25); n > 0; --n) out += kPieces[below(kPieces.size())];
    return out;
  }
  Cuts cuts(std::size_t size) {
    Cuts out;
    for (std::size_t n = below(6); n > 0 && size > 1; --n) out.push_back(1 + below(size - 1));
    std::sort(out.begin(), out.end());
    return out;
  }

 private:
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }
  std::mt19937 random_;
};

void expect_cuts_mean_nothing(const std::string& module, const SettingTable& settings) {
  Host host(module, settings);
  ASSERT_EQ(host.refused, "");
  RandomPages random(4711);
  Response response;
  response.fields = {{"Content-Type", "text/html"}};
  for (int i = 0; i < 3000; ++i) {
    response.content = random.page();
    const std::string whole = host.run({}, response).to_client.content;
    for (int j = 0; j < 3; ++j) {
      const Cuts cuts = random.cuts(response.content.size());
      ASSERT_EQ(host.run({}, response, cuts).to_client.content, whole)
          << "of " << response.content << ", cut at " << testing::PrintToString(cuts);
    }
  }
  EXPECT_EQ(host.violations, std::vector<std::string>());
}

TEST(RandomPages, TextInjector) {
  const Setting text = {std::string("[HI]")};
  expect_cuts_mean_nothing("text_injector", {{"text", text}});
  expect_cuts_mean_nothing("text_injector", {{"text", text}, {"place", {std::string("head")}}});
}

TEST(RandomPages, AdvertRemover) {
  const SettingTable rule = {{"mark", {std::string("advert")}}};
  expect_cuts_mean_nothing("advert_remover", {{"remove", {std::vector<SettingTable>{rule}}}});
}

}  // namespace
}  // namespace penstock::test

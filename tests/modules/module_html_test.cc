#include "penstock/module_html.hpp"

#include <string>

#include <gtest/gtest.h>

namespace penstock::test {
namespace {

std::string attributes(std::string_view tag) {
  std::string out;
  for (const HtmlTag::Attribute& one : HtmlTag(tag).attributes()) {
    out.append(one.name).append("[").append(one.value).append("]");
  }
  return out;
}

// What modules make of pages, however they are cut, stands in the tests of text_injector,
// advert_remover and of random pages.
TEST(ModuleHtml, KnowsTags) {
  EXPECT_EQ(HtmlTag("<DIV class=a>").name(), "div");
  EXPECT_EQ(HtmlTag("</Div >").name(), "div");
  EXPECT_TRUE(HtmlTag("</div>").is_end());
  EXPECT_FALSE(HtmlTag("<div/>").is_end());
  EXPECT_EQ(HtmlTag("<br/>").name(), "br");
  EXPECT_TRUE(HtmlTag("<BR/>").is_void());
  EXPECT_FALSE(HtmlTag("<b>").is_void());
  EXPECT_TRUE(HtmlTag("<script>").is_raw());
  EXPECT_FALSE(HtmlTag("</script>").is_raw());
  for (const char* none : {"", "<", "</", "<>", "</>", "<!doctype html>", "<1>"}) {
    EXPECT_EQ(HtmlTag(none).name(), "") << none;
  }
}

TEST(ModuleHtml, ReadsAttributes) {
  EXPECT_EQ(attributes("<a b C=d e = 'f g' h=\"i>'\"j = k/l>"), "b[]c[d]e[f g]h[i>']j[k/l]");
  EXPECT_EQ(attributes("<a/b/>"), "b[]");
  EXPECT_EQ(attributes("<a>"), "");
  EXPECT_EQ(attributes("<a b="), "b[]");
  EXPECT_EQ(attributes("<a b='c"), "b[c]");
  EXPECT_EQ(attributes("<a b='"), "b[]");
  EXPECT_EQ(attributes(""), "");
}

}  // namespace
}  // namespace penstock::test

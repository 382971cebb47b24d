#include "cache/rfc9111/invalidation.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cache/rfc9111/fields_test.h"
#include "cache/rfc9111/groups.h"

namespace penstock::rfc9111 {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// --- RFC 9111 section 4.4 ---

TEST(Invalidation, IsByMethodsNotKnownToBeSafe) {
  for (const std::string_view method : {"POST", "PUT", "DELETE", "PATCH", "M-SEARCH", "get", "X"}) {
    EXPECT_TRUE(invalidates(method, 200)) << method;
    EXPECT_TRUE(invalidates(method, 399)) << method;
    EXPECT_FALSE(invalidates(method, 404)) << method;
    EXPECT_FALSE(invalidates(method, 500)) << method;
    EXPECT_FALSE(invalidates(method, 101)) << method;
  }
  for (const std::string_view method :
       {"GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY", "CONNECT"}) {
    EXPECT_FALSE(invalidates(method, 200)) << method;
  }
}

std::vector<std::string> invalidated(std::string_view target, const Lines& answer) {
  std::vector<std::string> texts;
  for (const Url& uri : invalidated_uris(parse_url(target).value(), make_fields(answer))) {
    texts.push_back(uri.text());
  }
  return texts;
}

TEST(Invalidation, OfTargetLocationAndContentLocation) {
  EXPECT_THAT(invalidated("http://user@a.test/x/y?z", {}), ElementsAre("http://a.test/x/y?z"));
  EXPECT_THAT(invalidated("http://a.test/x/y?z", {{"Location", "http://A.test:80/new#f"},
                                                  {"content-location", "../c?d"},
                                                  {"Content-Location", "?q"}}),
              ElementsAre("http://a.test/x/y?z", "http://a.test/new", "http://a.test/c?d",
                          "http://a.test/x/y?q"));
  EXPECT_THAT(
      invalidated("http://a.test/x", {{"Location", "/x"}, {"Location", "y"}, {"Location", ""}}),
      ElementsAre("http://a.test/x", "http://a.test/y"));
}

TEST(Invalidation, StopsAtTheOrigin) {
  EXPECT_THAT(invalidated("http://a.test/", {{"Location", "http://b.test/"},
                                             {"Location", "https://a.test/"},
                                             {"Location", "http://a.test:81/"},
                                             {"Location", "//b.test/x"},
                                             {"Location", "http://a.test@b.test/"},
                                             {"Location", "mailto:x@a.test"},
                                             {"Location", "http://"},
                                             {"Content-Location", "//a.test/y"}}),
              ElementsAre("http://a.test/", "http://a.test/y"));
}

TEST(Invalidation, IsBounded) {
  std::vector<std::string> paths;
  for (int i = 0; i < 20; ++i) paths.push_back('/' + std::to_string(i));
  Lines answer;
  for (const std::string& path : paths) answer.emplace_back("Location", path);
  EXPECT_EQ(invalidated("http://a.test/", answer).size(), kMaxInvalidated);
}

// --- RFC 9875 ---

TEST(Groups, AreStrings) {
  EXPECT_THAT(groups_of(make_fields({{"Cache-Groups", R"("a", "B";x=1, tok, 5, ("c"), "d\"e\\")"},
                                     {"cache-groups", R"("a", "", "f, g")"}})),
              ElementsAre("a", "B", R"(d"e\)", "", "f, g"));
  EXPECT_THAT(groups_of(make_fields({{"Cache-Groups", R"("a")"}, {"Cache-Groups", R"("b)"}})),
              IsEmpty());
  EXPECT_THAT(groups_of({}), IsEmpty());
}

TEST(Groups, AreBounded) {
  std::string value = '"' + std::string(kMaxGroupLength + 1, 'x') + '"';
  for (std::size_t i = 0; i < kMaxGroups + 5; ++i) value += ", \"g" + std::to_string(i) + '"';
  const auto groups = groups_of(make_fields({{"Cache-Groups", value}}));
  EXPECT_EQ(groups.size(), kMaxGroups);
  EXPECT_EQ(groups.front(), "g0");
}

TEST(Groups, AreInvalidatedByUnsafeMethodsOnly) {
  const FieldSection answer = make_fields({{"Cache-Group-Invalidation", R"("a", "b")"}});
  EXPECT_THAT(invalidated_groups("POST", answer), ElementsAre("a", "b"));
  EXPECT_THAT(invalidated_groups("X", answer), ElementsAre("a", "b"));
  EXPECT_THAT(invalidated_groups("GET", answer), IsEmpty());
  EXPECT_THAT(groups_of(answer), IsEmpty());
}

}  // namespace
}  // namespace penstock::rfc9111

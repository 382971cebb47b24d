#include "message/match.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Match, HostPatterns) {
  struct Case {
    const char* pattern;
    const char* host;
    bool matches;
  };
  for (const Case& c : {
           Case{"*", "any.example", true},
           Case{"*", "", true},
           Case{"", "any.example", true},
           Case{"www.example", "WWW.Example", true},
           Case{"WWW.Example", "www.example", true},
           Case{"www.example", "www.example.org", false},
           Case{"www.example", "", false},
           Case{"*.example", "a.b.EXAMPLE", true},
           Case{"*.example", "example", false},
           Case{"*.example", ".example", false},
           Case{"*.example", "wwwexample", false},
           Case{"::1", "::1", true},
       }) {
    EXPECT_EQ(HostPattern(c.pattern).matches(c.host), c.matches) << c.pattern << ' ' << c.host;
  }
}

TEST(Match, PathsBeginInWholeSegments) {
  struct Case {
    const char* prefix;
    const char* path;
    bool matches;
  };
  for (const Case& c : {
           Case{"/", "/x", true},
           Case{"/", "*", true},
           Case{"/app", "*", false},
           Case{"/app", "/app", true},
           Case{"/app", "/app/", true},
           Case{"/app", "/app/x", true},
           Case{"/app", "/app?x", true},
           Case{"/app", "/application", false},
           Case{"/app", "/ap", false},
           Case{"/app/", "/app", false},
           Case{"/app/", "/app/x", true},
       }) {
    EXPECT_EQ(path_begins_with(c.path, c.prefix), c.matches) << c.prefix << ' ' << c.path;
  }
}

TEST(Match, StatusRanges) {
  struct Case {
    const char* text;
    int first;
    int last;
  };
  for (const Case& c : {Case{"404", 404, 404}, Case{"5xx", 500, 599}, Case{"1xx", 100, 199},
                        Case{"200-299", 200, 299}, Case{"200-200", 200, 200}}) {
    const auto range = StatusRange::parse(c.text);
    ASSERT_TRUE(range) << c.text;
    EXPECT_TRUE(range->contains(c.first)) << c.text;
    EXPECT_TRUE(range->contains(c.last)) << c.text;
    EXPECT_FALSE(range->contains(c.first - 1)) << c.text;
    EXPECT_FALSE(range->contains(c.last + 1)) << c.text;
  }
  for (const char* text : {"", "0xx", "6xx", "xxx", "5x", "5XX", "99", "099", "600", "1000", "4o4",
                           "299-200", "200-", "-200", "200-299-399", "200 - 299", "5xx-6xx"}) {
    EXPECT_FALSE(StatusRange::parse(text)) << text;
  }
}

TEST(Match, MediaRanges) {
  for (const char* text : {"text/html", "text/*", "*/*", "application/vnd.api+json"}) {
    EXPECT_TRUE(is_media_range(text)) << text;
  }
  for (const char* text : {"", "text", "text/", "/html", "*", "*/html", "text/ht*", "te*/html",
                           "text/html;charset=utf-8", "text/html ", "text//html", "text/html/x"}) {
    EXPECT_FALSE(is_media_range(text)) << text;
  }
}

TEST(Match, PlainPaths) {
  struct Case {
    const char* path;
    const char* plain;
  };
  for (const Case& c : {
           Case{"/", "/"},
           Case{"/a/b", "/a/b"},
           Case{"/a/b/", "/a/b/"},
           Case{"/a?b=//", "/a"},
           Case{"//a///b", "/a/b"},
           Case{"/./a/./b/.", "/a/b/"},
           Case{"/a/../b", "/b"},
           Case{"/../../b", "/b"},
           Case{"/a/b/..", "/a/"},
           Case{"/%61%2Fb", "/a/b"},
           Case{"/a;x=1/b;y", "/a/b"},
           Case{"/%2561", "/%61"},
           Case{"/%zz%4", "/%zz%4"},
           Case{"/a\\b%5cc", "/a/b/c"},
           Case{"/%", "/%"},
           Case{"", "/"},
           Case{"*", "/*"},
       }) {
    EXPECT_EQ(plain_path(c.path), c.plain) << c.path;
  }
  for (const char* path : {"/", "/a/b", "/a?x=%61//;", "/a.b/c..d"}) {
    EXPECT_TRUE(is_plain_path(path)) << path;
  }
  for (const char* path : {"//", "/.a", "/%61", "/a;", "/a\\"}) {
    EXPECT_FALSE(is_plain_path(path)) << path;
  }
}

TEST(Match, MediaTypesAreComparedWithoutParameters) {
  EXPECT_EQ(media_type_of("text/html; charset=utf-8"), "text/html");
  EXPECT_EQ(media_type_of(" text/html\t;x"), "text/html");
  EXPECT_EQ(media_type_of("text/html"), "text/html");
  EXPECT_EQ(media_type_of(""), "");
  struct Case {
    const char* range;
    const char* type;
    bool contains;
  };
  for (const Case& c : {
           Case{"text/html", "text/html", true},
           Case{"text/html", "TEXT/Html", true},
           Case{"text/html", "text/htm", false},
           Case{"text/html", "text/html5", false},
           Case{"text/*", "Text/plain", true},
           Case{"text/*", "text/", false},
           Case{"text/*", "textual/plain", false},
           Case{"text/*", "text", false},
           Case{"*/*", "image/png", true},
           Case{"*/*", "", false},
       }) {
    EXPECT_EQ(media_range_contains(c.range, c.type), c.contains) << c.range << ' ' << c.type;
  }
}

}  // namespace
}  // namespace penstock

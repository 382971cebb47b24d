#include "adapt/retarget.h"

#include <string>

#include <gtest/gtest.h>

#include "message/target.h"

namespace penstock {
namespace {

RequestHead head_of(std::string_view method, std::string_view target, std::string_view host) {
  RequestHead head;
  head.method_text = method;
  head.method = method_of(method);
  head.target_text = target;
  head.target = parse_target(method, target).value();
  head.fields.add(FieldId::host, host);
  return head;
}

std::string authority_in(const RequestHead& head) {
  return std::string(head.fields.value(FieldId::host));
}

TEST(Retarget, Path) {
  RequestHead head = head_of("GET", "/old?a", "a.example");
  EXPECT_TRUE(set_path(head, "/new?b=c"));
  EXPECT_EQ(head.target.path_and_query, "/new?b=c");
  EXPECT_EQ(head.target_text, "/old?a");
  for (const char* wrong :
       {"", "new", "?b", "*", "http://b.example/", "/a b", "/a#b", "/\r\n", "/\x01", "/\xc3\xa4"}) {
    EXPECT_FALSE(set_path(head, wrong)) << wrong;
  }
  EXPECT_EQ(head.target.path_and_query, "/new?b=c");
}

TEST(Retarget, PathOfAnAbsoluteTarget) {
  RequestHead head = head_of("GET", "http://a.example?q", "a.example");
  EXPECT_TRUE(head.target.needs_slash);
  EXPECT_EQ(url_of(head, false), "http://a.example/?q");
  EXPECT_TRUE(set_path(head, "/x"));
  EXPECT_FALSE(head.target.needs_slash);
  EXPECT_EQ(url_of(head, false), "http://a.example/x");
}

TEST(Retarget, WithoutParts) {
  RequestHead connect = head_of("CONNECT", "a.example:443", "a.example:443");
  EXPECT_FALSE(set_path(connect, "/"));
  EXPECT_FALSE(set_authority(connect, "b.example"));
  EXPECT_EQ(url_of(connect, false), "a.example:443");
  RequestHead options = head_of("OPTIONS", "*", "a.example");
  EXPECT_FALSE(set_path(options, "/"));
  EXPECT_FALSE(set_authority(options, "b.example"));
  EXPECT_EQ(url_of(options, true), "https://a.example");
}

TEST(Retarget, Authority) {
  RequestHead origin = head_of("GET", "/", "a.example");
  EXPECT_TRUE(set_authority(origin, "b.example:8080"));
  EXPECT_EQ(authority_in(origin), "b.example:8080");
  EXPECT_TRUE(origin.target.authority.empty());
  RequestHead absolute = head_of("GET", "http://a.example:81/x", "a.example:81");
  EXPECT_TRUE(set_authority(absolute, "[2001:db8::1]:82"));
  EXPECT_EQ(authority_in(absolute), "[2001:db8::1]:82");
  EXPECT_EQ(absolute.target.host.host, "2001:db8::1");
  EXPECT_EQ(absolute.target.host.port, 82);
  EXPECT_EQ(url_of(absolute, false), "http://[2001:db8::1]:82/x");
  for (const char* wrong : {"", "a b", "user@b.example", "b.example:x", "b.example:0", "a/b",
                            "[::1", "b\r\n", "b.example:65536"}) {
    EXPECT_FALSE(set_authority(absolute, wrong)) << wrong;
  }
  EXPECT_EQ(authority_in(absolute), "[2001:db8::1]:82");
}

// Several Host lines cannot be, but one is all that is left.
TEST(Retarget, OneHost) {
  RequestHead head = head_of("GET", "/", "a.example");
  head.fields.add(FieldId::host, "b.example");
  EXPECT_TRUE(set_authority(head, "c.example"));
  EXPECT_EQ(head.fields.count(FieldId::host), 1U);
}

TEST(Retarget, Method) {
  RequestHead head = head_of("GET", "/", "a.example");
  for (const char* wrong : {"", "A B", "A\r\n", "HEAD", "CONNECT", "\xc3\xa4"}) {
    EXPECT_FALSE(set_method(head, wrong)) << wrong;
  }
  EXPECT_EQ(head.method, Method::get);
  EXPECT_TRUE(set_method(head, "POST"));
  EXPECT_EQ(head.method, Method::post);
  EXPECT_TRUE(set_method(head, "BREW"));
  EXPECT_EQ(head.method_text, "BREW");
  RequestHead bound = head_of("HEAD", "/", "a.example");
  EXPECT_FALSE(set_method(bound, "GET"));
  EXPECT_TRUE(set_method(bound, "HEAD"));
}

// What it is given need not stay.
TEST(Retarget, TextsAreCopied) {
  RequestHead head = head_of("GET", "/", "a.example");
  {
    std::string path = "/a-path-that-is-long-enough-to-be-allocated-for-itself";
    std::string host = "a-host-that-is-long-enough-to-be-allocated.example";
    std::string method = "AMETHODTHATISLONGENOUGHTOBEALLOCATED";
    EXPECT_TRUE(set_path(head, path));
    EXPECT_TRUE(set_authority(head, host));
    EXPECT_TRUE(set_method(head, method));
    path.assign(path.size(), 'x');
    host.assign(host.size(), 'x');
    method.assign(method.size(), 'x');
  }
  EXPECT_EQ(url_of(head, true),
            "https://a-host-that-is-long-enough-to-be-allocated.example"
            "/a-path-that-is-long-enough-to-be-allocated-for-itself");
  EXPECT_EQ(head.method_text, "AMETHODTHATISLONGENOUGHTOBEALLOCATED");
}

}  // namespace
}  // namespace penstock

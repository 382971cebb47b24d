#include "app/fetch_request.h"

#include <string>

#include <gtest/gtest.h>

#include "app/version.h"
#include "http1/head_reader.h"

namespace penstock {
namespace {

FetchCommand command_with(std::string method, std::vector<FetchField> fields = {}) {
  FetchCommand command;
  command.urls.push_back(*parse_url("http://u:p@a.example:8080/dir/file?q"));
  command.method = std::move(method);
  command.fields = std::move(fields);
  return command;
}

std::string written(const FetchRequest& request, const FetchCommand& command) {
  RequestHead head;
  fill_head(request, command, head);
  return std::string(http1::serialise(head, http1::RequestForm::origin, {})->view());
}

std::string user_agent() { return "User-Agent: penstock/" + std::string(version()) + "\r\n"; }

TEST(FetchRequest, FieldsOfOurOwn) {
  const FetchCommand command = command_with("GET");
  EXPECT_EQ(written(first_request(command, command.urls[0]), command),
            "GET /dir/file?q HTTP/1.1\r\nHost: a.example:8080\r\n" + user_agent() +
                "Accept: */*\r\n\r\n");
}

TEST(FetchRequest, FieldsOfTheCommand) {
  FetchCommand command = command_with(
      "POST",
      {{"host", "other"}, {"ACCEPT", "x/y"}, {"User-Agent", ""}, {"X-A", "1"}, {"x-a", "2"}});
  command.data = "a=b";
  EXPECT_EQ(written(first_request(command, command.urls[0]), command),
            "POST /dir/file?q HTTP/1.1\r\nHost: other\r\nAccept: x/y\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nX-A: 1\r\nx-a: 2\r\n"
            "Content-Length: 0\r\n\r\n");
}

TEST(FetchRequest, MethodsAfterRedirects) {
  struct Case {
    const char* method;
    int status;
    const char* next;
  };
  for (const Case& one : {Case{"GET", 301, "GET"},
                          {"POST", 301, "GET"},
                          {"POST", 302, "GET"},
                          {"PUT", 301, "PUT"},
                          {"DELETE", 302, "DELETE"},
                          {"PUT", 303, "GET"},
                          {"HEAD", 303, "HEAD"},
                          {"HEAD", 301, "HEAD"},
                          {"POST", 307, "POST"},
                          {"POST", 308, "POST"}}) {
    FetchCommand command = command_with(one.method, {{"Content-Type", "x/y"}});
    command.data_file = "x";
    const auto next = redirected(first_request(command, command.urls[0]), one.status, "/elsewhere");
    ASSERT_TRUE(next);
    EXPECT_EQ(next->method, one.next) << one.method << one.status;
    const bool same = next->method == command.method;
    EXPECT_EQ(next->has_body, same) << one.method << one.status;
    EXPECT_EQ(next->fields.size(), same ? 1 : 0) << one.method << one.status;
    EXPECT_EQ(next->url.text(), "http://a.example:8080/elsewhere");
  }
  EXPECT_FALSE(is_redirect(300));
  EXPECT_FALSE(is_redirect(304));
  EXPECT_FALSE(is_redirect(200));
}

TEST(FetchRequest, SecretsStayAtTheirOrigin) {
  const FetchCommand command = command_with(
      "GET", {{"Authorization", "Basic x"}, {"Cookie", "a=b"}, {"Host", "h"}, {"X-A", "1"}});
  const FetchRequest first = first_request(command, command.urls[0]);
  EXPECT_EQ(redirected(first, 302, "http://A.example:8080/x")->fields.size(), 4);
  for (const char* const location :
       {"https://a.example:8080/", "http://a.example/", "http://b.example:8080/", "//b/"}) {
    const auto next = redirected(first, 302, location);
    ASSERT_TRUE(next) << location;
    ASSERT_EQ(next->fields.size(), 1) << location;
    EXPECT_EQ(next->fields[0].name, "X-A");
    EXPECT_FALSE(next->url.login);
  }
  EXPECT_FALSE(redirected(first, 302, "file:///etc/passwd"));
}

}  // namespace
}  // namespace penstock

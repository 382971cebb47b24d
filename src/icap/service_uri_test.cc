#include "icap/service_uri.h"

#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace penstock::icap {
namespace {

using namespace std::string_view_literals;

ServiceUri parsed(std::string_view text) {
  const auto uri = parse_service_uri(text);
  EXPECT_TRUE(uri.has_value()) << text << ": " << uri.error();
  return uri.value_or(ServiceUri{});
}

std::string error(std::string_view text) {
  const auto uri = parse_service_uri(text);
  return uri ? "none" : uri.error();
}

TEST(ServiceUri, HasAPortAndAPath) {
  EXPECT_EQ(parsed("icap://Scan.example:1345/av?mode=x"),
            (ServiceUri{.host = "scan.example",
                        .port = 1345,
                        .path = "/av?mode=x",
                        .authority = "scan.example:1345",
                        .text = "icap://scan.example:1345/av?mode=x"}));
  EXPECT_EQ(parsed("ICAP://127.0.0.1/echo"), (ServiceUri{.host = "127.0.0.1",
                                                         .port = 1344,
                                                         .path = "/echo",
                                                         .authority = "127.0.0.1",
                                                         .text = "icap://127.0.0.1/echo"}));
  EXPECT_EQ(parsed("icaps://scan/x"), (ServiceUri{.secure = true,
                                                  .host = "scan",
                                                  .port = 11344,
                                                  .path = "/x",
                                                  .authority = "scan",
                                                  .text = "icaps://scan/x"}));
}

TEST(ServiceUri, Ipv6) {
  const ServiceUri uri = parsed("icap://[2001:DB8::1]:1344/echo");
  EXPECT_EQ(uri.host, "2001:db8::1");
  EXPECT_EQ(uri.authority, "[2001:db8::1]:1344");
  EXPECT_EQ(uri.text, "icap://[2001:db8::1]:1344/echo");
  EXPECT_EQ(parsed("icaps://[::1]/").authority, "[::1]");
}

TEST(ServiceUri, WithoutPathItIsTheRoot) {
  EXPECT_EQ(parsed("icap://a").text, "icap://a/");
  EXPECT_EQ(parsed("icap://a:").text, "icap://a/");
  EXPECT_EQ(parsed("icap://a:1?b").text, "icap://a:1/?b");
}

TEST(ServiceUri, SaysWhatIsWrong) {
  const auto scheme = R"(it does not begin with "icap://" or "icaps://")";
  const auto character = "it has a character that must be written as %XX";
  const auto port = "its port is not a number from 1 to 65535";
  const std::vector<std::pair<std::string_view, std::string_view>> samples = {
      {"", scheme},
      {"icap:", scheme},
      {"icap:/a", scheme},
      {"http://a/", scheme},
      {"icap", scheme},
      {"127.0.0.1:1344/echo", scheme},
      {" icap://a/", scheme},
      {"icap://", "it names no host"},
      {"icap:///echo", "it names no host"},
      {"icap://a/b c", character},
      {"icap://a/b\r\nX: y", character},
      {"icap://a/\0"sv, character},
      {"icap://a\t/", character},
      {"icap://a/\xc3\xa4", character},
      {"icap://a/b#c", "it may not have a fragment"},
      {"icap://u:p@a/", "it may not have a login"},
      {"icap://a:0/", port},
      {"icap://a:65536/", port},
      {"icap://a:x/", port},
      {"icap://[::1]:123456/", port},
      {"icap://::1/", "an IPv6 address needs brackets around it"},
      {"icap://[::g]/", "its host is not valid"},
      {"icap://[::1/", "its host is not valid"},
      {"icap://[::1]x/", "its host is not valid"},
      {"icap://a%41/", "its host is not valid"},
  };
  for (const auto& [text, expected] : samples) EXPECT_EQ(error(text), expected) << text;
}

}  // namespace
}  // namespace penstock::icap

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/modules/mock_host.h"

namespace penstock::test {
namespace {

SettingTable to(const std::string& file, const std::string& pattern) {
  return {{"file", {file}}, {"pattern", {pattern}}};
}

// The line for a transaction.
std::string line(const std::string& pattern, const Request& request = {}) {
  Host host("custom_logger", to("a.log", pattern));
  EXPECT_EQ(host.refused, "");
  host.record = {{"status", "200"}, {"empty", ""}};
  Response response;
  response.fields = {{"Content-Type", "text/html"}};
  host.run(request, response);
  EXPECT_EQ(host.files["a.log"].size(), 1U);
  return host.files["a.log"].at(0);
}

TEST(CustomLogger, FillsThePattern) {
  EXPECT_EQ(line("${client} [${method} ${url}] ${record.status}$$ ${response.content-type}"),
            "192.0.2.7 [GET http://www.example.com/] 200$ text/html");
  EXPECT_EQ(line("$$$$${host}$$x"), "$$www.example.com$x");
  EXPECT_EQ(line("plain"), "plain");
}

TEST(CustomLogger, WritesADashForWhatIsNotThere) {
  EXPECT_EQ(line("${request.None} ${record.none} ${record.empty} ${tls}"), "- - - -");
}

TEST(CustomLogger, EscapesWhatCouldForgeLines) {
  Request request;
  request.fields = {{"User-Agent", "a\"b\\c\x7f\n\xc3\xa4"}};
  EXPECT_EQ(line("\"${request.User-Agent}\"", request), "\"a\\x22b\\x5cc\\x7f\\x0a\\xc3\\xa4\"");
}

TEST(CustomLogger, CutsLongLines) {
  Request request;
  request.path = "/" + std::string(10000, '"');
  EXPECT_EQ(line("${path}", request).size(), 8192U);
}

TEST(CustomLogger, HasAPatternOfItsOwn) {
  Host host("custom_logger", {{"file", {std::string("a.log")}}});
  host.run(Request{}, Response{});
  EXPECT_EQ(host.files["a.log"].at(0), "- 192.0.2.7 GET http://www.example.com/ - - -");
}

TEST(CustomLogger, ChecksItsSettings) {
  const auto refused = [](const std::string& file, const std::string& pattern) {
    return Host("custom_logger", to(file, pattern)).refused;
  };
  EXPECT_EQ(refused("a", "${nonsense}"), "pattern: there is no variable \"nonsense\"");
  EXPECT_EQ(refused("a", "${request.}"), "pattern: there is no variable \"request.\"");
  EXPECT_EQ(refused("a", "${host"), "pattern: behind a dollar sign comes {name} or another one");
  EXPECT_EQ(refused("a", "x$"), "pattern: behind a dollar sign comes {name} or another one");
  EXPECT_EQ(refused("a", "$x}"), "pattern: behind a dollar sign comes {name} or another one");
  std::string many;
  for (int i = 0; i < 65; ++i) many += "${host}";
  EXPECT_EQ(refused("a", many), "pattern: it has more than 64 parts");
  EXPECT_EQ(refused("", "x").substr(0, 27), "file: it cannot be opened: ");
}

}  // namespace
}  // namespace penstock::test

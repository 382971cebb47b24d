#include "net/hosts.h"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "net/fd.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;

class HostsTest : public testing::Test {
 protected:
  HostsTest() {
    std::string pattern = testing::TempDir() + "penstock-hosts-XXXXXX";
    const Fd file(::mkstemp(pattern.data()));
    path_ = pattern;
  }
  ~HostsTest() override { std::remove(path_.c_str()); }

  void write(std::string_view text) { std::ofstream(path_) << text; }
  // "" where it is not known here, "none" where it is known to have no address.
  std::string find(std::string_view name) {
    const auto found = hosts().find(name, 80, now_);
    if (!found) return "";
    if (!*found) {
      EXPECT_EQ(found->error(), Error{.kind = ErrorKind::resolve_failed});
      return "none";
    }
    std::string text;
    for (const Address& address : (*found)->addresses) text += address.to_string() + " ";
    return text;
  }
  Hosts& hosts() {
    if (!hosts_) hosts_.emplace(settings_, path_);
    return *hosts_;
  }

  DnsSettings settings_;
  std::string path_;
  std::optional<Hosts> hosts_;
  TimePoint now_{1h};
};

TEST_F(HostsTest, ReadsTheFile) {
  write(
      "# 192.0.2.9 comment.example\n"
      "192.0.2.1\tOne.example one  uno# 192.0.2.9\r\n"
      "\n"
      "   2001:db8::2 two.example.\n"
      "nonsense three.example\n"
      "192.0.2.4\n"
      "127.0.0.1 both.example\n::1 both.example\n127.0.0.1 both.example\n"
      "192.0.2.5 last.example");
  EXPECT_EQ(find("one.example"), "192.0.2.1:80 ");
  EXPECT_EQ(find("one"), "192.0.2.1:80 ");
  EXPECT_EQ(find("uno"), "192.0.2.1:80 ");
  EXPECT_EQ(find("one.example."), "192.0.2.1:80 ");
  EXPECT_EQ(find("two.example"), "[2001:db8::2]:80 ");
  EXPECT_EQ(find("last.example"), "192.0.2.5:80 ");
  EXPECT_EQ(find("three.example"), "");
  EXPECT_EQ(find("comment.example"), "");
  EXPECT_EQ(find("192.0.2.9"), "");
  EXPECT_EQ(hosts().find("both.example", 80, now_).value()->addresses.size(), 2U);
}

TEST_F(HostsTest, NoticesAChangeWithinASecond) {
  write("192.0.2.1 a.example\n");
  EXPECT_EQ(find("a.example"), "192.0.2.1:80 ");
  write("192.0.2.22 a.example\n");
  now_ += 999ms;
  EXPECT_EQ(find("a.example"), "192.0.2.1:80 ");
  now_ += 1ms;
  EXPECT_EQ(find("a.example"), "192.0.2.22:80 ");
  std::remove(path_.c_str());
  now_ += 1s;
  EXPECT_EQ(find("a.example"), "");
  write("192.0.2.3 a.example\n");
  now_ += 1s;
  EXPECT_EQ(find("a.example"), "192.0.2.3:80 ");
}

TEST_F(HostsTest, ConfiguredNamesGoFirst) {
  write("192.0.2.1 a.example b.example\n");
  settings_.hosts = {{"A.example", {"192.0.2.7", "2001:db8::7"}}, {"b.example", {}}};
  const auto found = hosts().find("a.example", 80, now_).value();
  EXPECT_EQ(found->addresses.size(), 2U);
  EXPECT_EQ(found->expires, kNever);
  EXPECT_EQ(find("b.example"), "none");
}

TEST_F(HostsTest, LocalhostIsLoopbackUnlessTheFileSaysOtherwise) {
  EXPECT_EQ(find("localhost"), "[::1]:80 127.0.0.1:80 ");
  EXPECT_EQ(find("a.localhost."), "[::1]:80 127.0.0.1:80 ");
  EXPECT_EQ(find("notlocalhost"), "");
  write("192.0.2.1 localhost\n");
  now_ += 1s;
  EXPECT_EQ(find("localhost"), "192.0.2.1:80 ");
}

TEST_F(HostsTest, OnionNamesAreForNoNameServer) {
  EXPECT_EQ(find("onion"), "none");
  EXPECT_EQ(find("a.onion"), "none");
  EXPECT_EQ(find("a.onion."), "none");
  EXPECT_EQ(find("a.onion.example"), "");
  EXPECT_EQ(find("garlic-onion"), "");
}

TEST_F(HostsTest, WithoutAFileThereAreTheConfiguredNames) {
  settings_.hosts = {{"a", {"192.0.2.7"}}};
  Hosts hosts(settings_, "");
  EXPECT_TRUE(hosts.find("a", 80, now_));
  EXPECT_FALSE(hosts.find("b", 80, now_));
}

}  // namespace
}  // namespace penstock

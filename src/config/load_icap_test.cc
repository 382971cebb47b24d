// ICAP services and the filters that use them: what they come to.
#include <string>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load_test.h"
#include "config/summary.h"

namespace penstock::config {
namespace {

using namespace std::chrono_literals;
using icap::OverloadPolicy;
using icap::ServiceSettings;
using icap::SizePolicy;
using icap::TrickleSettings;
using icap::UserCoding;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

const std::string kFilter = "[[filter]]\nicap = 's'\n";

// The only service, with these lines beyond its URL.
ServiceSettings load_service(const std::string& lines, std::string_view url = "icap://scan/av") {
  const Snapshot snapshot = load(kFilter + "[icap.s]\nurl = '" + std::string(url) + "'\n" + lines);
  if (snapshot.icap.services.size() == 1) return snapshot.icap.services.front();
  ADD_FAILURE() << snapshot.icap.services.size() << " services: " << lines;
  return {};
}

TEST(LoadIcap, WithoutAnyThereAreNone) { EXPECT_THAT(load("").icap.services, IsEmpty()); }

TEST(LoadIcap, AUrlIsEnough) {
  const ServiceSettings service = load_service("");
  EXPECT_EQ(service.name, "s");
  EXPECT_EQ(service.url, "icap://scan/av");
  EXPECT_THAT(service.servers, IsEmpty());
  EXPECT_TRUE(service.reqmod && service.respmod);
  EXPECT_EQ(service.timeout, 30s);
  EXPECT_EQ(service.total_timeout, 0s);
  EXPECT_TRUE(service.previews);
  EXPECT_EQ(service.preview, 4096U);
  EXPECT_TRUE(service.allow_204 && service.allow_206);
  EXPECT_EQ(service.keep.total, 256U * 1024 * 1024);
  EXPECT_EQ(service.size_limit, 0U);
  EXPECT_EQ(service.max_connections, 0U);
  EXPECT_EQ(service.on_overload, OverloadPolicy::wait);
  EXPECT_EQ(service.pool.idle, 30s);  // whatever [timeouts] says of server connections
  EXPECT_EQ(service.pool.max_idle, 8U);
  EXPECT_EQ(service.queue.length, 100U);
  EXPECT_EQ(service.fields.client_ip, "X-Client-IP");
  EXPECT_FALSE(service.tls.has_value());
}

TEST(LoadIcap, EachKeyOfAServiceSetsItsMember) {
  const ServiceSettings service = load_service(R"(
    servers = ["scan1:1344", "[::1]:1345", "unix:/run/icap.sock"]
    methods = ["respmod"]
    timeout = "1m"
    answer_timeout = "77s"
    total_timeout = "10m"
    preview = "1KiB"
    allow_204 = false
    allow_206 = false
    size_limit = "100MB"
    over_size = "block"
    max_connections = 20
    on_overload = "force"
    repeat = 2
    options_ttl = "5m"
    share = ["X-ICAP-E2G", "X-Verdict"]
    note = []
    pass = ["X-Infection-Found"]
  )");
  EXPECT_THAT(service.servers, ElementsAre("scan1:1344", "[::1]:1345", "unix:/run/icap.sock"));
  EXPECT_FALSE(service.reqmod);
  EXPECT_TRUE(service.respmod);
  EXPECT_EQ(service.timeout, 1min);
  EXPECT_EQ(service.answer_timeout, 77s);
  EXPECT_EQ(service.total_timeout, 10min);
  EXPECT_TRUE(service.previews);
  EXPECT_EQ(service.preview, 1024U);
  EXPECT_FALSE(service.allow_204 || service.allow_206);
  EXPECT_EQ(service.size_limit, 100'000'000U);
  EXPECT_EQ(service.over_size, SizePolicy::block);
  EXPECT_EQ(service.max_connections, 20U);
  EXPECT_EQ(service.on_overload, OverloadPolicy::force);
  EXPECT_EQ(service.repeat, 2U);
  EXPECT_EQ(service.options_ttl, 5min);
  EXPECT_THAT(service.share, ElementsAre("X-ICAP-E2G", "X-Verdict"));
  EXPECT_THAT(service.note, IsEmpty());
  EXPECT_THAT(service.pass, ElementsAre("X-Infection-Found"));
}

TEST(LoadIcap, EachTableOfAServiceSetsItsMember) {
  const ServiceSettings service = load_service(R"(
    [icap.s.keep]
    memory = "1MiB"
    total = "1GiB"
    folder = "/tmp"
    [icap.s.fields]
    client_ip = ""
    client_port = "X-Client-Port"
    server_ip = "X-Origin"
    user = "X-User"
    user_is = "x ${user}"
    groups = "X-Groups"
    groups_are = "${field:X-G}"
    user_coding = "base64"
    set = { X-Policy = "gold $$", X-Group = ["a", "b"] }
    proxy_logins = true
    [icap.s.breaker]
    failures = 3
    window = "1m"
    retry_after = "2s"
    max_retry_after = "5m"
    [icap.s.trickle]
    from = "all"
    after = "3s"
    rate = 7
    held = 9
    [icap.s.pool]
    idle = "5s"
    max_requests = 99
    [icap.s.queue]
    timeout = "1s"
    [icap.s.tls]
    ca_file = "/dev/null"
    server_name = "scan.internal"
  )",
                                               "icaps://scan/av?x=y");
  EXPECT_EQ(service.url, "icaps://scan/av?x=y");
  EXPECT_EQ(service.keep.memory, 1024U * 1024);
  EXPECT_EQ(service.keep.total, 1024U * 1024 * 1024);
  EXPECT_EQ(service.keep.folder, "/tmp");
  EXPECT_EQ(service.fields.client_ip, "");
  EXPECT_EQ(service.fields.client_port, "X-Client-Port");
  EXPECT_EQ(service.fields.server_ip, "X-Origin");
  EXPECT_EQ(service.fields.user, "X-User");
  EXPECT_EQ(service.fields.user_is, "x ${user}");
  EXPECT_EQ(service.fields.groups, "X-Groups");
  EXPECT_EQ(service.fields.groups_are, "${field:X-G}");
  EXPECT_EQ(service.fields.user_coding, UserCoding::base64);
  EXPECT_THAT(service.fields.set,
              ElementsAre(Pair("X-Policy", "gold $$"), Pair("X-Group", "a"), Pair("X-Group", "b")));
  EXPECT_TRUE(service.fields.proxy_logins);
  EXPECT_EQ(service.trickle.from, TrickleSettings::From::all);
  EXPECT_EQ(service.trickle.after, 3s);
  EXPECT_EQ(service.trickle.rate, 7U);
  EXPECT_EQ(service.trickle.held, 9U);
  EXPECT_EQ(service.breaker.failures, 3U);
  EXPECT_EQ(service.breaker.window, 1min);
  EXPECT_EQ(service.breaker.retry_after, 2s);
  EXPECT_EQ(service.breaker.max_retry_after, 5min);
  EXPECT_EQ(service.pool.idle, 5s);
  EXPECT_EQ(service.pool.max_idle, 8U);  // what a table leaves out stays
  EXPECT_EQ(service.pool.max_requests, 99U);
  EXPECT_EQ(service.queue.length, 100U);
  EXPECT_EQ(service.queue.timeout, 1s);
  ASSERT_TRUE(service.tls.has_value());
  EXPECT_EQ(service.tls->ca_file, "/dev/null");
  EXPECT_EQ(service.tls->server_name, "scan.internal");
}

TEST(LoadIcap, WhatHasAWordForNone) {
  EXPECT_FALSE(load_service("preview = 'off'").previews);
  EXPECT_EQ(load_service("preview = 0").preview, 0U);  // the head alone comes first
  EXPECT_TRUE(load_service("preview = 0").previews);
  EXPECT_EQ(load_service("size_limit = 'unlimited'").size_limit, 0U);
  EXPECT_EQ(load_service("total_timeout = '0s'").total_timeout, 0s);
  EXPECT_FALSE(load_service("methods = ['reqmod']").respmod);
  EXPECT_EQ(load_service("on_overload = 'bypass'").on_overload, OverloadPolicy::bypass);
  EXPECT_EQ(load_service("on_overload = 'refuse'").on_overload, OverloadPolicy::refuse);
  EXPECT_TRUE(load_service("tls = {}", "icaps://scan").tls.has_value());
}

TEST(LoadIcap, ServicesStandInTheOrderOfTheFile) {
  const Snapshot snapshot = load(
      "icap.z.url = 'icap://z'\nicap.a-1_B.url = 'icap://a'\n"
      "filter = [{ icap = ['a-1_B', 'z'] }]");
  ASSERT_THAT(snapshot.icap.services, SizeIs(2));
  EXPECT_EQ(snapshot.icap.services[0].name, "z");
  EXPECT_EQ(snapshot.icap.services[1].name, "a-1_B");
}

TEST(LoadIcap, FiltersNameServices) {
  const Snapshot snapshot = load(R"(
    [icap.one]
    url = "icap://one"
    [icap.two]
    url = "icap://two"
    [icap.three]
    url = "icap://three"
    [[filter]]
    icap = "one"
    at = "server"
    on_failure = "open"
    [[filter]]
    icap = ["two", "one"]
    content_type = "text/*"
    [[filter]]
    [filter.icap]
    services = "one"
    next_services = true
    [[filter]]
    name = "own name"
    icap = { services = ["two", "one"] }
  )");
  const auto& filters = snapshot.adapt.filters;
  ASSERT_THAT(filters, SizeIs(4));
  const auto work = [&](std::size_t at) { return std::get<IcapFilterSettings>(filters[at].work); };
  EXPECT_EQ(filters[0].name, "one");  // by its first service
  EXPECT_EQ(filters[0].at, FilterSide::server);
  EXPECT_THAT(work(0).services, ElementsAre("one"));
  EXPECT_FALSE(work(0).next_services);
  EXPECT_EQ(filters[1].name, "two");
  EXPECT_THAT(work(1).services, ElementsAre("two", "one"));
  EXPECT_THAT(work(2).services, ElementsAre("one"));
  EXPECT_TRUE(work(2).next_services);
  EXPECT_EQ(filters[3].name, "own name");
  EXPECT_THAT(work(3).services, ElementsAre("two", "one"));
}

TEST(LoadIcap, TheSummaryShowsServicesAndTheirFilters) {
  const std::string text = summary(load(R"(
    [icap.av]
    url = "icaps://scan.internal/av"
    preview = "off"
    methods = ["respmod"]
    fields.set = { X-Policy = "gold" }
    pool.max_idle = 2
    tls = {}
    [icap.plain]
    url = "icap://[::1]:1345"
    [[filter]]
    icap = "av"
    status = 200
    [[filter]]
    icap = ["plain", "av"]
    [[filter]]
    name = "chosen"
    icap = { services = "plain", next_services = true }
  )"));
  EXPECT_THAT(text, HasSubstr("filter     av: icap = \"av\", status = \"200\"\n"));
  EXPECT_THAT(text, HasSubstr("filter     plain: icap = [\"plain\", \"av\"]\n"));
  EXPECT_THAT(text, HasSubstr("filter     chosen: icap = { services = \"plain\", "
                              "next_services = true }\n"));
  EXPECT_THAT(text, HasSubstr("icap       av: icaps://scan.internal/av, methods = [\"respmod\"], "
                              "preview = \"off\",\n"
                              "           fields = { set = { X-Policy = \"gold\" } }, "
                              "pool = { max_idle = 2 }, tls = {}\n"));
  EXPECT_THAT(text, HasSubstr("icap       plain: icap://[::1]:1345\n"));  // defaults are left out
}

}  // namespace
}  // namespace penstock::config

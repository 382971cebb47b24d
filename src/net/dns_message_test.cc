#include "net/dns_message.h"

#include <chrono>
#include <string>

#include <gtest/gtest.h>

#include "net/dns_server_test.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using dns::Reply;

std::string message_for(std::string_view name, DnsType type, const Reply& reply) {
  return dns::message("id", dns::labels(name) + dns::number16(number_of(type)) + dns::number16(1),
                      reply);
}

DnsAnswer read(std::string_view text, DnsType type) {
  return read_dns_answer({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, type);
}

DnsAnswer read(DnsType type, const Reply& reply) {
  return read(message_for("a.example", type, reply), type);
}

std::string ips_of(const DnsAnswer& answer) {
  std::string text;
  for (const Address& address : answer.addresses) text += address.host_text() + " ";
  return text;
}

TEST(DnsMessage, AddressesInTheirOrder) {
  DnsAnswer answer =
      read(DnsType::a, {.records = {dns::a("192.0.2.2", 300), dns::a("192.0.2.1", 20)}});
  EXPECT_EQ(answer.outcome, DnsOutcome::found);
  EXPECT_EQ(ips_of(answer), "192.0.2.2 192.0.2.1 ");
  EXPECT_EQ(answer.ttl, 20s);
  answer = read(DnsType::aaaa, {.records = {dns::aaaa("2001:db8::1")}});
  EXPECT_EQ(ips_of(answer), "2001:db8::1 ");
}

TEST(DnsMessage, AnAliasLivesNoLongerThanItsLinks) {
  const DnsAnswer answer =
      read(DnsType::a, {.records = {dns::cname("b.example", 5), dns::a("192.0.2.1", 300)}});
  EXPECT_EQ(ips_of(answer), "192.0.2.1 ");
  EXPECT_EQ(answer.ttl, 5s);
}

TEST(DnsMessage, OtherTypesAndClassesAreNotTaken) {
  std::string chaos = dns::a("192.0.2.3");
  chaos[5] = 3;  // its class
  const DnsAnswer answer =
      read(DnsType::a, {.records = {dns::aaaa("2001:db8::1", 1), chaos, dns::a("192.0.2.1", 60)}});
  EXPECT_EQ(ips_of(answer), "192.0.2.1 ");
  EXPECT_EQ(answer.ttl, 60s);
}

TEST(DnsMessage, NoMoreAddressesThanTheBound) {
  Reply reply;
  for (int i = 0; i < 200; ++i) reply.records.push_back(dns::a("192.0.2." + std::to_string(i)));
  EXPECT_EQ(read(DnsType::a, reply).addresses.size(), kMaxDnsRecords);
}

TEST(DnsMessage, ATimeToLiveWithTheHighestBitIsZero) {
  EXPECT_EQ(read(DnsType::a, {.records = {dns::a("192.0.2.1", 0x80000000)}}).ttl, 0s);
  EXPECT_EQ(read(DnsType::a, {.records = {dns::a("192.0.2.1", 0x7fffffff)}}).ttl, 2147483647s);
}

TEST(DnsMessage, NothingIsForAsLongAsTheZoneSays) {
  DnsAnswer answer = read(DnsType::a, {.authority = {dns::soa(900, 30)}, .rcode = 3});
  EXPECT_EQ(answer.outcome, DnsOutcome::none);
  EXPECT_EQ(answer.ttl, 30s);
  EXPECT_EQ(read(DnsType::a, {.authority = {dns::soa(20, 30)}}).ttl, 20s);
  answer = read(DnsType::a, {.records = {dns::cname("b.example", 5)}});
  EXPECT_EQ(answer.outcome, DnsOutcome::none);
  EXPECT_FALSE(answer.ttl);
}

TEST(DnsMessage, ServicesByPriority) {
  const ServiceTarget late{.host = "b.example", .port = 81, .priority = 20, .weight = 7};
  const ServiceTarget first{.host = "a.example", .port = 80, .priority = 10, .weight = 0};
  const DnsAnswer answer =
      read(DnsType::srv, {.records = {dns::srv(late, 30), dns::srv(first, 60)}});
  EXPECT_EQ(answer.outcome, DnsOutcome::found);
  EXPECT_EQ(answer.targets, (std::vector<ServiceTarget>{first, late}));
  EXPECT_EQ(answer.ttl, 30s);
}

TEST(DnsMessage, TheRootAloneMeansNoSuchService) {
  const std::string root = dns::srv({.host = "."}, 30);
  DnsAnswer answer = read(DnsType::srv, {.records = {root}});
  EXPECT_EQ(answer.outcome, DnsOutcome::none);
  EXPECT_EQ(answer.ttl, 30s);
  answer = read(DnsType::srv, {.records = {root, dns::srv({.host = "a", .port = 1})}});
  EXPECT_EQ(answer.targets, (std::vector<ServiceTarget>{{.host = "a", .port = 1}}));
}

TEST(DnsMessage, ATargetMayPointIntoTheMessage) {
  const std::string numbers = dns::number16(1) + dns::number16(2) + dns::number16(3);
  const DnsAnswer answer =
      read(DnsType::srv, {.records = {dns::record(33, 60, numbers + "\1x\xc0\x0c")}});
  ASSERT_EQ(answer.targets.size(), 1U);
  EXPECT_EQ(answer.targets[0].host, "x.a.example");
}

TEST(DnsMessage, TargetsThatAreNoHostNamesAreGarbage) {
  const std::string numbers = dns::number16(1) + dns::number16(2) + dns::number16(3);
  for (const std::string& name :
       {std::string("\2a"), std::string("\3a.b\0", 5), std::string("\3a b\0", 5),
        std::string("\3a\0b\0", 5), std::string("\xc0\x28"), std::string("\xff\xff"),
        std::string("\x41z\0", 3),
        dns::labels(std::string(50, 'x') + "." + std::string(60, 'x') + "." + std::string(60, 'x') +
                    "." + std::string(60, 'x') + "." + std::string(60, 'x'))}) {
    const DnsAnswer answer = read(DnsType::srv, {.records = {dns::record(33, 60, numbers + name)}});
    EXPECT_EQ(answer.outcome, DnsOutcome::failed) << testing::PrintToString(name);
  }
}

TEST(DnsMessage, AddressesOfTheWrongSizeAreGarbage) {
  EXPECT_EQ(read(DnsType::a, {.records = {dns::record(1, 60, "12345")}}).outcome,
            DnsOutcome::failed);
  EXPECT_EQ(read(DnsType::aaaa, {.records = {dns::record(28, 60, "1234")}}).outcome,
            DnsOutcome::failed);
}

// Cut anywhere, and with any one byte changed: it may be something else then, but is read to an
// end.
TEST(DnsMessage, NoCutAndNoWrongByteLeadsAstray) {
  const Reply reply{.records = {dns::cname("b.example"), dns::a("192.0.2.1"),
                                dns::srv({.host = "c.example", .port = 1})},
                    .authority = {dns::soa(60, 60)}};
  for (const DnsType type : {DnsType::a, DnsType::srv}) {
    const std::string whole = message_for("a.example", type, reply);
    ASSERT_EQ(read(whole, type).outcome, DnsOutcome::found);
    const std::size_t answers_end = whole.size() - dns::soa(60, 60).size();
    for (std::size_t size = 0; size < answers_end; ++size) {
      const std::string cut = whole.substr(0, size);
      EXPECT_EQ(read(cut, type).outcome, DnsOutcome::failed) << size;
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::string changed = whole;
        changed[at] = static_cast<char>(value);
        const DnsAnswer answer = read(changed, type);
        EXPECT_LE(answer.addresses.size() + answer.targets.size(), 3U);
      }
    }
  }
}

}  // namespace
}  // namespace penstock

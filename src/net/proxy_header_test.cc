#include "net/proxy_header.h"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "async/scope.h"
#include "sim/network.h"
#include "sim/peer.h"
#include "sim/world.h"

namespace penstock {
namespace {

using namespace std::string_view_literals;
using Problem = ProxyHeaderProblem;

constexpr std::string_view kSignature = "\r\n\r\n\0\r\nQUIT\n"sv;

Address address(std::string_view text) { return Address::parse(text).value(); }

std::string two(std::size_t number) {
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

std::string v2(char command, char family, std::string_view rest) {
  return std::string(kSignature) + command + family + two(rest.size()) + std::string(rest);
}

std::string tlv(char type, std::string_view value) {
  return type + two(value.size()) + std::string(value);
}

constexpr std::string_view kAddresses = "\xc0\0\2\1\xc0\0\2\2\x03\xe8\0\x50"sv;

std::string tcp4(std::string_view tlvs) {
  return v2('\x21', '\x11', std::string(kAddresses) + std::string(tlvs));
}

// What is wrong with it; none: nothing. It must not need more bytes.
std::optional<Problem> problem_of(std::string_view bytes) {
  ProxyHeaderFields fields;
  const auto parsed = parse_proxy_header(bytes, fields);
  if (!parsed) return parsed.error();
  EXPECT_EQ(*parsed, bytes.size());
  return std::nullopt;
}

ProxyHeaderFields fields_of(std::string_view bytes) {
  ProxyHeaderFields fields;
  const auto parsed = parse_proxy_header(bytes, fields);
  EXPECT_TRUE(parsed) << (parsed ? "" : to_string(parsed.error()));
  EXPECT_EQ(parsed.value_or(0), bytes.size());
  return fields;
}

// Bit by bit, unlike the code under test.
std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
  }
  return ~crc;
}

TEST(ProxyHeader, Version1) {
  const auto v4 = fields_of("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
  EXPECT_FALSE(v4.local);
  EXPECT_EQ(v4.source, address("192.0.2.1:1000"));
  EXPECT_EQ(v4.destination, address("192.0.2.2:80"));
  const auto v6 = fields_of("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  EXPECT_EQ(v6.source, address("[2001:db8::1]:0"));
  EXPECT_EQ(v6.destination, address("[::1]:65535"));
  EXPECT_TRUE(fields_of("PROXY UNKNOWN\r\n").local);
  const auto unknown = fields_of("PROXY UNKNOWN ffff::1 ffff::2 65535 65535 or else\r\n");
  EXPECT_TRUE(unknown.local);
  EXPECT_EQ(unknown.source, Address());
}

TEST(ProxyHeader, Version1IsStrict) {
  for (const std::string_view line : {
           "PROXY \r\n",
           "PROXY UNKNOWNS\r\n",
           "PROXY  TCP4 192.0.2.1 192.0.2.2 1000 80\r\n",
           "PROXY TCP4  192.0.2.1 192.0.2.2 1000 80\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80 \r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000 \r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80 1\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 01000 80\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000 65536\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 +1 80\r\n",
           "PROXY TCP4 192.0.2.01 192.0.2.2 1000 80\r\n",
           "PROXY TCP4 192.0.2 192.0.2.2 1000 80\r\n",
           "PROXY TCP4 ::1 ::1 1000 80\r\n",
           "PROXY TCP6 192.0.2.1 192.0.2.2 1000 80\r\n",
           "PROXY UDP4 192.0.2.1 192.0.2.2 1000 80\r\n",
           "PROXY tcp4 192.0.2.1 192.0.2.2 1000 80\r\n",
           "PROXY TCP4\t192.0.2.1 192.0.2.2 1000 80\r\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\n",
           "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\r\n",
           "PROXY UNKNOWN \r or\r\n",
       }) {
    EXPECT_EQ(problem_of(line), Problem::bad_line) << line;
  }
}

TEST(ProxyHeader, Version1IsBounded) {
  const std::string start = "PROXY UNKNOWN ";
  const std::string longest = start + std::string(107 - 2 - start.size(), 'x') + "\r\n";
  EXPECT_EQ(longest.size(), 107U);
  EXPECT_EQ(problem_of(longest), std::nullopt);
  EXPECT_EQ(problem_of(start + std::string(107 - 1 - start.size(), 'x') + "\r\n"),
            Problem::bad_line);
  ProxyHeaderFields fields;
  const std::string endless = start + std::string(200, 'x');
  EXPECT_EQ(parse_proxy_header(endless.substr(0, 106), fields), 0U);
  EXPECT_EQ(parse_proxy_header(endless.substr(0, 107), fields).error(), Problem::bad_line);
}

TEST(ProxyHeader, OtherBeginningsAreNone) {
  for (const std::string_view bytes :
       {"GET / HTTP/1.1\r\n\r\n"sv, "PROPFIND / HTTP/1.1\r\n"sv, "proxy TCP4"sv, "\r\n\r\nGET /"sv,
        "\x16\x03\x01"sv, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"sv, "\0"sv, "PROXY\tTCP4"sv}) {
    EXPECT_EQ(problem_of(bytes), Problem::not_a_header) << bytes;
  }
  ProxyHeaderFields fields;
  for (const std::string_view bytes : {""sv, "P"sv, "PROXY "sv, "\r"sv, kSignature}) {
    EXPECT_EQ(parse_proxy_header(bytes, fields), 0U) << bytes;
  }
}

TEST(ProxyHeader, Version2Addresses) {
  const auto v4 = fields_of(tcp4(""));
  EXPECT_FALSE(v4.local);
  EXPECT_EQ(v4.source, address("192.0.2.1:1000"));
  EXPECT_EQ(v4.destination, address("192.0.2.2:80"));
  const std::string ips = "\x20\x01\x0d\xb8" + std::string(11, '\0') + '\1' +
                          std::string(15, '\0') + '\1' + std::string("\0\x07\x01\xbb", 4);
  const auto v6 = fields_of(v2('\x21', '\x21', ips));
  EXPECT_EQ(v6.source, address("[2001:db8::1]:7"));
  EXPECT_EQ(v6.destination, address("[::1]:443"));
  std::string paths = "/run/a";
  paths.resize(108, '\0');
  paths += "/run/b";
  paths.resize(216, '\0');
  const auto local = fields_of(v2('\x21', '\x31', paths));
  EXPECT_EQ(local.source, address("unix:/run/a"));
  EXPECT_EQ(local.destination, address("unix:/run/b"));
}

TEST(ProxyHeader, Version2ForItself) {
  for (const std::string& header :
       {v2('\x20', '\0', ""), v2('\x20', '\x11', kAddresses), v2('\x20', '\x7f', "whatever"),
        v2('\x21', '\0', ""), v2('\x21', '\0', "whatever")}) {
    const auto fields = fields_of(header);
    EXPECT_TRUE(fields.local);
    EXPECT_EQ(fields.source, Address());
  }
}

TEST(ProxyHeader, Version2IsStrict) {
  EXPECT_EQ(problem_of(v2('\x11', '\x11', kAddresses)), Problem::bad_version);
  EXPECT_EQ(problem_of(v2('\x22', '\x11', kAddresses)), Problem::bad_version);
  // Datagrams, and what there is not.
  for (const char family : {'\x12', '\x22', '\x32', '\x10', '\x01', '\x41', '\xff'}) {
    EXPECT_EQ(problem_of(v2('\x21', family, std::string(300, '\0'))), Problem::bad_family);
  }
  EXPECT_EQ(problem_of(v2('\x21', '\x11', kAddresses.substr(1))), Problem::bad_length);
  EXPECT_EQ(problem_of(v2('\x21', '\x21', kAddresses)), Problem::bad_length);
  EXPECT_EQ(problem_of(v2('\x21', '\x31', std::string(215, '\0'))), Problem::bad_length);
}

TEST(ProxyHeader, Version2IsBounded) {
  const std::string longest(kMaxProxyHeader - 16, '\0');
  EXPECT_EQ(problem_of(v2('\x20', '\0', longest)), std::nullopt);
  // Refused before it has come.
  ProxyHeaderFields fields;
  const std::string more = v2('\x20', '\0', longest + '\0');
  EXPECT_EQ(parse_proxy_header(more.substr(0, 16), fields).error(), Problem::too_long);
}

TEST(ProxyHeader, Version2Fields) {
  const std::string tls = std::string("\7\0\0\0\0", 5) + tlv('\x21', "TLSv1.3") +
                          tlv('\x23', "TLS_AES_128_GCM_SHA256") + tlv('\x22', "Ann") +
                          tlv('\x24', "SHA256");
  const auto fields = fields_of(tcp4(tlv('\1', "h2") + tlv('\2', "a.test") + tlv('\4', "   ") +
                                     tlv('\5', "id") + tlv('\x20', tls) + tlv('\xea', "\0\1"sv)));
  EXPECT_EQ(fields.alpn, "h2");
  EXPECT_EQ(fields.authority, "a.test");
  ASSERT_TRUE(fields.tls);
  EXPECT_EQ(fields.tls->version, "TLSv1.3");
  EXPECT_EQ(fields.tls->cipher, "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(fields.tls->common_name, "Ann");
  EXPECT_TRUE(fields.tls->certificate);
  EXPECT_TRUE(fields.tls->verified);
}

TEST(ProxyHeader, Version2CertificateFacts) {
  const struct {
    std::string_view value;
    bool tls, certificate, verified;
  } cases[] = {
      {"\0\0\0\0\0"sv, false, false, false}, {"\1\0\0\0\0"sv, true, false, false},
      {"\1\0\0\0\1"sv, true, false, false},  {"\3\0\0\0\1"sv, true, true, false},
      {"\3\0\1\0\0"sv, true, true, false},   {"\3\0\0\0\0"sv, true, true, true},
      {"\5\0\0\0\0"sv, true, true, true},
  };
  for (const auto& c : cases) {
    const auto fields = fields_of(tcp4(tlv('\x20', c.value)));
    EXPECT_EQ(fields.tls.has_value(), c.tls);
    if (!fields.tls) continue;
    EXPECT_EQ(fields.tls->certificate, c.certificate);
    EXPECT_EQ(fields.tls->verified, c.verified);
  }
}

TEST(ProxyHeader, Version2MalformedFields) {
  for (const std::string& fields :
       {std::string("\1"), std::string("\1\0", 2), std::string("\1\0\1", 3),
        tlv('\1', "h2") + tlv('\1', "h2"), tlv('\2', "a") + tlv('\2', "a"), tlv('\2', "a\n"),
        tlv('\1', "\x7f"), tlv('\2', "a\0"sv), tlv('\x20', "\1\0\0\0"sv),
        tlv('\x20', "\1\0\0\0\0\x21\0\1"sv),
        tlv('\x20', std::string("\1\0\0\0\0", 5) + tlv('\x22', "A\r\n")),
        tlv('\x20', "\1\0\0\0\0"sv) + tlv('\x20', "\1\0\0\0\0"sv), tlv('\3', "abc")}) {
    EXPECT_EQ(problem_of(tcp4(fields)), Problem::bad_field);
  }
}

TEST(ProxyHeader, Version2Checksum) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283);  // the check value of the CRC catalogues
  std::string header = tcp4(tlv('\1', "h2") + tlv('\3', "\0\0\0\0"sv) + tlv('\2', "a.test"));
  const std::uint32_t crc = crc32c(header);
  const std::size_t at = header.find("\3\0\4"sv) + 3;
  header.replace(at, 4, two(crc >> 16) + two(crc & 0xffff));
  EXPECT_EQ(problem_of(header), std::nullopt);
  for (std::size_t i = at; i < at + 4; ++i) {
    std::string wrong = header;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    EXPECT_EQ(problem_of(wrong), Problem::bad_checksum);
  }
  std::string changed = header;
  changed.back() = 'T';
  EXPECT_EQ(problem_of(changed), Problem::bad_checksum);
}

TEST(ProxyHeader, WritesVersion1) {
  const auto line = [](std::string_view source, std::string_view destination) {
    return proxy_header_v1({.source = address(source), .destination = address(destination)});
  };
  EXPECT_EQ(line("192.0.2.1:1000", "192.0.2.2:80"), "PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n");
  EXPECT_EQ(line("[2001:db8::1]:1", "[::1]:65535"), "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
  // As a socket for both families has them.
  EXPECT_EQ(line("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:2"),
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n");
  EXPECT_EQ(line("192.0.2.1:1", "[::1]:2"), "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n");
  EXPECT_EQ(line("unix:/a", "unix:/b"), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(line("192.0.2.1:1", "unix:/b"), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(proxy_header_v1({.local = true, .source = address("192.0.2.1:1")}),
            "PROXY UNKNOWN\r\n");
  EXPECT_EQ(proxy_header_v1({}), "PROXY UNKNOWN\r\n");
}

TEST(ProxyHeader, WritesVersion2) {
  EXPECT_EQ(proxy_header_v2(
                {.source = address("192.0.2.1:1000"), .destination = address("192.0.2.2:80")}),
            tcp4(""));
  EXPECT_EQ(proxy_header_v2({.local = true}), v2('\x20', '\0', ""));
  EXPECT_EQ(proxy_header_v2({}), v2('\x21', '\0', ""));
}

TEST(ProxyHeader, WhatIsWrittenIsRead) {
  for (const auto& [source, destination] :
       {std::pair{"192.0.2.1:1000", "192.0.2.2:80"}, std::pair{"[2001:db8::1]:1", "[::1]:2"},
        std::pair{"[::ffff:192.0.2.1]:1", "[::1]:2"},
        std::pair{"unix:/run/a.sock", "unix:/run/b.sock"}}) {
    ProxyHeaderFields fields{.source = address(source), .destination = address(destination)};
    EXPECT_EQ(fields_of(proxy_header_v2(fields)), fields);
    if (!fields.source.is_unix()) {
      EXPECT_EQ(fields_of(proxy_header_v1(fields)), fields) << proxy_header_v1(fields);
    }
    fields.alpn = "http/1.1";
    fields.authority = "a.test";
    fields.tls = {.version = "TLSv1.2", .cipher = "C"};
    EXPECT_EQ(fields_of(proxy_header_v2(fields)), fields);
    fields.tls = {.version = "TLSv1.3",
                  .cipher = "C",
                  .certificate = true,
                  .verified = true,
                  .common_name = "Ann"};
    EXPECT_EQ(fields_of(proxy_header_v2(fields)), fields);
  }
}

TEST(ProxyHeader, WrittenTextsAreBounded) {
  const ProxyHeaderTls tls{.version = std::string(9000, 'v'),
                           .cipher = std::string(9000, 'c'),
                           .common_name = std::string(9000, 'n')};
  const auto fields = fields_of(proxy_header_v2({.source = address("192.0.2.1:1000"),
                                                 .destination = address("192.0.2.2:80"),
                                                 .alpn = std::string(9000, 'a'),
                                                 .authority = std::string(9000, 'b'),
                                                 .tls = tls}));
  EXPECT_EQ(fields.authority, std::string(255, 'b'));
}

// ---- From a stream.

class ReadProxyHeader : public testing::Test, private AcceptHandler {
 protected:
  // What comes of a connection on which that is sent, in small pieces.
  void receive(std::string bytes, bool then_end = false) {
    bytes_ = std::move(bytes);
    then_end_ = then_end;
    const auto listener = network.listen(address("10.0.0.1:80"), *this);
    scope.spawn(send(*this));
    world.run_for(std::chrono::minutes(1));
    scope.cancel();
    world.run_for({});
    stream_.reset();
  }

  SimWorld world{1, Faults::rough()};
  SimNetwork network{world};
  Scope scope{world.executor()};
  std::optional<Result<ProxyHeaderFields>> result;
  std::string behind;
  TimePoint ended_at{};
  TimePoint begun_at{};

 private:
  void on_accept(std::unique_ptr<ByteStream> stream, const Address& /*peer*/,
                 const Address& /*local*/) override {
    stream_ = std::move(stream);
    scope.spawn(read(*this));
  }
  static Task<void> send(ReadProxyHeader& self) {
    const Address to = address("10.0.0.1:80");
    auto stream = co_await self.network.connect(to, kNever);
    if (!stream) co_return;
    static_cast<void>(co_await send_text(**stream, self.bytes_));
    if (self.then_end_) (*stream)->shutdown_write();
    std::string unheard;
    static_cast<void>(co_await receive_all(**stream, unheard));
  }
  static Task<void> read(ReadProxyHeader& self) {
    InputBuffer input;
    self.begun_at = self.world.now();
    const TimePoint deadline = self.begun_at + std::chrono::seconds(10);
    self.result = co_await read_proxy_header(*self.stream_, input, deadline);
    self.ended_at = self.world.now();
    self.behind = input.unread();
  }

  std::unique_ptr<ByteStream> stream_;
  std::string bytes_;
  bool then_end_ = false;
};

TEST_F(ReadProxyHeader, LeavesWhatIsBehindIt) {
  receive("PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\nGET / HTTP/1.1\r\n");
  ASSERT_TRUE(result && *result);
  EXPECT_EQ((*result)->source, address("192.0.2.1:1000"));
  EXPECT_TRUE(std::string_view("GET / HTTP/1.1\r\n").starts_with(behind)) << behind;
}

TEST_F(ReadProxyHeader, RefusesOther) {
  receive("GET / HTTP/1.1\r\n\r\n");
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, ErrorKind::protocol);
  EXPECT_EQ(result->error().cause, static_cast<int>(Problem::not_a_header));
}

TEST_F(ReadProxyHeader, EndsWithTheStream) {
  receive("PROXY TCP4 192.0.2.1", true);
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, ErrorKind::closed);
}

TEST_F(ReadProxyHeader, EndsAtItsDeadline) {
  receive(std::string(kSignature));
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, ErrorKind::timed_out);
  EXPECT_LT(ended_at - begun_at, std::chrono::milliseconds(10'010));
}

}  // namespace
}  // namespace penstock

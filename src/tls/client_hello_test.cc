#include "tls/client_hello.h"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "tls/accept_fixture_test.h"

namespace penstock {
namespace {

std::string number(std::size_t value, int size) {
  std::string bytes;
  for (int i = size - 1; i >= 0; --i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
std::string vector(const std::string& content, int size) {
  return number(content.size(), size) + content;
}
std::string extension(std::size_t type, const std::string& content) {
  return number(type, 2) + vector(content, 2);
}
std::string name_extension(const std::string& name, char type = 0) {
  return extension(0, vector(std::string(1, type) + vector(name, 2), 2));
}
std::string alpn_extension(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& protocol : protocols) list += vector(protocol, 1);
  return extension(16, vector(list, 2));
}

struct HelloSpec {
  std::string extensions;
  std::string version = "\x03\x03";
  std::string session = std::string(32, 's');
  std::string ciphers = "\x13\x01\x5a\x5a";  // one of them GREASE
  std::string compressions = std::string(1, '\0');
  bool with_extensions = true;
};
std::string message(const HelloSpec& spec) {
  std::string body = spec.version + std::string(32, 'r') + vector(spec.session, 1) +
                     vector(spec.ciphers, 2) + vector(spec.compressions, 1);
  if (spec.with_extensions) body += vector(spec.extensions, 2);
  return "\x01" + vector(body, 3);
}
std::string record(const std::string& fragment, char type = 22) {
  return type + std::string("\x03\x01") + vector(fragment, 2);
}
std::string hello(const std::string& extensions) {
  return record(message({.extensions = extensions}));
}
// In records of so many bytes.
std::string split(const std::string& text, std::size_t size) {
  std::string records;
  for (std::size_t at = 0; at < text.size(); at += size) records += record(text.substr(at, size));
  return records;
}

HelloLook found(std::string name, std::vector<std::string> alpn = {}) {
  return {.outcome = HelloOutcome::found,
          .hello = {.server_name = std::move(name), .alpn = std::move(alpn)}};
}
void expect_look(std::string_view bytes, const HelloLook& expected, std::string_view what) {
  const HelloLook look = look_at_client_hello(bytes);
  EXPECT_EQ(static_cast<int>(look.outcome), static_cast<int>(expected.outcome)) << what;
  EXPECT_EQ(look.hello, expected.hello) << what;
}

TEST(ClientHelloTest, NameAndProtocols) {
  expect_look(hello(name_extension("WWW.Example.com") + alpn_extension({"h2", "http/1.1"})),
              found("www.example.com", {"h2", "http/1.1"}), "both");
  expect_look(hello(alpn_extension({"h2"}) + name_extension("a")), found("a", {"h2"}), "order");
  expect_look(hello(""), found(""), "no extensions");
  expect_look(record(message({.with_extensions = false})), found(""), "no list of them");
  const std::string grease = extension(0x0a0a, "") + extension(0xfafa, "x");
  expect_look(hello(grease + name_extension("a_b.example") + grease), found("a_b.example"),
              "GREASE");
  expect_look(hello(alpn_extension({"\x0a\x0a", "h2"})), found("", {"\x0a\x0a", "h2"}), "GREASE");
  expect_look(hello(name_extension("a")) + "what follows", found("a"), "more bytes");
}

TEST(ClientHelloTest, AtEachByteMoreIsNeeded) {
  const std::string whole =
      message({.extensions = name_extension("www.example") + alpn_extension({"h2"})});
  for (const std::size_t size : {1000U, 100U, 7U, 4U, 3U, 1U}) {
    const std::string bytes = split(whole, size);
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      const HelloLook look = look_at_client_hello(std::string_view(bytes).substr(0, n));
      ASSERT_EQ(look.outcome, HelloOutcome::need_more) << size << " " << n;
      ASSERT_GT(look.wanted, n);
      ASSERT_LE(look.wanted, bytes.size());
    }
    expect_look(bytes, found("www.example", {"h2"}), "whole");
  }
}

TEST(ClientHelloTest, NotTls) {
  const std::string good = name_extension("a");
  const struct {
    const char* what;
    std::string bytes;
  } cases[] = {
      {"HTTP", "GET / HTTP/1.1\r\n"},
      {"SSH", "SSH-2.0-x\r\n"},
      {"SSLv2", std::string("\x80\x2e\x01\x03\x01", 5)},
      {"an alert", std::string("\x15\x03\x01\x00\x02\x02\x28", 7)},
      {"another version", std::string("\x16\x02\x00", 3)},
      {"a ServerHello", record("\x02" + message({}).substr(1))},
      {"an empty record", record("") + hello(good)},
      {"an empty record within", record("\x01") + record("")},
      {"a large record", std::string("\x16\x03\x01\x40\x01", 5)},
      {"other records within", record("\x01") + record("\x01", 23)},
      {"a large message", record(std::string("\x01\x00\x48\x00", 4))},
      {"a huge message", record("\x01\xff\xff\xff")},
      {"SSLv2 inside", record(message({.version = std::string("\x02\x00", 2)}))},
      {"a long session", record(message({.session = std::string(33, 's')}))},
      {"no ciphers", record(message({.ciphers = ""}))},
      {"half a cipher", record(message({.ciphers = "abc"}))},
      {"no compression", record(message({.compressions = ""}))},
      {"an empty message", record(std::string("\x01\x00\x00\x00", 4))},
      {"half an extension", hello(good + "\x01")},
      {"an extension that is too long", hello(extension(5, "abc").substr(0, 6))},
      {"two names", hello(good + name_extension("b"))},
      {"two names in one", hello(extension(0, vector(std::string("\0\0\1a\0\0\1b", 8), 2)))},
      {"an empty list of names", hello(extension(0, vector("", 2)))},
      {"no list of names", hello(extension(0, ""))},
      {"another type of name", hello(name_extension("a", 1))},
      {"bytes behind the name", hello(extension(0, vector(std::string("\0\0\1a", 4), 2) + "x"))},
      {"an empty protocol", hello(alpn_extension({"h2", ""}))},
      {"no protocols", hello(alpn_extension({}))},
      {"protocols twice", hello(alpn_extension({"a"}) + alpn_extension({"b"}))},
      {"protocols that are cut", hello(extension(16, vector("\x05"
                                                            "ab",
                                                            2)))},
  };
  for (const auto& c : cases) expect_look(c.bytes, {}, c.what);
}

TEST(ClientHelloTest, NamesOfHosts) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'b');
  for (const std::string& good : {std::string("a"), std::string("xn--p1ai"), std::string("1.2.3.4"),
                                  std::string("-a.b-"), label + ".example", longest}) {
    expect_look(hello(name_extension(good)), found(good), good);
  }
  expect_look(hello(name_extension("a.b.")), found("a.b"), "a dot at the end");
  for (const std::string& bad :
       {std::string(), std::string("."), std::string("a.."), std::string(".a"), std::string("a..b"),
        std::string("a b"), std::string("a\0b", 3), std::string("a\r\nb"), std::string("[::1]"),
        std::string("a:443"), std::string("*.a"), std::string("m\xc3\xbcller"), label + "a",
        longest + "b", "a/" + label}) {
    expect_look(hello(name_extension(bad)), {}, bad);
  }
}

TEST(ClientHelloTest, Bounded) {
  // The largest that fits, and one more.
  const std::size_t room = kMaxClientHello - hello(extension(5, "")).size();
  const auto of_size = [](std::size_t size) {
    return split(message({.extensions = extension(5, std::string(size, 'x'))}), 16384);
  };
  expect_look(of_size(room - 5), found(""), "fits");
  EXPECT_EQ(of_size(room - 5).size(), kMaxClientHello);
  const std::string large = of_size(room - 4);
  for (std::size_t n = 9; n < large.size(); n += 100) expect_look(large.substr(0, n), {}, "large");
  // In tiny records it is too large sooner.
  const std::string tiny = split(message({.extensions = extension(5, std::string(4000, 'x'))}), 1);
  const HelloLook look = look_at_client_hello(tiny);
  EXPECT_EQ(look.outcome, HelloOutcome::not_tls);
}

// ---- On a stream.

class PeekClientHello : public TlsAcceptTest {
 protected:
  PeekClientHello() : pair(make_stream_pair(world)) {}
  Result<HelloLook> peek(const std::string& bytes, bool end = false, TimePoint deadline = kNever) {
    std::optional<Result<HelloLook>> result;
    scope.spawn(keep(peek_client_hello(*pair.accepting, input, deadline), result));
    std::optional<Result<std::size_t>> sent;
    if (!bytes.empty()) scope.spawn(keep(send_text(*pair.connecting, bytes), sent));
    settle();
    if (end) pair.connecting->shutdown_write();
    settle();
    EXPECT_TRUE(result);
    return result ? *result : fail(ErrorKind::io);
  }
  void TearDown() override { pair = {}; }
  StreamPair pair;
  InputBuffer input;
};

TEST_F(PeekClientHello, LeavesTheBytes) {
  const std::string bytes = TlsAcceptTest::hello();
  const auto look = peek(bytes);
  ASSERT_TRUE(look);
  EXPECT_EQ(look->outcome, HelloOutcome::found);
  EXPECT_EQ(look->hello.server_name, kHost);
  EXPECT_EQ(input.unread(), bytes);
}

TEST_F(PeekClientHello, BytesReadBeforeCount) {
  const std::string bytes = split(message({.extensions = name_extension("a")}), 3);
  input.writable()[0] = bytes[0];
  input.commit(1);
  const auto look = peek(bytes.substr(1));
  ASSERT_TRUE(look);
  EXPECT_EQ(look->hello.server_name, "a");
  EXPECT_EQ(input.unread(), bytes);
}

TEST_F(PeekClientHello, Large) {
  const std::string bytes = split(
      message({.extensions = extension(5, std::string(16000, 'x')) + name_extension("a")}), 1000);
  const auto look = peek(bytes);
  ASSERT_TRUE(look);
  EXPECT_EQ(look->hello.server_name, "a");
  EXPECT_EQ(input.unread(), bytes);
}

TEST_F(PeekClientHello, OtherThanTls) {
  const auto look = peek("SSH-2.0-x\r\n");
  ASSERT_TRUE(look);
  EXPECT_EQ(look->outcome, HelloOutcome::not_tls);
  EXPECT_EQ(input.unread(), "SSH-2.0-x\r\n");
}

TEST_F(PeekClientHello, TheEndComesEarly) {
  const auto look = peek(TlsAcceptTest::hello().substr(0, 20), true);
  ASSERT_FALSE(look);
  EXPECT_EQ(look.error().kind, ErrorKind::closed);
}

TEST_F(PeekClientHello, TooSlow) {
  const auto look =
      peek(TlsAcceptTest::hello().substr(0, 20), false, world.now() + std::chrono::seconds(3));
  ASSERT_FALSE(look);
  EXPECT_EQ(look.error().kind, ErrorKind::timed_out);
}

}  // namespace
}  // namespace penstock

// What is said about mistakes: where, and in which words.
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load_test.h"

namespace penstock::config {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

TEST(LoadErrors, UnknownKeysAndTables) {
  const Case cases[] = {
      {"[limits]\nhaed = 1024", 2, 1, R"(unknown key "haed" in [limits]: did you mean "head"?)"},
      {"[limits]\nconnect = '1s'", 2, 1, "it belongs to [timeouts]"},
      {"[workers]\nzebra = 1", 2, 1, R"(expected "count")"},
      {"[[listener]]\nadress = '*:1'", 2, 1, R"(did you mean "address"?)"},
      {"[limit]\n", 1, 2, R"(unknown table "limit": did you mean "limits"?)"},
      {"prot = 80", 1, 1, R"(unknown key "prot")"},
      {"connect_ports = [80]", 1, 1, "it belongs to [forward]"},
      {"listener = [{ mode = 'reverse' }]\n[upstream.a]\nservers = ['a']\nserver = 'b'", 4, 1,
       R"(did you mean "servers"?)"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(one.text));
}

TEST(LoadErrors, Shapes) {
  const Case cases[] = {
      {"limits = 3", 1, 10, "expected a table, as [limits], found a whole number"},
      {"[[limits]]\n", 1, 1, "there is only one of these: write [limits]"},
      {"[listener]\n", 1, 1, "there may be several of these: write [[listener]]"},
      {"listener = [1]", 1, 13, "expected a table, as [[listener]], found a whole number"},
      {"[[upstream]]\n", 1, 1, "groups have a name: write [upstream.NAME]"},
      {"[upstream]\nservers = ['a']", 2, 1, "write [upstream.NAME] above it"},
      {"[upstream]\na = 3", 2, 5, "expected a group, as [upstream.a], found a whole number"},
      {"[upstream.a]\n", 1, 1, "[upstream.NAME] lacks servers"},
      {"[upstream.a]\nservers = []", 2, 11, "expected at least one server address"},
      {"[upstream.a]\nservers = 'x:1'", 2, 11, R"(expected a list: write ["x:1"])"},
      {"[[route]]\n", 1, 1, "[[route]] lacks to"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(one.text));
}

TEST(LoadErrors, Values) {
  const Case cases[] = {
      {"[timeouts]\nstall = 30", 2, 9, R"(30 has no unit: say which, as in "30s")"},
      {"[timeouts]\nstall = '30'", 2, 9, R"("30" has no unit: say which, as in "30s")"},
      {"[timeouts]\nstall = true", 2, 9, "expected a duration"},
      {"[timeouts]\nstall = '0s'", 2, 9, R"("0s" is too short: expected 1ms to 168h)"},
      {"[timeouts]\nstall = '999h'", 2, 9, R"("999h" is too long)"},
      {"[limits]\nhead = 10", 2, 8, "10B is too small: expected 256B to 256KiB"},
      {"[limits]\nhead = '1GiB'", 2, 8, "1GiB is too large: expected 256B to 256KiB"},
      {"[limits]\nhead = -1", 2, 8, "a size cannot be negative"},
      {"[limits]\nhead = 1.5", 2, 8, "expected a size"},
      {"[limits]\nhead = '64K'", 2, 8, R"("64K" has an unknown unit)"},
      {"[limits]\nfields = 0", 2, 10, "0 is too small: expected 1 to 10000"},
      {"[limits]\nfields = -5", 2, 10, "-5 is too small"},
      {"[limits]\nfields = '7'", 2, 10, "expected a whole number from 1 to 10000, found a text"},
      {"[workers]\ncount = 5000", 2, 9, "5000 is too large: expected 0 to 1024"},
      {"[proxy]\nforwarded = 'true'", 2, 13, "expected true or false without quotes"},
      {"[proxy]\nforwarded = 1", 2, 13, "expected true or false, found a whole number"},
      {"[proxy]\nname = 'a b'", 2, 8, R"("a b" contains " ")"},
      {"[log]\nlevel = 'warn'", 2, 9, R"(found "warn"; did you mean "warning"?)"},
      {"[log]\nlevel = 3", 2, 9, R"(expected "debug", "info", "warning" or "error", found)"},
      {"[log]\nfile = ''", 2, 8, R"(expected "stderr", "stdout" or a path)"},
      {"[forward]\nconnect_ports = 443", 2, 17, "expected a list of ports such as [443, 8443]"},
      {"[forward]\nconnect_ports = [443, 0]", 2, 23, "0 is too small: expected 1 to 65535"},
      {"[[listener]]\naddress = 'x:1'", 2, 11, "expected an IP address and a port"},
      {"[[listener]]\nmode = 'revers'", 2, 8, R"(did you mean "reverse"?)"},
      {"[[listener]]\nunix_mode = 660", 2, 13, "expected octal permissions in quotes"},
      {"[[listener]]\nunix_mode = '0999'", 2, 13, R"(found "0999")"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(one.text));
}

TEST(LoadErrors, Listeners) {
  const Case cases[] = {
      {"address = []", 3, 11, "expected at least one address"},
      {"address = ['*:1', 3]", 3, 19, "expected a text in quotes (address)"},
      {"address = ['*:1', '*:x']", 3, 19, "is no port"},
      {"address = ['*:1', '*:01']", 3, 19, R"("*:1" is taken in line 3)"},
      {"address = 'systemd:'", 3, 11, R"(expected a name after "systemd:")"},
      {"mode = 'tpc'", 3, 8, R"(did you mean "tcp"?)"},
      {"intercept = 'redirct'", 3, 13, R"(did you mean "redirect"?)"},
      {"intercept = 'redirect'\nmode = 'reverse'", 3, 13,
       R"(intercept goes with mode = "forward" or "tcp")"},
      {"intercept = 'tproxy'\naddress = ['*:1', 'unix:/x']", 4, 11,
       "connections to unix sockets are never intercepted"},
      {"intercept = 'tproxy'\ntls.certificates = { certificate = '/dev/null' }", 3, 13,
       "TLS to others cannot be taken up here"},
      {"proxy_protocol_from = '::1'", 3, 23, R"(expected a list: write ["::1"])"},
      {"proxy_protocol_from = ['::1/129']", 3, 24, R"(expected a prefix length, 0 to 128)"},
      {"proxy_protocol_from = ['::1', '192.0.2.1/24']", 3, 31, R"(write "192.0.2.0/24")"},
      {"intercept = 'redirect'\nproxy_protocol_from = ['::1']", 4, 23,
       "who send no header of the PROXY protocol"},
      {"address = ['*:1', '127.0.0.1:1']", 3, 19,
       R"("*:1" stands for all addresses, "127.0.0.1:1" of line 3 too)"},
      {"address = ['[::1]:1', '[::]:1']", 3, 23, R"("[::]:1" stands for all addresses, "[::1]:1")"},
      {"address = ['0.0.0.0:1', '[::]:1']", 3, 25,
       R"("[::]:1" stands for all addresses, "0.0.0.0:1")"},
      {"address = ['0.0.0.0:1', '127.0.0.1:1']", 3, 25, R"("0.0.0.0:1" stands for all)"},
      {"http2 = false\ntls = { certificates = { certificate = '/dev/null' }, alpn = ['h2'] }", 4,
       62, "\"h2\" cannot be agreed on with http2 = false"},
      {"tls = { certificates = { certificate = '/dev/null' }, alpn = ['http/1.1', 'spdy/3'] }", 3,
       62, "\"spdy/3\" is not spoken here"},
      {"http2 = 'no'", 3, 9, "expected true or false"},
      {"tls = {}", 3, 7, "[listener.tls] lacks certificates"},
      {"tls.certificates = []", 3, 20, "TLS needs at least one certificate"},
      {"tls.certificates = 'x.pem'", 3, 20, "expected a table"},
      {"tls.certificates = [{ key = '/dev/null' }]", 3, 21, "lacks certificate"},
      {"tls.certificates = { certificate = '/dev/null', oscp = 'x' }", 3, 49,
       R"(did you mean "ocsp"?)"},
      {"tls = { certificates = { certificate = '/dev/null' }, client_ca = '/dev/null' }", 3, 67,
       "client_ca goes with client_certificates"},
      {"tls = { certificates = { certificate = '/dev/null' }, client_certificates = 'required' }",
       3, 77, "whose certificates are good? Add client_ca"},
      {"tls = { certificates = { certificate = '/dev/null' }, alpn = [''] }", 3, 63,
       "expected a protocol's name"},
  };
  for (const Case& one : cases) {
    expect_single(one,
                  errors_of("upstream.a.servers = ['a']\n[[listener]]\n" + std::string(one.text)));
  }
}

TEST(LoadErrors, NamesOfListeners) {
  const Case cases[] = {
      {"[[listener]]\nname = 'x'\n[[listener]]\naddress = '*:1'\nname = 'x'", 5, 8,
       R"(two listeners cannot have one name: "x" is taken in line 2)"},
      {"[[listener]]\nname = 'inside'\n[[route]]\nvia = 'direct'\nlistener = 'insde'", 5, 12,
       R"(there is no listener "insde": did you mean "inside"?)"},
      {"[[listener]]\nname = 'x'\n[[route]]\nvia = 'direct'\nlistener = ['x', 'y']", 5, 18,
       R"(there is no listener "y")"},
      {"[[route]]\nvia = 'direct'\nlistener = 'x'", 3, 12,
       R"(there is no listener "x": give one this name)"},
      {"[[route]]\nvia = 'direct'\nlistener = ''", 3, 12, "expected the name of a listener"},
      {"[[route]]\nvia = 'direct'\nclient = 'certificat'", 3, 10, R"(did you mean "certificate"?)"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(one.text));
}

TEST(LoadErrors, Http2) {
  const Case cases[] = {
      {"max_streams = 0", 2, 15, "0 is too small: expected 1 to 10000"},
      {"stream_window = '32KiB'", 2, 17, "32KiB is too small"},
      {"stream_window = '32MiB'", 2, 17, "32MiB is too large"},
      {"connection_window = 1000", 2, 21, "is too small"},
  };
  for (const Case& one : cases) expect_single(one, errors_of("[http2]\n" + std::string(one.text)));
}

// Each case follows these lines.
constexpr std::string_view kReverse =
    "listener = [{ mode = 'reverse' }]\nupstream.app.servers = ['a']\n[[route]]\n";

TEST(LoadErrors, Routes) {
  const Case cases[] = {
      {"to = 'ap'", 4, 6, R"(there is no upstream group "ap": did you mean "app"?)"},
      {"to = ''", 4, 6, "expected the name of an upstream group"},
      {"to = 'app'\npath = 'api'", 5, 8, R"(a path begins with "/": write "/api")"},
      {"to = 'app'\npath = '/a?b'", 5, 8, R"("?" cannot stand in a path prefix)"},
      {"to = 'app'\npath = '/a b'", 5, 8, "write it percent-encoded"},
      {"to = 'app'\nhost = 'a:80'", 5, 8, R"(a route's host has no port: write "a")"},
      {"to = 'app'\nhost_header = 'kep'", 5, 15, R"(did you mean "keep"?)"},
      {"to = 'app'\nhost_header = 'www.x.org'", 5, 15, R"(did you mean "set:www.x.org"?)"},
      {"to = 'app'\nhost_header = 'set:a b'", 5, 15, "neither a host name nor an IP address"},
      {"to = 'app'\nrequest = 3", 5, 11, "expected a table, as [route.request]"},
      {"to = 'app'\nresponse.ad = {}", 5, 10, R"(in [route.response]: did you mean "add"?)"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(std::string(kReverse) + one.text));
}

TEST(LoadErrors, FieldEdits) {
  const Case cases[] = {
      {"remove = ['X Y']", 6, 11, R"("X Y" contains " ")"},
      {"remove = ['']", 6, 11, "expected a name"},
      {"remove = 'X-Y'", 6, 10, R"(expected a list: write ["X-Y"])"},
      {"remove = ['connection']", 6, 11, "connection belongs to a single connection"},
      {"remove = ['Via']", 6, 11, "Via is written by the proxy itself"},
      {"set = { Host = 'a' }", 6, 9, "use the route's host_header"},
      {"set = { Content-Length = '1' }", 6, 9, "says where a body ends"},
      {"set = { transfer-encoding = 'a' }", 6, 9, "says where a body ends"},
      {"set = { A = \"x\\r\\nB: y\" }", 6, 13, R"(cannot contain the control character "\r")"},
      {"set = { A = \"x\\u0000\" }", 6, 13, R"(cannot contain the control character "\u0000")"},
      {"set = { A = '${client_pi}' }", 6, 13,
       R"(there is no variable "client_pi": did you mean "client_ip"?)"},
      {"set = { A = 'a${}' }", 6, 13, R"(there is no variable "")"},
      {"set = { A = 'a$b' }", 6, 13, R"(write "$$" for the character)"},
      {"set = { A = 'a${b' }", 6, 13, R"("${b" lacks its "}")"},
      {"add = { A = ['$$', '${tls}'] }", 6, 20, R"(there is no variable "tls")"},
      {"set = { A = ' x' }", 6, 13, "cannot begin or end with white space"},
      {"set = { A = 1 }", 6, 13, "expected a text in quotes (field value)"},
      {"set = { A = ['1'] }", 6, 13, "expected a text in quotes (field value), found an array"},
      {"set = { X-A = '1', x-a = '2' }", 6, 20, R"(the field "x-a" stands here twice)"},
      {"set = 'A: b'", 6, 7, "expected a table of fields"},
      {"add = { A = ['1', 2] }", 6, 19, "expected a text in quotes (field value)"},
  };
  for (const Case& one : cases) {
    expect_single(one,
                  errors_of(std::string(kReverse) + "to = 'app'\n[route.request]\n" + one.text));
  }
}

TEST(LoadErrors, PartsThatDoNotFit) {
  const Case cases[] = {
      {"[[listener]]\naddress = '*:1'\n[[listener]]\naddress = '*:01'", 4, 11,
       "\"*:1\" is taken in line 2"},
      {"[[listener]]\n[[listener]]\n", 2, 1, "\"127.0.0.1:3128\" is taken in line 1"},
      {"[[listener]]\nmode = 'reverse'", 2, 8, "a reverse listener needs servers"},
      {"[[listener]]\nmode = 'tcp'", 2, 8, "a tcp listener needs servers: add [upstream.NAME]"},
      {"[[listener]]\nmode = 'reverse'\n[upstream]\na.servers = ['a']\nb.servers = ['b']", 2, 8,
       "a reverse listener needs a [[route]]: with 2 upstream groups"},
      {"[[listener]]\nmode = 'reverse'\n[[listener]]\naddress = '*:1'\nmode = 'tcp'\n"
       "intercept = 'redirect'\n[upstream]\na.servers = ['a']",
       2, 8, "a reverse listener needs a [[route]] for it (listener = ...)"},
      {"[[route]]\nto = 'app'", 2, 6, R"(no upstream group "app": add [upstream.app])"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(one.text));
  EXPECT_TRUE(load_text("listener = [{address='*:0'}, {address='*:0'}]", "").has_value());
}

TEST(LoadErrors, Warnings) {
  const Case cases[] = {
      {"to = 'app'\n[[route]]\nhost = 'a.b'\nto = 'app'", 5, 1,
       "this route can never be taken: the one in line 3 takes all its requests"},
      {"to = 'app'\nhost = '*.b'\npath = '/x'\n[[route]]\nhost = 'A.b'\npath = '/x/y'\nto = 'app'",
       7, 1, "this route can never be taken"},
      {"to = 'app'\n[[route]]\nclient = 'certificate'\nto = 'app'", 5, 1, "can never be taken"},
      {"to = 'app'\n[upstream.other]\nservers = ['b']", 5, 1, R"(no route leads to "other")"},
  };
  for (const Case& one : cases) {
    const auto found = warnings_of(std::string(kReverse) + one.text);
    expect_single(one, found);
    EXPECT_TRUE(found[0].warning);
  }
  EXPECT_THAT(warnings_of(std::string(kReverse) +
                          "to = 'app'\npath = '/x'\n[[route]]\npath = '/xy'\nto = 'app'"),
              SizeIs(0));
  const std::string named =
      "upstream.a.servers = ['a']\n[[listener]]\nname = 'x'\nmode = 'tcp'\n"
      "[[route]]\nto = 'a'\n";
  expect_single({"", 7, 1, "this route can never be taken: the one in line 5"},
                warnings_of(named + "[[route]]\nlistener = 'x'\nto = 'a'"));
  // What a route leaves out another one can take.
  EXPECT_THAT(warnings_of("upstream.a.servers = ['a']\n[[listener]]\nname = 'x'\nmode = 'tcp'\n"
                          "[[route]]\nlistener = 'x'\nto = 'a'\n[[route]]\nto = 'a'"),
              SizeIs(0));
  EXPECT_THAT(
      warnings_of(std::string(kReverse) + "to = 'app'\nclient = 'none'\n[[route]]\nto = 'app'"),
      SizeIs(0));
  const std::string tcp =
      "upstream.a.servers = ['a']\n[[listener]]\nname = 't'\naddress = '*:1'\nmode = 'tcp'\n";
  const std::string secure =
      "[[listener]]\nname = 's'\naddress = '*:2'\nmode = 'reverse'\n"
      "tls = { certificates = { certificate = '/dev/null' }, client_certificates = 'required', "
      "client_ca = '/dev/null' }\n";
  const std::string route = "[[route]]\nto = 'a'\n";
  const Case reach[] = {
      {"listener = 't'\npath = '/x'", 6, 1, "tcp listeners pass over routes with path"},
      {"listener = 't'\nrequest.set = { A = 'b' }", 6, 1, "tcp listeners pass over"},
      {"client = 'certificate'", 6, 1, "no listener that it is for asks clients for certificates"},
  };
  for (const Case& one : reach)
    expect_single(one, warnings_of(tcp + route + std::string(one.text)));
  EXPECT_THAT(warnings_of(tcp + secure + route + "client = 'certificate'"), SizeIs(0));
  EXPECT_THAT(warnings_of(tcp + secure + route + "path = '/x'"), SizeIs(0));
  expect_single({"", 11, 1, "take no clients without a certificate"},
                warnings_of(tcp + secure + route + "listener = 's'\nclient = 'none'"));
  expect_single(
      {"", 8, 1, "has a mode it goes with"},
      warnings_of(tcp + "[[listener]]\nname = 'f'\n" + route + "listener = 'f'\n" + route));
  const Case idle[] = {
      {"http2 = true", 6, 9, "http2 says nothing here"},
      {"unix_mode = '0600'", 6, 13, "it opens none"},
  };
  for (const Case& one : idle) expect_single(one, warnings_of(tcp + std::string(one.text)));
  expect_single({"", 3, 11, "it has Backlog="},
                warnings_of("[[listener]]\naddress = 'systemd:x'\nbacklog = 5"));
  expect_single({"", 2, 1, "no listener has mode = \"reverse\" or mode = \"tcp\""},
                warnings_of("upstream.app.servers = ['a']\n[[route]]\nto = 'app'"));
}

TEST(LoadErrors, SyntaxIsReportedWithItsPlace) {
  const auto found = errors_of("[limits]\nhead = 'x\n");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].line, 2U);
  EXPECT_EQ(found[0].source_line, "head = 'x");
  EXPECT_THAT(found[0].message, HasSubstr("this is not TOML"));
  const auto bare = errors_of("[timeouts]\nstall = 30s\n");
  ASSERT_THAT(bare, SizeIs(1));
  EXPECT_EQ(bare[0].line, 2U);
  EXPECT_THAT(bare[0].message, HasSubstr(R"(durations and sizes stand in quotes, as in "30s")"));
}

TEST(LoadErrors, AllAreReportedTogetherInOrder) {
  const auto found = errors_of(
      "[timeouts]\nstall = 30\n[limits]\nhaed = 1\nfields = 0\n"
      "[[listener]]\nmode = 'x'\n[[route]]\nto = 'y'\n");
  ASSERT_THAT(found, SizeIs(5));
  for (std::size_t i = 0; i < found.size(); ++i) {
    constexpr unsigned kLines[] = {2, 4, 5, 7, 9};
    EXPECT_EQ(found[i].line, kLines[i]) << found[i].message;
    EXPECT_FALSE(found[i].warning);
  }
}

}  // namespace
}  // namespace penstock::config

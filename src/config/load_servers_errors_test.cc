// What is said about mistakes in the tables about servers, peers, credentials and names.
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load_test.h"

namespace penstock::config {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

// Each case of a group follows these lines.
constexpr std::string_view kGroup =
    "listener = [{ mode = 'reverse' }]\n[upstream.a]\nservers = ['a:1']\n";
// Each case of a peer.
constexpr std::string_view kPeerLines =
    "route = [{ via = 'p' }]\n[[peer]]\nname = 'p'\naddress = 'p:1'\n";
// Each case of credentials.
constexpr std::string_view kHost = "[[credentials]]\nhost = 'x.org'\n";

TEST(ServerErrors, Servers) {
  const Case cases[] = {
      {"servers = ['a', 3]", 2, 17, "expected a text in quotes (server address), found a whole"},
      {"servers = ['a', { weight = 2 }]", 2, 17, "[[upstream.NAME.servers]] lacks address"},
      {"servers = [{ address = 'a', wieght = 2 }]", 2, 29, R"(did you mean "weight"?)"},
      {"servers = [{ address = 'a', weight = 0 }]", 2, 38, "0 is too small: expected 1 to 256"},
      {"servers = [{ address = 'a', weight = 257 }]", 2, 38, "257 is too large"},
      {"servers = [{ address = 'http://a' }]", 2, 24, "without a scheme"},
      {"servers = ['a', 'b/c']", 2, 17, "neither a host name nor an IP address"},
      {"servers = []", 2, 11, "expected at least one server address"},
      {"", 1, 1, "lacks servers: add servers = [...] or a service"},
      {"servers = ['a']\nservice = '_http._tcp.x'", 3, 11, "either servers or a service"},
      {"service = 'x:80'", 2, 11, R"(the records of a service say the port: write "x")"},
      {"service = '192.0.2.1'", 2, 11, "expected a name such as"},
      {"service = '[::1]'", 2, 11, "expected a name such as"},
      {"service = 'a b'", 2, 11, "neither a host name nor an IP address"},
  };
  expect_errors("[upstream.a]\n", cases);
}

TEST(ServerErrors, Groups) {
  const Case cases[] = {
      {"balance = 'hsah'", 4, 11, R"(did you mean "hash"?)"},
      {"hash = 'sorce'", 4, 8, R"(did you mean "source"?)"},
      {"hash = 'header:'", 4, 8, "expected a name, found an empty text"},
      {"hash = 'header:a b'", 4, 8, R"("a b" contains " ")"},
      {"hash = 'cookie:a;b'", 4, 8, R"("a;b" contains ";")"},
      {"hash = 7", 4, 8, "expected a text in quotes"},
      {"sticky_cookie = 'a='", 4, 17, R"("a=" contains "=")"},
      {"slow_start = 0", 4, 14, R"(0 has no unit: say which, as in "0s")"},
      {"slow_start = '999h'", 4, 14, "is too long"},
      {"max_connections = -1", 4, 19, "-1 is too small"},
      {"pool = 3", 4, 8, "expected a table, as [upstream.NAME.pool], found a whole number"},
      {"pool.idel = '1s'", 4, 6, R"(in [upstream.NAME.pool]: did you mean "idle"?)"},
      {"pool.idle = '0s'", 4, 13, "is too short"},
      {"pool.length = 3", 4, 6, "it belongs to [upstream.NAME.queue] or [peer.queue]"},
      {"percentile = 3", 4, 1, "it belongs to [upstream.NAME.hedge]"},
      {"idle = '3s'", 4, 1, "it belongs to [upstream.NAME.pool]"},
      {"pool.spare = 5000", 4, 14, "5000 spare connections cannot be kept: max_idle is 4096"},
      {"queue.timeout = '0s'", 4, 17, "is too short"},
      {"check.type = 'htp'", 4, 14, R"(did you mean "http"?)"},
      {"check.path = 'x'", 4, 14, R"(a path begins with "/": write "/x")"},
      {"check.path = '/x y'", 4, 14, R"(" " cannot stand in a path)"},
      {"check.method = 'GE T'", 4, 16, R"(contains " ")"},
      {"check.host = 'a b'", 4, 14, "neither a host name nor an IP address"},
      {"check.status = [99]", 4, 17, "99 is too small: expected 100 to 599"},
      {"check.status = 200", 4, 16, "expected a list of status codes such as [200, 204]"},
      {"check.rise = 0", 4, 14, "0 is too small: expected 1 to 100"},
      {"check.fall = 0", 4, 14, "0 is too small: expected 1 to 100"},
      {"ejection.max_share = 101", 4, 22, "101 is too large: expected 0 to 100"},
      {"ejection.time = '10m'", 4, 17, "max_time (5m) is less than time (10m)"},
      {"ejection.max_time = '1s'", 4, 21, "max_time (1s) is less than time (10s)"},
      {"breaker.retires = 3", 4, 9, R"(did you mean "retries"?)"},
      {"retry.on = ['conect']", 4, 13, R"(did you mean "connect"?)"},
      {"retry.on = [399]", 4, 13, "399 is too small: expected 400 to 599"},
      {"retry.on = [true]", 4, 13, R"(expected "connect", "closed", "timeout" or a status code)"},
      {"retry.on = 'closed'", 4, 12, R"(expected a list: write ["closed"])"},
      {"retry.back_off = '2s'", 4, 18, "max_back_off (1s) is less than back_off (2s)"},
      {"retry.body = '1GiB'", 4, 14, "is too large"},
      {"hedge.percentile = 49", 4, 20, "49 is too small: expected 50 to 99"},
      {"hedge.percentile = 100", 4, 20, "100 is too large: expected 50 to 99"},
      {"http = 2", 4, 8, R"(expected "1.1", "2" or "auto")"},
      {"http = '1.0'", 4, 8, R"(expected "1.1", "2" or "auto")"},
      {"proxy_protocol = true", 4, 18, R"(expected "off", "v1" or "v2")"},
      {"tls = true", 4, 7, "expected a table, as [upstream.NAME.tls], found a boolean"},
      {"tls.min_version = '1.1'", 4, 19, R"(expected "1.2" or "1.3")"},
      {"tls.min_version = 1.3", 4, 19, R"(expected "1.2" or "1.3")"},
      {"tls.certificate = '/dev/null'", 4, 19, "a certificate needs its key"},
      {"tls.key = '/dev/null'", 4, 11, "a key needs its certificate"},
      {"tls.server_name = 'a:1'", 4, 19, "neither a host name nor an IP address"},
      {"tls.ca_file = \"a\\u0000\"", 4, 15, "a path cannot contain a zero byte"},
  };
  expect_errors(kGroup, cases);
}

TEST(ServerErrors, WarningsOfGroups) {
  const Case cases[] = {
      {"hash = 'uri'", 4, 8, "hash counts only with balance = \"hash\""},
      {"check.timeout = '9s'\ncheck.type = 'tcp'", 4, 17, "checks may take longer (9s) than"},
      {"check.interval = '1s'\ncheck.type = 'tcp'", 4, 18, "checks may take longer (2s) than"},
      {"check = { type = 'tcp', path = '/x' }", 4, 32, "path counts only with type = \"http\""},
      {"tls.ca_file = '/no/such'", 4, 15,
       R"("/no/such" cannot be opened for reading: No such file or directory)"},
      {"tls.ca_file = '/'", 4, 15, R"("/" is a directory)"},
      {"tls = { insecure = true, ca_file = '/dev/null' }", 4, 36, "ca_file does not count"},
  };
  expect_warnings(kGroup, cases);
  const Case servers[] = {
      {"servers = ['a:1', 'a:1']", 3, 11, R"("a:1" stands here twice: give it a weight instead)"},
      {"servers = [{ address = 'a', backup = true }]", 3, 11, "all servers are backups"},
      {"servers = [{ address = 'a', drain = true }]", 3, 11, "all servers drain"},
      {"servers = ['a']\ntls = {}", 3, 11, R"(TLS to port 80 is hardly meant: write "a:443")"},
      {"servers = ['[::1]']\ntls = {}", 3, 11, R"(write "[::1]:443")"},
      {"servers = ['unix:/a']\ntls = {}", 3, 11, "add server_name to [upstream.a.tls]"},
  };
  expect_warnings("listener = [{ mode = 'reverse' }]\n[upstream.a]\n", servers);
  EXPECT_THAT(warnings_of("listener = [{ mode = 'reverse' }]\n[upstream.a]\nservers = [{ address = "
                          "'a', backup = true }, { address = 'b', drain = true }]"),
              SizeIs(0));
}

TEST(ServerErrors, Peers) {
  const Case cases[] = {
      {"adress = 'x'", 5, 1, R"(did you mean "address"?)"},
      {"type = 'socks'", 5, 8, R"(did you mean "socks5"?)"},
      {"weight = 0", 5, 10, "0 is too small: expected 1 to 256"},
      {"type = 'socks5'\ntls = {}", 6, 7, "TLS is spoken to peers of type \"http\" only"},
      {"type = 'socks5'\npass_login = true", 6, 14, "a SOCKS server has no use for it"},
      {"type = 'socks5'\ncheck = { type = 'http' }", 6, 9, "check it with type = \"tcp\""},
      {"type = 'socks5'\nlogin = { user = 'u', password = 's', scheme = 'basic' }", 6, 48,
       "a SOCKS server knows a single way of logging in"},
      {"login = 'u:s'", 5, 9, "expected a table, as [peer.login], found a text"},
      {"login = { password = 's' }", 5, 9, "[peer.login] lacks user"},
      {"login = { user = '', password = 's' }", 5, 18, "expected a user name"},
      {"login = { user = \"a\\n\", password = 's' }", 5, 18, "cannot contain control characters"},
      {"login = { user = 'u', password = \"s\\u0007\" }", 5, 34,
       "a secret cannot contain control characters"},
      {"login = { user = 'u', password = 7 }", 5, 34, "expected a text in quotes (a secret)"},
      {"login = { user = 'u' }", 5, 9, R"(the user "u" lacks a password or password_file)"},
      {"login = { user = 'u', password = 's', password_file = '/dev/null' }", 5, 55,
       "there is a password, too: leave out one"},
      {"login = { user = 'u:v', password = 's', scheme = 'basic' }", 5, 18,
       R"(a user name cannot contain ":" in Basic)"},
      {"login = { user = 'u', password = 's', scheme = 'bearer' }", 5, 48,
       R"(expected "automatic", "basic" or "digest")"},
      {"pass_login = true\nlogin = { user = 'u', password = 's' }", 5, 14,
       "leave out login or pass_login"},
      {"check.timeot = '1s'", 5, 7, R"(in [peer.check]: did you mean "timeout"?)"},
      {"[[peer]]\nname = 'p'\naddress = 'q:1'", 6, 8,
       R"(two peers cannot have one name: "p" is taken in line 3)"},
      {"[[peer]]\naddress = 'q:1'", 5, 1, "[[peer]] lacks name"},
      {"[[peer]]\nname = 'q'", 5, 1, "[[peer]] lacks address"},
      {"[[peer]]\nname = 'direct'\naddress = 'q:1'", 6, 8, R"("direct" stands for no peer)"},
      {"[[peer]]\nname = ''\naddress = 'q:1'", 6, 8, "expected a name"},
      {"[[peer]]\nname = 'q'\naddress = 'q'", 7, 11, R"("q" lacks a port: write "q:3128")"},
      {"[[peer]]\nname = 'q'\naddress = 'u:s@q:1'", 7, 11, "user and password stand in login"},
      {"[[peer]]\nname = 'q'\naddress = 'http://q:1'", 7, 11, R"(leave out "http://")"},
  };
  expect_errors(kPeerLines, cases);
  const std::string longest(256, 'x');
  const std::string user = "type = 'socks5'\nlogin = { user = '" + longest + "', password = 's' }";
  const std::string password =
      "type = 'socks5'\nlogin = { user = 'u', password = '" + longest + "' }";
  const Case lengths[] = {
      {user.c_str(), 6, 18, "SOCKS has room for a user name of 255 bytes"},
      {password.c_str(), 6, 34, "SOCKS has room for a password of 255 bytes"},
  };
  expect_errors(kPeerLines, lengths);
}

TEST(ServerErrors, RoutesToPeers) {
  const Case cases[] = {
      {"via = 'q'", 3, 7, R"(there is no peer "q": add a [[peer]] of that name)"},
      {"via = ['direct', 'q']", 3, 18, R"(there is no peer "q")"},
      {"via = ['direct', 'direct']", 3, 18, R"("direct" stands in this list twice)"},
      {"via = []", 3, 7, "expected at least one name of a peer"},
      {"via = ''", 3, 7, "expected the name of a peer or \"direct\""},
      {"via = 3", 3, 7, "expected a text in quotes (name of a peer)"},
      {"via = 'direct'\nto = 'a'", 3, 7, "either to (an upstream group) or via (peers)"},
      {"host = 'x'", 2, 1, "[[route]] lacks to (an upstream group) or via (peers)"},
      {"via = 'direct'\nhost_header = 'server'", 4, 15, "host_header goes with to"},
      {"via = 'direct'\nvia_order = 'hosts'", 4, 13, R"(did you mean "host"?)"},
      {"to = 'a'\nvia_order = 'host'", 4, 13, "via_order goes with via"},
  };
  expect_errors("upstream.a.servers = ['a']\n[[route]]\n", cases);
  const Case hint = {"via = 'noth'\n[[peer]]\nname = 'north'\naddress = 'n:1'", 2, 7,
                     R"(there is no peer "noth": did you mean "north"?)"};
  expect_errors("[[route]]\n", {&hint, 1});
}

TEST(ServerErrors, WarningsOfPeersAndTheirRoutes) {
  const Case cases[] = {
      {"[[route]]\nvia = 'direct'\n[[route]]\nhost = 'x'\nvia = 'direct'", 3, 1,
       "this route can never be taken"},
      {"[[peer]]\nname = 'p'\naddress = 'p:1'", 1, 1, R"(no route leads to "p")"},
      {"listener = [{ mode = 'reverse' }]\nupstream.a.servers = ['a']\n[[route]]\nvia = 'direct'",
       3, 1, "routes with via are never taken: no listener has mode = \"forward\""},
  };
  expect_warnings("", cases);
  const Case colon = {"login = { user = 'u:v', password = 's' }", 5, 18,
                      R"(with ":" in the user name only Digest is answered)"};
  expect_warnings(kPeerLines, {&colon, 1});
}

TEST(ServerErrors, Credentials) {
  const Case cases[] = {
      {"", 1, 1, "[[credentials]] lacks user"},
      {"user = 'u'", 1, 1, R"(the user "u" lacks a password or password_file)"},
      {"user = 'u'\npassword = 's'\npassword_file = '/dev/null'", 5, 17, "leave out one"},
      {"user = 'u:v'\npassword = 's'\nscheme = 'basic'", 3, 8, "separates it from the password"},
      {"user = 'u'\npassword = 's'\ntoken_file = '/dev/null'", 5, 14, "a token needs scheme"},
      {"scheme = 'bearer'", 1, 1, "scheme = \"bearer\" needs a token_file"},
      {"scheme = 'bearer'\ntoken_file = '/dev/null'\nuser = 'u'", 5, 8,
       "user does not go with scheme = \"bearer\""},
      {"scheme = 'beer'", 3, 10, R"(did you mean "bearer"?)"},
      {"user = 'u'\npassword = 's'\nrealm = \"a\\n\"", 5, 9,
       "a realm cannot contain control characters"},
      {"user = 'u'\npasword = 's'", 4, 1, R"(did you mean "password"?)"},
      {"user = 'u'\npassword = 's'\n[[credentials]]\nhost = 'ftp://x'", 6, 8,
       R"(expected "http://" or "https://")"},
  };
  expect_errors(kHost, cases);
  const Case warnings[] = {
      {"user = 'u'\npassword = 's'\nscheme = 'basic'\nrealm = 'r'\npreemptive = true", 7, 14,
       "with a realm nothing is sent unasked"},
      {"user = 'u'\npassword = 's'\npreemptive = true", 5, 14,
       "only \"basic\" and \"bearer\" can be sent without a challenge"},
      {"user = 'u'\npassword_file = '/no/such'", 4, 17, "cannot be opened for reading"},
      {"user = 'u'\npassword = 's'\n[[credentials]]\nhost = 'X.org'\nuser = 'v'\npassword = 's'", 6,
       8, R"(these are never used: there are others for "X.org" in line 2)"},
  };
  expect_warnings(kHost, warnings);
}

TEST(ServerErrors, Names) {
  const Case cases[] = {
      {"dns.servers = ['ns.org']", 1, 16, "expected the IP address of a name server"},
      {"dns.servers = ['::1']", 1, 16, R"(an IPv6 address needs brackets: "[::1]")"},
      {"dns.servers = ['192.0.2.1:0']", 1, 16, "is no port"},
      {"dns.tries = 0", 1, 13, "0 is too small: expected 1 to 10"},
      {"dns.min_ttl = '2h'", 1, 15, "max_ttl (1h) is less than min_ttl (2h)"},
      {"dns.max_ttl = '10ms'", 1, 15, "max_ttl (10ms) is less than min_ttl (1s)"},
      {"dns.max_tll = '1s'", 1, 5, R"(in [dns]: did you mean "max_ttl"?)"},
      {"hosts = 3", 1, 9, "expected a table, as [hosts], found a whole number"},
      {"[hosts]\na = 'b'", 2, 5, R"(expected an IP address, found "b")"},
      {"[hosts]\na = ['192.0.2.1', '[::1]']", 2, 19, "without brackets"},
      {"[hosts]\na = 3", 2, 5, "expected a text in quotes (IP address)"},
      {"[hosts]\na.b.c = '192.0.2.1'", 2, 1, R"(a name with dots stands in quotes: "a.b.c" = ...)"},
      {"[hosts]\n'a b' = '192.0.2.1'", 2, 1, "neither a host name nor an IP address"},
      {"[hosts]\na = []\nA = []", 3, 1, R"(the name "A" stands here twice)"},
      {"[targets]\nqueue = {}", 2, 1, "unknown key \"queue\" in [targets]"},
      {"targets.pool.idle = 3", 1, 21, "3 has no unit"},
      {"targets.retry.on = ['x']", 1, 21, R"(expected "connect", "closed" or "timeout")"},
  };
  expect_errors("", cases);
}

TEST(ServerErrors, NeverShowPasswords) {
  for (const auto* line : {"login = { user = 3, password = 'hidden' }",
                           "login = { user = 'u', password = \"hid\\\"den\", x = 1 }",
                           "login = { user = 'u', 'password'='hidden', scheme = 'x' }",
                           "login = { user = 'u', password = \"hidden\\u0007\" }",
                           "login = { user = 3, passwd = 'hidden' }",
                           "login = { user = 'u', password = \"\"\"hidden\"\"\", x = 1 }",
                           "login = { user = 'u', password = hidden }",
                           "login = { user = 'u', password = 'hidden }"}) {
    const auto found = errors_of(std::string(kPeerLines) + line);
    EXPECT_FALSE(found.empty()) << line;
    for (const Diagnostic& diagnostic : found) {
      const std::string text = render(diagnostic, false);
      EXPECT_THAT(text, HasSubstr("user")) << line;
      EXPECT_THAT(text, Not(HasSubstr("hid"))) << line;
      EXPECT_THAT(text, Not(HasSubstr("den"))) << line;
    }
  }
  const auto found = errors_of(std::string(kPeerLines) +
                               "login = { password_file = 3, password = 'a', user = 'u' }");
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].source_line, "login = { password_file = 3, password = ***, user = 'u' }");
}

}  // namespace
}  // namespace penstock::config

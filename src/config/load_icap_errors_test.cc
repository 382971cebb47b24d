// What is said about mistakes in ICAP services and the filters that use them.
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load_test.h"

namespace penstock::config {
namespace {

using ::testing::IsEmpty;

constexpr std::string_view kService = "filter = [{ icap = 's' }]\n[icap.s]\nurl = 'icap://scan'\n";
constexpr std::string_view kSecure = "filter = [{ icap = 's' }]\n[icap.s]\nurl = 'icaps://scan'\n";

TEST(IcapErrors, TablesAndNames) {
  const Case cases[] = {
      {"[[icap]]\nurl = 'icap://x'", 1, 1, "services have a name: write [icap.NAME]"},
      {"[icap]\nurl = 'icap://x'", 2, 1,
       R"("url" stands in a service: write [icap.NAME] above it)"},
      {"[icap]\nav = 'icap://x'", 2, 6, "expected a service, as [icap.av], found a text"},
      {"[icap.'a b']\nurl = 'icap://x'", 1, 7,
       R"(the name of an ICAP service has letters, digits, "_" and "-", not " ")"},
      {"[icap.'']\nurl = 'icap://x'", 1, 7, "an ICAP service needs a name"},
      {"[icap.s]\n", 1, 1, "[icap.NAME] lacks url: URL"},
      {"[icpa.s]\nurl = 'icap://x'", 1, 2, R"(unknown table "icpa": did you mean "icap"?)"},
  };
  expect_errors("", cases);
}

TEST(IcapErrors, Urls) {
  const Case cases[] = {
      {"'http://x/'", 2, 7,
       R"("http://x/" is not the URL of an ICAP service: it does not begin with "icap://" or)"},
      {"'scan:1344'", 2, 7, R"(it does not begin with "icap://" or "icaps://")"},
      {"'icap://'", 2, 7, "it names no host"},
      {"'icap://u:p@x/'", 2, 7, "it may not have a login"},
      {"'icap://x:0/'", 2, 7, "its port is not a number from 1 to 65535"},
      {"'icap://::1/'", 2, 7, "an IPv6 address needs brackets around it"},
      {"'icap://x/a b'", 2, 7, "it has a character that must be written as %XX"},
      {"'icap://x/#a'", 2, 7, "it may not have a fragment"},
      {"''", 2, 7, "it does not begin with"},
      {"1344", 2, 7, "expected a text in quotes (URL), found a whole number"},
  };
  expect_errors("[icap.s]\nurl = ", cases);
}

TEST(IcapErrors, Services) {
  const Case cases[] = {
      {"uri = 'x'", 4, 1, R"(unknown key "uri" in [icap.NAME]: did you mean "url"?)"},
      {"memory = '1MiB'", 4, 1, "it belongs to [icap.NAME.keep]"},
      {"max_idle = 3", 4, 1, "it belongs to [icap.NAME.pool]"},
      {"servers = 'a:1'", 4, 11, R"(expected a list: write ["a:1"])"},
      {"servers = ['a:1', 'b']", 4, 19, R"("b" lacks a port: write "b:1344")"},
      {"servers = ['icap://a:1']", 4, 12, "without a scheme and path"},
      {"methods = []", 4, 11, R"(expected at least one of "reqmod" and "respmod")"},
      {"methods = ['reqmd']", 4, 12, R"(found "reqmd"; did you mean "reqmod"?)"},
      {"methods = 'reqmod'", 4, 11, R"(expected a list: write ["reqmod"])"},
      {"timeout = 30", 4, 11, R"(30 has no unit: say which, as in "30s")"},
      {"timeout = '0s'", 4, 11, "is too short"},
      {"preview = true", 4, 11, R"(expected a size such as "4KiB", or "off", found a boolean)"},
      {"preview = '2MiB'", 4, 11, "2MiB is too large: expected 0B to 1MiB"},
      {"preview = -1", 4, 11, "a size cannot be negative"},
      {"allow_204 = 'yes'", 4, 13, "expected true or false"},
      {"over_size = 'skip'", 4, 13, R"(expected "bypass" or "block", found "skip")"},
      {"on_overload = 'froce'", 4, 15, R"(did you mean "force"?)"},
      {"repeat = 21", 4, 10, "21 is too large: expected 0 to 20"},
      {"share = ['a b']", 4, 10, R"("a b" contains " ")"},
      {"share = ['Encapsulated']", 4, 10, "Encapsulated is ICAP's own"},
  };
  expect_errors(kService, cases);
}

TEST(IcapErrors, TablesOfServices) {
  const Case cases[] = {
      {"keep.memory = '1GiB'", 4, 15, "memory (1GiB) is more than total (256MiB)"},
      {"keep.total = '1KiB'", 4, 14, "memory (1MiB) is more than total (1KiB)"},
      {"keep.folder = ''", 4, 15, "expected the path of a folder, found an empty text"},
      {"keep.folder = \"a\\u0000\"", 4, 15, "a path cannot contain a zero byte"},
      {"keep.size = 1", 4, 6, R"(unknown key "size" in [icap.NAME.keep])"},
      {"breaker.retry_after = '2m'", 4, 23, "max_retry_after (1m) is less than retry_after (2m)"},
      {"breaker.max_retry_after = '10ms'", 4, 27,
       "max_retry_after (10ms) is less than retry_after (1s)"},
      {"breaker.failure = 1", 4, 9, R"(did you mean "failures"?)"},
      {"fields.user = 'a b'", 4, 15, R"("a b" contains " ")"},
      {"fields.client_ip = 'Host'", 4, 20, "Host is ICAP's own: the proxy writes it itself"},
      {"fields.user = 'x-client-ip'", 4, 15,
       R"(the field "x-client-ip" cannot be both client_ip and user)"},
      {"fields.client_ip = 'x-server-ip'", 4, 20,
       R"(the field "X-Server-IP" cannot be both client_ip and server_ip)"},
      {"fields.set = { X-Client-IP = 'a' }", 4, 14,
       R"(the field "X-Client-IP" is client_ip already)"},
      {"fields.set = { preview = '4' }", 4, 16, "preview is ICAP's own"},
      {"fields.set = { Upgrade = 'TLS/1.0' }", 4, 16, "Upgrade belongs to a single connection"},
      {"fields.set = { Proxy-Authorization = 'Basic eDp5' }", 4, 16,
       "Proxy-Authorization is passed on with proxy_logins = true"},
      {"fields.set = { X-A = '${client}' }", 4, 22, "there is no variable"},
      {"fields.user_is = '${field:a b}'", 4, 18, "is no name of a field"},
      {"fields.set = { X-A = ' a' }", 4, 22, "cannot begin or end with white space"},
      {"fields.set = { X-A = \"a\\r\\nB: c\" }", 4, 22, "cannot contain the control character"},
      {"fields.set = { X-A = 'a', x-a = 'b' }", 4, 27, "stands here twice"},
      {"fields.user_coding = 'hex'", 4, 22, R"(expected "plain" or "base64")"},
      {"pool.spare = 9", 4, 14, "9 spare connections cannot be kept: max_idle is 8"},
      {"pool.idel = '1s'", 4, 6, R"(in [icap.NAME.pool]: did you mean "idle"?)"},
      {"queue = 3", 4, 9, "expected a table, as [icap.NAME.queue], found a whole number"},
      {"tls = {}", 4, 7, R"(TLS is spoken to icaps services only: write url = "icaps://scan/")"},
  };
  expect_errors(kService, cases);
  const Case secure[] = {
      {"tls = true", 4, 7, "expected a table, as [icap.NAME.tls], found a boolean"},
      {"tls.certificate = '/dev/null'", 4, 19, "a certificate needs its key"},
  };
  expect_errors(kSecure, secure);
}

TEST(IcapErrors, Filters) {
  const Case cases[] = {
      {"icap = 'av2'", 6, 8, R"(there is no ICAP service "av2": did you mean "av"?)"},
      {"icap = ['av', 'x']", 6, 15, R"(there is no ICAP service "x": expected "av" or "req")"},
      {"icap = ['av', 'av']", 6, 15, R"("av" stands in this list twice)"},
      {"icap = []", 6, 8, "expected at least one name of an ICAP service"},
      {"icap = ''", 6, 8, "an ICAP service needs a name"},
      {"icap = 7", 6, 8, "expected a text in quotes (name of an ICAP service)"},
      {"icap = ['av', 7]", 6, 15, "expected a text in quotes (name of an ICAP service)"},
      {"icap = {}", 6, 8, "[filter.icap] lacks services"},
      {"icap = { services = ['av', 'x'] }", 6, 28, R"(there is no ICAP service "x")"},
      {"icap = { services = 'av', next = true }", 6, 27,
       R"(unknown key "next" in [filter.icap]: did you mean)"},
      {"icap = 'av'\nmodule = 'm'", 6, 8, "a filter does one thing, and this one has module, too"},
      {"icap = ['av', 'req']\nstatus = 200", 6, 15,
       R"("req" is only sent requests (methods), and with status or content_type)"},
  };
  const std::string_view before =
      "icap.av.url = 'icap://a'\nicap.req.url = 'icap://r'\nicap.req.methods = ['reqmod']\n\n"
      "[[filter]]\n";
  expect_errors(before, cases);
  expect_single({"", 2, 8, R"(there is no ICAP service "av": add [icap.av])"},
                errors_of("[[filter]]\nicap = 'av'"));
}

TEST(IcapErrors, Warnings) {
  const Case cases[] = {
      {"servers = ['a:1', 'b:1', 'a:1']", 4, 11, R"("a:1" stands here twice)"},
      {"over_size = 'block'", 4, 13, "over_size counts only with size_limit"},
      {"on_overload = 'refuse'\nqueue = {}", 5, 9,
       R"(queue counts only with on_overload = "wait")"},
      {"keep.folder = '/no/such'", 4, 15,
       R"(no files can be made in "/no/such": No such file or directory)"},
      {"keep.folder = '/dev/null'", 4, 15, R"("/dev/null" is not a folder)"},
      {"fields = { user = '', user_coding = 'base64' }", 4, 37,
       "user_coding counts only with user"},
  };
  expect_warnings(kService, cases);
  expect_single({"", 3, 11, "timeout does not count with icap: its services have their own"},
                warnings_of("[[filter]]\nicap = 's'\ntimeout = '1s'\n[icap.s]\nurl = 'icap://x'"));
}

TEST(IcapErrors, WarnsOfServicesThatNoFilterUses) {
  const std::string two = "[icap.a]\nurl = 'icap://a'\n[icap.b]\nurl = 'icap://b'\n[[filter]]\n";
  expect_single({"", 3, 1, R"(no filter uses "b")"}, warnings_of(two + "icap = 'a'"));
  expect_single({"", 1, 1, R"(no filter uses "a")"},
                warnings_of(two + "icap = { services = 'b' }"));
  EXPECT_THAT(warnings_of(two + "icap = ['b', 'a']"), IsEmpty());
  // An answer may name it.
  EXPECT_THAT(warnings_of(two + "icap = { services = 'a', next_services = true }"), IsEmpty());
}

}  // namespace
}  // namespace penstock::config

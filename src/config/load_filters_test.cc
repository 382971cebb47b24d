// Filters and modules: what they come to, and what is said about mistakes.
#include <string>
#include <variant>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load_test.h"
#include "config/summary.h"

namespace penstock::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::string kModule = "[module.m]\nfile = '/dev/null'\n";

TEST(LoadFilters, WithoutAnyThereAreNone) {
  const Snapshot snapshot = load("");
  EXPECT_THAT(snapshot.adapt.filters, IsEmpty());
  EXPECT_THAT(snapshot.modules.modules, IsEmpty());
  EXPECT_FALSE(snapshot.upstream.target_tls.has_value());
  EXPECT_EQ(snapshot.modules.metrics_file, "");
  EXPECT_EQ(snapshot.modules.metrics_interval, 15s);
}

TEST(LoadFilters, EachKeyOfAFilterSetsItsMember) {
  const Snapshot snapshot = load(kModule + R"(
    [[listener]]
    name = "office"
    [[listener]]
    name = "home"
    address = "127.0.0.1:1"
    [[route]]
    name = "inner"
    host = "*.internal"
    via = "direct"
    [[filter]]
    name = "all of it"
    listener = ["office", "home"]
    route = "inner"
    host = ["www.example.com", "*.example.com", "[::1]"]
    path = "/api"
    method = ["GET", "PURGE"]
    client = ["192.0.2.0/24", "unix"]
    status = [404, "5xx", "200-299"]
    content_type = "text/*"
    at = "server"
    on_failure = "closed"
    failure_status = 503
    timeout = "3s"
    module = "m"
    [[filter]]
    status = 204
    on_failure = "skip"
    module = "m"
  )");
  ASSERT_THAT(snapshot.adapt.filters, SizeIs(2));
  EXPECT_EQ(snapshot.proxy.routes[0].name, "inner");
  const FilterSettings& all = snapshot.adapt.filters[0];
  EXPECT_EQ(all.name, "all of it");
  EXPECT_THAT(all.conditions.listeners, ElementsAre("office", "home"));
  EXPECT_THAT(all.conditions.routes, ElementsAre("inner"));
  EXPECT_THAT(all.conditions.hosts, ElementsAre("www.example.com", "*.example.com", "::1"));
  EXPECT_THAT(all.conditions.paths, ElementsAre("/api"));
  EXPECT_THAT(all.conditions.methods, ElementsAre("GET", "PURGE"));
  EXPECT_THAT(all.conditions.clients, ElementsAre("192.0.2.0/24", "unix"));
  EXPECT_THAT(all.conditions.statuses, ElementsAre("404", "5xx", "200-299"));
  EXPECT_THAT(all.conditions.content_types, ElementsAre("text/*"));
  EXPECT_EQ(all.at, FilterSide::server);
  EXPECT_EQ(all.on_failure, FailurePolicy::closed);
  EXPECT_EQ(all.failure_status, 503);
  EXPECT_EQ(all.timeout, 3s);
  EXPECT_EQ(std::get<ModuleFilterSettings>(all.work).module, "m");
  const FilterSettings& second = snapshot.adapt.filters[1];
  EXPECT_EQ(second.name, "m");  // by its work
  EXPECT_THAT(second.conditions.statuses, ElementsAre("204"));
  EXPECT_EQ(second.at, FilterSide::client);
  EXPECT_EQ(second.on_failure, FailurePolicy::skip);
  EXPECT_EQ(second.timeout, 10s);
}

TEST(LoadFilters, EachKeyOfModulesSetsItsMember) {
  const Snapshot snapshot = load(R"(
    [modules]
    metrics_file = "/run/modules.prom"
    metrics_interval = "1m"
    [module.z]
    file = "/dev/null"
    isolation = "thread"
    threads = 7
    hold_limit = "1MiB"
    [module.a-1_B]
    file = "/dev/null"
    watchdog = "1s"
    [module.p]
    file = "/dev/null"
    isolation = "process"
    [[filter]]
    module = "z"
    [[filter]]
    module = "a-1_B"
    [[filter]]
    module = "p"
  )");
  EXPECT_EQ(snapshot.modules.metrics_file, "/run/modules.prom");
  EXPECT_EQ(snapshot.modules.metrics_interval, 1min);
  const auto& modules = snapshot.modules.modules;
  ASSERT_THAT(modules, SizeIs(3));
  EXPECT_EQ(modules[0].name, "z");  // in the order of the file
  EXPECT_EQ(modules[0].file, "/dev/null");
  EXPECT_EQ(modules[0].isolation, Isolation::thread);
  EXPECT_EQ(modules[0].threads, 7U);
  EXPECT_EQ(modules[0].hold_limit, 1024U * 1024U);
  EXPECT_TRUE(snapshot.upstream.target_tls.has_value());
  EXPECT_EQ(modules[0].line, 5U);
  EXPECT_EQ(modules[0].column, 5U);
  EXPECT_EQ(modules[0].file_line, 6U);
  EXPECT_EQ(modules[0].file_column, 12U);
  EXPECT_EQ(modules[1].name, "a-1_B");
  EXPECT_EQ(modules[1].isolation, Isolation::in_line);
  EXPECT_EQ(modules[1].watchdog, 1s);
  EXPECT_EQ(modules[1].threads, 2U);
  EXPECT_EQ(modules[1].hold_limit, 16U * 1024 * 1024);
  EXPECT_THAT(std::get<ModuleValue::Table>(modules[1].config.value), IsEmpty());
  EXPECT_EQ(modules[1].config.line, modules[1].line);  // where it could be
  EXPECT_EQ(modules[2].isolation, Isolation::process);
  EXPECT_EQ(modules[2].watchdog, 50ms);
}

TEST(LoadFilters, AModulesOwnTableIsKeptWithItsPlaces) {
  const Snapshot snapshot = load(R"([module.m]
file = "/dev/null"
[module.m.config]
zeta = "text"
alpha = -7
  half = 0.5
"a b" = [true, ["x"]]
inner = { deep = 1 }
[[module.m.config.list]]
x = 1
[[filter]]
module = "m"
)");
  const ModuleValue& config = snapshot.modules.modules.at(0).config;
  EXPECT_EQ(config.line, 3U);
  EXPECT_EQ(config.column, 1U);
  const auto& table = std::get<ModuleValue::Table>(config.value);
  ASSERT_THAT(table, SizeIs(6));
  EXPECT_EQ(table[0].name, "zeta");
  EXPECT_EQ(std::get<std::string>(table[0].value.value), "text");
  EXPECT_EQ(std::get<std::int64_t>(table[1].value.value), -7);
  EXPECT_EQ(std::get<double>(table[2].value.value), 0.5);
  EXPECT_EQ(table[2].line, 6U);
  EXPECT_EQ(table[2].column, 3U);
  EXPECT_EQ(table[2].value.line, 6U);
  EXPECT_EQ(table[2].value.column, 10U);
  EXPECT_EQ(table[3].name, "a b");
  const auto& list = std::get<ModuleValue::List>(table[3].value.value);
  ASSERT_THAT(list, SizeIs(2));
  EXPECT_TRUE(std::get<bool>(list[0].value));
  EXPECT_EQ(list[1].column, 16U);
  EXPECT_EQ(std::get<std::string>(std::get<ModuleValue::List>(list[1].value)[0].value), "x");
  EXPECT_EQ(std::get<ModuleValue::Table>(table[4].value.value)[0].name, "deep");
  const auto& tables = std::get<ModuleValue::List>(table[5].value.value);
  ASSERT_THAT(tables, SizeIs(1));
  EXPECT_EQ(tables[0].line, 9U);
}

TEST(LoadFilters, MistakesInFilters) {
  const Case cases[] = {
      {"x = 1", 4, 1, R"(unknown key "x" in [[filter]])"},
      {"modul = 'm'", 4, 1, R"(unknown key "modul" in [[filter]]: did you mean "module"?)"},
      {"at = 'server'", 3, 1, "[[filter]] lacks what it does: module"},
      {"module = ''", 4, 10, "a module needs a name"},
      {"module = 'x'", 4, 10, R"(there is no module "x": expected "m")"},
      {"module = 'm'\nlistener = 'x'", 5, 12, R"(there is no listener "x": give one this name)"},
      {"module = 'm'\nlistener = ['']", 5, 13, "expected the name of a listener"},
      {"module = 'm'\nroute = ['x']", 5, 10, R"(there is no route "x": give one this name)"},
      {"module = 'm'\nroute = []", 5, 9, "expected at least one name of a route"},
      {"module = 'm'\nhost = 'a.*'", 5, 8, R"("*" stands alone or as the first label)"},
      {"module = 'm'\npath = 'api'", 5, 8, R"(a path begins with "/": write "/api")"},
      {"module = 'm'\nmethod = 'get'", 5, 10, R"(methods are case-sensitive: write "GET")"},
      {"module = 'm'\nmethod = 'a b'", 5, 10, R"("a b" contains " ")"},
      {"module = 'm'\nclient = '192.0.2.1/24'", 5, 10, R"(write "192.0.2.0/24", or "192.0.2.1")"},
      {"module = 'm'\nstatus = 600", 5, 10, "600 is too large: expected 100 to 599"},
      {"module = 'm'\nstatus = [200, '6xx']", 5, 16,
       R"(expected a status such as 404, "5xx" or "200-299", found "6xx")"},
      {"module = 'm'\nstatus = []", 5, 10, "expected at least one status"},
      {"module = 'm'\nstatus = true", 5, 10, "expected a text in quotes (status), found a boolean"},
      {"module = 'm'\ncontent_type = 'html'", 5, 16,
       R"(expected a content type such as "text/html" or "text/*", found "html")"},
      {"module = 'm'\ncontent_type = 'text/html; charset=utf-8'", 5, 16,
       R"(parameters of content types are not looked at: write "text/html")"},
      {"module = 'm'\nat = 'servr'", 5, 6, R"(did you mean "server"?)"},
      {"module = 'm'\non_failure = 'fail'", 5, 14, R"(expected "open", "closed" or "skip")"},
      {"module = 'm'\nfailure_status = 200", 5, 18, "200 is too small: expected 400 to 599"},
      {"module = 'm'\nname = 'x'\n[[filter]]\nmodule = 'm'\nname = 'x'", 8, 8,
       R"(two filters cannot have one name: "x" is taken in line 5)"},
  };
  for (const Case& one : cases) {
    const std::string text = kModule + "[[filter]]\n" + one.text;
    expect_single({text.c_str(), one.line, one.column, one.message}, errors_of(text));
  }
  expect_single({"", 2, 10, R"(there is no module "m": add [module.m])"},
                errors_of("[[filter]]\nmodule = 'm'"));
  expect_single({"", 1, 1, "there may be several of these: write [[filter]]"},
                errors_of("[filter]\nmodule = 'm'"));
}

TEST(LoadFilters, WorkThatIsBuiltIn) {
  const Snapshot snapshot = load(R"toml(
    [[filter]]
    fields = { request = { remove = ["X-A"], set = { X-B = "${host}" } } }
    [[filter]]
    answer = { status = 451, type = "text/html", content = "<p>", fields = { X-C = ["1", "2"] } }
    [[filter]]
    [filter.compress]
    codings = ["gzip", "br"]
    types = ["text/*"]
    least = "0B"
    gzip_level = 9
    br_level = 0
    zstd_level = 12
    flush = "at_end"
    [[filter]]
    decompress = { responses = false, requests = true, ask = "all", most = "1MiB", ratio = 0 }
    [[filter]]
    [filter.substitute]
    in = "request"
    types = ["a/b"]
    longest = "1KiB"
    whole = true
    [[filter.substitute.rules]]
    pattern = "a(b)"
    with = '\1'
    regex = true
    once = true
    ignore_case = true
    [[filter]]
    rewrite = { pattern = "/(a)", with = '/\1', of = "url" }
    [[filter]]
    redirect = { pattern = "x", to = "/y", status = 308 }
    [[filter]]
    [filter.cookies]
    remove = ["a*"]
    remove_set = ["b"]
    keep = ["c"]
    harden = ["d"]
    secure = true
    http_only = true
    same_site = "strict"
    [[filter]]
    name = "own name"
    [filter.privacy]
    referer = "same_origin"
    user_agent = "x y"
    do_not_track = false
    hide_client = false
    third_party_cookies = false
  )toml");
  const auto& filters = snapshot.adapt.filters;
  ASSERT_THAT(filters, SizeIs(9));
  EXPECT_EQ(filters[0].name, "fields");
  EXPECT_EQ(filters[8].name, "own name");
  EXPECT_THAT(std::get<FieldsFilterSettings>(filters[0].work).request.remove, ElementsAre("X-A"));
  const auto& answer = std::get<AnswerFilterSettings>(filters[1].work);
  EXPECT_EQ(answer.status, 451);
  EXPECT_EQ(answer.type, "text/html");
  EXPECT_EQ(answer.content, "<p>");
  EXPECT_THAT(answer.fields, SizeIs(2));
  const auto& compress = std::get<CompressFilterSettings>(filters[2].work);
  EXPECT_THAT(compress.codings, ElementsAre(ContentCoding::gzip, ContentCoding::br));
  EXPECT_THAT(compress.types, ElementsAre("text/*"));
  EXPECT_EQ(compress.least, 0U);
  EXPECT_EQ(compress.gzip_level, 9);
  EXPECT_EQ(compress.br_level, 0);
  EXPECT_EQ(compress.zstd_level, 12);
  EXPECT_EQ(compress.flush, FlushPolicy::at_end);
  const auto& decompress = std::get<DecompressFilterSettings>(filters[3].work);
  EXPECT_FALSE(decompress.responses);
  EXPECT_TRUE(decompress.requests);
  EXPECT_EQ(decompress.ask, AskedCodings::all);
  EXPECT_EQ(decompress.limits.output, 1024U * 1024);
  EXPECT_EQ(decompress.limits.ratio, 0U);
  const auto& substitute = std::get<SubstituteFilterSettings>(filters[4].work);
  EXPECT_TRUE(substitute.requests && substitute.whole);
  EXPECT_EQ(substitute.longest, 1024U);
  ASSERT_THAT(substitute.rules, SizeIs(1));
  EXPECT_EQ(substitute.rules[0].replacement, "\\1");
  EXPECT_TRUE(substitute.rules[0].regex && substitute.rules[0].once);
  EXPECT_TRUE(substitute.rules[0].ignore_case);
  const auto& rewrite = std::get<RewriteFilterSettings>(filters[5].work);
  EXPECT_EQ(rewrite.pattern, "/(a)");
  EXPECT_EQ(rewrite.with, "/\\1");
  EXPECT_TRUE(rewrite.url);
  const auto& redirect = std::get<RedirectFilterSettings>(filters[6].work);
  EXPECT_EQ(redirect.pattern, "x");
  EXPECT_EQ(redirect.to, "/y");
  EXPECT_EQ(redirect.status, 308);
  const auto& cookies = std::get<CookiesFilterSettings>(filters[7].work);
  EXPECT_THAT(cookies.remove, ElementsAre("a*"));
  EXPECT_THAT(cookies.remove_set, ElementsAre("b"));
  EXPECT_THAT(cookies.keep, ElementsAre("c"));
  EXPECT_THAT(cookies.harden, ElementsAre("d"));
  EXPECT_TRUE(cookies.secure && cookies.http_only);
  EXPECT_EQ(cookies.same_site, SameSite::strict);
  const auto& privacy = std::get<PrivacyFilterSettings>(filters[8].work);
  EXPECT_EQ(privacy.referer, RefererPolicy::same_origin);
  EXPECT_EQ(privacy.user_agent, "x y");
  EXPECT_FALSE(privacy.do_not_track || privacy.forwarding || privacy.third_party_cookies);
}

// "@" stands where the mistake is.
TEST(LoadFilters, MistakesInWorkThatIsBuiltIn) {
  const std::pair<std::string, std::string> cases[] = {
      {"fields = @{}", "this changes nothing: give it request or response"},
      {"fields = { request = { remove = [@'Host'] } }", "Host cannot be edited here"},
      {"fields = { request = { set = { X = @'${hots}' } } }", R"(did you mean "host"?)"},
      {"answer = { status = @100 }", "100 is too small: expected 200 to 599"},
      {"answer = { type = @'html' }", R"(such as "text/html; charset=utf-8", found "html")"},
      {"answer = { content = @'${x' }", R"("${x" lacks its "}")"},
      {"answer = { fields = { X = @\"a\\nb\" } }", "cannot contain the control character"},
      {"compress = { codings = ['gzip', @'gzip'] }", R"("gzip" stands there twice)"},
      {"compress = { codings = @[] }", "expected at least one content coding"},
      {"compress = { codings = [@'compress'] }", R"(found "compress")"},
      {"compress = { br_level = @11 }", "11 is too large: expected 0 to 6"},
      {"decompress = { most = @'0B' }", R"(nothing would be left: write "unlimited")"},
      {"substitute = @{}", "[filter.substitute] lacks rules"},
      {"substitute = { rules = @[] }", "expected at least one rule"},
      {"substitute = { rules = [{ pattern = @'' }] }", "found an empty text"},
      {"substitute = { rules = [{ pattern = @'a(', regex = true }] }", "missing )"},
      {"substitute = { rules = [@{ with = '' }] }", "lacks pattern"},
      {"rewrite = { pattern = @'a(', with = '' }", "missing )"},
      {"rewrite = { pattern = 'a', with = @'\\1' }", R"(there is no group \1: the pattern has 0)"},
      {"rewrite = @{ pattern = 'a' }", "[filter.rewrite] lacks with"},
      {"rewrite = { pattern = '^/(a)', with = @'/$1' }", R"("$1" is no group here: write "\1")"},
      {"rewrite = { pattern = '^/a', with = @'/${host}' }", "there are no variables here"},
      {"rewrite = { pattern = '^/a', with = @'b' }", R"(a path begins with "/": write "/b")"},
      {"rewrite = { pattern = '^http://a', with = @'/', of = 'url' }", "a URL begins with"},
      {"redirect = { pattern = '(a)', to = @'/$1' }", R"("$1" is no group here: write "\1")"},
      {"redirect = { pattern = '(a)', to = @'/${1}' }", R"("${1}" is no group here: write "\1")"},
      {"redirect = { to = @'http://a:99999/' }", "is not a host with or without a port"},
      {"redirect = { to = '/', status = @200 }", "expected 301, 302, 303, 307 or 308, found 200"},
      {"answer = { status = 204, content = @'x' }", "a response of status 204 has no content"},
      {"answer = { status = 205, content = @'x' }", "a response of status 205 has no content"},
      {"substitute = { rules = [{ pattern = 'a(b)', with = @'\\2', regex = true }] }",
       R"(there is no group \2: the pattern has 1)"},
      {"redirect = { to = @'//a/' }", R"(expected a path ("/new") or a URL)"},
      {"redirect = { to = '/', status = @304 }", "expected 301, 302, 303, 307 or 308"},
      {"cookies = @{ keep = ['a'] }", "this changes nothing"},
      {"cookies = { remove = [@'a b'] }", R"("a b" contains " ")"},
      {"privacy = { user_agent = @\"a\\u0001\" }", "no control characters"},
      {"privacy = @{}\nstatus = 200", "what this does to requests is never done"},
      {"fields = @{ request = { remove = ['X'] } }\ncontent_type = 'a/b'", "make it two"},
      {"privacy = @{}\nrewrite = { pattern = 'a', with = '' }",
       "a filter does one thing, and this one has rewrite, too"},
  };
  for (const auto& [marked, message] : cases) {
    std::string text = marked;
    const auto column = static_cast<unsigned>(text.find('@') + 1);
    text.erase(column - 1, 1);
    text.insert(0, "[[filter]]\n");
    expect_single({text.c_str(), 2, column, message.c_str()}, errors_of(text));
  }
}

TEST(LoadFilters, MistakesInModules) {
  const Case cases[] = {
      {"[[module]]\nfile = 'x'", 1, 1, "modules have a name: write [module.NAME]"},
      {"[module]\nfile = 'x'", 2, 1, R"("file" stands in a module: write [module.NAME] above it)"},
      {"[module]\nm = 'x'", 2, 5, "expected a module, as [module.m], found a text"},
      {"[module.m]\n", 1, 1, "[module.NAME] lacks file: path of a file"},
      {"[module.m]\nfile = ''", 2, 8, "expected the path of a file, found an empty text"},
      {"[module.'a b']\nfile = '/dev/null'", 1, 9,
       R"(the name of a module has letters, digits, "_" and "-", not " ")"},
      {"[module.'']\nfile = '/dev/null'", 1, 9, "a module needs a name"},
      {"[module.m]\nfile = '/dev/null'\nisolation = 'threads'", 3, 13,
       R"(expected "inline", "thread" or "process", found "threads"; did you mean "thread"?)"},
      {"[module.m]\nfile = '/dev/null'\nthreads = 0", 3, 11, "0 is too small: expected 1 to 64"},
      {"[module.m]\nfile = '/dev/null'\nlevel = 0", 3, 1, R"(unknown key "level")"},
      {"[module.m]\nfile = '/dev/null'\nconfig = 1", 3, 10,
       "expected a table, as [module.NAME.config], found a whole number"},
      {"[module.m]\nfile = '/dev/null'\nconfig = { a = [1979-05-27] }", 3, 17,
       "a module has no settings that are dates or times: write a text in quotes"},
      {"[modules]\nmetrics_interval = 15", 2, 20, R"(15 has no unit: say which, as in "15s")"},
      {"[[modules]]\n", 1, 1, "there is only one of these: write [modules]"},
      {"[[route]]\nname = 'x'\nhost = 'a'\nvia = 'direct'\n"
       "[[route]]\nname = 'x'\nvia = 'direct'",
       6, 8, R"(two routes cannot have one name: "x" is taken in line 2)"},
      {"[[route]]\nname = \"a\\nb\"\nvia = 'direct'", 2, 8,
       "a name cannot contain control characters"},
  };
  for (const Case& one : cases) expect_single(one, errors_of(one.text));
}

TEST(LoadFilters, WarnsOfWhatIsIdle) {
  const std::string used = kModule + "[[filter]]\nmodule = 'm'\n";
  expect_single({"", 1, 1, R"(no filter uses "m")"}, warnings_of(kModule));
  expect_single({"", 1, 1, R"(no filter uses "m")"},
                warnings_of(kModule + "[module.n]\nfile = '/dev/null'\n[[filter]]\nmodule = 'n'"));
  expect_single({"", 6, 18, "failure_status counts only with on_failure = \"closed\""},
                warnings_of(used + "on_failure = 'open'\nfailure_status = 500"));
  expect_single({"", 3, 11, R"(threads counts only with isolation = "thread" or "process")"},
                warnings_of(kModule + "threads = 3\n[[filter]]\nmodule = 'm'"));
  expect_single({"", 4, 12, R"(watchdog counts only with isolation = "inline")"},
                warnings_of(kModule + "isolation = 'thread'\nwatchdog = '1s'\n"
                                      "[[filter]]\nmodule = 'm'"));
  const std::string group =
      "[[route]]\nto = 'a'\n[upstream.a]\nservers = ['a']\n"
      "[[listener]]\nmode = 'reverse'\n[upstream.b]\nservers = ['b']\n";
  expect_single({"", 7, 1, "no route leads to \"b\""}, warnings_of(group));
  EXPECT_THAT(warnings_of(group + used), IsEmpty());  // the module may choose it
  expect_single({"", 5, 12, "this filter never sees a message: tcp listeners pass on bytes"},
                warnings_of(used + "listener = 't'\n[[listener]]\nname = 't'\nmode = 'tcp'\n"
                                   "[upstream.a]\nservers = ['a']"));
}

TEST(LoadFilters, TheSummaryShowsFiltersAndModulesButNoSecrets) {
  const std::string text = summary(load(kModule + R"(
    threads = 3
    isolation = "thread"
    config = { token = "hidden" }
    [[filter]]
    module = "m"
    path = "/api"
    status = [404, "5xx"]
    [[filter]]
    name = "second"
    module = "m"
  )"));
  EXPECT_THAT(text, HasSubstr("filter     m: module = \"m\", path = \"/api\", "
                              "status = [\"404\", \"5xx\"]\n"));
  EXPECT_THAT(text, HasSubstr("filter     second: module = \"m\"\n"));
  EXPECT_THAT(text, HasSubstr("module     m: /dev/null, isolation = \"thread\", threads = 3, "
                              "config = { ... }\n"));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace penstock::config

#include "icap/filter.h"

#include <chrono>
#include <list>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "adapt/pull_body_test.h"
#include "icap/service_worlds_test.h"

namespace penstock::icap {
namespace {

using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kEnd = "\r\n\r\n";
// How requests end that have content, and those that have none.
const std::string kLast = "0\r\n\r\n";
const std::string kNothing = "X-End: 1\r\n\r\n";
const std::string kUnmodified = "ICAP/1.0 204 No Content\r\nISTag: \"a\"\r\n\r\n";

std::string chunks(std::string_view text) {
  return fmt::format("{:x}\r\n{}\r\n{}", text.size(), text, kLast);
}

// A 200 with an HTTP message; without content that is null-body.
std::string adapted(std::string_view kind, std::string_view head,
                    std::optional<std::string_view> content, std::string_view fields = {}) {
  return fmt::format(
      "ICAP/1.0 200 OK\r\nISTag: \"a\"\r\n{}Encapsulated: {}-hdr=0, {}-body={}\r\n\r\n{}{}", fields,
      kind, content ? kind : "null", head.size(), head, content ? chunks(*content) : std::string());
}

// One transaction and its ICAP filters, each with services of its own.
class IcapFilterTest : public testing::Test {
 protected:
  // A service at 10.0.0.N.
  struct Place {
    Place(IcapFilterTest& test, ServiceSettings set)
        : settings(std::move(set)),
          group_settings(group_settings_of(settings)),
          group(group_settings),
          share(settings, 1),
          worker(test.world, test.upstream, share, group, 1, test.log.log()) {}
    const ServiceSettings settings;
    const UpstreamGroupSettings group_settings;
    GroupShare group;
    ServiceShare share;
    Worker worker;
  };

  IcapFilterTest() {
    client.listener = &listener;
    client.peer = Address::parse("198.51.100.7:5000").value();
    ask_for("POST", "http://a.test/p");
    response.status = 200;
    response.reason = "OK";
    add(response.fields, "X-End", "1");
  }
  ~IcapFilterTest() override {
    adaptation.reset();
    set.reset();
    services.clear();
  }

  static void add(FieldSection& fields, std::string_view name, std::string_view value) {
    fields.add(field_id(name), name, value);
  }
  void ask_for(std::string_view method, std::string_view target) {
    request = {};
    request.method = method_of(method);
    request.method_text = method;
    request.target_text = target;
    request.target = parse_target(method, target).value();
    add(request.fields, "Host", "a.test");
    add(request.fields, "X-End", "1");
  }

  static ServiceSettings settings_of(int number) {
    ServiceSettings settings;
    settings.name = fmt::format("s{}", number);
    settings.url = fmt::format("icap://10.0.0.{}/s", number);
    return settings;
  }
  // A filter behind those that are there.
  void filter(std::vector<ServiceSettings> asked, FailurePolicy policy = FailurePolicy::closed) {
    std::vector<Service*> all;
    for (ServiceSettings& one : asked) {
      all.push_back(&services.emplace_back(*this, std::move(one)).worker.service);
    }
    FilterSettings& settings = filter_settings.emplace_back();
    settings.name = fmt::format("filter {}", filter_settings.size());
    settings.on_failure = policy;
    const IcapFilterPlan plan{.bypasses = policy != FailurePolicy::closed};
    filters.push_back(
        {.filter = std::make_unique<IcapFilter>(std::move(all), plan), .settings = &settings});
  }
  // A server at 10.0.0.N: answers OPTIONS, then messages, all on one connection; then connections
  // with these steps.
  std::unique_ptr<ScriptedServer> serve(int number, ServerScript messages,
                                        std::string_view options = "Allow: 204\r\n",
                                        std::vector<ServerScript> more = {}) {
    messages.insert(messages.begin(), ServerStep{.until = kEnd, .answer = options_answer(options)});
    more.insert(more.begin(), std::move(messages));
    return std::make_unique<ScriptedServer>(network, fmt::format("10.0.0.{}:1344", number),
                                            std::move(more));
  }

  // What the filters have come to; the content then is in `content`.
  AdaptResult show_request(std::optional<std::vector<BodyPiece>> pieces) {
    return show(AdaptPoint::client_request, nullptr, std::move(pieces));
  }
  AdaptResult show_request(std::string_view text) { return show_request(in_pieces(text, 4)); }
  AdaptResult show_response(std::optional<std::vector<BodyPiece>> pieces) {
    return show(AdaptPoint::client_response, &response, std::move(pieces));
  }
  AdaptResult show_response(std::string_view text) { return show_response(in_pieces(text, 4)); }

  [[nodiscard]] int failure_status() const { return adaptation->failure_status(); }
  [[nodiscard]] std::string value(std::string_view name) const {
    const Field* const field = message->fields().find(name);
    return field != nullptr ? std::string(field->value) : "none";
  }

  SimWorld world{1};
  SimNetwork network{world};
  UpstreamSettings upstream;
  ReadableLog log;
  std::list<Place> services;
  std::list<FilterSettings> filter_settings;
  std::vector<FilterPlace> filters;
  std::shared_ptr<FilterSet> set;
  ListenerSettings listener;
  ClientInfo client;
  RequestHead request;
  ResponseHead response;
  std::list<TimedBody> sources;
  std::unique_ptr<Adaptation> adaptation;
  AdaptedMessage* message = nullptr;  // that was shown last
  PulledBody content;

 private:
  AdaptResult show(AdaptPoint point, ResponseHead* head,
                   std::optional<std::vector<BodyPiece>> pieces) {
    if (!adaptation) {
      set =
          std::make_shared<FilterSet>(nullptr, std::move(filters), 0, world.executor(), &log.log());
      const TransactionFacts facts{.request = 1, .client = &client};
      adaptation = Adaptation::begin(set, facts, request, "a.test", "/p");
    }
    Framing framing;
    if (pieces) framing.kind = BodyKind::length;
    sources.emplace_back(pieces ? std::move(*pieces) : std::vector<BodyPiece>());
    if (pieces) framing.length = *sources.back().remaining();
    message = &adaptation->begin_message(point, request, head, sources.back(), framing);
    content = {};
    bool done = false;
    AdaptResult result{};
    Scope scope(world.executor());
    scope.spawn(run(*this, result, done));
    for (int i = 0; i < 300 && !done; ++i) world.run_for(seconds(1));
    EXPECT_TRUE(done);
    return result;
  }
  static Task<void> run(IcapFilterTest& self, AdaptResult& result, bool& done) {
    result = co_await self.adaptation->run(*self.message);
    if (result == AdaptResult::go_on) co_await pull_body(self.message->body(), self.content);
    if (result == AdaptResult::answer) {
      co_await pull_body(*self.adaptation->answer().body, self.content);
    }
    if (self.adaptation->has_work()) co_await self.adaptation->end_work();
    done = true;
  }
};

// ---- Heads that are put in the place of others.

TEST_F(IcapFilterTest, RequestBecomesAnother) {
  const auto server =
      serve(1, {{.until = kLast,
                 .answer = adapted("req",
                                   "PUT http://b.test:8080/q?x HTTP/1.1\r\nHost: b.test:8080\r\n"
                                   "Expect: 100-continue\r\nX-New: 1\r\nContent-Length: 3\r\n"
                                   "Connection: X-Hop\r\nX-Hop: 1\r\n\r\n",
                                   "new")}});
  filter({settings_of(1)});
  add(request.fields, "Expect", "100-continue");
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(request.method_text, "PUT");
  EXPECT_EQ(request.method, Method::put);
  EXPECT_EQ(request.target.authority, "b.test:8080");
  EXPECT_EQ(request.target.path_and_query, "/q?x");
  EXPECT_EQ(value("Host"), "b.test:8080");
  EXPECT_EQ(value("X-New"), "1");
  EXPECT_EQ(value("X-End"), "none");
  EXPECT_EQ(value("Expect"), "none");
  EXPECT_EQ(value("X-Hop"), "none");
  EXPECT_EQ(value("Content-Length"), "3");
  EXPECT_TRUE(message->retargeted());
  EXPECT_EQ(message->framing().length, 3U);
  EXPECT_EQ(content.text, "new");
  EXPECT_TRUE(content.ended);
}

TEST_F(IcapFilterTest, RequestThatStaysWhereItWasIsNotRouted) {
  const auto server = serve(1, {{.until = kLast,
                                 .answer = adapted("req",
                                                   "POST http://a.test/p HTTP/1.1\r\n"
                                                   "Host: a.test\r\nX-New: 1\r\n\r\n",
                                                   "longer than before")}});
  filter({settings_of(1)});
  add(request.fields, "Content-Length", "6");
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_FALSE(message->retargeted());
  EXPECT_EQ(value("X-New"), "1");
  EXPECT_EQ(value("Content-Length"), "none");
  EXPECT_EQ(message->framing().kind, BodyKind::chunked);
  EXPECT_EQ(content.text, "longer than before");
}

TEST_F(IcapFilterTest, RequestLosesItsContent) {
  const auto server =
      serve(1, {{.until = kLast,
                 .answer = adapted("req", "GET http://a.test/p HTTP/1.1\r\nHost: a.test\r\n\r\n",
                                   std::nullopt)}});
  filter({settings_of(1)});
  add(request.fields, "Content-Length", "6");
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(request.method, Method::get);
  EXPECT_EQ(content.text, "");
  EXPECT_NE(value("Content-Length"), "6");
}

struct RefusedCase {
  const char* method;
  const char* target;
  const char* becomes;  // the first line
  const char* host;
};

TEST_F(IcapFilterTest, WhatARequestCannotBecome) {
  const RefusedCase cases[] = {
      {"HEAD", "http://a.test/p", "GET http://a.test/p", "a.test"},
      {"GET", "http://a.test/p", "HEAD http://a.test/p", "a.test"},
      {"GET", "http://a.test/p", "CONNECT a.test:443", "a.test"},
      {"CONNECT", "a.test:443", "GET http://a.test/p", "a.test"},
      {"CONNECT", "a.test:443", "CONNECT b.test:443", "b.test:443"},
      {"OPTIONS", "*", "OPTIONS *", "b.test"},
  };
  for (const RefusedCase& one : cases) {
    SCOPED_TRACE(std::string(one.method) + " to " + one.becomes);
    const std::string head = fmt::format("{} HTTP/1.1\r\nHost: {}\r\n\r\n", one.becomes, one.host);
    const auto server =
        serve(1, {{.until = kNothing, .answer = adapted("req", head, std::nullopt)}});
    ask_for(one.method, one.target);
    // Not even where failures pass is anything changed.
    filter({settings_of(1)}, FailurePolicy::open);
    EXPECT_EQ(show_request(std::nullopt), AdaptResult::go_on);
    EXPECT_EQ(adaptation->decided_by(), filter_settings.back().name);
    EXPECT_EQ(request.method_text, one.method);
    EXPECT_EQ(value("Host"), "a.test");
    EXPECT_FALSE(message->retargeted());
    adaptation.reset();
    services.clear();
  }
}

TEST_F(IcapFilterTest, ResponseBecomesAnother) {
  const auto server = serve(1, {{.until = kLast,
                                 .answer = adapted("res",
                                                   "HTTP/1.0 403 No\r\nX-New: 1\r\n"
                                                   "Connection: close\r\nContent-Length: 7\r\n\r\n",
                                                   "blocked")}});
  filter({settings_of(1)});
  EXPECT_EQ(show_response("virgin"), AdaptResult::go_on);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.version, Version::http11);
  EXPECT_EQ(value("X-New"), "1");
  EXPECT_EQ(value("Connection"), "none");
  EXPECT_EQ(value("X-End"), "none");
  EXPECT_EQ(message->framing().length, 7U);
  EXPECT_EQ(content.text, "blocked");
}

// It is for HEAD: what is encapsulated all the same must not reach the client.
TEST_F(IcapFilterTest, ContentThatMustNotBe) {
  ask_for("HEAD", "http://a.test/p");
  const auto server = serve(1, {{.until = kNothing,
                                 .answer = adapted("res", "HTTP/1.1 200 OK\r\nX-New: 1\r\n\r\n",
                                                   "HTTP/1.1 200 OK\r\n\r\n")}});
  filter({settings_of(1)});
  EXPECT_EQ(show_response(std::nullopt), AdaptResult::go_on);
  EXPECT_EQ(value("X-New"), "1");
  EXPECT_FALSE(message->has_content());
  EXPECT_EQ(content.text, "");
}

TEST_F(IcapFilterTest, RequestIsAnswered) {
  const auto server =
      serve(1, {{.until = kLast, .answer = adapted("res", "HTTP/1.1 403 No\r\n\r\n", "blocked")}});
  filter({settings_of(1)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::answer);
  EXPECT_EQ(adaptation->answer().head.status, 403);
  EXPECT_EQ(adaptation->answer().framing.kind, BodyKind::chunked);
  EXPECT_EQ(content.text, "blocked");
}

TEST_F(IcapFilterTest, NoTunnelIsMadeUp) {
  ask_for("CONNECT", "a.test:443");
  const auto server = serve(
      1, {{.until = kNothing, .answer = adapted("res", "HTTP/1.1 200 OK\r\n\r\n", std::nullopt)}});
  filter({settings_of(1)});
  EXPECT_EQ(show_request(std::nullopt), AdaptResult::refused);
  EXPECT_EQ(failure_status(), 502);
}

// ---- Failures.

struct FailureCase {
  const char* answer;
  Then then;
  int status;
};
const FailureCase kFailures[] = {
    {"", Then::go_on, 504},
    {"ICAP/1.0 500 Error\r\n\r\n", Then::go_on, 502},
    {"ICAP/1.0 404 Not Found\r\n\r\n", Then::go_on, 502},
    {"ICAP/1.0 503 Overloaded\r\n\r\n", Then::go_on, 503},
    {"HTTP/1.1 200 OK\r\n\r\n", Then::go_on, 502},
    {"ICAP/1.0 200 OK\r\n\r\n", Then::go_on, 502},
    {"ICAP/1.0 200", Then::close, 502},
    {"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=9\r\n\r\nGET / HT", Then::close, 502},
    {"ICAP/1.0 200 OK\r\nEncapsulated: req-hdr=0, null-body=4\r\n\r\n\r\n\r\n", Then::go_on, 502},
};

TEST_F(IcapFilterTest, StatusByFailure) {
  for (const FailureCase& one : kFailures) {
    SCOPED_TRACE(one.answer);
    const auto server = serve(1, {{.until = kLast, .answer = one.answer, .then = one.then}});
    filter({settings_of(1)});
    EXPECT_EQ(show_request("virgin"), AdaptResult::refused);
    EXPECT_EQ(failure_status(), one.status);
    EXPECT_EQ(adaptation->decided_by(), filter_settings.back().name);
    adaptation.reset();
    services.clear();
  }
}

TEST_F(IcapFilterTest, WhatIsWholeGoesOnWhereFailuresPass) {
  for (const FailureCase& one : kFailures) {
    SCOPED_TRACE(one.answer);
    const auto server = serve(1, {{.until = kLast, .answer = one.answer, .then = one.then}});
    filter({settings_of(1)}, FailurePolicy::open);
    EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
    EXPECT_EQ(content.text, "virgin");
    EXPECT_TRUE(content.ended);
    EXPECT_EQ(request.method_text, "POST");
    adaptation.reset();
    services.clear();
  }
}

TEST_F(IcapFilterTest, WithoutAServerTheServiceIsDown) {
  filter({settings_of(1)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::refused);
  EXPECT_EQ(failure_status(), 503);
}

// What was not kept is not there any more, and what has begun is not passed over.
TEST_F(IcapFilterTest, WhatIsNotWholeDoesNotGoOn) {
  const std::string begun =
      "ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n";
  for (const bool kept : {false, true}) {
    const auto server = serve(1, {{.until = kLast,
                                   .answer = kept ? begun : "ICAP/1.0 500 Error\r\n\r\n",
                                   .then = Then::close}});
    ServiceSettings settings = settings_of(1);
    if (!kept) settings.keep.total = 10;
    filter({settings}, FailurePolicy::open);
    EXPECT_EQ(show_response("virgin and more than is kept"), AdaptResult::refused);
    EXPECT_EQ(failure_status(), 502);
    adaptation.reset();
    services.clear();
  }
}

struct SourceCase {
  Error error;
  int status;
};

// Nobody has seen it: nothing of it goes on, but where failures pass.
TEST_F(IcapFilterTest, MessageThatBreaksOff) {
  const SourceCase cases[] = {
      {{.kind = ErrorKind::reset, .side = Side::server}, 502},
      {{.kind = ErrorKind::timed_out, .side = Side::server}, 504},
      {{.kind = ErrorKind::timed_out, .side = Side::client}, 408},
      {{.kind = ErrorKind::protocol, .side = Side::client}, 400},
      {{.kind = ErrorKind::limit, .side = Side::client}, 413},
  };
  for (const SourceCase& one : cases) {
    for (const FailurePolicy policy : {FailurePolicy::closed, FailurePolicy::open}) {
      SCOPED_TRACE(one.status);
      const auto server = serve(1, {{.until = kLast, .answer = kUnmodified}});
      filter({settings_of(1)}, policy);
      const std::vector<BodyPiece> pieces = {{.text = "virgin"}, {.error = one.error}};
      const AdaptResult result = show_response(pieces);
      if (policy == FailurePolicy::open) {
        EXPECT_EQ(result, AdaptResult::go_on);
        EXPECT_EQ(content.text, "virgin");
        EXPECT_TRUE(content.error);
      } else {
        EXPECT_EQ(result, AdaptResult::refused);
        EXPECT_EQ(failure_status(), one.status);
      }
      // The server was not told that this was all.
      EXPECT_EQ(server->received(0).find(kLast), std::string::npos);
      adaptation.reset();
      services.clear();
    }
  }
}

// ---- Which services are asked.

TEST_F(IcapFilterTest, TheNextTakesThePlaceOfOneThatFails) {
  const auto first = serve(1, {{.until = kLast, .answer = "ICAP/1.0 500 Error\r\n\r\n"}});
  const auto second = serve(2, {{.until = kLast, .answer = kUnmodified}});
  filter({settings_of(1), settings_of(2)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(content.text, "virgin");
  EXPECT_TRUE(second->received(0).ends_with(chunks("virgin")));
}

TEST_F(IcapFilterTest, TheNextIsNotAskedWithoutNeed) {
  const auto first = serve(1, {{.until = kLast, .answer = kUnmodified}});
  const auto second = serve(2, {{.until = kLast, .answer = kUnmodified}});
  filter({settings_of(1), settings_of(2)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(second->received(0).find("REQMOD"), std::string::npos);
}

TEST_F(IcapFilterTest, OnlyThoseThatTakeTheMethod) {
  const auto first = serve(1, {{.until = kLast, .answer = kUnmodified}});
  const auto second = serve(2, {{.until = kLast, .answer = kUnmodified}});
  ServiceSettings responses = settings_of(1);
  responses.reqmod = false;
  filter({responses, settings_of(2)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(first->received(0).find("REQMOD"), std::string::npos);
  EXPECT_NE(second->received(0).find("REQMOD"), std::string::npos);
}

TEST_F(IcapFilterTest, MethodThatIsNotOffered) {
  const std::string answer =
      "ICAP/1.0 200 OK\r\nMethods: RESPMOD\r\nISTag: a\r\nEncapsulated: null-body=0\r\n\r\n";
  for (const bool named_both : {false, true}) {
    const ScriptedServer server(network, "10.0.0.1:1344", {{{.until = kEnd, .answer = answer}}});
    ServiceSettings settings = settings_of(1);
    settings.respmod = named_both;
    filter({settings});
    EXPECT_EQ(show_request("virgin"), named_both ? AdaptResult::go_on : AdaptResult::refused);
    EXPECT_EQ(server.received(0).find("REQMOD"), std::string::npos);
    adaptation.reset();
    services.clear();
  }
}

TEST_F(IcapFilterTest, WhatIsTooLarge) {
  for (const SizePolicy policy : {SizePolicy::bypass, SizePolicy::block}) {
    const auto server = serve(1, {{.until = kLast, .answer = kUnmodified}});
    ServiceSettings settings = settings_of(1);
    settings.size_limit = 5;
    settings.over_size = policy;
    filter({settings});
    const bool passes = policy == SizePolicy::bypass;
    EXPECT_EQ(show_request("virgin"), passes ? AdaptResult::go_on : AdaptResult::refused);
    if (passes) EXPECT_EQ(content.text, "virgin");
    EXPECT_EQ(server->received(0).find("REQMOD"), std::string::npos);
    adaptation.reset();
    services.clear();
  }
}

TEST_F(IcapFilterTest, WhatTheServiceDoesNotWant) {
  const auto server = serve(1, {{.until = kLast, .answer = kUnmodified}},
                            "Transfer-Ignore: PNG\r\nTransfer-Complete: *\r\n");
  ask_for("POST", "http://a.test/x.png?y");
  filter({settings_of(1)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(content.text, "virgin");
  EXPECT_EQ(server->received(0).find("REQMOD"), std::string::npos);
}

// ---- What services are told.

TEST_F(IcapFilterTest, Promises) {
  const auto server = serve(1, {{.until = kLast, .answer = kUnmodified}},
                            "Preview: 3\r\nTransfer-Preview: *\r\nAllow: 204, 206\r\n");
  ServiceSettings settings = settings_of(1);
  settings.keep.total = 5;
  filter({settings});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(content.text, "virgin");
  // More than is kept can't be promised, but for the preview.
  EXPECT_NE(server->received(0).find("Allow: 206\r\n"), std::string::npos);
  EXPECT_NE(server->received(0).find("Preview: 3\r\n"), std::string::npos);
  EXPECT_NE(server->received(0).find("3\r\nvir\r\n0\r\n\r\n"), std::string::npos);
}

TEST_F(IcapFilterTest, WhoAsks) {
  const auto server = serve(1, {{.until = kLast, .answer = kUnmodified}});
  ServiceSettings settings = settings_of(1);
  settings.fields.client_port = "X-Client-Port";
  settings.fields.set = {{"X-Policy", "gold"}};
  filter({settings});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  const std::string& received = server->received(0);
  EXPECT_NE(received.find("X-Client-IP: 198.51.100.7\r\n"), std::string::npos) << received;
  EXPECT_NE(received.find("X-Client-Port: 5000\r\n"), std::string::npos);
  EXPECT_NE(received.find("X-Policy: gold\r\n"), std::string::npos);
  EXPECT_EQ(received.find("X-Server-IP"), std::string::npos);  // none is known yet
}

TEST_F(IcapFilterTest, AnswersAreToldToLaterServices) {
  const std::string answer =
      "ICAP/1.0 204 No Content\r\nX-Told: yes\r\nX-Other: yes\r\nISTag: a\r\n\r\n";
  const auto first = serve(1, {{.until = kLast, .answer = answer}});
  const auto second = serve(2, {{.until = kLast, .answer = kUnmodified}});
  ServiceSettings settings = settings_of(1);
  settings.share = {"x-told"};
  filter({settings});
  filter({settings_of(2)});
  EXPECT_EQ(show_request("virgin"), AdaptResult::go_on);
  EXPECT_EQ(first->received(0).find("X-Told"), std::string::npos);
  EXPECT_NE(second->received(0).find("X-Told: yes\r\n"), std::string::npos);
  EXPECT_EQ(second->received(0).find("X-Other"), std::string::npos);
}

// The second service takes no more before it has seen the end; what the first one makes of it goes
// on all the same.
TEST_F(IcapFilterTest, ContentOfOneServiceIsPulledAgainAfterAnother) {
  const std::string begin = adapted("res", "HTTP/1.1 200 OK\r\n\r\n", "adapted");
  const auto first = serve(1, {{.until = kLast, .answer = begin.substr(0, begin.find(kLast))}});
  const auto second = serve(2, {{.until = "adapted", .answer = kUnmodified}});
  filter({settings_of(1)});
  filter({settings_of(2)});
  world.call_at(world.now() + seconds(5), [&first] { first->say(0, chunks(" content")); });
  EXPECT_EQ(show_response("virgin"), AdaptResult::go_on);
  EXPECT_EQ(content.text, "adapted content");
  EXPECT_TRUE(content.ended);
  EXPECT_FALSE(content.error);
}

}  // namespace
}  // namespace penstock::icap

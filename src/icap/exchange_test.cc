#include "icap/exchange.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "adapt/pull_body_test.h"
#include "upstream/upstream_test.h"

namespace penstock::icap {
namespace {

using std::chrono::seconds;
using Then = ServerStep::Then;

const std::string kRequestHead = "GET http://a/p HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kResponseHead = "HTTP/1.1 200 OK\r\n\r\n";
// How every request ends that has content.
const std::string kLast = "0\r\n\r\n";
const std::string kUnmodified = "ICAP/1.0 204 No Content\r\nISTag: \"a\"\r\n\r\n";
const std::string kContinue = "ICAP/1.0 100 Continue\r\n\r\n";

std::string chunk(std::string_view text) {
  return fmt::format("{:x}\r\n{}\r\n", text.size(), text);
}

// A 200 with an adapted response.
std::string adapted(std::string_view http_head, std::string_view chunks, int status = 200) {
  return fmt::format(
      "ICAP/1.0 {} OK\r\nISTag: \"a\"\r\nEncapsulated: res-hdr=0, res-body={}\r\n\r\n{}{}", status,
      http_head.size(), http_head, chunks);
}

// A message that is sent to a service, and what becomes of it.
class Consultation final : public ExchangeOwner {
 public:
  explicit Consultation(std::optional<std::vector<BodyPiece>> pieces, KeepLimits keep = {})
      : keep_(std::move(keep)) {
    http_request.method = Method::get;
    http_request.method_text = "GET";
    http_request.target = *parse_target("GET", "http://a/p");
    http_request.fields.add(FieldId::host, "a");
    http_response.status = 200;
    http_response.reason = "OK";
    request.method = IcapMethod::respmod;
    request.service = &uri_;
    request.request = &http_request;
    request.response = &http_response;
    request.has_body = pieces.has_value();
    if (pieces) source = std::make_unique<TimedBody>(std::move(*pieces));
    if (pieces) virgin = std::make_unique<VirginBody>(*source, keep_);
  }

  static Task<void> run(Consultation& self, ServerPool& pool) {
    co_await self.consult(pool);
    self.done = true;
  }

  RequestHead http_request;
  ResponseHead http_response;
  IcapRequest request;
  ExchangeLimits limits;
  Duration pause{};  // between the verdict and the content
  std::unique_ptr<TimedBody> source;
  std::unique_ptr<VirginBody> virgin;

  std::expected<Verdict, Failure> verdict = std::unexpected(Failure{});
  bool left = false;
  PulledBody content;  // the adapted, or the virgin
  int status = 0;      // of the adapted response
  std::optional<Failure> broken;
  bool done = false;

 private:
  Task<void> consult(ServerPool& pool) {
    const std::vector<Address> to = addresses({"10.0.0.1:80"});
    auto lease = co_await pool.acquire_target(to, false);
    EXPECT_TRUE(lease);
    if (!lease) co_return;
    exchange_ =
        std::make_unique<Exchange>(std::move(*lease), virgin.get(), limits, pool.executor(), this);
    verdict = co_await exchange_->ask(request);
    if (!verdict) {
      co_await exchange_->abandon();
      co_return;
    }
    if (*verdict == Verdict::unmodified) {
      left = co_await exchange_->leave();
      if (left && virgin) co_await pull_body(*virgin, content);
      co_return;
    }
    if (auto* const response = std::get_if<ResponseHead>(&exchange_->head().head)) {
      status = response->status;
    }
    if (pause > Duration{}) co_await sleep_until(pool.executor().now() + pause);
    co_await pull_body(*exchange_, content);
    Scope scope(pool.executor());
    scope.spawn(Exchange::see_writer_off(*exchange_));
    scope.cancel();
    co_await scope.join();
  }
  void on_broken(const Failure& failure) override { broken = failure; }

  ServiceUri uri_ = *parse_service_uri("icap://10.0.0.1:80/s");
  KeepLimits keep_;
  std::unique_ptr<Exchange> exchange_;
};

class ExchangeTest : public UpstreamTest {
 protected:
  void consult(Consultation& consultation) {
    scope.spawn(Consultation::run(consultation, pool));
    for (int i = 0; i < 1000 && !consultation.done; ++i) {
      world.run_for(std::chrono::milliseconds(i < 100 ? 1 : 1000));
    }
    ASSERT_TRUE(consultation.done);
  }
  // What came behind the head of the ICAP request.
  static std::string carried(const ScriptedServer& server, std::size_t i = 0) {
    const std::string& all = server.received(i);
    return all.substr(all.find("\r\n\r\n") + 4);
  }
};

TEST_F(ExchangeTest, MessageWithoutContent) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kResponseHead, .answer = kUnmodified}}});
  Consultation consultation(std::nullopt);
  consultation.request.allow_204 = true;
  consult(consultation);
  ASSERT_TRUE(consultation.verdict);
  EXPECT_EQ(*consultation.verdict, Verdict::unmodified);
  EXPECT_TRUE(consultation.left);
  EXPECT_EQ(carried(server), kRequestHead + kResponseHead);
  EXPECT_EQ(pool.idle_count(), 1U);
}

struct PreviewCase {
  std::size_t body;
  const char* expected;  // of the content, on the wire
};

// 204 at the preview: what was sent, and what was not, goes to the client.
TEST_F(ExchangeTest, PreviewAndUnmodified) {
  const PreviewCase cases[] = {{0, "0; ieof\r\n\r\n"},
                               {1, "1\r\na\r\n0; ieof\r\n\r\n"},
                               {3, "3\r\nabc\r\n0; ieof\r\n\r\n"},
                               {4, "4\r\nabcd\r\n0; ieof\r\n\r\n"},
                               {5, "4\r\nabcd\r\n0\r\n\r\n"},
                               {9, "4\r\nabcd\r\n0\r\n\r\n"}};
  for (const PreviewCase& one : cases) {
    SCOPED_TRACE(one.body);
    const std::string expected = one.expected;
    const ScriptedServer server(
        network, "10.0.0.1:80",
        {{{.until = expected.substr(expected.rfind('0')), .answer = kUnmodified}}});
    const std::string text = std::string("abcdefghi").substr(0, one.body);
    Consultation consultation(in_pieces(text, 9));
    consultation.request.preview = 4;
    consult(consultation);
    ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
    EXPECT_EQ(carried(server), kRequestHead + kResponseHead + expected);
    EXPECT_EQ(consultation.content.text, text);
    EXPECT_TRUE(consultation.content.ended);
    EXPECT_EQ(pool.idle_count(), 1U);
    world.run_for(seconds(100));  // the connection is too old for the next one
  }
}

TEST_F(ExchangeTest, ContinuesAndIsAdapted) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kLast, .answer = kContinue},
                                {.until = kLast,
                                 .answer = adapted("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                                                   chunk("XXXXX") + kLast)}}});
  Consultation consultation(in_pieces("abcdefghij", 3));
  consultation.request.preview = 4;
  consult(consultation);
  ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
  EXPECT_EQ(*consultation.verdict, Verdict::adapted);
  EXPECT_EQ(consultation.content.text, "XXXXX");
  EXPECT_TRUE(consultation.content.ended);
  EXPECT_FALSE(consultation.broken);
  EXPECT_EQ(pool.idle_count(), 1U);
}

TEST_F(ExchangeTest, AdaptedAtThePreview) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kLast, .answer = adapted("HTTP/1.1 403 No\r\n\r\n", chunk("blocked") + kLast)}}});
  Consultation consultation(in_pieces(sample_text(400'000), 8000));
  consultation.request.preview = 1024;
  consult(consultation);
  ASSERT_TRUE(consultation.verdict);
  EXPECT_EQ(consultation.status, 403);
  EXPECT_EQ(consultation.content.text, "blocked");
  EXPECT_EQ(pool.idle_count(), 1U);
}

// A scanner takes all of it before it says a word.
TEST_F(ExchangeTest, WholeContentBeforeTheAnswer) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kLast, .answer = kUnmodified}}});
  const std::string text = sample_text(1'000'000);
  Consultation consultation(in_pieces(text, 50'000), {.memory = 100'000, .folder = "/tmp"});
  consultation.request.allow_204 = true;
  consult(consultation);
  ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
  EXPECT_EQ(consultation.content.text, text);
  EXPECT_EQ(pool.idle_count(), 1U);
}

TEST_F(ExchangeTest, UnmodifiedButNotKept) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kLast, .answer = kUnmodified}}});
  Consultation consultation(in_pieces(sample_text(100'000), 5000),
                            {.memory = 20'000, .total = 20'000});
  consult(consultation);
  ASSERT_FALSE(consultation.verdict);
  EXPECT_EQ(consultation.verdict.error().fault, Fault::not_kept);
  EXPECT_EQ(pool.idle_count(), 0U);
}

TEST_F(ExchangeTest, PartOfTheOriginalFollows) {
  const std::string text = sample_text(100'000);
  for (const std::size_t from : {0U, 100U, 1024U}) {
    SCOPED_TRACE(from);
    const ScriptedServer server(
        network, "10.0.0.1:80",
        {{{.until = kLast,
           .answer = adapted("HTTP/1.1 200 OK\r\n\r\n",
                             chunk("new ") + fmt::format("0; use-original-body={}\r\n\r\n", from),
                             206)}}});
    Consultation consultation(in_pieces(text, 5000));
    consultation.request.preview = 1024;
    consultation.request.allow_206 = true;
    consult(consultation);
    ASSERT_TRUE(consultation.verdict);
    EXPECT_EQ(consultation.content.text, "new " + text.substr(from));
    EXPECT_TRUE(consultation.content.ended);
    EXPECT_EQ(server.connections(), 1U);
    world.run_for(seconds(100));  // the connection is too old for the next one
  }
}

// Nothing beyond the length goes on, wherever it comes from.
TEST_F(ExchangeTest, ContentWithTheRestOfTheOriginalThatIsNotAsLongAsItsHeadSays) {
  const std::string text(8000, 'x');
  for (const std::size_t length : {4U, 3000U, 8003U, 8005U}) {
    SCOPED_TRACE(length);
    const ScriptedServer server(
        network, "10.0.0.1:80",
        {{{.until = kLast,
           .answer = adapted(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", length),
                             chunk("new ") + "0; use-original-body=0\r\n\r\n", 206)}}});
    Consultation consultation(in_pieces(text, 1000));
    consultation.request.preview = 1024;
    consultation.request.allow_206 = true;
    consult(consultation);
    ASSERT_TRUE(consultation.verdict);
    EXPECT_FALSE(consultation.content.ended);
    ASSERT_TRUE(consultation.broken);
    EXPECT_EQ(consultation.broken->fault, Fault::wrong_length);
    EXPECT_LE(consultation.content.text.size(), length);
    world.run_for(seconds(100));  // the connection is too old for the next one
  }
}

TEST_F(ExchangeTest, ContentThatIsNotAsLongAsItsHeadSays) {
  for (const char* length : {"4", "6"}) {
    SCOPED_TRACE(length);
    const ScriptedServer server(
        network, "10.0.0.1:80",
        {{{.until = kLast,
           .answer = adapted(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", length),
                             chunk("XXX") + chunk("XX") + kLast)}}});
    Consultation consultation(in_pieces("abc", 3));
    consult(consultation);
    ASSERT_TRUE(consultation.verdict);
    EXPECT_FALSE(consultation.content.ended);
    ASSERT_TRUE(consultation.broken);
    EXPECT_EQ(consultation.broken->fault, Fault::wrong_length);
    EXPECT_LT(consultation.content.text.size(), 6U);
  }
}

struct BreakCase {
  const char* name;
  std::string answer;
  Then then;
  Fault fault;
  bool before_verdict = true;
  bool had_begun = false;
};

TEST_F(ExchangeTest, ServerThatBreaksOff) {
  const std::string whole = adapted("HTTP/1.1 200 OK\r\n\r\n", chunk("abc"));
  const BreakCase cases[] = {
      {"before the answer", "", Then::close, Fault::connection},
      {"reset before the answer", "", Then::reset, Fault::connection},
      {"silent", "", Then::go_on, Fault::timed_out},
      {"in the ICAP head", "ICAP/1.0 200 O", Then::close, Fault::connection},
      {"silent in the ICAP head", "ICAP/1.0 200 O", Then::go_on, Fault::timed_out},
      {"in the HTTP head", whole.substr(0, whole.size() - 12), Then::close, Fault::connection},
      {"in the first chunk", whole.substr(0, whole.size() - 6), Then::close, Fault::connection,
       true, true},
      {"before the last chunk", whole, Then::close, Fault::connection, false},
      {"silent before the last chunk", whole, Then::go_on, Fault::timed_out, false},
      {"no chunk", whole + "xyz\r\n", Then::go_on, Fault::malformed, false},
      {"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", Then::go_on, Fault::malformed},
      {"an error", "ICAP/1.0 500 Oh\r\n\r\n", Then::go_on, Fault::status},
      {"100 again and again", kContinue + kContinue + kContinue, Then::go_on, Fault::status},
  };
  for (const BreakCase& one : cases) {
    SCOPED_TRACE(one.name);
    const ScriptedServer server(network, "10.0.0.1:80",
                                {{{.until = kLast, .answer = one.answer, .then = one.then}}});
    Consultation consultation(in_pieces("hello", 5));
    consult(consultation);
    EXPECT_EQ(consultation.verdict.has_value(), !one.before_verdict);
    const Fault fault = one.before_verdict ? consultation.verdict.error().fault
                                           : consultation.broken.value_or(Failure{}).fault;
    EXPECT_EQ(fault, one.fault);
    if (one.before_verdict) EXPECT_EQ(consultation.verdict.error().had_begun, one.had_begun);
    EXPECT_FALSE(consultation.content.ended);
    EXPECT_EQ(pool.idle_count(), 0U);
  }
}

// A server may think for longer than a connection may stall, or is not to.
TEST_F(ExchangeTest, ServerThatThinks) {
  for (const int thinks : {5, 90}) {
    SCOPED_TRACE(thinks);
    const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kLast}}});
    Consultation consultation(in_pieces("hello", 5));
    consultation.limits.answer = std::chrono::seconds(thinks);
    const TimePoint begun = pool.executor().now();
    consult(consultation);
    ASSERT_FALSE(consultation.verdict);
    EXPECT_EQ(consultation.verdict.error().fault, Fault::timed_out);
    const auto took = pool.executor().now() - begun;
    EXPECT_GE(took, consultation.limits.answer);
    EXPECT_LE(took, consultation.limits.answer + std::chrono::seconds(2));
  }
}

// While nobody reads what the server writes, and it reads no more, it is not the server that
// stalls.
TEST_F(ExchangeTest, ReaderThatPauses) {
  const std::string text = sample_text(400'000);
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kResponseHead,
         .answer = adapted("HTTP/1.1 200 OK\r\n\r\n", chunk(text) + kLast)}}});
  Consultation consultation(in_pieces(text, 10'000));
  consultation.pause = 3 * consultation.limits.stall;
  consult(consultation);
  ASSERT_TRUE(consultation.verdict);
  EXPECT_FALSE(consultation.broken);
  EXPECT_TRUE(consultation.content.ended);
  EXPECT_EQ(consultation.content.text, text);
}

// But a server that does nothing although somebody waits for it does.
TEST_F(ExchangeTest, ServerThatStallsWhileContentFlows) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kResponseHead, .answer = adapted("HTTP/1.1 200 OK\r\n\r\n", chunk("abc"))},
        {.until = "what never comes"}}});
  auto pieces = in_pieces("hello", 5);
  pieces.push_back({.text = "later", .after = std::chrono::hours(1)});
  Consultation consultation(std::move(pieces));
  const TimePoint begun = pool.executor().now();
  consult(consultation);
  ASSERT_TRUE(consultation.broken);
  EXPECT_EQ(consultation.broken->fault, Fault::timed_out);
  EXPECT_LE(pool.executor().now() - begun, 2 * consultation.limits.stall);
}

// What the server says before it has everything is not held up by that, and the rest goes on
// meanwhile.
TEST_F(ExchangeTest, AnswersWhileContentFlows) {
  const std::string answer = adapted("HTTP/1.1 200 OK\r\n\r\n", chunk("adapted") + kLast);
  for (const Then then : {Then::go_on, Then::close}) {
    const ScriptedServer server(network, "10.0.0.1:80",
                                {{{.until = "RESPMOD", .answer = answer, .then = then}}});
    auto pieces = in_pieces(sample_text(600'000), 20'000);
    for (BodyPiece& piece : pieces) piece.after = std::chrono::milliseconds(100);
    Consultation consultation(std::move(pieces));
    consult(consultation);
    ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
    EXPECT_EQ(consultation.content.text, "adapted");
    EXPECT_TRUE(consultation.content.ended);
    EXPECT_EQ(pool.idle_count(), 0U);  // the request was not sent as a whole
  }
}

TEST_F(ExchangeTest, RequestIsAnswered) {
  const std::string head = "HTTP/1.0 403 Forbidden\r\nConnection: close\r\n\r\n";
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kRequestHead, .answer = adapted(head, chunk("no") + kLast)}}});
  Consultation consultation(std::nullopt);
  consultation.request.method = IcapMethod::reqmod;
  consultation.request.response = nullptr;
  consult(consultation);
  ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
  EXPECT_EQ(consultation.status, 403);
  EXPECT_EQ(consultation.content.text, "no");
  EXPECT_EQ(pool.idle_count(), 1U);
}

// Whatever is encapsulated: it would be taken for the beginning of the next response.
TEST_F(ExchangeTest, ContentThatMayNotBe) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kResponseHead,
         .answer = adapted("HTTP/1.1 204 No Content\r\n\r\n", chunk("what") + kLast)}}});
  Consultation consultation(std::nullopt);
  consult(consultation);
  ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
  EXPECT_EQ(consultation.status, 204);
  EXPECT_EQ(consultation.content.text, "");
  EXPECT_TRUE(consultation.content.ended);
  EXPECT_EQ(pool.idle_count(), 0U);
}

TEST_F(ExchangeTest, ResponseIsNotMadeARequest) {
  const std::string answer =
      "ICAP/1.0 200 OK\r\nISTag: \"a\"\r\nEncapsulated: req-hdr=0, null-body=" +
      std::to_string(kRequestHead.size()) + "\r\n\r\n" + kRequestHead;
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kLast, .answer = answer}}});
  Consultation consultation(in_pieces("hello", 5));
  consult(consultation);
  ASSERT_FALSE(consultation.verdict);
  EXPECT_EQ(consultation.verdict.error().fault, Fault::malformed);
}

TEST_F(ExchangeTest, OneContinueTooManyIsBorneWith) {
  const ScriptedServer server(network, "10.0.0.1:80",
                              {{{.until = kLast, .answer = kContinue + kUnmodified}}});
  Consultation consultation(in_pieces("hello", 5));
  consult(consultation);
  ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
  EXPECT_EQ(consultation.content.text, "hello");
}

// A server that is still being sent to is not silent but listening.
TEST_F(ExchangeTest, IsPatientWhileContentFlows) {
  const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kLast, .answer = kUnmodified}}});
  auto pieces = in_pieces("abc", 1);
  for (BodyPiece& piece : pieces) piece.after = seconds(50);
  Consultation consultation(std::move(pieces));
  consult(consultation);
  ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
  EXPECT_EQ(consultation.content.text, "abc");
}

// A scanner must not take half a file for a whole one.
TEST_F(ExchangeTest, MessageThatBreaksOff) {
  for (const bool waits : {true, false}) {
    const ScriptedServer server(
        network, "10.0.0.1:80",
        {{{.until = waits ? kLast : "hello",
           .answer = waits ? "" : adapted("HTTP/1.1 200 OK\r\n\r\n", chunk("abc"))}}});
    auto pieces = in_pieces("hello", 5);
    pieces.push_back(
        {.after = seconds(2), .error = Error{.kind = ErrorKind::reset, .side = Side::server}});
    Consultation consultation(std::move(pieces));
    consult(consultation);
    EXPECT_EQ(consultation.verdict.has_value(), !waits);
    if (waits) EXPECT_EQ(consultation.verdict.error().fault, Fault::source);
    if (!waits) {
      ASSERT_TRUE(consultation.content.error);
      EXPECT_EQ(consultation.content.error->kind, ErrorKind::reset);
      EXPECT_FALSE(consultation.broken);
    }
    EXPECT_EQ(carried(server).find(kLast), std::string::npos);
    EXPECT_EQ(pool.idle_count(), 0U);
  }
}

TEST_F(ExchangeTest, ConnectionsAreKeptOnlyWhereNothingIsLeft) {
  const std::string good = adapted("HTTP/1.1 200 OK\r\n\r\n", chunk("abc") + kLast);
  const std::pair<std::string, bool> cases[] = {
      {good, true},
      {good + "x", false},
      {good + good, false},
      {"ICAP/1.0 204 No\r\nConnection: close\r\n\r\n", false},
      {"ICAP/1.0 204 No\r\nEncapsulated: null-body=0\r\n\r\n", true},
      {"ICAP/1.0 204 No\r\nEncapsulated: res-hdr=0, res-body=10\r\n\r\n", false},
      {"ICAP/1.0 200 OK\r\nEncapsulated: null-body=0\r\n\r\n", true},
  };
  for (const auto& [answer, kept] : cases) {
    SCOPED_TRACE(answer);
    const ScriptedServer server(network, "10.0.0.1:80", {{{.until = kLast, .answer = answer}}});
    Consultation consultation(in_pieces("hello", 5));
    consult(consultation);
    ASSERT_TRUE(consultation.verdict) << to_string(consultation.verdict.error());
    EXPECT_TRUE(consultation.content.ended);
    EXPECT_EQ(pool.idle_count(), kept ? 1U : 0U);
    world.run_for(seconds(100));  // the connection is too old for the next one
  }
}

TEST_F(ExchangeTest, TellsAStaleConnection) {
  const ScriptedServer server(
      network, "10.0.0.1:80",
      {{{.until = kLast, .answer = kUnmodified}, {.until = "RESPMOD", .then = Then::close}}});
  Consultation first(in_pieces("hello", 5));
  consult(first);
  ASSERT_TRUE(first.verdict);
  EXPECT_EQ(pool.idle_count(), 1U);
  Consultation second(in_pieces("hello", 5));
  consult(second);
  ASSERT_FALSE(second.verdict);
  EXPECT_TRUE(second.verdict.error().was_stale);
  EXPECT_TRUE(second.virgin->has(0));
}

}  // namespace
}  // namespace penstock::icap

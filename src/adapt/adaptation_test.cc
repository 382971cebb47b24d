#include "adapt/adaptation.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "async/sleep.h"
#include "async/virtual_time_test.h"
#include "message/text_body.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = FilterOutcome::Kind;

constexpr Interests kAllPoints =
    interest(AdaptPoint::client_request) | interest(AdaptPoint::server_request) |
    interest(AdaptPoint::server_response) | interest(AdaptPoint::client_response);

// What happens, in its order.
using Story = std::vector<std::string>;

struct NamedState final : FilterState {
  NamedState(Story& to, std::string of) : story(to), name(std::move(of)) {}
  ~NamedState() override { story.push_back("state of " + name); }
  NamedState(const NamedState&) = delete;
  NamedState& operator=(const NamedState&) = delete;
  Story& story;
  std::string name;
};

struct NamedBody final : OwnBody {
  NamedBody(Story& to, std::string of) : story(to), name(std::move(of)) {}
  ~NamedBody() override { story.push_back("body of " + name); }
  NamedBody(const NamedBody&) = delete;
  NamedBody& operator=(const NamedBody&) = delete;
  Slice take_ready() override { return {}; }
  Task<Result<Slice>> next() override { co_return Slice(); }
  [[nodiscard]] bool at_end() const override { return true; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return 0; }
  Story& story;
  std::string name;
};

// Does what the test says.
class ToldFilter final : public Filter {
 public:
  ToldFilter(Story& story, std::string name, Interests interests = kAllPoints)
      : story_(&story), name_(std::move(name)), interests_(interests) {}

  FilterOutcome outcome;
  Duration takes = {};  // before it has come to that
  bool looks = false;   // and takes its time then
  std::function<void(AdaptedMessage&)> act;
  FilterState* state = nullptr;  // of the last transaction

  [[nodiscard]] Interests interests() const override { return interests_; }
  std::optional<FilterOutcome> start(AdaptedMessage& message,
                                     std::unique_ptr<FilterState>& own) override {
    story_->push_back(name_ + " at " + std::string(to_string(message.point())));
    if (!own) own = std::make_unique<NamedState>(*story_, name_);
    state = own.get();
    if (act) act(message);
    if (looks) return FilterOutcome{.kind = Kind::look};
    if (takes > Duration{}) return std::nullopt;
    return outcome;
  }
  Task<FilterOutcome> finish(AdaptedMessage& /*message*/,
                             std::unique_ptr<FilterState>& /*state*/) override {
    return take_time(*this);
  }
  Task<FilterOutcome> look(AdaptedMessage& /*message*/,
                           std::unique_ptr<FilterState>& /*state*/) override {
    return take_time(*this);
  }
  MaybeTask<FilterOutcome> on_lookup(const AdaptedMessage& /*message*/, std::string_view result,
                                     std::unique_ptr<FilterState>& /*state*/) override {
    story_->push_back(name_ + " at lookup: " + std::string(result));
    return in_its_time();
  }
  MaybeTask<FilterOutcome> on_connect(const AdaptedMessage& /*message*/, ConnectChoice& choice,
                                      std::unique_ptr<FilterState>& /*state*/) override {
    story_->push_back(name_ + " at connect to " + std::string(choice.upstream));
    return in_its_time();
  }
  void on_logged(const LoggedMessages& /*messages*/, const RecordView& /*record*/,
                 std::unique_ptr<FilterState>& /*state*/) override {
    story_->push_back(name_ + " logged");
  }

 private:
  MaybeTask<FilterOutcome> in_its_time() {
    if (takes > Duration{}) return take_time(*this);
    return outcome;
  }
  static Task<FilterOutcome> take_time(ToldFilter& self) {
    const Executor& executor = (co_await this_context()).executor();
    const bool slept = co_await sleep_until(executor.now() + self.takes);
    self.story_->push_back(self.name_ + (slept ? " is done" : " is cut short"));
    co_return self.outcome;
  }

  Story* story_;
  std::string name_;
  Interests interests_;
};

class NoRecord final : public RecordView {
 public:
  bool get(std::string_view /*name*/, std::string& /*value*/) const override { return false; }
  [[nodiscard]] std::string_view line() const override { return {}; }
};

class AdaptationTest : public testing::Test {
 protected:
  ~AdaptationTest() override {
    time.scope.cancel();
    time.run();
  }
  // In the order of the filters, each with settings of its own.
  ToldFilter& add(const std::string& name, FilterSettings settings = {},
                  Interests interests = kAllPoints) {
    auto filter = std::make_unique<ToldFilter>(story, name, interests);
    ToldFilter& added = *filter;
    settings.name = name;
    settings_.push_back(std::make_unique<FilterSettings>(std::move(settings)));
    places_.push_back({.filter = std::move(filter), .settings = settings_.back().get()});
    return added;
  }
  void begin(unsigned worker = 0) {
    if (!set) {
      set = std::make_shared<FilterSet>(nullptr, std::move(places_), worker, time.executor, log);
    }
    const TransactionFacts facts{.request = 1, .client = &client, .route = "main"};
    adaptation = Adaptation::begin(set, facts, request, "a.example", "/path");
  }
  // The result; nothing while it is not there.
  std::optional<AdaptResult> run(AdaptPoint point) {
    if (!adaptation) begin();
    result.reset();
    AdaptedMessage& message = adaptation->begin_message(
        point, request, is_request(point) ? nullptr : &response, body, framing);
    time.spawn(wait_for(*this, adaptation->run(message)));
    return result;
  }
  static Task<void> wait_for(AdaptationTest& self, MaybeTask<AdaptResult> work) {
    self.result = co_await std::move(work);
  }

  Story story;
  VirtualTime time;
  ClientInfo client;
  RequestHead request;
  ResponseHead response;
  TextBody body{"content"};
  Framing framing{.kind = BodyKind::length, .length = 7};
  Log* log = nullptr;
  std::shared_ptr<FilterSet> set;
  std::unique_ptr<Adaptation> adaptation;
  std::optional<AdaptResult> result;

 private:
  std::vector<std::unique_ptr<FilterSettings>> settings_;
  std::vector<FilterPlace> places_;
};

TEST_F(AdaptationTest, NobodyHasASay) {
  add("one", {.conditions = {.hosts = {"b.example"}}});
  begin();
  EXPECT_EQ(adaptation, nullptr);
}

TEST_F(AdaptationTest, IdsAreUniqueAmongWorkers) {
  add("one");
  begin(3);
  const std::uint64_t first = adaptation->facts().id;
  EXPECT_EQ(first >> 48, 3U);
  begin();
  EXPECT_EQ(adaptation->facts().id, first + 1);
}

TEST_F(AdaptationTest, InTheirOrderAtEachPoint) {
  add("one");
  add("two", {}, interest(AdaptPoint::client_response));
  add("three", {.conditions = {.paths = {"/other"}}});
  EXPECT_EQ(run(AdaptPoint::client_request), AdaptResult::go_on);
  EXPECT_EQ(run(AdaptPoint::client_response), AdaptResult::go_on);
  EXPECT_EQ(story,
            (Story{"one at client_request", "one at client_response", "two at client_response"}));
  EXPECT_TRUE(adaptation->wants(interest(AdaptPoint::server_request)));
  EXPECT_FALSE(adaptation->wants(kLogInterest));
}

// A filter that leads a request elsewhere: those that follow see where, and all at the server.
TEST_F(AdaptationTest, ConditionsAfterAChangeOfTarget) {
  const FilterConditions old_path{.paths = {"/path"}};
  const FilterConditions new_path{.paths = {"/new"}};
  constexpr Interests kAsked = interest(AdaptPoint::client_request);
  add("old before", {.conditions = old_path}, kAsked);
  add("new before", {.conditions = new_path}, kAsked);
  add("new at server", {.conditions = new_path, .at = FilterSide::server},
      interest(AdaptPoint::server_request));
  add("old at server", {.conditions = old_path, .at = FilterSide::server},
      interest(AdaptPoint::server_request));
  add("route at server", {.conditions = {.routes = {"other"}}, .at = FilterSide::server},
      interest(AdaptPoint::server_request));
  add("leader", {}, kAsked).act = [](AdaptedMessage& message) {
    message.request().target.path_and_query = "/new/x";
    message.retarget();
  };
  add("new behind", {.conditions = new_path}, kAsked);
  add("old behind", {.conditions = old_path}, kAsked);
  EXPECT_EQ(run(AdaptPoint::client_request), AdaptResult::go_on);
  EXPECT_EQ(story, (Story{"old before at client_request", "leader at client_request",
                          "new behind at client_request"}));
  story.clear();
  adaptation->note_target(request, "other", "a.example");
  EXPECT_EQ(run(AdaptPoint::server_request), AdaptResult::go_on);
  EXPECT_EQ(story, (Story{"new at server at server_request", "route at server at server_request"}));
}

TEST_F(AdaptationTest, ResponsesOfTheProxyAreForThoseThatWantThem) {
  add("one");
  add("two", {.own_responses = true});
  begin();
  EXPECT_TRUE(adaptation->wants_own_responses());
  AdaptedMessage& message =
      adaptation->begin_message(AdaptPoint::client_response, request, &response, body, framing);
  message.set_own();
  EXPECT_TRUE(adaptation->run(message).ready());
  EXPECT_EQ(story, (Story{"two at client_response"}));
}

TEST_F(AdaptationTest, ConditionsOfTheResponse) {
  add("one", {.conditions = {.statuses = {"4xx"}, .content_types = {"text/*"}}},
      kAllPoints | kConnectInterest | kLookupInterest | kLogInterest);
  begin();
  EXPECT_FALSE(adaptation->wants(interest(AdaptPoint::client_request)));
  EXPECT_FALSE(adaptation->wants(kConnectInterest));
  EXPECT_FALSE(adaptation->wants(kLookupInterest));
  EXPECT_TRUE(adaptation->wants(kLogInterest));
  response.status = 404;
  response.fields.add(FieldId::content_type, "image/png");
  EXPECT_EQ(run(AdaptPoint::client_response), AdaptResult::go_on);
  EXPECT_EQ(story, Story());
  response.fields.set(FieldId::content_type, "text/plain; charset=x");
  EXPECT_EQ(run(AdaptPoint::client_response), AdaptResult::go_on);
  EXPECT_EQ(story, Story{"one at client_response"});
}

TEST_F(AdaptationTest, WhoTakesTimeIsWaitedFor) {
  add("one").takes = seconds(1);
  add("two").takes = seconds(2);
  add("three");
  EXPECT_EQ(run(AdaptPoint::client_request), std::nullopt);
  time.advance(milliseconds(2900));
  EXPECT_EQ(result, std::nullopt);
  time.advance(milliseconds(200));
  EXPECT_EQ(result, AdaptResult::go_on);
  EXPECT_EQ(story, (Story{"one at client_request", "one is done", "two at client_request",
                          "two is done", "three at client_request"}));
}

TEST_F(AdaptationTest, ButNotForLongerThanItMayTake) {
  add("one", {.failure_status = 503, .timeout = seconds(1)}).takes = seconds(5);
  add("two");
  EXPECT_EQ(run(AdaptPoint::client_request), std::nullopt);
  time.advance(milliseconds(1100));
  EXPECT_EQ(result, AdaptResult::refused);
  EXPECT_EQ(adaptation->failure_status(), 503);
  EXPECT_EQ(adaptation->decided_by(), "one");
  EXPECT_EQ(story, (Story{"one at client_request", "one is cut short"}));
}

// Those take what time the peers take.
TEST_F(AdaptationTest, WhoLooksBoundsItsTimeItself) {
  ToldFilter& one = add("one", {.timeout = seconds(1)});
  one.looks = true;
  one.takes = seconds(5);
  add("two");
  EXPECT_EQ(run(AdaptPoint::client_response), std::nullopt);
  time.advance(seconds(6));
  EXPECT_EQ(result, AdaptResult::go_on);
  EXPECT_EQ(story, (Story{"one at client_response", "one is done", "two at client_response"}));
}

// It comes to that only when it has taken some time.
TEST_F(AdaptationTest, WhoLooksLater) {
  ToldFilter& one = add("one");
  one.takes = seconds(1);
  one.outcome.kind = Kind::look;
  run(AdaptPoint::client_response);
  time.advance(milliseconds(1100));
  EXPECT_EQ(result, std::nullopt);
  one.outcome.kind = Kind::go_on;
  time.advance(seconds(1));
  EXPECT_EQ(result, AdaptResult::go_on);
}

TEST_F(AdaptationTest, AnAnswerEndsIt) {
  ToldFilter& one = add("one");
  one.outcome.kind = Kind::answer;
  one.act = [](AdaptedMessage& message) {
    FilterAnswer answer;
    answer.head.status = 404;
    message.answer_with(std::move(answer));
  };
  add("two");
  EXPECT_EQ(run(AdaptPoint::client_request), AdaptResult::answer);
  EXPECT_EQ(adaptation->answer().head.status, 404);
  EXPECT_EQ(adaptation->decided_by(), "one");
  EXPECT_EQ(story, Story{"one at client_request"});
}

TEST_F(AdaptationTest, AnAnswerThatIsNotGivenIsAFailure) {
  add("one").outcome.kind = Kind::answer;
  EXPECT_EQ(run(AdaptPoint::client_request), AdaptResult::refused);
}

TEST_F(AdaptationTest, WhatBecomesOfFailures) {
  add("open", {.on_failure = FailurePolicy::open}).outcome.kind = Kind::failed;
  add("skip", {.on_failure = FailurePolicy::skip}).outcome.kind = Kind::failed;
  EXPECT_EQ(run(AdaptPoint::client_request), AdaptResult::go_on);
  EXPECT_EQ(run(AdaptPoint::client_response), AdaptResult::go_on);
  EXPECT_EQ(story,
            (Story{"open at client_request", "skip at client_request", "open at client_response"}));
  EXPECT_EQ(adaptation->failure_status(), 0);
  EXPECT_EQ(adaptation->decided_by(), "open");
}

TEST_F(AdaptationTest, WhoLeavesIsNotAskedAgain) {
  ToldFilter& one = add("one", {}, kAllPoints | kLogInterest);
  one.outcome.kind = Kind::leave;
  run(AdaptPoint::client_request);
  run(AdaptPoint::client_response);
  adaptation->run_logged(request, &response, NoRecord());
  EXPECT_EQ(story, Story{"one at client_request"});
}

TEST_F(AdaptationTest, LookupAndConnect) {
  ToldFilter& one = add("one", {}, kLookupInterest | kConnectInterest | kLogInterest);
  add("two", {}, kConnectInterest);
  begin();
  const AdaptedMessage& message =
      adaptation->begin_message(AdaptPoint::client_request, request, nullptr, body, framing);
  time.spawn(wait_for(*this, adaptation->run_lookup(message, "none")));
  EXPECT_EQ(std::exchange(result, std::nullopt), AdaptResult::go_on);
  one.takes = seconds(1);
  ConnectChoice& choice = adaptation->begin_choice();
  choice.upstream = "group";
  time.spawn(wait_for(*this, adaptation->run_connect(message, choice)));
  EXPECT_EQ(result, std::nullopt);
  time.advance(milliseconds(1100));
  EXPECT_EQ(std::exchange(result, std::nullopt), AdaptResult::go_on);
  one.outcome.kind = Kind::failed;
  time.spawn(wait_for(*this, adaptation->run_connect(message, choice)));
  time.advance(milliseconds(1100));
  EXPECT_EQ(result, AdaptResult::refused);
  adaptation->run_logged(request, nullptr, NoRecord());
  EXPECT_EQ(story, (Story{"one at lookup: none", "one at connect to group", "one is done",
                          "two at connect to group", "one at connect to group", "one is done",
                          "one logged"}));
}

// Nobody is left to care, and nothing is said of it.
TEST_F(AdaptationTest, ACancelledTransactionIsNobodysFailure) {
  add("one", {.on_failure = FailurePolicy::open}).takes = seconds(5);
  add("two");
  run(AdaptPoint::client_request);
  time.scope.cancel();
  time.run();
  EXPECT_EQ(result, AdaptResult::refused);
  EXPECT_EQ(adaptation->decided_by(), "");
  EXPECT_EQ(story, (Story{"one at client_request", "one is cut short"}));
}

TEST_F(AdaptationTest, FailuresOverContent) {
  struct Case {
    FailurePolicy policy;
    bool changed;
    bool ends;
    bool left;
  };
  for (const Case& c : {Case{FailurePolicy::open, false, false, false},
                        Case{FailurePolicy::open, true, true, false},
                        Case{FailurePolicy::closed, false, true, false},
                        Case{FailurePolicy::closed, true, true, false},
                        Case{FailurePolicy::skip, false, false, true},
                        Case{FailurePolicy::skip, true, true, true}}) {
    set.reset();
    adaptation.reset();
    const ToldFilter& one =
        add("one", {.on_failure = c.policy, .failure_status = 504, .timeout = milliseconds(5)});
    run(AdaptPoint::client_request);
    const FilterState& state = *one.state;
    EXPECT_EQ(adaptation->time_limit(state), milliseconds(5));
    for (const AdaptPoint point : {AdaptPoint::client_request, AdaptPoint::server_response}) {
      const auto error = adaptation->fail_content(state, point, "reason", c.changed);
      EXPECT_EQ(error.has_value(), c.ends);
      if (error) {
        EXPECT_EQ(error->kind, ErrorKind::adaptation);
        EXPECT_EQ(error->side, is_request(point) ? Side::client : Side::server);
      }
    }
    EXPECT_EQ(adaptation->failure_status(), c.ends ? 504 : 0);
    EXPECT_EQ(adaptation->decided_by(), "one");
    EXPECT_EQ(state.left, c.left);
    EXPECT_EQ(state.dropped, c.left);
    story.clear();
    run(AdaptPoint::client_response);
    EXPECT_EQ(story.empty(), c.left);
  }
}

TEST_F(AdaptationTest, ABodyMayLeaveForItsFilter) {
  const ToldFilter& one = add("one");
  run(AdaptPoint::client_request);
  adaptation->leave(*one.state);
  EXPECT_TRUE(one.state->left);
  EXPECT_FALSE(one.state->dropped);
  run(AdaptPoint::client_response);
  EXPECT_EQ(story, Story{"one at client_request"});
}

// Whoever wraps goes before what it has wrapped, and both before what they belong to.
TEST_F(AdaptationTest, WhatGoesFirst) {
  for (const char* name : {"one", "two"}) {
    add(name).act = [this, name](AdaptedMessage& message) {
      message.wrap(std::make_unique<NamedBody>(story, name));
    };
  }
  run(AdaptPoint::client_request);
  story.clear();
  adaptation.reset();
  EXPECT_EQ(story, (Story{"body of two", "body of one", "state of one", "state of two"}));
}

TEST_F(AdaptationTest, WhatIsKnownOfContentThatIsReplaced) {
  struct Case {
    std::optional<std::uint64_t> length;
    Framing framing;
    const char* field;
  };
  for (const Case& c : {Case{std::nullopt, {.kind = BodyKind::chunked}, ""},
                        Case{5, {.kind = BodyKind::length, .length = 5}, "5"},
                        // Else it would not be pulled.
                        Case{0, {.kind = BodyKind::chunked}, ""}}) {
    add("one");
    begin();
    request.fields.set(FieldId::content_length, "7");
    AdaptedMessage& message =
        adaptation->begin_message(AdaptPoint::client_request, request, nullptr, body, framing);
    EXPECT_TRUE(message.has_content());
    message.wrap(std::make_unique<NamedBody>(story, "one"));
    EXPECT_EQ(message.framing(), framing);
    EXPECT_EQ(request.fields.value(FieldId::content_length), "7");
    EXPECT_NE(&message.body(), &body);
    message.replace(std::make_unique<NamedBody>(story, "two"), c.length);
    EXPECT_EQ(message.framing(), c.framing);
    EXPECT_EQ(request.fields.value(FieldId::content_length), c.field);
  }
}

TEST_F(AdaptationTest, RecordFields) {
  add("one");
  begin();
  EXPECT_FALSE(adaptation->add_record_field("", "x"));
  EXPECT_FALSE(adaptation->add_record_field("a b", "x"));
  EXPECT_TRUE(adaptation->add_record_field("user_1", "x"));
  EXPECT_FALSE(adaptation->add_record_field("long", std::string(4096, 'x')));
  EXPECT_TRUE(adaptation->add_record_field("long", std::string(4000, 'x')));
  EXPECT_FALSE(adaptation->add_record_field("longer", std::string(100, 'x')));
  for (int i = 0; i < 14; ++i) EXPECT_TRUE(adaptation->add_record_field("n", ""));
  EXPECT_FALSE(adaptation->add_record_field("n", ""));
  ASSERT_EQ(adaptation->record_fields().size(), 16U);
  EXPECT_EQ(adaptation->record_fields()[0].first, "user_1");
  EXPECT_TRUE(is_record_name(std::string(64, 'a')));
  EXPECT_FALSE(is_record_name(std::string(65, 'a')));
}

// Failures of many transactions at once do not fill the log.
TEST_F(AdaptationTest, WhatIsSaidOfFailures) {
  const std::string path = testing::TempDir() + "adaptation_test_log." + std::to_string(::getpid());
  std::optional<LogFile> file(path);
  Log to(*file, LogLevel::warning);
  log = &to;
  add("one", {.on_failure = FailurePolicy::open}).outcome = {.kind = Kind::failed,
                                                             .reason = "error"};
  for (int i = 0; i < 5; ++i) {
    begin();
    run(AdaptPoint::client_request);
  }
  time.advance(milliseconds(1100));
  begin();
  run(AdaptPoint::client_response);
  file.reset();
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_NE(text.find("filter one: failed at client_request: error\n"), std::string::npos) << text;
  EXPECT_NE(text.find("filter one: failed at client_response: error; and 4 times since"),
            std::string::npos)
      << text;
  EXPECT_EQ(std::ranges::count(text, '\n'), 2);
  ::unlink(path.c_str());
}

// -- Work of bodies.

Task<void> sleep_and_say(Duration duration, Story& story) {
  const Executor& executor = (co_await this_context()).executor();
  const bool slept = co_await sleep_until(executor.now() + duration);
  story.emplace_back(slept ? "slept" : "cut short");
}

TEST_F(AdaptationTest, WorkGoesOnWhoeverHasStartedIt) {
  add("one");
  begin();
  EXPECT_FALSE(adaptation->has_work());
  adaptation->start_work(time.executor, sleep_and_say(seconds(1), story));
  adaptation->start_work(time.executor, sleep_and_say(seconds(5), story));
  time.run();
  EXPECT_TRUE(adaptation->has_work());
  time.scope.cancel();
  time.advance(seconds(2));
  EXPECT_EQ(story, Story{"slept"});
  Scope ending(time.executor);
  ending.spawn(adaptation->end_work());
  time.run();
  EXPECT_EQ(ending.running(), 0U);
  EXPECT_EQ(story, (Story{"slept", "cut short"}));
  // There may be more of it.
  EXPECT_FALSE(adaptation->has_work());
  adaptation->start_work(time.executor, sleep_and_say(seconds(1), story));
  time.advance(seconds(2));
  EXPECT_EQ(story, (Story{"slept", "cut short", "slept"}));
  ending.spawn(adaptation->end_work());
  time.run();
}

}  // namespace
}  // namespace penstock

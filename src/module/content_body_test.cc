#include "module/content_body.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "adapt/adaptation.h"
#include "async/virtual_time_test.h"
#include "message/timed_body_test.h"
#include "module/idle_services.h"
#include "module/inline_caller.h"
#include "module/loader.h"
#include "module/module_filter.h"

namespace penstock {
namespace {

using std::chrono::seconds;

constexpr std::string_view kMark = "<b>";

// Takes every mark out of content, however it is cut: what may be the beginning of one is held
// until it is known.
struct MarkRemover {
  bool waits = false;     // before each piece, and at the end
  bool copies = false;    // what it passes
  std::string seen = {};  // the beginning of a mark that is held
  std::vector<penstock_held*> held = {};
  int calls = 0;

  [[nodiscard]] bool waits_now(penstock_call* call) {
    ++calls;
    if (!waits || call->resumed != 0) return false;
    call->api->resume(call->api->waiter(call));
    return true;
  }
  void pass(penstock_call* call, std::string_view bytes, std::size_t begin, std::size_t end) const {
    if (copies) {
      EXPECT_EQ(call->api->content_write(call, bytes.data() + begin, end - begin), PENSTOCK_OK);
    } else {
      EXPECT_EQ(call->api->content_pass(call, begin, end - begin), PENSTOCK_OK);
    }
  }
  void let_go(penstock_call* call, bool write) {
    for (penstock_held* one : held) {
      EXPECT_EQ(write ? call->api->content_emit(call, one) : call->api->content_drop(call, one),
                PENSTOCK_OK);
    }
    held.clear();
    seen.clear();
  }
  int on_content(penstock_call* call, std::string_view bytes) {
    if (waits_now(call)) return PENSTOCK_WAIT;
    std::size_t begin = 0;  // of what has not been dealt with
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      if (bytes[i] == kMark[seen.size()]) {
        if (seen.empty()) pass(call, bytes, begin, i);
        if (seen.empty()) begin = i;
        seen += bytes[i];
        if (seen.size() < kMark.size()) continue;
        let_go(call, false);
        begin = i + 1;
      } else if (!seen.empty()) {
        let_go(call, true);
        --i;  // it may begin a mark itself
      }
    }
    if (seen.empty()) {
      pass(call, bytes, begin, bytes.size());
    } else {
      penstock_held* one = nullptr;
      EXPECT_EQ(call->api->content_hold(call, begin, bytes.size() - begin, &one), PENSTOCK_OK);
      held.push_back(one);
    }
    return PENSTOCK_CHANGED;
  }
  int on_end(penstock_call* call) {
    if (waits_now(call)) return PENSTOCK_WAIT;
    let_go(call, true);
    return PENSTOCK_CONTINUE;
  }
};

MarkRemover& remover_of(penstock_call* call) { return *static_cast<MarkRemover*>(call->data); }

penstock_module mark_remover(int at_head) {
  static int returned = 0;
  returned = at_head;
  penstock_module made{};
  made.abi = PENSTOCK_ABI;
  made.size = sizeof made;
  made.name = "mark_remover";
  made.version = "1";
  made.summary = "Takes marks out of content.";
  made.response_head = [](penstock_call*) { return returned; };
  made.response_body = [](penstock_call* call, const char* bytes, std::size_t size) {
    return remover_of(call).on_content(call, {bytes, size});
  };
  made.response_complete = [](penstock_call* call) { return remover_of(call).on_end(call); };
  return made;
}

// A response that goes through a module.
class ContentBodyTest : public testing::Test {
 protected:
  struct Passed {
    std::string text;
    std::optional<Error> error;
    bool ended = false;
    bool held_head = false;  // the head had to wait
  };

  Passed pass(const penstock_module& module, void* data, std::vector<BodyPiece> pieces,
              FilterSettings settings = {}) {
    settings.name = "filter";
    auto instance = std::make_shared<ModuleInstance>();
    instance->name = "test";
    instance->module = loader_.add(module).value();
    instance->services = std::make_unique<IdleServices>();
    instance->data = data;
    // Whoever is resumed is not waiting yet.
    const auto gate = std::make_shared<WorkerGate>([](const std::function<void()>& f) { f(); });
    auto caller = std::make_unique<InlineCaller>(instance, std::uint64_t{1} << 20, gate, nullptr);
    std::vector<FilterPlace> places;
    places.push_back(
        {.filter = std::make_unique<ModuleFilter>(std::move(caller), FilterSide::client),
         .settings = &settings});
    auto set = std::make_shared<FilterSet>(nullptr, std::move(places), 0, time_.executor, nullptr);
    ClientInfo client;
    client.peer = Address::parse("192.0.2.1:1").value();
    RequestHead request;
    ResponseHead response;
    TimedBody body(std::move(pieces));
    auto adaptation = Adaptation::begin(std::move(set), {.client = &client}, request, "", "/");
    AdaptedMessage& message =
        adaptation->begin_message(AdaptPoint::client_response, request, &response, body,
                                  {.kind = BodyKind::length, .length = body.remaining().value()});
    Passed passed;
    time_.spawn(run(*adaptation, message, passed));
    time_.advance(std::chrono::hours(1));
    if (adaptation->has_work()) time_.spawn(adaptation->end_work());
    return passed;
  }

 private:
  static Task<void> run(Adaptation& adaptation, AdaptedMessage& message, Passed& passed) {
    MaybeTask<AdaptResult> adapting = adaptation.run(message);
    passed.held_head = !adapting.ready();
    const AdaptResult adapted = co_await std::move(adapting);
    EXPECT_EQ(adapted, AdaptResult::go_on);
    BodySource& body = message.body();
    while (true) {
      for (Slice slice = body.take_ready(); !slice.empty(); slice = body.take_ready()) {
        passed.text += slice.view();
      }
      if (body.at_end()) break;
      const auto slice = co_await body.next();
      if (!slice) {
        passed.error = slice.error();
        co_return;
      }
      passed.text += slice->view();
    }
    passed.ended = true;
  }

  VirtualTime time_;
  ModuleLoader loader_{module_api()};
};

std::string without_marks(std::string text) {
  for (std::size_t at = 0; (at = text.find(kMark, at)) != std::string::npos;) {
    text.erase(at, kMark.size());
  }
  return text;
}

// In pieces that end there; some of them have to be waited for.
std::vector<BodyPiece> cut_at(const std::string& text, std::vector<std::size_t> cuts, bool slow) {
  std::vector<BodyPiece> pieces;
  cuts.push_back(text.size());
  std::size_t begin = 0;
  for (const std::size_t end : cuts) {
    if (end > begin) {
      pieces.push_back({.text = text.substr(begin, end - begin),
                        .after = slow && pieces.size() % 2 == 1 ? seconds(1) : Duration{}});
    }
    begin = end;
  }
  return pieces;
}

// No mark comes of two that are taken out around it.
const std::string kText = "<b>a<b<b>bc<<b>d<b></b> <b";

TEST_F(ContentBodyTest, CutAtEachTwoPlaces) {
  const std::string expected = without_marks(kText);
  for (const int at_head : {PENSTOCK_CHANGED, PENSTOCK_HOLD_HEAD}) {
    const penstock_module module = mark_remover(at_head);
    for (const bool waits : {false, true}) {
      for (std::size_t first = 0; first < kText.size(); ++first) {
        for (std::size_t second = first; second < kText.size(); ++second) {
          MarkRemover remover{.waits = waits, .copies = second % 2 == 0};
          const Passed passed =
              pass(module, &remover, cut_at(kText, {first, second}, second % 3 == 0));
          ASSERT_EQ(passed.text, expected) << first << "/" << second << (waits ? ", waits" : "");
          ASSERT_TRUE(passed.ended);
          ASSERT_TRUE(remover.held.empty());
        }
      }
    }
  }
}

TEST_F(ContentBodyTest, AByteAtATime) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < kText.size(); ++i) cuts.push_back(i);
  for (const bool slow : {false, true}) {
    MarkRemover remover;
    const Passed passed = pass(mark_remover(PENSTOCK_CHANGED), &remover, cut_at(kText, cuts, slow));
    EXPECT_EQ(passed.text, without_marks(kText));
    EXPECT_EQ(remover.calls, static_cast<int>(kText.size()) + 1);
  }
}

TEST_F(ContentBodyTest, NothingAtAll) {
  MarkRemover remover;
  const Passed passed = pass(mark_remover(PENSTOCK_CHANGED), &remover, {});
  EXPECT_EQ(passed.text, "");
  EXPECT_TRUE(passed.ended);
  EXPECT_EQ(remover.calls, 1);
}

// Each place where the source can break.
TEST_F(ContentBodyTest, ABrokenSource) {
  const Error error{.kind = ErrorKind::reset, .side = Side::server};
  for (const int at_head : {PENSTOCK_CHANGED, PENSTOCK_HOLD_HEAD}) {
    for (std::size_t at = 0; at < kText.size(); ++at) {
      std::vector<BodyPiece> pieces = cut_at(kText.substr(0, at), {}, false);
      pieces.push_back({.error = error});
      MarkRemover remover;
      const Passed passed = pass(mark_remover(at_head), &remover, std::move(pieces));
      ASSERT_FALSE(passed.ended);
      ASSERT_TRUE(passed.error);
      EXPECT_EQ(passed.error->kind, error.kind);
      EXPECT_EQ(passed.error->side, error.side);
      // What may have become a mark has not been passed.
      EXPECT_TRUE(without_marks(kText).starts_with(passed.text)) << passed.text;
    }
  }
}

// What is only looked at is the very same body, and nobody is in the way where nobody looks.
TEST_F(ContentBodyTest, WhoDoesNotLookIsNotInTheWay) {
  penstock_module module = mark_remover(PENSTOCK_CHANGED);
  module.response_body = nullptr;
  module.response_complete = nullptr;
  MarkRemover remover;
  const Passed passed = pass(module, &remover, cut_at(kText, {5}, false));
  EXPECT_EQ(passed.text, kText);
  EXPECT_EQ(remover.calls, 0);
}

TEST_F(ContentBodyTest, OnlyTheEnd) {
  penstock_module module = mark_remover(PENSTOCK_CONTINUE);
  module.response_body = nullptr;
  MarkRemover remover;
  const Passed passed = pass(module, &remover, cut_at(kText, {5, 9}, true));
  EXPECT_EQ(passed.text, kText);
  EXPECT_EQ(remover.calls, 1);
}

TEST_F(ContentBodyTest, OnlyPieces) {
  penstock_module module = mark_remover(PENSTOCK_CHANGED);
  module.response_complete = nullptr;
  MarkRemover remover;
  const Passed passed = pass(module, &remover, cut_at("<b>a<b>", {2, 3}, true));
  EXPECT_EQ(passed.text, "a");
  EXPECT_EQ(remover.calls, 3);
}

}  // namespace
}  // namespace penstock

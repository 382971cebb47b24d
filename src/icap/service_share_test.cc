#include "icap/service_share.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "sim/network.h"

namespace penstock::icap {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const TimePoint kStart{std::chrono::hours(1)};

Options options_with(std::optional<Duration> ttl, const std::string& istag = "a") {
  Options options = tolerated_options();
  options.ttl = ttl;
  options.istag = istag;
  options.preview = 1024;
  return options;
}

class ServiceShareTest : public testing::Test {
 protected:
  ServiceShareTest() {
    settings.name = "s";
    settings.url = "icap://10.0.0.1/s";
  }
  ServiceShare& share() {
    if (!share_) share_ = std::make_unique<ServiceShare>(settings, seed);
    return *share_;
  }
  // When the next lookup is due, from now on.
  Duration next(TimePoint now) { return share().next_lookup() - now; }
  // A lookup that takes no time.
  ServiceEvent answer(TimePoint now, Options options) {
    EXPECT_TRUE(share().begin_lookup(now));
    return share().end_lookup(std::move(options), now);
  }
  ServiceEvent fail(TimePoint now) {
    EXPECT_TRUE(share().begin_lookup(now));
    return share().end_lookup_failed(now);
  }
  ServiceEvent answer_without_sense(TimePoint now) {
    EXPECT_TRUE(share().begin_lookup(now));
    return share().end_lookup_without_sense(now);
  }
  // Messages fail until the breaker opens. How many.
  std::uint32_t fail_messages(TimePoint now) {
    for (std::uint32_t i = 1; i <= 1000; ++i) {
      if (share().note_failure(now) == ServiceEvent::went_down) return i;
    }
    return 0;
  }

  ServiceSettings settings;
  std::uint64_t seed = 1;

 private:
  std::unique_ptr<ServiceShare> share_;
};

TEST_F(ServiceShareTest, IsAskedAtOnceByOne) {
  EXPECT_LE(share().next_lookup(), kStart);
  EXPECT_EQ(share().options(), nullptr);
  EXPECT_EQ(share().generation(), 0U);
  EXPECT_TRUE(share().begin_lookup(kStart));
  EXPECT_FALSE(share().begin_lookup(kStart));
  EXPECT_FALSE(share().begin_lookup(kStart + seconds(30)));
  EXPECT_EQ(share().next_lookup(), kNever);
  EXPECT_EQ(share().end_lookup(options_with(seconds(100)), kStart), ServiceEvent::nothing);
  ASSERT_NE(share().options(), nullptr);
  EXPECT_EQ(share().options()->preview, 1024U);
  EXPECT_EQ(share().generation(), 1U);
  EXPECT_EQ(share().uri().host, "10.0.0.1");
}

TEST_F(ServiceShareTest, IsAskedAheadOfTheEndOfItsTtl) {
  Duration shortest = seconds(100);
  Duration longest = seconds(0);
  for (seed = 1; seed <= 50; ++seed) {
    ServiceShare one(settings, seed);
    ASSERT_TRUE(one.begin_lookup(kStart));
    one.end_lookup(options_with(seconds(100)), kStart);
    const Duration wait = one.next_lookup() - kStart;
    EXPECT_GE(wait, seconds(80));
    EXPECT_LE(wait, seconds(90));
    shortest = std::min(shortest, wait);
    longest = std::max(longest, wait);
  }
  EXPECT_LT(shortest, seconds(82));
  EXPECT_GT(longest, seconds(88));
}

TEST_F(ServiceShareTest, TtlOfTheSettingsWhereThereIsNone) {
  settings.options_ttl = seconds(10);
  answer(kStart, options_with(std::nullopt));
  EXPECT_GE(next(kStart), seconds(8));
  EXPECT_LE(next(kStart), seconds(9));
}

TEST_F(ServiceShareTest, NoTwoLookupsWithinASecond) {
  answer(kStart, options_with(seconds(0)));
  EXPECT_EQ(next(kStart), seconds(1));
  share().want_lookup();
  EXPECT_EQ(next(kStart), seconds(1));
  EXPECT_FALSE(share().begin_lookup(kStart + milliseconds(999)));
  EXPECT_TRUE(share().begin_lookup(kStart + seconds(1)));
}

TEST_F(ServiceShareTest, AWishIsOverWithTheLookup) {
  answer(kStart, options_with(minutes(10)));
  share().want_lookup();
  EXPECT_EQ(next(kStart), seconds(1));
  ASSERT_TRUE(share().begin_lookup(kStart + minutes(1)));
  EXPECT_EQ(share().end_lookup(options_with(minutes(10)), kStart + minutes(1)),
            ServiceEvent::nothing);
  EXPECT_GE(next(kStart + minutes(1)), minutes(8));
  EXPECT_EQ(share().generation(), 2U);
  // One that comes while it is under way is for another one.
  ASSERT_TRUE(share().begin_lookup(kStart + minutes(11)));
  share().want_lookup();
  share().end_lookup(options_with(minutes(10), "b"), kStart + minutes(11));
  EXPECT_EQ(next(kStart + minutes(11)), seconds(1));
}

TEST_F(ServiceShareTest, WhatWasSaidStaysForAGraceTime) {
  answer(kStart, options_with(seconds(100)));
  TimePoint now = share().next_lookup();
  EXPECT_EQ(fail(now), ServiceEvent::kept);
  int lookups = 1;
  while (!share().down()) {
    ASSERT_LT(lookups, 20);
    EXPECT_NE(share().options(), nullptr);
    now = share().next_lookup();
    const ServiceEvent event = fail(now);
    EXPECT_EQ(event == ServiceEvent::went_down, share().down());
    ++lookups;
  }
  EXPECT_GE(now, kStart + seconds(100) + kOptionsGrace);
  EXPECT_LE(now, kStart + seconds(101) + kOptionsGrace);
  EXPECT_GT(lookups, 4);
}

TEST_F(ServiceShareTest, AnAnswerEndsTheGraceTime) {
  answer(kStart, options_with(seconds(100)));
  TimePoint now = share().next_lookup();
  EXPECT_EQ(fail(now), ServiceEvent::kept);
  now = share().next_lookup();
  EXPECT_EQ(fail(now), ServiceEvent::nothing);
  now = share().next_lookup();
  EXPECT_EQ(answer(now, options_with(seconds(100))), ServiceEvent::came_up);
  EXPECT_EQ(fail(share().next_lookup()), ServiceEvent::kept);
}

TEST_F(ServiceShareTest, OneThatHasNeverAnsweredIsDownAtOnce) {
  EXPECT_EQ(fail(kStart), ServiceEvent::went_down);
  EXPECT_TRUE(share().down());
  EXPECT_EQ(fail(share().next_lookup()), ServiceEvent::nothing);
  EXPECT_EQ(answer(share().next_lookup(), options_with(seconds(100))), ServiceEvent::came_up);
  EXPECT_FALSE(share().down());
}

TEST_F(ServiceShareTest, UndecidedLookupsSayNothing) {
  ASSERT_TRUE(share().begin_lookup(kStart));
  share().end_lookup_undecided(kStart);
  EXPECT_FALSE(share().down());
  EXPECT_EQ(next(kStart), seconds(1));
  TimePoint now = kStart + seconds(1);
  answer(now, options_with(seconds(10)));
  for (int i = 0; i < 100; ++i) {
    now = std::max(now + seconds(1), share().next_lookup());
    ASSERT_TRUE(share().begin_lookup(now));
    share().end_lookup_undecided(now);
  }
  EXPECT_FALSE(share().down());
}

TEST_F(ServiceShareTest, AnswersWithoutSenseAreToleratedIfThereNeverWereOthers) {
  EXPECT_EQ(answer_without_sense(kStart), ServiceEvent::tolerated);
  ASSERT_NE(share().options(), nullptr);
  EXPECT_TRUE(share().options()->reqmod);
  EXPECT_TRUE(share().options()->respmod);
  EXPECT_FALSE(share().options()->preview);
  EXPECT_FALSE(share().options()->allow_204);
  EXPECT_GE(next(kStart), seconds(48));
  EXPECT_EQ(answer_without_sense(share().next_lookup()), ServiceEvent::nothing);
  EXPECT_EQ(answer(share().next_lookup(), options_with(seconds(10))), ServiceEvent::nothing);
  EXPECT_TRUE(share().options()->preview);
  EXPECT_EQ(answer_without_sense(share().next_lookup()), ServiceEvent::kept);
  EXPECT_TRUE(share().options()->preview);
}

TEST_F(ServiceShareTest, AnswersWithoutSenseBringItUpAgain) {
  answer_without_sense(kStart);
  EXPECT_EQ(fail_messages(kStart + seconds(1)), 10U);
  EXPECT_EQ(answer_without_sense(share().next_lookup()), ServiceEvent::came_up);
  EXPECT_FALSE(share().down());
}

// ---- The breaker.

TEST_F(ServiceShareTest, FailuresWithinTheWindow) {
  settings.breaker = {.failures = 3, .window = seconds(10)};
  answer(kStart, options_with(minutes(10)));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(share().note_failure(kStart + i * seconds(6)), ServiceEvent::nothing);
  }
  const TimePoint later = kStart + minutes(5);
  EXPECT_EQ(share().note_failure(later), ServiceEvent::nothing);
  EXPECT_EQ(share().note_failure(later + seconds(5)), ServiceEvent::nothing);
  EXPECT_EQ(share().note_failure(later + seconds(10)), ServiceEvent::went_down);
  EXPECT_TRUE(share().down());
  // Those that were under way.
  EXPECT_EQ(share().note_failure(later + seconds(10)), ServiceEvent::nothing);
}

TEST_F(ServiceShareTest, ZeroFailuresIsNever) {
  settings.breaker.failures = 0;
  answer(kStart, options_with(minutes(10)));
  EXPECT_EQ(fail_messages(kStart), 0U);
}

TEST_F(ServiceShareTest, PausesGrow) {
  settings.breaker.retry_after = seconds(2);
  settings.breaker.max_retry_after = seconds(10);
  answer(kStart, options_with(minutes(10)));
  TimePoint now = kStart + minutes(1);
  EXPECT_EQ(fail_messages(now), 10U);
  for (const int expected : {2, 4, 8, 10, 10, 10}) {
    EXPECT_GE(next(now), seconds(expected) * 3 / 4);
    EXPECT_LE(next(now), seconds(expected));
    now = share().next_lookup();
    EXPECT_EQ(fail(now), ServiceEvent::nothing);
  }
  now = share().next_lookup();
  EXPECT_EQ(answer(now, options_with(minutes(10))), ServiceEvent::came_up);
  // It fails at once again.
  EXPECT_EQ(fail_messages(now + seconds(1)), 10U);
  EXPECT_GE(next(now + seconds(1)), milliseconds(7500));
  now = share().next_lookup();
  EXPECT_EQ(answer(now, options_with(minutes(10))), ServiceEvent::came_up);
  // It does well for long.
  now += minutes(2);
  EXPECT_EQ(fail_messages(now), 10U);
  EXPECT_LE(next(now), seconds(2));
}

TEST_F(ServiceShareTest, WhileDownPausesAreNotCutShort) {
  settings.breaker.retry_after = seconds(8);
  answer(kStart, options_with(minutes(10)));
  const TimePoint now = kStart + minutes(1);
  EXPECT_EQ(fail_messages(now), 10U);
  share().want_lookup();
  share().note_istag("b");
  EXPECT_GE(next(now), seconds(6));
}

TEST_F(ServiceShareTest, FailuresBeforeItWentDownAreForgotten) {
  answer(kStart, options_with(minutes(10)));
  EXPECT_EQ(fail_messages(kStart + seconds(1)), 10U);
  const TimePoint up = share().next_lookup();
  answer(up, options_with(minutes(10)));
  EXPECT_EQ(fail_messages(up), 10U);
}

// ---- ISTag, quirks.

TEST_F(ServiceShareTest, AnotherIsTagAsksForALookup) {
  EXPECT_EQ(share().istag_version(), 0U);
  answer(kStart, options_with(minutes(10), "a"));
  EXPECT_EQ(share().istag_version(), 1U);
  share().note_istag("a");
  share().note_istag({});
  EXPECT_EQ(share().istag_version(), 1U);
  EXPECT_GE(next(kStart), minutes(8));
  share().note_istag("b");
  EXPECT_EQ(share().istag_version(), 2U);
  EXPECT_EQ(share().istag(), "b");
  EXPECT_EQ(next(kStart), seconds(1));
  answer(kStart + seconds(1), options_with(minutes(10), "b"));
  EXPECT_EQ(share().istag_version(), 2U);
  EXPECT_GE(next(kStart), minutes(8));
  // One in an answer to OPTIONS alone.
  answer(share().next_lookup(), options_with(minutes(10), "c"));
  EXPECT_EQ(share().istag_version(), 3U);
}

TEST_F(ServiceShareTest, TheFirstIsTagAsksForNothing) {
  answer(kStart, options_with(minutes(10), ""));
  share().note_istag("a");
  EXPECT_EQ(share().istag_version(), 1U);
  EXPECT_GE(next(kStart), minutes(8));
}

TEST_F(ServiceShareTest, AnIsTagThatTheLookupUnderWayTellsToo) {
  answer(kStart, options_with(minutes(10), "a"));
  share().note_istag("b");
  ASSERT_TRUE(share().begin_lookup(kStart + seconds(1)));
  share().note_istag("c");
  share().end_lookup(options_with(minutes(10), "c"), kStart + seconds(1));
  EXPECT_GE(next(kStart), minutes(8));
}

TEST_F(ServiceShareTest, QuirksAreToldOnceAnHour) {
  Quirks both(Quirk::bare_lf);
  both.add(Quirk::created);
  EXPECT_TRUE(share().untold({}, kStart).empty());
  EXPECT_EQ(share().untold(Quirks(Quirk::bare_lf), kStart), Quirks(Quirk::bare_lf));
  EXPECT_TRUE(share().untold(Quirks(Quirk::bare_lf), kStart + minutes(59)).empty());
  EXPECT_EQ(share().untold(both, kStart + minutes(59)), Quirks(Quirk::created));
  EXPECT_EQ(share().untold(both, kStart + minutes(60)), both);
}

// ---- Telling.

struct Heard final : ServiceListener {
  void on_change() override { ++changes; }
  virtual ~Heard() = default;
  int changes = 0;
};

TEST_F(ServiceShareTest, AllThreadsAreTold) {
  SimWorld world{1};
  SimNetwork one{world};
  SimNetwork two{world};
  auto a = std::make_shared<Heard>();
  auto b = std::make_shared<Heard>();
  share().join(one, a);
  share().join(two, b);
  answer(kStart, options_with(minutes(10)));
  EXPECT_EQ(a->changes, 0);  // on its own loop only
  world.run_until_idle();
  EXPECT_EQ(a->changes, 1);
  EXPECT_EQ(b->changes, 1);
  fail_messages(kStart);
  world.run_until_idle();
  EXPECT_EQ(a->changes, 2);
  share().leave(one);
  answer(share().next_lookup(), options_with(minutes(10)));
  world.run_until_idle();
  EXPECT_EQ(a->changes, 2);
  EXPECT_EQ(b->changes, 3);
  share().want_lookup();
  share().want_lookup();
  b.reset();  // before it is heard
  world.run_until_idle();
}

TEST_F(ServiceShareTest, ThreadsTogether) {
  settings.breaker.failures = 100;
  std::atomic<int> lookups = 0;
  std::atomic<int> went_down = 0;
  std::vector<std::jthread> threads;
  ServiceShare& shared = share();
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&shared, &lookups, &went_down, t] {
      for (int i = 0; i < 5000; ++i) {
        const TimePoint now = kStart + i * milliseconds(10);
        if (shared.begin_lookup(now)) {
          ++lookups;
          shared.end_lookup(options_with(seconds(1), std::to_string(i)), now);
        }
        shared.note_istag(t % 2 == 0 ? "even" : "odd");
        static_cast<void>(shared.untold(Quirks(Quirk::bare_lf), now));
        if (shared.note_failure(now) == ServiceEvent::went_down) ++went_down;
        if (shared.generation() > 0) EXPECT_NE(shared.options(), nullptr);
      }
    });
  }
  threads.clear();
  // Time is not the same for all here; but no thread's clock runs on beyond 50 s.
  EXPECT_LE(lookups, 51);
  EXPECT_GT(lookups, 0);
  EXPECT_GT(went_down, 0);
}

}  // namespace
}  // namespace penstock::icap

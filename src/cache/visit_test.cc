#include "cache/visit.h"

#include "cache/visit_world_test.h"

namespace penstock {
namespace {

const Lines kFresh{{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}};

TEST_F(VisitTest, MissesThenHits) {
  Journey first(world(), "/a");
  EXPECT_EQ(first.ask().step, CacheStep::forward);
  EXPECT_EQ(first.visit->result(), "miss");
  first.respond(200, kFresh, "hello");
  EXPECT_EQ(first.received, CacheStep::forward);
  EXPECT_EQ(first.take_all(), "hello");
  EXPECT_EQ(first.cache_status(), "us; fwd=uri-miss; fwd-status=200; stored");
  first.finish();

  world().pass(std::chrono::seconds(7));
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, CacheStep::answer);
  EXPECT_EQ(second.visit->result(), "hit");
  EXPECT_EQ(second.status(), 200);
  EXPECT_EQ(second.field("Age"), "7");
  EXPECT_EQ(second.cache_status(), "us; hit; ttl=53");
  EXPECT_EQ(second.answered(), "hello");
  EXPECT_EQ(world().cache.counted(CacheEvent::hit), 1U);
  EXPECT_EQ(world().cache.counted(CacheEvent::stored), 1U);
}

TEST_F(VisitTest, HeadIsAnsweredFromWhatGetHasStored) {
  store("/a", kFresh, "hello");
  Journey head(world(), "/a", {}, "HEAD");
  EXPECT_EQ(head.ask().step, CacheStep::answer);
  EXPECT_EQ(head.field("Content-Length"), "5");
}

TEST_F(VisitTest, WhatIsNotToBeStoredIsNot) {
  struct Case {
    Lines response;
    std::string_view why;
  };
  const Case cases[] = {{{{"Cache-Control", "no-store"}}, "no-store"},
                        {{{"Cache-Control", "private, max-age=60"}}, "private"},
                        {{{"Cache-Control", "max-age=60"}, {"Vary", "*"}}, "vary-any"},
                        {{{"Cache-Control", "max-age=60"}, {"Set-Cookie", "a=b"}}, "set-cookie"}};
  for (const Case& c : cases) {
    Journey journey(world(), "/a");
    journey.ask().respond(200, c.response, "x");
    EXPECT_EQ(journey.visit->why(), c.why);
    EXPECT_EQ(journey.answered(), "x");
    EXPECT_EQ(ask("/a"), CacheStep::forward) << c.why;
  }
}

TEST_F(VisitTest, AuthorisedResponsesAreForNobodyElse) {
  const Lines login{{"Authorization", "Basic eDp5"}};
  store("/mine", kFresh, "secret", login);
  EXPECT_EQ(ask("/mine"), CacheStep::forward);
  store("/all", {{"Cache-Control", "public, max-age=60"}}, "for all", login);
  EXPECT_EQ(ask("/all"), CacheStep::answer);
}

TEST_F(VisitTest, VariantsAreChosenByTheRequestThatWasAsked) {
  const Lines vary{{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Language"}};
  store("/a", vary, "english", {{"Accept-Language", "en"}});
  store("/a", vary, "deutsch", {{"Accept-Language", "de"}});
  Journey english(world(), "/a", {{"Accept-Language", "en"}});
  EXPECT_EQ(english.ask().step, CacheStep::answer);
  EXPECT_EQ(english.answered(), "english");
  Journey french(world(), "/a", {{"Accept-Language", "fr"}});
  EXPECT_EQ(french.ask().step, CacheStep::forward);
  EXPECT_EQ(french.visit->why(), "vary-miss");
}

// What changes on the way to the origin is not what the next request is compared with.
TEST_F(VisitTest, FieldsThatAreChangedOnTheWayDoNotSelect) {
  Journey first(world(), "/a", {{"Accept-Encoding", "gzip"}});
  first.ask();
  first.to_origin().set("Accept-Encoding", "identity");
  first.respond(200, {{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Encoding"}}, "x");
  first.answered();
  EXPECT_EQ(ask("/a", {{"Accept-Encoding", "gzip"}}), CacheStep::answer);
  EXPECT_EQ(ask("/a", {{"Accept-Encoding", "identity"}}), CacheStep::forward);
}

// --- Past the cache ---

TEST_F(VisitTest, WhatTheCacheHasNothingToDoWith) {
  store("/a", kFresh, "hello");
  const CacheRule never{.mode = CacheRule::Mode::never};
  Journey by_rule(world(), "/a", {}, "GET", &never);
  EXPECT_EQ(by_rule.ask().step, CacheStep::forward);
  EXPECT_EQ(by_rule.visit->why(), "rule");
  Journey upgrade(world(), "/a", {{"Upgrade", "websocket"}});
  EXPECT_EQ(upgrade.ask().step, CacheStep::forward);
  Journey overridden(world(), "/a", {{"X-HTTP-Method-Override", "DELETE"}});
  EXPECT_EQ(overridden.ask().step, CacheStep::forward);
  EXPECT_EQ(overridden.visit->why(), "unkeyed-input");
  Journey condition(world(), "/a", {{"If-Match", "\"v1\""}});
  EXPECT_EQ(condition.ask().step, CacheStep::forward);
  EXPECT_EQ(condition.visit->why(), "precondition");
}

TEST_F(VisitTest, UnkeyedInputIsNotStored) {
  Journey poison(world(), "/a", {{"X-Original-URL", "/admin"}});
  poison.ask().respond(200, kFresh, "poison");
  poison.answered();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

TEST_F(VisitTest, OnlyIfCached) {
  EXPECT_EQ(ask("/a", {{"Cache-Control", "only-if-cached"}}), CacheStep::unavailable);
  store("/a", kFresh, "hello");
  EXPECT_EQ(ask("/a", {{"Cache-Control", "only-if-cached"}}), CacheStep::answer);
}

TEST_F(VisitTest, RequestsAreNotListenedToWhereThatIsOff) {
  settings.honour_request = false;
  store("/a", kFresh, "hello");
  EXPECT_EQ(ask("/a", {{"Cache-Control", "no-cache"}}), CacheStep::answer);
  EXPECT_EQ(ask("/b", {{"Cache-Control", "only-if-cached"}}), CacheStep::forward);
}

TEST_F(VisitTest, SurrogateControlIsAnnouncedWhereItCounts) {
  Journey silent(world(), "/a");
  silent.ask();
  EXPECT_EQ(silent.to_origin().find("Surrogate-Capability"), nullptr);
  silent.visit.reset();
  settings.targeted = {"Surrogate-Control"};
  CacheWorld other(settings);
  Journey first(other, "/a", {{"Surrogate-Capability", "x=\"y\""}});
  first.ask();
  EXPECT_EQ(first.to_origin().find("Surrogate-Capability")->value,
            "x=\"y\", penstock=\"Surrogate/1.0\"");
}

// --- Validation ---

TEST_F(VisitTest, StaleOnesAreValidated) {
  store("/a", {{"Cache-Control", "max-age=5"}, {"ETag", "\"v1\""}, {"X-A", "old"}}, "hello");
  world().pass(std::chrono::seconds(6));
  Journey second(world(), "/a");
  ASSERT_EQ(second.ask().step, CacheStep::forward);
  EXPECT_EQ(second.to_origin().value(FieldId::if_none_match), "\"v1\"");
  second.respond(304, {{"Cache-Control", "max-age=10"}, {"ETag", "\"v1\""}, {"X-A", "new"}}, "");
  EXPECT_EQ(second.received, CacheStep::answer);
  EXPECT_TRUE(second.visit->drops_response());
  EXPECT_EQ(second.status(), 200);
  EXPECT_EQ(second.field("X-A"), "new");
  EXPECT_EQ(second.cache_status(), "us; fwd=stale; fwd-status=304; stored");
  EXPECT_EQ(second.answered(), "hello");
  world().pass(std::chrono::seconds(6));
  Journey third(world(), "/a");
  EXPECT_EQ(third.ask().step, CacheStep::answer);
  EXPECT_EQ(third.field("X-A"), "new");
  EXPECT_EQ(third.answered(), "hello");
}

TEST_F(VisitTest, WhySomethingWasValidatedIsSaid) {
  store("/a", {{"Cache-Control", "no-cache"}, {"ETag", "\"v1\""}}, "hello");
  Journey second(world(), "/a");
  second.ask().to_origin();
  second.respond(304, {}, "");
  EXPECT_EQ(second.cache_status(), "us; fwd=stale; fwd-status=304; stored; detail=no-cache");
}

TEST_F(VisitTest, WhatHasChangedTakesThePlace) {
  store("/a", {{"Cache-Control", "max-age=5"}, {"ETag", "\"v1\""}}, "old");
  world().pass(std::chrono::seconds(6));
  Journey second(world(), "/a");
  second.ask().to_origin();
  second.respond(200, {{"Cache-Control", "max-age=5"}, {"ETag", "\"v2\""}}, "new");
  EXPECT_EQ(second.answered(), "new");
  Journey third(world(), "/a");
  EXPECT_EQ(third.ask().step, CacheStep::answer);
  EXPECT_EQ(third.answered(), "new");
}

TEST_F(VisitTest, ConditionsOfTheClientAreAnsweredHere) {
  store("/a", kFresh, "hello");
  Journey same(world(), "/a", {{"If-None-Match", "\"v1\""}});
  EXPECT_EQ(same.ask().step, CacheStep::answer);
  EXPECT_EQ(same.status(), 304);
  EXPECT_EQ(same.field("ETag"), "\"v1\"");
  EXPECT_EQ(same.answered(), "");
  Journey other(world(), "/a", {{"If-None-Match", "\"v0\""}});
  EXPECT_EQ(other.ask().step, CacheStep::answer);
  EXPECT_EQ(other.status(), 200);
}

TEST_F(VisitTest, ConditionsOfTheClientComeAfterOurOwn) {
  store("/a", {{"Cache-Control", "max-age=5"}, {"ETag", "\"v1\""}}, "hello");
  world().pass(std::chrono::seconds(6));
  Journey second(world(), "/a", {{"If-None-Match", "\"v2\""}});
  second.ask();
  EXPECT_EQ(second.to_origin().value(FieldId::if_none_match), "\"v1\"");
  // What comes is what the client has.
  second.respond(200, {{"Cache-Control", "max-age=5"}, {"ETag", "\"v2\""}}, "new");
  EXPECT_EQ(second.received, CacheStep::answer);
  EXPECT_EQ(second.status(), 304);
  EXPECT_EQ(second.take_all(), "");
  second.finish(true);
  Journey third(world(), "/a");
  EXPECT_EQ(third.ask().step, CacheStep::answer);
  EXPECT_EQ(third.answered(), "new");
}

TEST_F(VisitTest, ClientsThatWantItAreValidatedFor) {
  store("/a", kFresh, "hello");
  Journey second(world(), "/a", {{"Cache-Control", "no-cache"}});
  EXPECT_EQ(second.ask().step, CacheStep::forward);
  EXPECT_EQ(second.visit->why(), "request-no-cache");
  EXPECT_EQ(second.to_origin().value(FieldId::if_none_match), "\"v1\"");
}

// --- Stale ---

TEST_F(VisitTest, StaleWhileRevalidate) {
  store("/a", {{"Cache-Control", "max-age=5, stale-while-revalidate=10"}, {"ETag", "\"v1\""}},
        "hello");
  world().pass(std::chrono::seconds(6));
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, CacheStep::answer);
  EXPECT_EQ(second.visit->result(), "stale");
  EXPECT_TRUE(second.visit->wants_refresh());
  Journey third(world(), "/a");
  EXPECT_EQ(third.ask().step, CacheStep::answer);
  EXPECT_FALSE(third.visit->wants_refresh());  // one is enough
  world().pass(std::chrono::seconds(10));
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

TEST_F(VisitTest, StaleIfError) {
  store("/a", {{"Cache-Control", "max-age=5, stale-if-error=10"}}, "hello");
  world().pass(std::chrono::seconds(6));
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, CacheStep::forward);
  second.respond(503, {}, "sorry");
  EXPECT_EQ(second.received, CacheStep::answer);
  EXPECT_TRUE(second.visit->drops_response());
  EXPECT_EQ(second.status(), 200);
  EXPECT_EQ(second.answered(), "hello");
  Journey third(world(), "/a");
  third.ask();
  EXPECT_TRUE(third.visit->rescue());
  world().pass(std::chrono::seconds(10));
  Journey fourth(world(), "/a");
  fourth.ask();
  EXPECT_FALSE(fourth.visit->rescue());
}

TEST_F(VisitTest, MustRevalidateIsNeverStale) {
  settings.stale_if_unreachable = std::chrono::hours(1);
  store("/a", {{"Cache-Control", "max-age=5, must-revalidate"}}, "hello");
  store("/b", {{"Cache-Control", "max-age=5"}}, "hello");
  world().pass(std::chrono::seconds(6));
  Journey strict(world(), "/a");
  strict.ask();
  EXPECT_FALSE(strict.visit->rescue());
  Journey other(world(), "/b");
  other.ask();
  EXPECT_TRUE(other.visit->rescue());
}

// --- Invalidation ---

TEST_F(VisitTest, UnsafeRequestsInvalidate) {
  store("/a", kFresh, "hello");
  store("/b", kFresh, "there");
  Journey failed(world(), "/a", {}, "POST");
  failed.ask().respond(500, {}, "no");
  failed.answered();
  EXPECT_EQ(ask("/a"), CacheStep::answer);
  Journey post(world(), "/a", {}, "POST");
  post.ask().respond(200, {{"Location", "/b"}}, "done");
  post.answered();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
  EXPECT_EQ(ask("/b"), CacheStep::forward);
}

TEST_F(VisitTest, PostMayBeStoredForGet) {
  Journey post(world(), "/a", {}, "POST");
  post.ask().respond(
      200, {{"Cache-Control", "max-age=60"}, {"Content-Location", "http://a.example/a"}}, "state");
  EXPECT_EQ(post.answered(), "state");
  Journey get(world(), "/a");
  EXPECT_EQ(get.ask().step, CacheStep::answer);
  EXPECT_EQ(get.answered(), "state");
  // Not where something was declared invalid while it was under way.
  Journey again(world(), "/a", {}, "POST");
  again.ask();
  world().cache.invalidations().declare(
      {.what = Invalidation::What::host, .soft = false, .text = "a.example", .expression = {}});
  again.respond(200, {{"Cache-Control", "max-age=60"}, {"Content-Location", "http://a.example/a"}},
                "old");
  again.answered();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

TEST_F(VisitTest, GroupsAreInvalidatedTogether) {
  store("/a", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"g\", \"h\""}}, "hello");
  store("/b", {{"Cache-Control", "max-age=60"}, {"Cache-Groups", "\"h\""}}, "there");
  Journey post(world(), "/c", {}, "POST");
  post.ask().respond(200, {{"Cache-Group-Invalidation", "\"g\""}}, "done");
  post.answered();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
  EXPECT_EQ(ask("/b"), CacheStep::answer);
}

TEST_F(VisitTest, WhatIsPurgedWhileItComesIsNotStored) {
  Journey first(world(), "/a");
  first.ask().respond(200, kFresh,
                      {{.text = "he"}, {.text = "llo", .after = std::chrono::seconds(1)}});
  world().cache.invalidations().declare({.what = Invalidation::What::uri,
                                         .soft = false,
                                         .text = "http://a.example/a",
                                         .expression = {}});
  first.take_all();
  world().time.advance(std::chrono::seconds(1));
  EXPECT_EQ(first.text, "hello");
  first.finish();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

// --- HEAD ---

TEST_F(VisitTest, HeadTellsOfTheStoredResponse) {
  store("/a", {{"Cache-Control", "max-age=5"}, {"ETag", "\"v1\""}}, "hello");
  world().pass(std::chrono::seconds(6));
  Journey head(world(), "/a", {}, "HEAD");
  EXPECT_EQ(head.ask().step, CacheStep::forward);
  head.respond(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}, {"Content-Length", "5"}},
               "");
  head.finish();
  EXPECT_EQ(ask("/a"), CacheStep::answer);
  Journey changed(world(), "/a", {{"Cache-Control", "no-cache"}}, "HEAD");
  changed.ask().respond(200, {{"ETag", "\"v2\""}}, "");
  changed.finish();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

// --- Rules of the configuration ---

TEST_F(VisitTest, RulesOverrideWhatResponsesSay) {
  const CacheRule rule{.mode = CacheRule::Mode::always, .lifetime = std::chrono::seconds(30)};
  Journey first(world(), "/a", {}, "GET", &rule);
  first.ask().respond(200, {{"Cache-Control", "private, no-cache"}}, "x");
  first.answered();
  Journey second(world(), "/a", {}, "GET", &rule);
  EXPECT_EQ(second.ask().step, CacheStep::answer);
  EXPECT_EQ(second.cache_status(), "us; hit; ttl=30");
}

TEST_F(VisitTest, LifetimesHaveBounds) {
  const CacheRule rule{.lifetime_min = std::chrono::seconds(10),
                       .lifetime_max = std::chrono::seconds(20)};
  const auto ttl = [&](std::string_view path, std::string_view control) {
    Journey first(world(), path, {}, "GET", &rule);
    first.ask().respond(200, {{"Cache-Control", control}}, "x");
    first.answered();
    Journey second(world(), path, {}, "GET", &rule);
    EXPECT_EQ(second.ask().step, CacheStep::answer);
    return second.cache_status();
  };
  EXPECT_EQ(ttl("/a", "max-age=5"), "us; hit; ttl=10");
  EXPECT_EQ(ttl("/b", "max-age=50"), "us; hit; ttl=20");
}

TEST_F(VisitTest, ErrorsAreNotKeptForLong) {
  Journey first(world(), "/a");
  first.ask().respond(503, {{"Cache-Control", "max-age=3600"}}, "sorry");
  first.answered();
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, CacheStep::answer);
  EXPECT_EQ(second.cache_status(), "us; hit; ttl=60");
}

TEST_F(VisitTest, KeysHaveFieldsAndCookiesOfTheRule) {
  const CacheRule rule{.key_fields = {"X-Device"}, .key_cookies = {"lang"}};
  const auto go = [&](const Lines& request) {
    Journey journey(world(), "/a", request, "GET", &rule);
    if (journey.ask().step == CacheStep::answer) return true;
    journey.respond(200, kFresh, "x");
    journey.answered();
    return false;
  };
  EXPECT_FALSE(go({{"X-Device", "phone"}, {"Cookie", "s=1; lang=de"}}));
  EXPECT_TRUE(go({{"X-Device", "phone"}, {"Cookie", "lang=de; s=2"}}));
  EXPECT_FALSE(go({{"X-Device", "phone"}, {"Cookie", "xlang=de"}}));
  EXPECT_FALSE(go({{"X-Device", "desk"}, {"Cookie", "lang=de"}}));
}

TEST_F(VisitTest, LargeOnesAreNotStored) {
  settings.max_object = 10;
  store("/a", kFresh, "01234567890");
  EXPECT_EQ(ask("/a"), CacheStep::forward);
  Journey unknown(world(), "/b");
  unknown.ask().respond(200, kFresh, {{.text = "012345"}, {.text = "678901"}}, false);
  EXPECT_EQ(unknown.answered(), "012345678901");
  EXPECT_EQ(ask("/b"), CacheStep::forward);
}

}  // namespace
}  // namespace penstock

// Requests that wait for each other, content that comes slowly or fails, parts.
#include "cache/visit.h"
#include "cache/visit_world_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

const Lines kFresh{{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}};

// --- Collapsed forwarding ---

TEST_F(VisitTest, OneRequestIsSentForAllThatWait) {
  Journey first(world(), "/a");
  EXPECT_EQ(first.ask().step, CacheStep::forward);
  Journey second(world(), "/a");
  Journey third(world(), "/a");
  EXPECT_EQ(second.ask().step, std::nullopt);
  EXPECT_EQ(third.ask().step, std::nullopt);
  first.respond(200, kFresh, "hello");
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::answer);
  EXPECT_EQ(second.cache_status(), "us; fwd=uri-miss; collapsed");
  EXPECT_EQ(third.step, CacheStep::answer);
  EXPECT_EQ(first.answered(), "hello");
  EXPECT_EQ(second.answered(), "hello");
  EXPECT_EQ(third.answered(), "hello");
}

TEST_F(VisitTest, ThoseWhoWaitReadAlong) {
  Journey first(world(), "/a");
  first.ask();
  Journey second(world(), "/a");
  second.ask();
  first.respond(200, kFresh, {{.text = "one "}, {.text = "two", .after = seconds(5)}});
  world().time.run();
  ASSERT_EQ(second.step, CacheStep::answer);
  // The first client takes nothing: the second does not wait for that.
  EXPECT_EQ(second.take_all(), "one ");
  world().time.advance(seconds(5));
  EXPECT_EQ(second.text, "one two");
  EXPECT_TRUE(second.read_to_end);
  EXPECT_EQ(first.take_all(), "one two");
  first.finish();
}

TEST_F(VisitTest, LateOnesJoinWhatIsUnderWay) {
  Journey first(world(), "/a");
  first.ask().respond(200, kFresh, {{.text = "one "}, {.text = "two", .after = seconds(5)}});
  first.take_all();
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, CacheStep::answer);
  EXPECT_EQ(second.take_all(), "one ");
  world().time.advance(seconds(5));
  EXPECT_EQ(second.text, "one two");
  EXPECT_EQ(first.text, "one two");
  first.finish();
}

TEST_F(VisitTest, ResponsesForOneOnlyLetTheOthersGo) {
  Journey first(world(), "/a");
  first.ask();
  Journey second(world(), "/a");
  Journey third(world(), "/a");
  second.ask();
  third.ask();
  first.respond(200, {{"Cache-Control", "private"}}, "mine");
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::forward);
  EXPECT_EQ(third.step, CacheStep::forward);
  EXPECT_EQ(first.answered(), "mine");
  // Nor do later ones wait, for a while.
  Journey fourth(world(), "/a");
  Journey fifth(world(), "/a");
  EXPECT_EQ(fourth.ask().step, CacheStep::forward);
  EXPECT_EQ(fifth.ask().step, CacheStep::forward);
  world().pass(seconds(61));
  Journey sixth(world(), "/a");
  Journey seventh(world(), "/a");
  EXPECT_EQ(sixth.ask().step, CacheStep::forward);
  EXPECT_EQ(seventh.ask().step, std::nullopt);
  sixth.visit.reset();
  world().time.run();
  EXPECT_EQ(seventh.step, CacheStep::forward);
}

TEST_F(VisitTest, WhereTheFirstComesToNothingTheNextOneTries) {
  Journey first(world(), "/a");
  first.ask();
  Journey second(world(), "/a");
  Journey third(world(), "/a");
  second.ask();
  third.ask();
  first.visit.reset();  // no response
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::forward);
  EXPECT_EQ(third.step, std::nullopt);
  second.respond(200, kFresh, "hello");
  world().time.run();
  EXPECT_EQ(third.step, CacheStep::answer);
  EXPECT_EQ(third.answered(), "hello");
  EXPECT_EQ(second.answered(), "hello");
}

TEST_F(VisitTest, NobodyWaitsForLong) {
  Journey first(world(), "/a");
  first.ask();
  Journey second(world(), "/a");
  second.ask();
  world().time.advance(seconds(9));
  EXPECT_EQ(second.step, std::nullopt);
  world().time.advance(seconds(1));
  EXPECT_EQ(second.step, CacheStep::forward);
  EXPECT_EQ(second.visit->why(), "collapse-timeout");
  first.visit.reset();
}

TEST_F(VisitTest, OtherVariantsAreNotTaken) {
  const Lines vary{{"Cache-Control", "max-age=60"}, {"Vary", "Foo"}};
  Journey first(world(), "/a", {{"Foo", "1"}});
  first.ask();
  Journey second(world(), "/a", {{"Foo", "2"}});
  second.ask();
  first.respond(200, vary, "one");
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::forward);
  EXPECT_EQ(first.answered(), "one");
  second.respond(200, vary, "two");
  EXPECT_EQ(second.answered(), "two");
  // From now on it is known by what they differ: they do not wait for each other.
  world().pass(seconds(61));
  Journey third(world(), "/a", {{"Foo", "1"}});
  Journey fourth(world(), "/a", {{"Foo", "2"}});
  EXPECT_EQ(third.ask().step, CacheStep::forward);
  EXPECT_EQ(fourth.ask().step, CacheStep::forward);
}

// It knows by then what they differ by, though nothing of it is stored yet.
TEST_F(VisitTest, OtherVariantsAreNotWaitedForWhileTheyCome) {
  const Lines vary{{"Cache-Control", "max-age=60"}, {"Vary", "Foo"}};
  Journey first(world(), "/a", {{"Foo", "1"}});
  first.ask();
  Journey second(world(), "/a", {{"Foo", "2"}});
  Journey third(world(), "/a", {{"Foo", "2"}});
  second.ask();
  third.ask();
  first.respond(200, vary, {{.text = "one "}, {.text = "more", .after = seconds(5)}});
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::forward);
  EXPECT_EQ(third.step, std::nullopt);
  second.respond(200, vary, "two");
  world().time.run();
  EXPECT_EQ(third.step, CacheStep::answer);
  EXPECT_EQ(third.answered(), "two");
  EXPECT_EQ(second.answered(), "two");
  first.take_all();
  world().time.advance(seconds(5));
  EXPECT_EQ(first.text, "one more");
  first.finish();
}

TEST_F(VisitTest, ThoseWithALoginGoAlone) {
  Journey first(world(), "/a");
  first.ask();
  Journey second(world(), "/a", {{"Authorization", "Basic eDp5"}});
  EXPECT_EQ(second.ask().step, CacheStep::forward);
  first.visit.reset();
}

TEST_F(VisitTest, ValidationIsSharedToo) {
  store("/a", {{"Cache-Control", "max-age=5"}, {"ETag", "\"v1\""}}, "hello");
  world().pass(seconds(6));
  Journey first(world(), "/a");
  Journey second(world(), "/a");
  EXPECT_EQ(first.ask().step, CacheStep::forward);
  EXPECT_EQ(second.ask().step, std::nullopt);
  first.to_origin();
  first.respond(304, {{"Cache-Control", "max-age=5"}}, "");
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::answer);
  EXPECT_EQ(second.answered(), "hello");
  EXPECT_EQ(first.answered(), "hello");
}

TEST_F(VisitTest, WhatIsPurgedMeanwhileIsNotForThoseWhoComeLater) {
  Journey first(world(), "/a");
  first.ask();
  world().cache.invalidations().declare({.what = Invalidation::What::uri,
                                         .soft = false,
                                         .text = "http://a.example/a",
                                         .expression = {}});
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, std::nullopt);
  first.respond(200, kFresh, "old");
  world().time.run();
  EXPECT_EQ(second.step, CacheStep::forward);
  EXPECT_EQ(first.answered(), "old");
  second.respond(200, kFresh, "new");
  EXPECT_EQ(second.answered(), "new");
}

// --- Content that does not come, or for nobody ---

TEST_F(VisitTest, ContentThatFailsIsNotStored) {
  Journey first(world(), "/a");
  first.ask();
  Journey second(world(), "/a");
  second.ask();
  first.respond(
      200, kFresh,
      {{.text = "one "},
       {.after = seconds(1), .error = Error{.kind = ErrorKind::reset, .side = Side::server}}},
      false);
  first.take_all();
  second.take_all();
  world().time.advance(seconds(1));
  EXPECT_EQ(second.text, "one ");
  EXPECT_FALSE(second.read_to_end);
  EXPECT_FALSE(first.read_to_end);
  first.finish();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

TEST_F(VisitTest, WhatItsClientLeavesIsFinished) {
  Journey first(world(), "/a");
  first.ask().respond(200, kFresh, {{.text = "one "}, {.text = "two", .after = seconds(5)}});
  EXPECT_TRUE(first.visit->worth_finishing());
  world().time.spawn([](Journey& journey) -> Task<void> {
    co_await journey.visit->finish(journey.visit->worth_finishing());
  }(first));
  EXPECT_EQ(ask("/b"), CacheStep::forward);
  world().time.advance(seconds(5));
  Journey second(world(), "/a");
  EXPECT_EQ(second.ask().step, CacheStep::answer);
  EXPECT_EQ(second.answered(), "one two");
}

TEST_F(VisitTest, MuchMoreIsNotWorthIt) {
  settings.finish = 2;
  Journey first(world(), "/a");
  first.ask().respond(200, kFresh, {{.text = "one "}, {.text = "two", .after = seconds(5)}});
  EXPECT_FALSE(first.visit->worth_finishing());
  Journey second(world(), "/a");
  second.ask();
  EXPECT_TRUE(first.visit->worth_finishing());  // somebody else reads it
  second.visit.reset();
  EXPECT_FALSE(first.visit->worth_finishing());
  first.finish();
  EXPECT_EQ(ask("/a"), CacheStep::forward);
}

// --- Ranges and parts ---

TEST_F(VisitTest, RangesOfWhatIsStored) {
  store("/a", kFresh, "0123456789");
  Journey one(world(), "/a", {{"Range", "bytes=2-4"}});
  EXPECT_EQ(one.ask().step, CacheStep::answer);
  EXPECT_EQ(one.status(), 206);
  EXPECT_EQ(one.field("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(one.answered(), "234");
  Journey none(world(), "/a", {{"Range", "bytes=20-"}});
  EXPECT_EQ(none.ask().step, CacheStep::answer);
  EXPECT_EQ(none.status(), 416);
  EXPECT_EQ(none.field("Content-Range"), "bytes */10");
  Journey other(world(), "/a", {{"Range", "bytes=2-4"}, {"If-Range", "\"v0\""}});
  EXPECT_EQ(other.ask().step, CacheStep::answer);
  EXPECT_EQ(other.status(), 200);
}

TEST_F(VisitTest, SeveralRanges) {
  std::string content(1000, 'x');
  content.replace(0, 3, "abc");
  content.replace(997, 3, "xyz");
  store("/a", {{"Cache-Control", "max-age=60"}, {"Content-Type", "text/plain"}}, content);
  Journey some(world(), "/a", {{"Range", "bytes=0-2,-3"}});
  EXPECT_EQ(some.ask().step, CacheStep::answer);
  EXPECT_EQ(some.status(), 206);
  const std::string type(some.field("Content-Type"));
  ASSERT_TRUE(type.starts_with("multipart/byteranges; boundary="));
  const std::string length(some.field("Content-Length"));
  const std::string text = some.answered();
  EXPECT_EQ(length, std::to_string(text.size()));
  EXPECT_NE(text.find("Content-Range: bytes 0-2/1000\r\n\r\nabc\r\n"), std::string::npos) << text;
  EXPECT_NE(text.find("Content-Range: bytes 997-999/1000\r\n\r\nxyz\r\n"), std::string::npos);
}

TEST_F(VisitTest, PartsAreStoredAndPutTogether) {
  Journey first(world(), "/a", {{"Range", "bytes=0-4"}});
  EXPECT_EQ(first.ask().step, CacheStep::forward);
  first.respond(
      206, {{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}, {"Content-Range", "bytes 0-4/10"}},
      "01234");
  EXPECT_EQ(first.answered(), "01234");
  Journey inside(world(), "/a", {{"Range", "bytes=1-3"}});
  EXPECT_EQ(inside.ask().step, CacheStep::answer);
  EXPECT_EQ(inside.status(), 206);
  EXPECT_EQ(inside.answered(), "123");

  Journey whole(world(), "/a");
  ASSERT_EQ(whole.ask().step, CacheStep::forward);
  EXPECT_EQ(whole.visit->why(), "partial");
  FieldSection& sent = whole.to_origin();
  EXPECT_EQ(sent.value(FieldId::range), "bytes=5-");
  EXPECT_EQ(sent.value(FieldId::if_range), "\"v1\"");
  whole.respond(
      206, {{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}, {"Content-Range", "bytes 5-9/10"}},
      "56789");
  EXPECT_EQ(whole.received, CacheStep::answer);
  EXPECT_EQ(whole.status(), 200);
  EXPECT_EQ(whole.field("Content-Range"), "");
  EXPECT_EQ(whole.take_all(), "0123456789");
  whole.finish(true);
  Journey again(world(), "/a");
  EXPECT_EQ(again.ask().step, CacheStep::answer);
  EXPECT_EQ(again.answered(), "0123456789");
}

// The representation has changed: all of it comes.
TEST_F(VisitTest, PartsOfAnotherRepresentationGiveWay) {
  Journey first(world(), "/a", {{"Range", "bytes=0-4"}});
  first.ask().respond(
      206, {{"Cache-Control", "max-age=60"}, {"ETag", "\"v1\""}, {"Content-Range", "bytes 0-4/10"}},
      "01234");
  first.answered();
  Journey whole(world(), "/a");
  whole.ask().to_origin();
  whole.respond(200, {{"Cache-Control", "max-age=60"}, {"ETag", "\"v2\""}}, "abcdefghij");
  EXPECT_EQ(whole.answered(), "abcdefghij");
  Journey again(world(), "/a");
  EXPECT_EQ(again.ask().step, CacheStep::answer);
  EXPECT_EQ(again.answered(), "abcdefghij");
}

TEST_F(VisitTest, PartsThatContradictThemselvesAreNotStored) {
  Journey first(world(), "/a", {{"Range", "bytes=-5"}});
  first.ask().respond(206, {{"Cache-Control", "max-age=60"}, {"Content-Range", "bytes 4-9/10"}},
                      "01234");
  EXPECT_EQ(first.answered(), "01234");
  EXPECT_EQ(ask("/a", {{"Range", "bytes=-5"}}), CacheStep::forward);
}

}  // namespace
}  // namespace penstock

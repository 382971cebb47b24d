#include "icap/virgin_body.h"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "adapt/pull_body_test.h"

namespace penstock::icap {
namespace {

std::string preview_of(VirginBody& body, std::uint64_t bytes) {
  body.end_before(bytes);
  PulledBody pulled = pull_all(body);
  EXPECT_TRUE(pulled.ended);
  return pulled.text;
}

std::string rest_of(VirginBody& body) {
  body.end_at_end();
  PulledBody pulled = pull_all(body);
  EXPECT_TRUE(pulled.ended);
  EXPECT_TRUE(body.whole());
  return pulled.text;
}

Task<void> look_ahead(VirginBody& body) { EXPECT_TRUE(co_await body.look_ahead()); }

TEST(VirginBody, KnowsAtTheEndOfAPreviewWhetherItWasAll) {
  const KeepLimits limits;
  for (const std::size_t piece : {1U, 3U, 4U, 5U, 100U}) {
    for (const std::size_t size : {0U, 1U, 3U, 4U, 5U, 9U}) {
      for (const bool ready : {true, false}) {
        const std::string text = sample_text(size);
        auto pieces = in_pieces(text, piece);
        if (!ready) {
          for (BodyPiece& one : pieces) one.after = std::chrono::seconds(1);
        }
        TimedBody source(std::move(pieces));
        VirginBody body(source, limits);
        EXPECT_EQ(preview_of(body, 4), text.substr(0, 4));
        EXPECT_EQ(body.whole(), size <= 4) << size << " in pieces of " << piece;
        EXPECT_EQ(body.position(), std::min<std::size_t>(4, size));
        EXPECT_EQ(rest_of(body), text.substr(std::min<std::size_t>(4, size)));
      }
    }
  }
}

TEST(VirginBody, LooksAheadForAnEmptyPreview) {
  const KeepLimits limits;
  for (const std::size_t size : {0U, 1U}) {
    TimedBody source(in_pieces(sample_text(size), 1));
    VirginBody body(source, limits);
    body.end_before(0);
    VirtualTime time;
    time.spawn(look_ahead(body));
    time.advance(std::chrono::hours(1));
    EXPECT_TRUE(body.at_end());
    EXPECT_EQ(body.whole(), size == 0);
  }
}

TEST(VirginBody, IsHadAgainFromMemoryAndFile) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const KeepLimits limits{.memory = random() % 3 == 0 ? 0 : random() % 60'000, .folder = "/tmp"};
    const std::string text = sample_text(random() % 200'000, static_cast<unsigned>(random()));
    TimedBody source(in_random_pieces(text, 1 + random() % 9000, random));
    VirginBody body(source, limits);
    const std::size_t preview = random() % 20'000;
    std::string sent = preview_of(body, preview);
    if (random() % 2 == 0) sent += rest_of(body);
    EXPECT_EQ(sent, text.substr(0, sent.size()));
    ASSERT_TRUE(body.has(0));
    const std::size_t from = random() % (sent.size() + 1);
    body.go_to(from);
    if (random() % 2 == 0) body.forget();
    EXPECT_EQ(rest_of(body), text.substr(from));
  }
}

TEST(VirginBody, GoesOnWhenItCannotKeepMore) {
  std::mt19937 random(8);
  for (int round = 0; round < 300; ++round) {
    const bool no_file = random() % 2 == 0;
    const KeepLimits limits{.memory = random() % 10'000,
                            .total = random() % 30'000,
                            .folder = no_file ? "/nowhere" : "/tmp"};
    const std::string text = sample_text(40'000, static_cast<unsigned>(random()));
    TimedBody source(in_random_pieces(text, 1 + random() % 9000, random));
    VirginBody body(source, limits);
    std::string sent = preview_of(body, random() % 20'000);
    sent += rest_of(body);
    EXPECT_EQ(sent, text);
    EXPECT_FALSE(body.has(0));
    EXPECT_TRUE(body.has(text.size()));
  }
}

TEST(VirginBody, ForgetsWhatIsNotWantedAgain) {
  const KeepLimits limits;
  const std::string text = sample_text(300'000);
  TimedBody source(in_pieces(text, 10'000));
  VirginBody body(source, limits);
  preview_of(body, 1024);
  body.go_to(0);
  body.forget();
  const std::size_t before = SlabPool::bytes_in_use();
  EXPECT_EQ(rest_of(body), text);
  EXPECT_LE(SlabPool::bytes_in_use(), before);
  EXPECT_FALSE(body.has(0));
}

// However little is to be kept.
TEST(VirginBody, KeepsWhatIsInAPreviewAndWasReadWithIt) {
  for (const std::uint64_t total : {0U, 10U}) {
    SCOPED_TRACE(total);
    const KeepLimits limits{.memory = 0, .total = total};
    const std::string text = sample_text(100);
    auto pieces = in_pieces(text, 50);
    TimedBody source(std::move(pieces));
    VirginBody body(source, limits);
    body.end_before(20);
    EXPECT_EQ(pull_all(body).text, text.substr(0, 20));
    ASSERT_TRUE(body.has(0));
    body.end_at_end();
    body.go_to(0);
    EXPECT_EQ(pull_all(body).text, text);
    EXPECT_FALSE(body.has(0));
  }
}

// A source that has broken must not be asked again.
class BreakingBody final : public BodySource {
 public:
  Slice take_ready() override {
    EXPECT_FALSE(broken_);
    return Slice(std::exchange(rest_, {}));
  }
  Task<Result<Slice>> next() override {
    EXPECT_FALSE(std::exchange(broken_, true));
    co_return fail(ErrorKind::reset);
  }
  // As one that has been read up to where it broke.
  [[nodiscard]] bool at_end() const override { return broken_; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return std::nullopt; }

 private:
  std::string_view rest_ = "abc";
  bool broken_ = false;
};

TEST(VirginBody, WhatBrokeOffIsNeverWhole) {
  const KeepLimits limits;
  BreakingBody source;
  VirginBody body(source, limits);
  for (int round = 0; round < 3; ++round) {
    const PulledBody pulled = pull_all(body);
    EXPECT_EQ(pulled.text, "abc");
    ASSERT_TRUE(pulled.error);
    EXPECT_EQ(pulled.error->kind, ErrorKind::reset);
    EXPECT_FALSE(body.whole());
    EXPECT_FALSE(body.at_end());
    ASSERT_TRUE(body.has(0));
    body.go_to(0);
  }
}

TEST(VirginBody, EndsWithTheErrorOfItsSource) {
  const KeepLimits limits;
  auto pieces = in_pieces(sample_text(100), 10);
  pieces.push_back({.error = Error{.kind = ErrorKind::reset}});
  TimedBody source(std::move(pieces));
  VirginBody body(source, limits);
  const PulledBody pulled = pull_all(body);
  EXPECT_EQ(pulled.text, sample_text(100));
  ASSERT_TRUE(pulled.error);
  EXPECT_EQ(pulled.error->kind, ErrorKind::reset);
}

}  // namespace
}  // namespace penstock::icap

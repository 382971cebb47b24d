#include "upstream/replay_body.h"

#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "async/virtual_time_test.h"
#include "message/timed_body_test.h"

namespace penstock {
namespace {

using std::chrono::seconds;

class ReplayBodyTest : public testing::Test {
 protected:
  // Everything up to the end, with next() only or what is ready first.
  std::string read(BodySource& body, bool ready_first = false) {
    std::string text;
    time.spawn(drain(body, ready_first, text, error));
    time.advance(seconds(100));
    return text;
  }
  static Task<void> drain(BodySource& body, bool ready_first, std::string& text,
                          std::optional<Error>& error) {
    while (!body.at_end()) {
      if (ready_first) {
        const Slice ready = body.take_ready();
        text += ready.view();
        if (!ready.empty()) continue;
      }
      const auto slice = co_await body.next();
      if (!slice) {
        error = slice.error();
        co_return;
      }
      text += slice->view();
    }
  }

  VirtualTime time;
  std::optional<Error> error;
};

TEST_F(ReplayBodyTest, IsReadAgain) {
  for (const bool ready_first : {false, true}) {
    TimedBody source({{"one "}, {"two ", seconds(1)}, {"three"}});
    ReplayBody body(source, 0);
    EXPECT_EQ(body.remaining(), 13U);
    EXPECT_EQ(read(body, ready_first), "one two three");
    for (int i = 0; i < 3; ++i) {
      EXPECT_TRUE(body.can_rewind());
      body.rewind();
      EXPECT_FALSE(body.at_end());
      EXPECT_EQ(body.remaining(), 13U);
      EXPECT_EQ(read(body, ready_first), "one two three");
    }
  }
}

TEST_F(ReplayBodyTest, RewindInTheMiddle) {
  TimedBody source({{"one "}, {"two "}, {"three"}});
  ReplayBody body(source, 0);
  EXPECT_EQ(body.take_ready().view(), "one ");
  EXPECT_EQ(body.take_ready().view(), "two ");
  body.rewind();
  EXPECT_EQ(body.take_ready().view(), "one ");
  EXPECT_EQ(body.remaining(), 9U);
  EXPECT_EQ(read(body), "two three");
}

TEST_F(ReplayBodyTest, RemembersABoundedAmount) {
  struct Case {
    std::size_t slices;
    std::size_t size;
    bool kept;
  };
  for (const Case& c :
       {Case{8, 1, true}, Case{9, 1, false}, Case{8, 8 * 1024, true}, Case{1, 64 * 1024, true},
        Case{1, 64 * 1024 + 1, false}, Case{2, 40 * 1024, false}}) {
    std::vector<BodyPiece> pieces(c.slices, BodyPiece{.text = std::string(c.size, 'x')});
    TimedBody source(std::move(pieces));
    ReplayBody body(source, 0);
    EXPECT_EQ(read(body).size(), c.slices * c.size);
    EXPECT_EQ(body.can_rewind(), c.kept) << c.slices << " of " << c.size;
    EXPECT_TRUE(body.at_end());
  }
}

TEST_F(ReplayBodyTest, GoesOnAfterForgetting) {
  TimedBody source({{"one "}, {"two "}, {"three "}, {"four"}});
  ReplayBody body(source, 0);
  EXPECT_EQ(body.take_ready().view(), "one ");
  EXPECT_EQ(body.take_ready().view(), "two ");
  body.rewind();
  EXPECT_EQ(body.take_ready().view(), "one ");
  body.forget();
  EXPECT_FALSE(body.can_rewind());
  EXPECT_EQ(read(body), "two three four");
  EXPECT_FALSE(error);
}

TEST_F(ReplayBodyTest, Limit) {
  struct Case {
    std::uint64_t limit;
    bool over;
  };
  for (const bool ready_first : {false, true}) {
    for (const Case& c : {Case{0, false}, Case{8, false}, Case{7, true}, Case{4, true}}) {
      error.reset();
      TimedBody source({{"1234"}, {"5678"}});
      ReplayBody body(source, c.limit);
      const std::string got = read(body, ready_first);
      EXPECT_EQ(got, c.over ? "1234" : "12345678");
      EXPECT_EQ(error.has_value(), c.over);
      if (!c.over) continue;
      EXPECT_EQ(error->kind, ErrorKind::limit);
      EXPECT_EQ(error->side, Side::client);
      EXPECT_FALSE(body.at_end());
      EXPECT_TRUE(body.take_ready().empty());
    }
  }
}

TEST_F(ReplayBodyTest, ReadingAgainDoesNotCountTowardsTheLimit) {
  TimedBody source({{"1234"}, {"5678"}});
  ReplayBody body(source, 8);
  EXPECT_EQ(body.take_ready().view(), "1234");
  body.rewind();
  EXPECT_EQ(read(body), "12345678");
  EXPECT_FALSE(error);
}

TEST_F(ReplayBodyTest, ErrorsArePassedOn) {
  TimedBody source({{"1234"}, {.error = Error{ErrorKind::reset, Side::client}}});
  ReplayBody body(source, 0);
  EXPECT_EQ(read(body), "1234");
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, ErrorKind::reset);
}

TEST_F(ReplayBodyTest, Empty) {
  TimedBody source({});
  ReplayBody body(source, 1);
  EXPECT_TRUE(body.at_end());
  EXPECT_EQ(body.remaining(), 0U);
  body.rewind();
  EXPECT_TRUE(body.at_end());
}

// Bytes that are moved inside the kernel can't be moved again.
class WithTrailers final : public BodySource {
 public:
  Slice take_ready() override { return {}; }
  Task<Result<Slice>> next() override { co_return Slice(); }
  [[nodiscard]] bool at_end() const override { return true; }
  [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return 0; }
  [[nodiscard]] FieldSection* trailers() override { return &fields; }
  FieldSection fields;
};

TEST_F(ReplayBodyTest, WithholdsTrailers) {
  WithTrailers source;
  for (const char* name : {"x-user", "X_User", "X-Sum"}) {
    source.fields.add(FieldId::other, name, "1");
  }
  ReplayBody body(source, 0);
  EXPECT_EQ(body.trailers()->size(), 3U);
  std::vector<std::string_view> names{"X-User"};
  body.withhold(names);
  ASSERT_NE(body.trailers(), nullptr);
  EXPECT_EQ(body.trailers()->size(), 1U);
  EXPECT_NE(body.trailers()->find("X-Sum"), nullptr);
  names = {"x-sum"};
  EXPECT_EQ(body.trailers(), nullptr);
}

TEST_F(ReplayBodyTest, RunForgets) {
  class Runs final : public BodySource {
   public:
    explicit Runs(ByteStream* stream) : stream_(stream) {}
    std::uint64_t taken = 0;
    Slice take_ready() override { return {}; }
    Task<Result<Slice>> next() override { co_return Slice(); }
    [[nodiscard]] bool at_end() const override { return false; }
    [[nodiscard]] std::optional<std::uint64_t> remaining() const override { return 100; }
    [[nodiscard]] Run run(std::uint64_t /*at_least*/) override { return {stream_, 100}; }
    void moved(std::uint64_t bytes, bool /*ended*/) override { taken += bytes; }

   private:
    ByteStream* stream_;
  };
  Runs none(nullptr);
  ReplayBody still(none, 0);
  EXPECT_EQ(still.run(1).stream, nullptr);
  EXPECT_TRUE(still.can_rewind());

  alignas(ByteStream) char place[sizeof(ByteStream)];  // only its address counts
  Runs source(reinterpret_cast<ByteStream*>(place));
  // What fits is to be remembered.
  ReplayBody body(source, 0);
  body.keep_up_to(100);
  EXPECT_EQ(body.run(1).stream, nullptr);
  body.keep_up_to(99);
  EXPECT_NE(body.run(1).stream, nullptr);
  EXPECT_FALSE(body.can_rewind());
  body.moved(40, false);
  EXPECT_EQ(source.taken, 40U);
}

}  // namespace
}  // namespace penstock
